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

import math
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from flows.procurement.frame import TOLERANCE, Frame
from flows.procurement.problem import USD_OF_A_DEVICE, NotSolved, Pattern, Plan, Problem
from flows.procurement.program import ENDLESS, Program, Relaxed, Solved
from flows.procurement.sharing import Search

# Of a relaxed cost: what integers usually cost more.
SMALL_GAP = 0.01
# Of a cost that HiGHS calls least.
ROUNDING = 1e-7
SECONDS = 60.0
# Patterns that are listed for a proof, and sets of replicas that are tried for it.
MOST_LISTED = 4_000
MOST_LOOKED = 400_000


@dataclass
class Known:
    """What earlier programs over the same demands and devices left: patterns and a frame; and when time is over."""

    seconds: float = SECONDS  # for one program
    patterns: dict[Pattern, None] = field(default_factory=dict)
    frame: Frame | None = None
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
    """One problem on its way to a plan."""

    def __init__(self, problem: Problem, costs: Sequence[float] | None, known: Known) -> None:
        if problem.limits.watts is not None:
            problem = with_known_power(problem)
        self.problem, self.known, self.is_in_usd = problem, known, costs is None
        self.ends = time.monotonic() + known.left()
        offers = problem.offers
        counted = [offer.usd for offer in offers] if costs is None else list(costs)
        self.costs = [usd + USD_OF_A_DEVICE * offer.devices for usd, offer in zip(counted, offers, strict=True)]
        if known.frame is None or not known.frame.holds(problem):
            known.frame = Frame(problem)
        self.frame = known.frame
        self.frame.ask(problem, self.costs)
        open_offers = {gpu: [o for o in there if offers[o].limit != 0] for gpu, there in self.frame.by_gpu.items()}
        self.by_gpu = {gpu: there for gpu, there in open_offers.items() if there}
        self.gpus = [gpu for gpu in self.frame.gpus if gpu in self.by_gpu]

    def plan(self) -> Plan | None:
        problem, needs = self.problem, self.problem.needs
        served = {problem.placements[p].demand for p, _ in self.frame.pairs}
        served |= {member.demand for gpu in self.gpus for member in problem.shared[gpu].members}
        if any(need > 0 and demand not in served for demand, need in enumerate(needs)):
            return None
        self.frame.add(self.known.patterns)
        relaxed = self._generated()
        if relaxed is None:
            return None
        # half of the time for a first plan, which the proof may take as it is
        first = self._integers(relaxed, self._left() / 2 if self.gpus else self._left())
        if not self.gpus:
            return None if first.values is None else self._told(first.values, first.bound)
        bound, duals = relaxed.cost, relaxed.duals
        gap = ENDLESS if first.values is None else first.cost - bound
        if gap <= USD_OF_A_DEVICE / 10 and first.values is not None:
            return self._told(first.values, first.bound)
        listed = self._within(gap, duals)
        if listed is None or self._left() <= 0:
            if first.values is None:
                raise NotSolved("too many ways to share devices")
            return self._told(first.values, bound)
        if not self._add(listed):
            return None if first.values is None else self._told(first.values, max(bound, first.bound))
        try:
            last = self.frame.program.solve(self._left())
        except NotSolved:
            if first.values is None:
                raise
            return self._told(first.values, bound)
        # of two that cost the same the one that more patterns were there for
        best = min(last, first, key=lambda found: found.cost)
        return None if best.values is None else self._told(best.values, max(bound, last.bound))

    def _integers(self, relaxed: Relaxed, seconds: float) -> Solved:
        """The best plan of the columns that there are. Where the relaxed optimum is whole, that is it.

        A column whose reduced cost is more than a gap is in no plan that costs less than the relaxed one and the gap:
        few columns do where a plan is found within a small gap, or within what rounding up loses.
        """
        whole = [math.ceil(value - TOLERANCE) for value in relaxed.values]
        rounded = self._cost(self.frame.plan(whole))
        best = Solved(None if rounded == ENDLESS else whole, rounded, relaxed.cost)
        ends = time.monotonic() + seconds
        for guess in (SMALL_GAP * relaxed.cost, ENDLESS):
            gap = min(best.cost - relaxed.cost, guess)
            if gap <= ROUNDING * relaxed.cost:
                break
            useless = [at for at, each in enumerate(relaxed.reduced) if each > gap + TOLERANCE]
            try:
                found = self.frame.program.solve(ends - time.monotonic(), useless)
            except NotSolved:
                if best.values is None:
                    raise
                break
            bound = max(best.bound, min(found.bound, relaxed.cost + gap))
            if found.cost < best.cost:
                best = found
            best = Solved(best.values, best.cost, min(bound, best.cost))
            if best.cost <= relaxed.cost + gap:
                break
        return best

    def _cost(self, plan: Plan) -> float:
        """What a plan costs in the program, endless where a limit forbids it."""
        limits, offers = self.problem.limits, self.problem.offers
        allowed = [
            limits.budget_usd is None or plan.usd <= limits.budget_usd + TOLERANCE,
            limits.watts is None or (plan.watts is not None and plan.watts <= limits.watts + TOLERANCE),
            *((limit := offers[o].limit) is None or n <= limit for o, n in plan.units.items()),
        ]
        return sum(self.costs[o] * n for o, n in plan.units.items()) if all(allowed) else ENDLESS

    def _left(self) -> float:
        return max(0.0, self.ends - time.monotonic())

    def _generated(self) -> Relaxed | None:
        """The relaxed optimum over all patterns, None where there is no plan.

        Where the patterns that are there do not serve the demand, those are made first that serve the most of it.
        """
        if self.frame.program.relax(self._left()) is None:
            if not self.gpus:
                return None
            missing = self._generate(self.frame.with_missing(), [0.0] * len(self.costs))
            if missing is None or missing.cost > TOLERANCE:
                return None
        return self._generate(self.frame.program, self.costs)

    def _generate(self, program: Program, costs: Sequence[float]) -> Relaxed | None:
        """Add patterns that are worth more than their device until there are none."""
        while True:
            if self._left() <= 0:
                raise NotSolved("there is no time left")
            relaxed = program.relax(self._left())
            if relaxed is None:
                return None
            found = []
            for gpu in self.gpus:
                above = self._device_worth(gpu, relaxed.duals, costs) + TOLERANCE
                pattern = self._search(gpu, relaxed.duals).best(above)
                if pattern is not None:
                    found.append(pattern)
            new = self._add(found)
            if not new:
                return relaxed
            if program is not self.frame.program:
                program.add([self.frame.column(pattern) for pattern in new])

    def _search(self, gpu: str, duals: Sequence[float]) -> Search:
        return Search(gpu, self.problem.shared[gpu], self.problem.needs, duals[: len(self.problem.needs)])

    def _device_worth(self, gpu: str, duals: Sequence[float], costs: Sequence[float]) -> float:
        """What a device costs the relaxed program: of the offer where that is least.

        The dual of an offer that nothing uses is anything up to its cost, and more where it takes of a limit; the cost
        is as good a dual and asks for fewer patterns.
        """
        offers = self.problem.offers
        return min(max(-duals[self.frame.using + o], costs[o] / offers[o].devices) for o in self.by_gpu[gpu])

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
        return list(listed.values())

    def _add(self, patterns: Iterable[Pattern]) -> list[Pattern]:
        """Those that were not there."""
        new = self.frame.add(patterns)
        self.known.patterns.update(dict.fromkeys(new))
        return new

    def _told(self, values: Sequence[int], bound: float) -> Plan:
        plan = self.frame.plan(values)
        cost = self._cost(plan)
        # HiGHS keeps rows and integers to a millionth
        is_proven = cost - bound <= max(USD_OF_A_DEVICE, ROUNDING * cost)
        if not self.is_in_usd:
            return replace(plan, at_least_usd=0.0, is_proven=is_proven)
        # the cheapest plan has no more devices than its cost has cheapest devices
        cheapest = min((offer.usd / offer.devices for offer in self.problem.offers if offer.limit != 0), default=0.0)
        least = bound / (1 + USD_OF_A_DEVICE / cheapest) if cheapest > 0 else 0.0
        return replace(plan, at_least_usd=plan.usd if is_proven else least, is_proven=is_proven)
