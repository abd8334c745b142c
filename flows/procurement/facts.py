"""A plan as plain data, without a word on a terminal: what `hubfit plan --json` prints and a report may show.

Money is US dollars over all months, power as rated, None where that is unknown.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from flows.failures import Stop
from flows.procurement.effort import SECONDS_BESIDE, Effort
from flows.procurement.offers import Terms
from flows.procurement.options import Answers
from flows.procurement.plan import Outcome, plan
from flows.procurement.problem import Limits, NotSolved, Offer, Pattern, Plan
from flows.procurement.relaxations import Again
from flows.procurement.request import Request
from flows.procurement.sensitivity import OtherWay
from flows.procurement.sharing import shared_step, widened


class NoPlan(Stop):
    """Nothing that is allowed serves the demand (`infeasible`), or a minute was too short to say (`undecided`).

    The message says what stands in the way; `facts` is the same as data.
    """

    exit_status = 1

    def __init__(self, message: str, facts: Mapping[str, Any]) -> None:
        super().__init__(message)
        self.facts = facts


def planned(
    demand: pl.DataFrame,
    answers: Answers,
    inventory: pl.DataFrame,
    policy: Mapping[str, float],
    terms: Terms,
    limits: Limits,
    *,
    share: bool = False,
    seconds_beside: float = SECONDS_BESIDE,
    again: Again | None = None,
) -> dict[str, Any]:
    """The cheapest plan and all that is told of it. `seconds_beside` are for what is told beside the plan itself, or
    for what would make one possible; `again` asks a night about the demand with shorter contexts.

    Raises NoPlan.
    """
    request = Request(demand, answers, inventory, policy, terms, limits, share)
    effort = Effort(seconds_beside)
    try:
        outcome = plan(request, effort, again)
    except NotSolved as error:
        said = f"no proof within a minute ({error}); split the demand into smaller files"
        raise NoPlan(said, _nothing("undecided", [said])) from None
    if outcome.plan is None:
        raise _no_plan(outcome, effort)
    return facts(outcome, outcome.plan) | {"left_out": effort.left_out}


def _no_plan(outcome: Outcome, effort: Effort) -> NoPlan:
    said = [*outcome.reasons, *(one.words for one in outcome.relaxations)]
    said += [f"there was no time to say {what}" for what in effort.left_out]
    if not outcome.relaxations:
        said.append("no one or two changes of limits, terms and conditions would do")
    would_do = [
        {"what": list(one.what), "words": one.words, "usd": round(one.usd, 2), "change": dict(one.change),
         "percent": None if one.share is None or one.share == float("inf") else round(100 * one.share, 1)}
        for one in outcome.relaxations
    ]  # fmt: skip
    told = _nothing("infeasible", outcome.reasons, would_do, effort.left_out)
    return NoPlan("no plan: " + "; ".join(said), told)


def _nothing(
    status: str,
    reasons: Sequence[str],
    would_do: Sequence[Mapping[str, Any]] = (),
    left_out: Sequence[str] = (),
) -> dict[str, Any]:
    """`reasons`: lines that nothing serves. `relaxations`: what would make a plan possible, the smallest first."""
    return {
        "status": status, "reasons": list(reasons), "relaxations": list(would_do), "left_out": list(left_out),
    }  # fmt: skip


def facts(outcome: Outcome, best: Plan) -> dict[str, Any]:
    request = outcome.request
    shared, on_shared = _shared(request, best)
    return {
        "status": "planned",
        "months": request.terms.months,
        "usd": round(best.usd, 2),
        "usd_at_least": round(best.at_least_usd, 2),
        "usd_outlay": round(sum(request.offers[o].outlay_usd * units for o, units in best.units.items()), 2),
        "is_proven": best.is_proven,
        "devices": best.devices,
        "watts": best.watts,
        "hardware": hardware(request, best),
        "served": sorted(_served(request, best) + on_shared, key=lambda row: row["line"]),
        "shared": shared,
        "alternatives": [
            {
                "without": other.without,
                "usd": None if other.plan is None else round(other.plan.usd, 2),
                "is_proven": other.plan is None or other.plan.is_proven,
                "hardware": None if other.plan is None else hardware(request, other.plan),
            }
            for other in outcome.alternatives
        ],
        "next_best": [
            {"usd": round(other.usd, 2), "usd_more": round(other.usd - best.usd, 2), "is_proven": other.is_proven,
             "devices": other.devices, "hardware": hardware(request, other)}
            for other in outcome.next_best
        ],
        "binding": [
            {"what": one.what, "line": one.line, "gpu": one.gpu, "usd_saved": round(one.usd_saved, 2),
             "usd": round(one.plan.usd, 2), "hardware": hardware(one.request, one.plan)}
            for one in outcome.binding
        ],
        "sensitivity": _sensitivity(outcome, best),
    }  # fmt: skip


def _sensitivity(outcome: Outcome, best: Plan) -> dict[str, Any]:
    request, found = outcome.request, outcome.sensitivity

    def way(other: OtherWay) -> dict[str, Any]:
        if other.plan is None:
            return {"usd": None, "usd_more": None, "is_same_hardware": False, "hardware": None}
        return {
            "usd": round(other.plan.usd, 2), "usd_more": round(other.plan.usd - best.usd, 2),
            "is_same_hardware": other.plan.units == best.units, "hardware": _units(request, other.plan),
        }  # fmt: skip

    prices = []
    for holds in found.prices:
        offer, until = request.offers[holds.offer], holds.usd_each
        more = None if until is None else until - offer.usd
        prices.append(
            {"offer": offer.name, "usd_each": round(offer.usd, 2), "price_usd_each": round(offer.price_usd, 2),
             "stays_up_to_usd_each": None if until is None else round(until, 2),
             "stays_up_to_percent": None if more is None else round(100 * more / offer.price_usd, 1),
             "because": holds.because, "then": None if holds.then is None else _units(request, holds.then)}
        )  # fmt: skip
    return {
        "prices": prices,
        "rents": [{"percent": round(100 * other.number)} | way(other) for other in found.rents],
        "precision": [{"bits": round(other.number)} | way(other) for other in found.precisions],
    }


def _units(request: Request, of: Plan) -> list[dict[str, Any]]:
    """What a plan takes, where its prices are not those of the list; whether those are stale still matters."""
    taken = [(request.offers[o], units) for o, units in sorted(of.units.items())]
    return [
        {"offer": offer.name, "units": units, "devices": units * offer.devices,
         "price_is_stale": offer.listed.get("is_stale")}
        for offer, units in taken
    ]  # fmt: skip


def hardware(request: Request, of: Plan) -> list[dict[str, Any]]:
    taken = [(request.offers[o], units) for o, units in sorted(of.units.items())]
    return [
        {"offer": offer.name, "gpu": offer.gpu, "units": units, "devices": units * offer.devices,
         "usd": round(units * offer.usd, 2), "usd_outlay": round(units * offer.outlay_usd, 2),
         "watts": None if offer.watts is None else units * offer.watts,
         **_price(offer)}
        for offer, units in taken
    ]  # fmt: skip


def _price(offer: Offer) -> dict[str, Any]:
    """Of which day the price is, how old on the day of the plan, and from where; None of what is owned."""
    listed = offer.listed
    as_of = listed.get("as_of")
    return {
        "price_as_of": None if as_of is None else str(as_of), "price_age_days": listed.get("age_days"),
        "price_is_stale": listed.get("is_stale"), "price_origin": listed.get("origin"),
    }  # fmt: skip


def _served(request: Request, best: Plan) -> list[dict[str, Any]]:
    """Grain: demand x offer, of replicas that have their devices to themselves."""
    problem = request.problem
    served = []
    for (p, o), replicas in sorted(best.placed.items(), key=lambda item: problem.placements[item[0][0]].demand):
        option = request.choice.options.row(p, named=True)
        served.append(
            _row(request, option["demand"], option, replicas)
            | {"groups": option["groups"], "devices_per_group": option["degree"], "offer": problem.offers[o].name}
        )
    return served


def _row(request: Request, demand: int, option: Mapping[str, Any], replicas: int) -> dict[str, Any]:
    row = request.demand.row(demand, named=True)
    return {
        "line": row["line"], "model_id": row["model_id"], "context_tokens": row["context_tokens"],
        "concurrent_sequences": row["concurrent_sequences"], "replicas": replicas,
        "gpu": option["gpu"], "groups": 1, "devices_per_group": 1,
        "precision": option["precision"], "parallelism": option["parallelism"],
        "tokens_per_second": option["tokens_per_second"], "required_bytes": option["required_bytes"],
        "usable_bytes": option["usable_bytes"], "confidence": option["confidence"],
        "speed_confidence": option["speed_confidence"],
        "shared": None, "replicas_per_device": 1,
    }  # fmt: skip


def _shared(request: Request, best: Plan) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Shared devices that are alike, and rows of what runs on them: `shared` is their position in the former.

    Each replica has the preferred precision that still fits beside the others.
    """
    devices: list[dict[str, Any]] = []
    served = []
    for (pattern, o), number in sorted(best.shared.items()):
        held = _held(request, pattern)
        room = request.problem.shared[pattern.gpu].rooms[len(pattern.members) - 1]
        step = shared_step([member for member, _ in held])
        rows = {(member.demand, member.precision): row for member, row in held}
        holds = []
        for (demand, precision), replicas in sorted(Counter((m.demand, m.precision) for m, _ in held).items()):
            line = request.demand["line"][demand]
            row = _row(request, demand, rows[demand, precision], replicas * number)
            served.append(
                row
                | {"tokens_per_second": None if step is None else 1 / step, "shared": len(devices)}
                | {"replicas_per_device": replicas, "offer": request.offers[o].name}
            )
            holds.append(
                {"line": line, "model_id": row["model_id"], "precision": precision, "replicas": replicas,
                 "required_bytes_high": rows[demand, precision]["required_bytes_high"]}
            )  # fmt: skip
        devices.append(
            {"offer": request.offers[o].name, "gpu": pattern.gpu, "devices": number, "holds": holds,
             "required_bytes_high": sum(member.need_bytes for member, _ in held), "assured_bytes": room}
        )  # fmt: skip
    return devices, served


def _held(request: Request, pattern: Pattern) -> list[tuple[Any, dict[str, Any]]]:
    """The replicas of a shared device with the rows that say what they are there."""
    shared = request.problem.shared[pattern.gpu]
    members = [shared.members[at] for at in pattern.members]
    known = {member.demand: request.choice.member_rows(pattern.gpu, member.demand) for member in members}
    choices = {demand: [member for member, _ in rows] for demand, rows in known.items()}
    chosen = widened(members, choices, shared.rooms)
    return [(member, next(row for m, row in known[member.demand] if m == member)) for member in chosen]
