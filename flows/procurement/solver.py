"""The cheapest plan: which offers to take and what to place on them, as an integer program.

Integers `units[o]` say how many units of an offer are taken, `placed[p, o]` how often a placement is put on devices of
an offer, and where devices are shared, `lent[o]` how many single devices of an offer hold patterns and `x[pattern]` how
many devices hold one. Cost is least such that every demand is served, placements and patterns have their devices, and
limits hold. A device counts a cent besides.

There are too many patterns to list. Those that could make a plan cheaper are found by what the relaxed program would
pay for a replica (column generation); its optimum over all patterns is a bound. Of the rest only patterns whose reduced
cost is within the gap between that bound and the best plan can be part of a cheaper one: where they are few enough they
are all listed, and what is then optimal is proven; else the bound is told.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from flows.procurement.problem import USD_OF_A_DEVICE, NotSolved, Pattern, Plan, Problem
from flows.procurement.program import ENDLESS, Column, Program, Relaxed, Row
from flows.procurement.sharing import Search
from flows.procurement.unpacking import Columns, plan_of

# What counts as nothing, in served replicas, in devices and in dollars of a relaxed program.
TOLERANCE = 1e-6
# Of a cost that HiGHS calls least.
ROUNDING = 1e-7
SECONDS = 60.0
# Patterns that are listed for a proof, and sets of replicas that are tried for it.
MOST_LISTED = 4_000
MOST_LOOKED = 400_000


@dataclass
class Known:
    """Patterns of earlier programs over the same demands and devices, and when there is no more time."""

    seconds: float = SECONDS  # for one program
    patterns: dict[Pattern, None] = field(default_factory=dict)
    until: float | None = None  # on the monotonic clock, for all of them

    def left(self) -> float:
        return self.seconds if self.until is None else min(self.seconds, self.until - time.monotonic())


def solve(problem: Problem, costs: Sequence[float] | None = None, known: Known | None = None) -> Plan | None:
    """The plan of least cost; None where there is none. `costs` of a unit of each offer, without them US dollars.

    Raises NotSolved where time runs out before there is a plan or a proof that there is none.
    """
    known = known or Known()
    if known.left() <= 0:
        raise NotSolved("there is no time left")
    return _Solving(problem, costs, known).plan()


def watts(problem: Problem) -> list[float]:
    """Costs by which the plan that draws least is found, in a `problem` without offers of unknown power."""
    return [offer.watts or 0.0 for offer in problem.offers]


def with_known_power(problem: Problem) -> Problem:
    """The same problem without what nobody knows the power of; offers keep their positions."""
    return replace(problem, offers=[replace(one, limit=0) if one.watts is None else one for one in problem.offers])


class _Solving:
    """One program on its way: rows, columns in their order, and the patterns that it has."""

    def __init__(self, problem: Problem, costs: Sequence[float] | None, known: Known) -> None:
        if problem.limits.watts is not None:
            problem = with_known_power(problem)
        self.problem, self.known = problem, known
        self.ends = time.monotonic() + known.left()
        offers = problem.offers
        counted = [offer.usd for offer in offers] if costs is None else list(costs)
        self.costs = [usd + USD_OF_A_DEVICE * offer.devices for usd, offer in zip(counted, offers, strict=True)]
        open_offers = [o for o, offer in enumerate(offers) if offer.limit != 0]
        by_gpu: dict[str, list[int]] = {}
        for o in open_offers:
            by_gpu.setdefault(offers[o].gpu, []).append(o)
        self.pairs = [
            (p, o)
            for p, placement in enumerate(problem.placements)
            for o in by_gpu.get(placement.gpu, ())
            if problem.needs[placement.demand] > 0
            if placement.degree <= (offers[o].devices if offers[o].devices > 1 else offers[o].node)
        ]
        self.lent = [o for o in open_offers if offers[o].gpu in problem.shared]
        self.gpus = sorted({offers[o].gpu for o in self.lent})
        self.patterns: list[Pattern] = []
        self.by_gpu = by_gpu
        # rows: demands, devices of offers, shared devices of a kind, limits
        self.using = len(problem.needs)
        self.pools = {gpu: self.using + len(offers) + at for at, gpu in enumerate(self.gpus)}
        self.limited = self.using + len(offers) + len(self.gpus)

    def plan(self) -> Plan | None:
        problem, needs = self.problem, self.problem.needs
        served = {problem.placements[p].demand for p, _ in self.pairs}
        served |= {member.demand for gpu in self.gpus for member in problem.shared[gpu].members}
        if any(need > 0 and demand not in served for demand, need in enumerate(needs)):
            return None
        self.program = self._program(self.costs)
        if not self.gpus:
            found = self.program.solve(self._left())
            return None if found.values is None else self._told(found.values, found.bound)
        self._add([pattern for pattern in self.known.patterns if pattern.gpu in self.pools])
        relaxed = self._generated()
        if relaxed is None:
            return None
        bound, duals = relaxed
        # half of the time for a first plan, which the proof may take as it is
        first = self.program.solve(self._left() / 2)
        gap = ENDLESS if first.values is None else first.cost - bound
        if gap <= USD_OF_A_DEVICE / 10 and first.values is not None:
            return self._told(first.values, first.bound)
        listed = self._within(gap, duals)
        if listed is None or self._left() <= 0:
            if first.values is None:
                raise NotSolved("too many ways to share devices")
            return self._told(first.values, bound)
        if not listed:
            return None if first.values is None else self._told(first.values, max(bound, first.bound))
        self._add(listed)
        try:
            last = self.program.solve(self._left())
        except NotSolved:
            if first.values is None:
                raise
            return self._told(first.values, bound)
        if last.values is None or (first.values is not None and first.cost < last.cost):
            return None if first.values is None else self._told(first.values, max(bound, min(last.bound, first.cost)))
        return self._told(last.values, max(bound, last.bound))

    def _left(self) -> float:
        return max(0.0, self.ends - time.monotonic())

    def _program(self, costs: Sequence[float]) -> Program:
        problem, offers = self.problem, self.problem.offers
        rows = [Row(float(need), ENDLESS) for need in problem.needs]
        rows += [Row(-ENDLESS, 0.0)] * (len(offers) + len(self.gpus))
        limits = problem.limits
        bounded: list[list[float]] = []
        if limits.budget_usd is not None:
            rows.append(Row(-ENDLESS, limits.budget_usd + TOLERANCE))
            bounded.append([offer.usd for offer in offers])
        if limits.watts is not None:
            rows.append(Row(-ENDLESS, limits.watts + TOLERANCE))
            bounded.append([offer.watts or 0.0 for offer in offers])
        self.bounded = bounded
        program = Program(rows)
        columns = []
        for o, offer in enumerate(offers):
            entries = {self.using + o: -float(offer.devices)}
            entries |= {self.limited + at: amounts[o] for at, amounts in enumerate(bounded)}
            columns.append(Column(costs[o], entries, ENDLESS if offer.limit is None else float(offer.limit)))
        for p, o in self.pairs:
            placement = problem.placements[p]
            taken = float(placement.groups * offers[o].share(placement.degree))
            columns.append(Column(0.0, {placement.demand: 1.0, self.using + o: taken}))
        columns += [Column(0.0, {self.using + o: 1.0, self.pools[offers[o].gpu]: -1.0}) for o in self.lent]
        program.add(columns)
        return program

    def _add(self, patterns: Sequence[Pattern]) -> None:
        self.program.add([self._column(pattern) for pattern in patterns])
        self.patterns += patterns
        self.known.patterns.update(dict.fromkeys(patterns))

    def _column(self, pattern: Pattern) -> Column:
        entries = {self.pools[pattern.gpu]: 1.0}
        for at in pattern.members:
            demand = self.problem.shared[pattern.gpu].members[at].demand
            entries[demand] = entries.get(demand, 0.0) + 1.0
        return Column(0.0, entries)

    def _generated(self) -> tuple[float, Sequence[float]] | None:
        """The relaxed optimum over all patterns, and what replicas and devices are worth there; None: no plan.

        Where the patterns that are there do not serve the demand, those are made first that serve the most of it.
        """
        if self.program.relax(self._left()) is None:
            missing = self._generate(self._with_missing(), self._no_costs())
            if missing is None or missing.cost > TOLERANCE:
                return None
        relaxed = self._generate(self.program, self.costs)
        return None if relaxed is None else (relaxed.cost, relaxed.duals)

    def _no_costs(self) -> list[float]:
        return [0.0] * len(self.problem.offers)

    def _with_missing(self) -> Program:
        """The same program in which a replica that is not served costs 1, and all else nothing."""
        program = self._program(self._no_costs())
        program.add([Column(1.0, {demand: 1.0}) for demand in range(len(self.problem.needs))])
        program.add([self._column(pattern) for pattern in self.patterns])
        return program

    def _generate(self, program: Program, costs: Sequence[float]) -> Relaxed | None:
        """Add patterns that are worth more than their device until there are none."""
        while True:
            relaxed = program.relax(self._left())
            if relaxed is None:
                return None
            found = []
            for gpu in self.gpus:
                above = self._device_worth(gpu, relaxed.duals, costs) + TOLERANCE
                pattern = self._search(gpu, relaxed.duals).best(above)
                if pattern is not None:
                    found.append(pattern)
            new = self._new(found)
            if not new:
                return relaxed
            if program is not self.program:
                program.add([self._column(pattern) for pattern in new])
            self._add(new)

    def _search(self, gpu: str, duals: Sequence[float]) -> Search:
        return Search(gpu, self.problem.shared[gpu], self.problem.needs, duals[: len(self.problem.needs)])

    def _device_worth(self, gpu: str, duals: Sequence[float], costs: Sequence[float]) -> float:
        """What a device costs the relaxed program: of the offer where that is least.

        The dual of an offer that nothing uses is anything up to its cost; the most is as good a dual and asks for
        fewer patterns.
        """
        worths = []
        for o in self.by_gpu[gpu]:
            of_limits = sum(-duals[self.limited + at] * amounts[o] for at, amounts in enumerate(self.bounded))
            worths.append(max(-duals[self.using + o], (costs[o] + of_limits) / self.problem.offers[o].devices))
        return min(worths)

    def _within(self, gap: float, duals: Sequence[float]) -> list[Pattern] | None:
        """Every pattern whose reduced cost is at most `gap`, the best kinds of equal ones; None where they are many."""
        listed: dict[tuple[str, tuple[int, ...]], Pattern] = {}
        looked = 0
        for gpu in self.gpus:
            search = self._search(gpu, duals)
            members = self.problem.shared[gpu].members
            for pattern in search.all(self._device_worth(gpu, duals, self.costs) - gap - TOLERANCE):
                served = tuple(sorted(members[at].demand for at in pattern.members))
                listed.setdefault((gpu, served), pattern)
                if len(listed) > MOST_LISTED or looked + search.looked > MOST_LOOKED or self._left() <= 0:
                    return None
            looked += search.looked
            if looked > MOST_LOOKED:
                return None
        return self._new(listed.values())

    def _new(self, patterns: Iterable[Pattern]) -> list[Pattern]:
        there = set(self.patterns)
        return [pattern for pattern in patterns if pattern not in there]

    def _told(self, values: Sequence[int], bound: float) -> Plan:
        columns = Columns(self.pairs, self.lent, self.patterns)
        plan = plan_of(self.problem, columns, values)
        cost = sum(self.costs[o] * n for o, n in plan.units.items())
        # HiGHS keeps rows and integers to a millionth
        is_proven = cost - bound <= max(USD_OF_A_DEVICE, ROUNDING * cost)
        # the cheapest plan has no more devices than its cost has cheapest devices
        cheapest = min((offer.usd / offer.devices for offer in self.problem.offers if offer.limit != 0), default=0.0)
        least = bound / (1 + USD_OF_A_DEVICE / cheapest) if cheapest > 0 else 0.0
        return replace(plan, at_least_usd=plan.usd if is_proven else min(least, plan.usd), is_proven=is_proven)
