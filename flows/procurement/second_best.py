"""The next best plans that take other hardware: each node of a tree may take less of one offer than its parent.

A plan that has at least the units of another is that plan with something to spare. Every other plan has fewer units of
some offer, so that the cheapest of those is found by as many programs as the best has offers, and the next by as many
more for each plan that was told (Lawler's way to the k best).
"""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from dataclasses import replace

from flows.procurement.effort import Effort
from flows.procurement.problem import Plan, Problem
from flows.procurement.request import Request

COUNT = 3


def next_best(request: Request, best: Plan, effort: Effort, count: int = COUNT) -> list[Plan]:
    """Up to `count` plans of other hardware, the cheapest first; fewer where there are no more or time is over."""
    told = [best]
    tried: set[frozenset[tuple[int, int]]] = set()
    waiting: list[tuple[float, int, Plan, dict[int, int]]] = []
    plan, caps = best, dict[int, int]()
    while len(told) <= count:
        for o, units in plan.units.items():
            lower = {**caps, o: units - 1}
            if (key := frozenset(lower.items())) in tried:
                continue
            tried.add(key)
            found = effort.ask("the next best plans", request.choice, capped(request.problem, lower))
            if found is None:
                return told[1:]
            if found.plan is not None:
                heapq.heappush(waiting, (found.plan.usd, len(tried), found.plan, lower))
        if not waiting:
            break
        _, _, plan, caps = heapq.heappop(waiting)
        # what two nodes find is told once, and both have children
        if all(plan.units != other.units for other in told):
            told.append(plan)
    return told[1:]


def capped(problem: Problem, most: Mapping[int, int]) -> Problem:
    """The same problem with at most so many units of some offers."""
    offers = [replace(one, limit=most[o]) if o in most else one for o, one in enumerate(problem.offers)]
    return replace(problem, offers=offers)
