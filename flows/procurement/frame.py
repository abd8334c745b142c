"""The rows and columns of a problem, built once and asked again with other costs and other numbers of units.

Rows: demands, devices of offers, shared devices of a kind, limits. Columns: units of offers, placements on offers,
single devices that offers lend to sharing, patterns.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from flows.procurement.problem import Limits, Offer, Pattern, Placement, Plan, Problem, Shared
from flows.procurement.program import ENDLESS, Column, Program, Row
from flows.procurement.unpacking import Columns, plan_of

TOLERANCE = 1e-6


class Frame:
    """The program of a `problem` with the patterns that were added so far."""

    def __init__(self, problem: Problem) -> None:
        offers = problem.offers
        by_gpu: dict[str, list[int]] = {}
        for o, offer in enumerate(offers):
            by_gpu.setdefault(offer.gpu, []).append(o)
        self._problem = problem
        self._key = _key(problem)
        self.by_gpu: Mapping[str, Sequence[int]] = by_gpu
        self.pairs = [
            (p, o)
            for p, placement in enumerate(problem.placements)
            for o in by_gpu.get(placement.gpu, ())
            if problem.needs[placement.demand] > 0
            if placement.degree <= offers[o].reach
        ]
        self.lent = [o for o, offer in enumerate(offers) if offer.gpu in problem.shared]
        self.gpus = sorted({offers[o].gpu for o in self.lent})
        self.patterns: list[Pattern] = []
        self.using = len(problem.needs)
        self.pools = {gpu: self.using + len(offers) + at for at, gpu in enumerate(self.gpus)}
        self.limited = self.using + len(offers) + len(self.gpus)
        limits = problem.limits
        # what a unit of each offer takes of each limit
        self.taken = [[offer.usd for offer in offers]] if limits.budget_usd is not None else []
        self.taken += [[offer.watts or 0.0 for offer in offers]] if limits.watts is not None else []
        self.program = self._built()

    def holds(self, problem: Problem) -> bool:
        """Whether `problem` differs from this in nothing but costs and numbers of units."""
        return _key(problem) == self._key

    def ask(self, problem: Problem, costs: Sequence[float]) -> None:
        """Take costs of a unit of each offer, and how many units there may be, from now on."""
        self._problem = problem
        self.program.change(costs, [_most(offer) for offer in problem.offers])

    def add(self, patterns: Iterable[Pattern]) -> list[Pattern]:
        """Add those that are not there; returns them."""
        there = set(self.patterns)
        new = [pattern for pattern in dict.fromkeys(patterns) if pattern not in there and pattern.gpu in self.pools]
        self.program.add([self.column(pattern) for pattern in new])
        self.patterns += new
        return new

    def column(self, pattern: Pattern) -> Column:
        entries = {self.pools[pattern.gpu]: 1.0}
        for at in pattern.members:
            demand = self._problem.shared[pattern.gpu].members[at].demand
            entries[demand] = entries.get(demand, 0.0) + 1.0
        return Column(0.0, entries)

    def with_missing(self) -> Program:
        """The same program in which a replica that is not served costs 1, and all else nothing."""
        program = self._built()
        offers = self._problem.offers
        program.change([0.0] * len(offers), [_most(offer) for offer in offers])
        program.add([Column(1.0, {demand: 1.0}) for demand in range(len(self._problem.needs))])
        program.add([self.column(pattern) for pattern in self.patterns])
        return program

    def plan(self, values: Sequence[int]) -> Plan:
        return plan_of(self._problem, Columns(self.pairs, self.lent, self.patterns), values)

    def _built(self) -> Program:
        problem, offers = self._problem, self._problem.offers
        rows = [Row(float(need), ENDLESS) for need in problem.needs]
        rows += [Row(-ENDLESS, 0.0)] * (len(offers) + len(self.gpus))
        limits = problem.limits
        rows += [Row(-ENDLESS, most + TOLERANCE) for most in (limits.budget_usd, limits.watts) if most is not None]
        program = Program(rows)
        columns = []
        for o, offer in enumerate(offers):
            entries = {self.using + o: -float(offer.devices)}
            entries |= {self.limited + at: amounts[o] for at, amounts in enumerate(self.taken)}
            columns.append(Column(0.0, entries, _most(offer)))
        for p, o in self.pairs:
            placement = problem.placements[p]
            taken = float(placement.groups * offers[o].share(placement.degree))
            columns.append(Column(0.0, {placement.demand: 1.0, self.using + o: taken}))
        columns += [Column(0.0, {self.using + o: 1.0, self.pools[offers[o].gpu]: -1.0}) for o in self.lent]
        program.add(columns)
        return program


def _most(offer: Offer) -> float:
    return ENDLESS if offer.limit is None else float(offer.limit)


def _key(
    problem: Problem,
) -> tuple[Sequence[Placement], Sequence[int], Limits, Mapping[str, Shared], list[tuple[object, ...]]]:
    limits = problem.limits
    of_offers: list[tuple[object, ...]] = [
        (
            offer.gpu,
            offer.devices,
            offer.node,
            offer.usd if limits.budget_usd is not None else None,
            offer.watts if limits.watts is not None else None,
        )
        for offer in problem.offers
    ]
    return (problem.placements, problem.needs, limits, problem.shared, of_offers)
