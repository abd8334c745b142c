"""From the values of a program to a plan: nothing that serves nobody, and every shared device at an offer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from flows.procurement.problem import Pattern, Plan, Problem


@dataclass(frozen=True)
class Columns:
    """What stands behind the units of every offer, in the order of a program's columns."""

    pairs: Sequence[tuple[int, int]]  # placement, offer
    lent: Sequence[int]  # offer
    patterns: Sequence[Pattern]


def plan_of(problem: Problem, columns: Columns, values: Sequence[int]) -> Plan:
    """What the values say, but for replicas beyond the need and units that hold nothing.

    Patterns that were added after the values were found are on no device.
    """
    pairs, offers = columns.pairs, problem.offers
    at_pairs, at_lent = len(offers), len(offers) + len(pairs)
    at_patterns = at_lent + len(columns.lent)
    placed = Counter({pair: values[at_pairs + at] for at, pair in enumerate(pairs) if values[at_pairs + at] > 0})
    lent = {o: values[at_lent + at] for at, o in enumerate(columns.lent)}
    devices = [
        pattern
        for pattern, number in sorted(zip(columns.patterns, values[at_patterns:], strict=False))
        for _ in range(number)
    ]
    kept = _without_surplus(problem, placed, devices)
    alone = {
        (placement.demand, placement.gpu): p
        for p, placement in enumerate(problem.placements)
        if placement.degree == placement.groups == 1
    }
    shared: Counter[tuple[Pattern, int]] = Counter()
    for pattern in kept:
        of_kind = [o for o in sorted(lent) if offers[o].gpu == pattern.gpu]
        # where fractions were rounded up fewer devices may be lent than are held
        o = next((o for o in of_kind if lent[o] > 0), of_kind[0])
        lent[o] -= 1
        demand = problem.shared[pattern.gpu].members[pattern.members[0]].demand
        if len(pattern.members) == 1 and (demand, pattern.gpu) in alone:
            placed[alone[demand, pattern.gpu], o] += 1
        else:
            shared[pattern, o] += 1
    return _counted(problem, {pair: n for pair, n in placed.items() if n > 0}, dict(shared))


def _without_surplus(problem: Problem, placed: Counter[tuple[int, int]], devices: Sequence[Pattern]) -> list[Pattern]:
    """The shared devices without replicas beyond the need; those that have devices of their own leave first."""
    of = [placement.demand for placement in problem.placements]
    surplus = Counter({demand: -need for demand, need in enumerate(problem.needs)})
    for (p, _), n in placed.items():
        surplus[of[p]] += n
    for pattern in devices:
        surplus.update(problem.shared[pattern.gpu].members[at].demand for at in pattern.members)
    for (p, o), n in placed.items():
        less = min(n, max(0, surplus[of[p]]))
        placed[p, o] -= less
        surplus[of[p]] -= less
    kept = []
    for pattern in devices:
        left = []
        for at in pattern.members:
            demand = problem.shared[pattern.gpu].members[at].demand
            if surplus[demand] > 0:
                surplus[demand] -= 1
            else:
                left.append(at)
        if left:
            kept.append(Pattern(pattern.gpu, tuple(left)))
    return kept


def _counted(problem: Problem, placed: dict[tuple[int, int], int], shared: dict[tuple[Pattern, int], int]) -> Plan:
    """The plan of the units that what is placed takes up, and what they cost, hold and draw."""
    offers = problem.offers
    used: Counter[int] = Counter()
    for (p, o), n in placed.items():
        placement = problem.placements[p]
        used[o] += n * placement.groups * offers[o].share(placement.degree)
    for (_, o), n in shared.items():
        used[o] += n
    units = {o: -(-used[o] // offers[o].devices) for o in sorted(used) if used[o] > 0}
    drawn = [None if (each := offers[o].watts) is None else each * n for o, n in units.items()]
    return Plan(
        usd=sum(offers[o].usd * n for o, n in units.items()),
        watts=None if None in drawn else sum(each for each in drawn if each is not None),
        devices=sum(offers[o].devices * n for o, n in units.items()),
        units=units,
        placed=placed,
        shared=shared,
    )
