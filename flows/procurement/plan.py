"""The plan of a demand, what else would do, and why there is none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import polars as pl

from catalogs.demand import ANY
from flows.procurement.binding import Binding, binding
from flows.procurement.effort import Effort
from flows.procurement.problem import Plan, Problem
from flows.procurement.relaxations import Again, Relaxation, relaxations
from flows.procurement.request import Request
from flows.procurement.second_best import next_best
from flows.procurement.sensitivity import Sensitivity, sensitivity
from reports.format import plural


@dataclass(frozen=True)
class Alternative:
    """The cheapest plan without one offer of the best; None where there is no other."""

    without: str
    plan: Plan | None


@dataclass(frozen=True)
class Outcome:
    """`plan` is None where the demand cannot be met; `reasons` then say which lines nothing serves, `relaxations` what
    would do.
    """

    request: Request
    plan: Plan | None
    alternatives: Sequence[Alternative] = ()
    next_best: Sequence[Plan] = ()
    binding: Sequence[Binding] = ()
    sensitivity: Sensitivity = Sensitivity()  # noqa: RUF009  # frozen
    reasons: Sequence[str] = ()
    relaxations: Sequence[Relaxation] = ()


def plan(request: Request, effort: Effort, again: Again | None = None) -> Outcome:
    """The cheapest plan and what is told beside it, or the reasons why there is none and what would make one possible.

    `again` asks a night about the demand with shorter contexts. Raises NotSolved where a minute is too short to say.
    """
    best = effort.plan(request.choice, request.problem)
    if best is None:
        effort.begin_all()
        return Outcome(request, None, reasons=_unserved(request), relaxations=relaxations(request, effort, again))
    effort.begin()
    others = alternatives(request, best, effort)
    effort.begin()
    following = next_best(request, best, effort)
    effort.begin()
    hangs_on = binding(request, best, effort)
    effort.begin()
    holds = sensitivity(request, best, {other.without: other.plan for other in others}, effort)
    return Outcome(request, best, others, following, hangs_on, holds)


def alternatives(request: Request, best: Plan, effort: Effort) -> list[Alternative]:
    """The cheapest plan without each offer of the best, the cheapest first."""
    others = []
    for o in best.units:
        name = request.offers[o].name
        found = effort.ask(f"the cheapest plan without {name}", request.choice, without(request.problem, o))
        if found is not None:
            others.append(Alternative(name, found.plan))
    return sorted(others, key=lambda other: (other.plan is None, other.plan.usd if other.plan else 0.0, other.without))


def without(problem: Problem, offer: int) -> Problem:
    banned = [replace(one, limit=0) if o == offer else one for o, one in enumerate(problem.offers)]
    return replace(problem, offers=banned)


def _unserved(request: Request) -> list[str]:
    """One sentence for each demand that nothing serves."""
    problem = request.problem
    offered = {offer.gpu for offer in problem.offers}
    reasons = []
    for number, row in enumerate(request.demand.iter_rows(named=True)):
        at = f"line {row['line']}: {row['model_id']}"
        mine = request.choice.options.filter(demand=number)
        if not mine.filter(pl.col("gpu").is_in(list(offered))).is_empty():
            continue
        near = request.near.filter(demand=number)
        if number in request.answers.barred:
            reasons.append(f"{at} {request.answers.barred[number]}")
        elif near.is_empty():
            reasons.append(f"{at} {_too_large(row)}")
        elif mine.is_empty():
            fastest = near.select(pl.max("tokens_per_second")).item()
            said = "no speed is known" if fastest is None else f"the fastest gives {fastest:,.1f} tokens/s"
            reasons.append(f"{at} reaches {row['min_tokens_per_second']:,g} tokens/s nowhere; {said}")
        else:
            reasons.append(
                f"{at} fits only devices without an offer, such as {mine['gpu'][0]}; allow more offers, or"
                " price one in a prices.csv of your own"
            )
    return reasons


def _too_large(row: Mapping[str, Any]) -> str:
    """What no device holds, and what of it could be less."""
    tokens, sequences = row["context_tokens"], row["concurrent_sequences"]
    asked, other = f"in {row['precision']}", "allow another precision"
    if row["precision"] == ANY:
        asked, other = "in any precision of four bits or more", "name one of fewer bits"
    fewer = ["shorten the context", *(["serve fewer sequences at once"] if sequences > 1 else []), other]
    each = f"{sequences:,} x {plural(tokens, 'token')}" if sequences > 1 else plural(tokens, "token")
    return f"fits no device at {each} {asked}; {', '.join(fewer[:-1])} or {fewer[-1]}"
