"""Which offers to take and what to place on them: an integer program, solved to optimality by HiGHS.

Integers `units[o]` say how many units of an offer are taken, `placed[p, o]` how often a placement is put on devices of
an offer. Cost is least such that every demand is served, placements have their devices, and limits hold. A device
counts a cent besides, so that of plans that cost the same the one with the fewest devices is taken.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate

import highspy

# What counts as nothing, in served replicas and in devices.
TOLERANCE = 1e-6
# Of a plan with as much cost the one with fewer devices.
USD_OF_A_DEVICE = 0.01
SECONDS = 60.0


@dataclass(frozen=True)
class Offer:
    """A way to get devices: `devices` come together as one unit for `usd` over the horizon.

    `node` devices can work together; there are at most `limit` units, None without end. `watts` is a unit's rated
    power, None where nobody knows it: such an offer has no place under a limit of power.
    """

    name: str
    gpu: str
    devices: int
    node: int
    usd: float
    watts: float | None
    limit: int | None = None

    def share(self, degree: int) -> int:
        """Devices of a unit that a group of `degree` takes up: the next number that divides the unit.

        A unit of 8 has room for two groups of 3, each of which takes up 4: shares that divide it fill it without a
        rest. Single devices are taken one by one.
        """
        if self.devices == 1:
            return degree
        return min(n for n in range(degree, self.devices + 1) if self.devices % n == 0)


@dataclass(frozen=True)
class Placement:
    """One replica of the demand at position `demand`: `groups` groups of `degree` devices of a kind."""

    name: str
    gpu: str
    demand: int
    degree: int
    groups: int = 1


@dataclass(frozen=True)
class Limits:
    """What a plan may cost and draw, None without end."""

    budget_usd: float | None = None
    watts: float | None = None


@dataclass(frozen=True)
class Plan:
    """`units` by offer, `placed` by placement and offer: positions in the problem. What it costs, holds and draws.

    `watts` is None where an offer's are.
    """

    usd: float
    watts: float | None
    devices: int
    units: dict[int, int] = field(default_factory=dict)
    placed: dict[tuple[int, int], int] = field(default_factory=dict)


class NotSolved(Exception):
    """HiGHS ran out of time."""


@dataclass(frozen=True)
class Problem:
    """`needs`: how many replicas of each demand there must be."""

    offers: Sequence[Offer]
    placements: Sequence[Placement]
    needs: Sequence[int]
    limits: Limits = Limits()


def solve(problem: Problem, *, of_watts: bool = False) -> Plan | None:
    """The cheapest plan, or the one that draws least; None where there is none.

    Raises NotSolved after a minute without a proof.
    """
    needs_watts = of_watts or problem.limits.watts is not None
    pairs = [
        (p, o)
        for p, placement in enumerate(problem.placements)
        for o, offer in enumerate(problem.offers)
        if placement.gpu == offer.gpu and placement.degree <= (offer.devices if offer.devices > 1 else offer.node)
        if offer.watts is not None or not needs_watts
    ]
    served = {problem.placements[p].demand for p, _ in pairs}
    if any(need > 0 and demand not in served for demand, need in enumerate(problem.needs)):
        return None
    values = _run(_model(problem, pairs, of_watts))
    return None if values is None else _plan(problem, pairs, values)


def _model(problem: Problem, pairs: Sequence[tuple[int, int]], of_watts: bool) -> highspy.Highs:
    """Columns: units of each offer, then each pair. Rows: demands, devices of offers, limits."""
    model = highspy.Highs()  # type: ignore[no-untyped-call]
    for option, value in (
        ("output_flag", False), ("mip_rel_gap", 0.0), ("mip_abs_gap", USD_OF_A_DEVICE / 10), ("time_limit", SECONDS),
        ("random_seed", 1), ("threads", 1),
    ):  # fmt: skip
        model.setOptionValue(option, value)
    offers, count = problem.offers, len(problem.offers)
    columns = count + len(pairs)
    endless = highspy.kHighsInf
    lp = highspy.HighsLp()
    lp.num_col_ = columns
    # an offer of unknown power has no pair where power counts
    watts = [offer.watts or 0.0 for offer in offers]
    counted = watts if of_watts else [offer.usd for offer in offers]
    cost = [each + USD_OF_A_DEVICE * offer.devices for each, offer in zip(counted, offers, strict=True)]
    lp.col_cost_ = cost + [0.0] * len(pairs)
    lp.col_lower_ = [0.0] * columns
    limited = [endless if offer.limit is None else float(offer.limit) for offer in offers]
    lp.col_upper_ = limited + [endless] * len(pairs)
    lp.integrality_ = [highspy.HighsVarType.kInteger] * columns

    rows: list[tuple[float, float, dict[int, float]]] = []
    covering: list[dict[int, float]] = [{} for _ in problem.needs]
    using: list[dict[int, float]] = [{o: -float(offer.devices)} for o, offer in enumerate(offers)]
    for column, (p, o) in enumerate(pairs, start=count):
        placement = problem.placements[p]
        covering[placement.demand][column] = 1.0
        using[o][column] = float(placement.groups * offers[o].share(placement.degree))
    rows += [(float(need), endless, covering[demand]) for demand, need in enumerate(problem.needs)]
    rows += [(-endless, TOLERANCE, row) for row in using]
    limits = problem.limits
    if limits.budget_usd is not None:
        rows.append((-endless, limits.budget_usd + TOLERANCE, {o: offer.usd for o, offer in enumerate(offers)}))
    if limits.watts is not None:
        rows.append((-endless, limits.watts + TOLERANCE, dict(enumerate(watts))))

    lp.num_row_ = len(rows)
    lp.row_lower_ = [row[0] for row in rows]
    lp.row_upper_ = [row[1] for row in rows]
    lp.a_matrix_.format_ = highspy.MatrixFormat.kRowwise
    lp.a_matrix_.start_ = list(accumulate((len(row[2]) for row in rows), initial=0))
    lp.a_matrix_.index_ = [column for row in rows for column in row[2]]
    lp.a_matrix_.value_ = [value for row in rows for value in row[2].values()]
    model.passModel(lp)
    return model


def _run(model: highspy.Highs) -> list[int] | None:
    """Values of all columns at the optimum, None where no plan is possible."""
    model.run()
    status = model.getModelStatus()
    if status == highspy.HighsModelStatus.kOptimal:
        return [round(value) for value in model.getSolution().col_value]
    if status in (highspy.HighsModelStatus.kInfeasible, highspy.HighsModelStatus.kUnboundedOrInfeasible):
        return None
    raise NotSolved(model.modelStatusToString(status))


def _plan(problem: Problem, pairs: Sequence[tuple[int, int]], values: Sequence[int]) -> Plan:
    offers, count = problem.offers, len(problem.offers)
    units = {o: values[o] for o in range(count) if values[o] > 0}
    placed = {pair: values[count + at] for at, pair in enumerate(pairs) if values[count + at] > 0}
    drawn = [None if (each := offers[o].watts) is None else each * n for o, n in units.items()]
    return Plan(
        usd=sum(offers[o].usd * n for o, n in units.items()),
        watts=None if None in drawn else sum(each for each in drawn if each is not None),
        devices=sum(offers[o].devices * n for o, n in units.items()),
        units=units,
        placed=placed,
    )
