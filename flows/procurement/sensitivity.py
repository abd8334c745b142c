"""How far a plan holds: up to which price of what it takes, with other rents, and in other precisions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import polars as pl

from catalogs.demand import ANY
from flows.procurement.choice import choose
from flows.procurement.effort import Effort
from flows.procurement.offers import OWN, RENT
from flows.procurement.problem import USD_OF_A_DEVICE, Offer, Plan, Problem
from flows.procurement.request import Request
from flows.procurement.second_best import capped

RENTS = (-0.2, 0.2)
# Bits of a weight, as speeds count them: more than the first, at most the second.
CLASSES = {4: (3.0, 6.0), 8: (6.0, 12.0), 16: (12.0, 16.0)}
OTHER_PLAN, ELSEWHERE, BUDGET = "another plan", "the same at its next price", "the budget"


@dataclass(frozen=True)
class PriceHolds:
    """`usd_each`: up to that cost of a unit the plan stays cheapest, None at any. `because` says what ends it, `then`
    is the plan that takes over where that is another.
    """

    offer: int
    usd_each: float | None
    because: str | None
    then: Plan | None


@dataclass(frozen=True)
class OtherWay:
    """The cheapest plan where one number is another; None where there is none."""

    number: float
    plan: Plan | None


@dataclass(frozen=True)
class Sensitivity:
    """`rents` by their change, `precisions` by the bits that every line has which asks for no precision."""

    prices: Sequence[PriceHolds] = ()
    rents: Sequence[OtherWay] = ()
    precisions: Sequence[OtherWay] = ()


def sensitivity(request: Request, best: Plan, without: Mapping[str, Plan | None], effort: Effort) -> Sensitivity:
    rents, precisions = _rents(request, effort), _precisions(request, effort)
    prices = []
    if not best.is_proven:
        effort.leave_out("up to which prices the plan stays the cheapest, for it is not proven to be")
    else:
        for o in best.units:
            offer = request.offers[o]
            if offer.kind != OWN and (holds := _price_holds(request, best, o, without.get(offer.name), effort)):
                prices.append(holds)
    return Sensitivity(prices, rents, precisions)


def _rents(request: Request, effort: Effort) -> list[OtherWay]:
    if not any(offer.kind == RENT for offer in request.offers):
        return []
    ways = []
    for change in RENTS:
        priced = [
            replace(one, usd=one.usd + one.price_usd * change) if one.kind == RENT else one for one in request.offers
        ]
        what = f"rents that are {abs(change):.0%} {'lower' if change < 0 else 'higher'}"
        found = effort.ask(what, request.choice, replace(request.problem, offers=priced))
        if found is not None:
            ways.append(OtherWay(change, found.plan))
    return ways


def _precisions(request: Request, effort: Effort) -> list[OtherWay]:
    if request.demand.filter(pl.col("precision") == ANY).is_empty():
        return []
    ways = []
    for bits, within in CLASSES.items():
        what = f"the plan in {bits} bits"
        if effort.is_over(what):
            continue
        asked = replace(request, chosen=choose(request.demand, request.answers, bits=within))
        found = effort.ask(what, asked.choice, asked.problem)
        if found is not None:
            ways.append(OtherWay(bits, found.plan))
    return ways


def _price_holds(request: Request, best: Plan, o: int, without: Plan | None, effort: Effort) -> PriceHolds | None:
    """The highest cost of a unit at which nothing is cheaper than the plan, None where time ran out.

    Whatever overtakes the plan has fewer units of the offer. At the cost at which a plan that is known is as cheap the
    program says whether another is cheaper still, which is then as cheap at a lower cost, and so on down: each takes
    more units than the one before, and never as many as the plan.
    """
    offer, units = request.offers[o], best.units[o]
    what = "up to which price of everything that it takes the plan stays the cheapest"
    holds = PriceHolds(o, None, None, None)
    elsewhere = _same_elsewhere(request, offer)
    if elsewhere is not None:
        holds = PriceHolds(o, elsewhere, ELSEWHERE, None)
    if (budget := request.limits.budget_usd) is not None:
        holds = _lower(holds, PriceHolds(o, (budget - best.usd) / units + offer.usd, BUDGET, None))
    other = without
    if other is None:
        fewer = effort.ask(what, request.choice, capped(request.problem, {o: units - 1}))
        if fewer is None:
            return None
        other = fewer.plan
    if other is not None:
        holds = _lower(holds, PriceHolds(o, _as_cheap(best, other, o, offer.usd, offer.usd), OTHER_PLAN, other))
    while holds.usd_each is not None:
        found = effort.ask(what, request.choice, _at_price(request.problem, o, holds.usd_each))
        if found is None:
            return None
        other, here = found.plan, best.usd + units * (holds.usd_each - offer.usd)
        if other is None or here - other.usd <= USD_OF_A_DEVICE * max(best.devices, other.devices):
            if other is not None and not other.is_proven:
                effort.leave_out(what)
                return None
            return replace(holds, usd_each=max(holds.usd_each, offer.usd))
        holds = PriceHolds(o, _as_cheap(best, other, o, offer.usd, holds.usd_each), OTHER_PLAN, other)
    return holds


def _lower(one: PriceHolds, other: PriceHolds) -> PriceHolds:
    if one.usd_each is None or other.usd_each is None:
        return other if one.usd_each is None else one
    return min(one, other, key=lambda holds: holds.usd_each or 0.0)


def _same_elsewhere(request: Request, offer: Offer) -> float | None:
    """What the same costs at the next price in the list: nobody pays more for it."""
    kind = (offer.gpu, offer.kind, offer.devices)
    alike = sorted(one.usd for one in request.every_offer if (one.gpu, one.kind, one.devices) == kind)
    return min(alike[1:], default=None)


def _at_price(problem: Problem, o: int, usd: float) -> Problem:
    return replace(problem, offers=[replace(one, usd=usd) if at == o else one for at, one in enumerate(problem.offers)])


def _as_cheap(best: Plan, other: Plan, o: int, usd: float, usd_of_other: float) -> float:
    """The cost of a unit at which both plans cost the same: one is counted at `usd` a unit, the other at its own."""
    mine, theirs = best.units[o], other.units.get(o, 0)
    return ((other.usd - theirs * usd_of_other) - (best.usd - mine * usd)) / (mine - theirs)
