"""What would make a plan possible where there is none: the smallest change of each condition by itself, else of two.

Amounts come first, by how much of themselves they change; what is allowed or not follows, by what the plan then costs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import combinations
from typing import Any

import polars as pl

from catalogs.demand import ANY
from flows.procurement.conditions import (
    BUDGET,
    BUY,
    CONTEXT,
    INVENTORY,
    POWER,
    PRECISION,
    PROVIDERS,
    RENT,
    SHARING,
    SPEED,
    VENDORS,
    Lift,
    terms_and_limits,
    without_budget,
)  # fmt: skip
from flows.procurement.effort import Effort
from flows.procurement.offers import OWN
from flows.procurement.options import Answers, Unserved
from flows.procurement.problem import Plan
from flows.procurement.request import Request
from flows.procurement.solver import watts, with_known_power

Again = Callable[[pl.DataFrame], Answers]

SPEEDS = (0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1)
CONTEXTS = (0.75, 0.5, 0.25, 0.125)
# More devices than any demand wants.
PLENTY = 1_000_000
MOST_PAIRS = 3
# What is allowed or not, in the words of what would do.
ALLOWED = {
    RENT: "renting", BUY: "buying", PRECISION: "any precision for every line",
    SHARING: "models that take turns on a device (--share)",
}  # fmt: skip


@dataclass(frozen=True)
class Relaxation:
    """`what` would have to change, `words` by how much, and `usd` that the plan then costs.

    `share`: the change of an amount as a part of it, None of what is allowed or not. `change`: the numbers of `words`.
    """

    what: tuple[str, ...]
    words: str
    usd: float
    share: float | None = None
    change: Mapping[str, Any] = field(default_factory=dict)


def relaxations(request: Request, effort: Effort, again: Again | None = None) -> list[Relaxation]:
    """The smallest first; of two conditions together only where none by itself would do.

    `again` asks a night about other contexts; without it they stay as they are.
    """
    lifts = dict(_lifts(request))
    shorter = _shorter(request, effort, again) if again is not None else {}
    if shorter:
        lifts[CONTEXT] = lambda asked: replace(asked, answers=shorter[min(shorter)], chosen=None)
    found = []
    for what, lift in lifts.items():
        plan = _plan(what, lift(request), effort)
        if plan is not None:
            found.append(_smallest(what, request, plan, shorter, effort))
    if found:
        return sorted(found, key=lambda one: (one.share is None, one.share or 0.0, one.usd, one.what))
    together = []
    for one, other in combinations(lifts, 2):
        plan = _plan(f"{one} and {other}", lifts[other](lifts[one](request)), effort)
        if plan is not None:
            together.append(_both(one, other, plan))
    return sorted(together, key=lambda pair: (pair.usd, pair.what))[:MOST_PAIRS]


def _lifts(request: Request) -> Iterator[tuple[str, Lift]]:
    """Every condition that the request has, and the request without it."""
    demand = request.demand
    if request.limits.budget_usd is not None:
        yield BUDGET, without_budget
    if not request.inventory.is_empty():
        plenty = request.inventory.with_columns(devices=pl.lit(PLENTY, pl.Int64))
        yield INVENTORY, lambda asked: replace(asked, inventory=plenty, chosen=asked.choice)
    if demand["min_tokens_per_second"].null_count() < demand.height:
        yield SPEED, lambda asked: _slower(asked, 0.0)
    yield from terms_and_limits(request)
    if not demand.filter(pl.col("precision") != ANY).is_empty():
        yield (
            PRECISION,
            lambda asked: replace(asked, demand=asked.demand.with_columns(precision=pl.lit(ANY)), chosen=None),
        )


def _slower(request: Request, factor: float) -> Request:
    """With that part of every minimum speed, none for 0."""
    speed = pl.col("min_tokens_per_second") * factor if factor else pl.lit(None, pl.Float64)
    return replace(request, demand=request.demand.with_columns(min_tokens_per_second=speed), chosen=None)


def _shorter(request: Request, effort: Effort, again: Again) -> dict[float, Answers]:
    """By part of the context: the answers to the demand with contexts of that length."""
    demand = request.demand
    rows = [
        demand.with_columns(context_tokens=(pl.col("context_tokens") * part).floor().cast(pl.Int64).clip(1))
        for part in CONTEXTS
    ]
    try:
        answers = again(pl.concat(rows))
    except Unserved:
        effort.leave_out("whether shorter contexts would do")
        return {}
    place = pl.col("demand") // demand.height
    return {
        part: replace(
            answers,
            fits=answers.fits.filter(place == at).with_columns((pl.col("demand") - at * demand.height).cast(pl.UInt32)),
        )
        for at, part in enumerate(CONTEXTS)
    }


def _plan(what: str, asked: Request, effort: Effort) -> Plan | None:
    question = f"whether another {what} would do"
    if effort.is_over(question):
        return None
    found = effort.ask(question, asked.choice, asked.problem)
    return None if found is None else found.plan


def _smallest(what: str, request: Request, plan: Plan, shorter: Mapping[float, Answers], effort: Effort) -> Relaxation:
    """The least change of a condition, of which any change makes `plan` possible."""
    if what in ALLOWED:
        return Relaxation((what,), _would(plan, ALLOWED[what]), plan.usd)
    if what == CONTEXT:
        return _context(request, plan, shorter, effort)
    read_off = {BUDGET: _budget, VENDORS: _vendors, PROVIDERS: _providers}
    if what in read_off:
        return read_off[what](request, plan)
    searched = {POWER: _power, INVENTORY: _inventory, SPEED: _speed}
    return searched[what](request, plan, effort)


def _would(plan: Plan, what: str) -> str:
    return f"{what} would do, for {plan.usd:,.2f} USD"


def _budget(request: Request, plan: Plan) -> Relaxation:
    had = request.limits.budget_usd or 0.0
    more = plan.usd - had
    share = more / had if had > 0 else float("inf")
    words = f"the budget stands in the way: {plan.usd:,.2f} USD would do{_percent(share)}"
    return Relaxation((BUDGET,), words, plan.usd, share, {"budget_usd": round(plan.usd, 2)})


def _power(request: Request, plan: Plan, effort: Effort) -> Relaxation:
    had = request.limits.watts or 0.0
    asked = replace(request, limits=replace(request.limits, watts=None), chosen=request.choice)
    powered = with_known_power(asked.problem)
    least = effort.ask("how little power would do", asked.choice, powered, watts(powered))
    if least is None or least.plan is None or least.plan.watts is None:
        return Relaxation(
            (POWER,), f"the power limit stands in the way: {_would(plan, 'none')}", plan.usd, float("inf")
        )
    needed = least.plan.watts
    share = (needed - had) / had if had > 0 else float("inf")
    words = f"the power limit stands in the way: {needed:,.0f} W would do{_percent(share)}"
    return Relaxation((POWER,), words, least.plan.usd, share, {"watts": needed})


def _inventory(request: Request, plan: Plan, effort: Effort) -> Relaxation:
    """As few more devices of one kind as do; of several kinds where none does by itself."""
    devices = int(request.inventory["devices"].sum())
    fewest: tuple[int, str, Plan] | None = None
    for gpu, there in request.inventory.select("gpu", "devices").iter_rows():
        found = _plan(INVENTORY, _with_devices(request, gpu, PLENTY), effort)
        if found is None:
            continue
        low, high = 1, _taken(request, gpu, found) - there
        while low < high:
            middle = (low + high) // 2
            fewer = _plan(INVENTORY, _with_devices(request, gpu, there + middle), effort)
            if fewer is None:
                low = middle + 1
            else:
                high, found = middle, fewer
        if fewest is None or high < fewest[0]:
            fewest = high, gpu, found
    if fewest is None:
        gpus = " and ".join(request.inventory["gpu"].to_list())
        return Relaxation((INVENTORY,), _would(plan, f"more {gpus} together"), plan.usd, float("inf"))
    more, gpu, plan = fewest
    words = f"the inventory stands in the way: {more} more {gpu} would do"
    return Relaxation((INVENTORY,), words, plan.usd, more / devices if devices else float("inf"), {gpu: more})


def _with_devices(request: Request, gpu: str, devices: int) -> Request:
    known = pl.when(pl.col("gpu") == gpu).then(pl.lit(devices, pl.Int64)).otherwise("devices")
    return replace(request, inventory=request.inventory.with_columns(devices=known), chosen=request.choice)


def _taken(request: Request, gpu: str, plan: Plan) -> int:
    """Devices of a kind that is there, of a plan for plenty of them."""
    offers = _with_devices(request, gpu, PLENTY).offers
    return next(n for o, n in plan.units.items() if offers[o].kind == OWN and offers[o].gpu == gpu)


def _speed(request: Request, plan: Plan, effort: Effort) -> Relaxation:
    """The highest part of the minimum speeds that does, to a tenth."""
    best: tuple[float, Plan] = (0.0, plan)
    low, high = 0, len(SPEEDS) - 1
    while low <= high:
        middle = (low + high) // 2
        found = _plan("minimum speed", _slower(request, SPEEDS[middle]), effort)
        if found is None:
            low = middle + 1
        else:
            best, high = (SPEEDS[middle], found), middle - 1
    part, plan = best
    said = f"{part:.0%} of the minimum speeds" if part else "a plan without a minimum speed"
    return Relaxation((SPEED,), _would(plan, said), plan.usd, 1 - part, {"part": part})


def _context(request: Request, plan: Plan, shorter: Mapping[float, Answers], effort: Effort) -> Relaxation:
    """The longest of the shorter contexts that does."""
    for part in sorted(shorter, reverse=True):
        found = _plan("context", replace(request, answers=shorter[part], chosen=None), effort)
        if found is not None:
            return Relaxation(
                (CONTEXT,), _would(found, f"{part:.1%} of the contexts".replace(".0%", "%")), found.usd, 1 - part,
                {"part": part},
            )  # fmt: skip
    part = min(shorter)
    return Relaxation((CONTEXT,), _would(plan, f"{part:.1%} of the contexts"), plan.usd, 1 - part, {"part": part})


def _vendors(request: Request, plan: Plan) -> Relaxation:
    asked = replace(request, terms=replace(request.terms, vendors=()), chosen=request.choice)
    vendor_of = dict(request.answers.gpus.select("gpu_id", "vendor").iter_rows())
    added = sorted({vendor_of[asked.offers[o].gpu] for o in plan.units} - set(request.terms.vendors))
    words = f"vendor {' and '.join(added)}"
    return Relaxation((VENDORS,), _would(plan, words), plan.usd, None, {"vendors": added})


def _providers(request: Request, plan: Plan) -> Relaxation:
    asked = replace(request, terms=replace(request.terms, providers=()), chosen=request.choice)
    names = {str(asked.offers[o].listed["provider"]) for o in plan.units if asked.offers[o].listed.get("provider")}
    added = sorted(names - set(request.terms.providers))
    words = f"provider {' and '.join(added)}"
    return Relaxation((PROVIDERS,), _would(plan, words), plan.usd, None, {"providers": added})


def _both(one: str, other: str, plan: Plan) -> Relaxation:
    drawn = "" if plan.watts is None else f" and {plan.watts:,.0f} W"
    words = f"{one} and {other} together stand in the way: {plan.usd:,.2f} USD{drawn} would do without both"
    return Relaxation((one, other), words, plan.usd)


def _percent(share: float) -> str:
    return "" if share == float("inf") else f" ({share:+,.1%})"
