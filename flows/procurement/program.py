"""HiGHS, and nothing else of it: a mixed-integer program that grows by columns, relaxed or solved to optimality."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

import highspy

from flows.procurement.problem import USD_OF_A_DEVICE, NotSolved

ENDLESS = highspy.kHighsInf


@dataclass(frozen=True)
class Column:
    """An integer of at least 0 and at most `upper`: what one of it costs and adds to rows."""

    cost: float
    entries: Mapping[int, float]
    upper: float = ENDLESS


@dataclass(frozen=True)
class Row:
    """A sum that must lie within bounds."""

    lower: float
    upper: float


@dataclass(frozen=True)
class Relaxed:
    """The optimum over fractions: its cost, what one more of each row's bound would cost, and one of each column."""

    cost: float
    values: Sequence[float]
    duals: Sequence[float]
    reduced: Sequence[float]


@dataclass(frozen=True)
class Solved:
    """The best integers that were found, None where there are none, and what no integers can be below."""

    values: Sequence[int] | None
    cost: float
    bound: float


class Program:
    """Minimise the cost of columns within rows. Rows are fixed, columns are added."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self._model = highspy.Highs()  # type: ignore[no-untyped-call]
        for option, value in (
            ("output_flag", False), ("mip_rel_gap", 0.0), ("mip_abs_gap", USD_OF_A_DEVICE / 10),
            ("random_seed", 1), ("threads", 1),
        ):  # fmt: skip
            self._model.setOptionValue(option, value)
        lp = highspy.HighsLp()
        lp.num_row_ = len(rows)
        lp.row_lower_ = [row.lower for row in rows]
        lp.row_upper_ = [row.upper for row in rows]
        lp.a_matrix_.format_ = highspy.MatrixFormat.kColwise
        self._model.passModel(lp)
        self._upper: list[float] = []

    def add(self, columns: Sequence[Column]) -> None:
        if not columns:
            return
        starts = list(accumulate((len(column.entries) for column in columns), initial=0))
        self._model.addCols(
            len(columns),
            [column.cost for column in columns],
            [0.0] * len(columns),
            [column.upper for column in columns],
            starts[-1],
            starts[:-1],
            [row for column in columns for row in column.entries],
            [value for column in columns for value in column.entries.values()],
        )
        self._upper += [column.upper for column in columns]

    def change(self, costs: Sequence[float], upper: Sequence[float]) -> None:
        """Give the first columns other costs and other bounds."""
        places = list(range(len(costs)))
        self._model.changeColsCost(len(costs), places, list(costs))
        self._bound(places, upper)
        self._upper[: len(upper)] = upper

    def relax(self, seconds: float) -> Relaxed | None:
        """The optimum over fractions, None where there is none. Raises NotSolved."""
        self._kind(highspy.HighsVarType.kContinuous)
        status = self._run(seconds)
        if status == highspy.HighsModelStatus.kOptimal:
            found = self._model.getSolution()
            cost = self._model.getInfo().objective_function_value
            return Relaxed(cost, list(found.col_value), list(found.row_dual), list(found.col_dual))
        if _is_infeasible(status):
            return None
        raise NotSolved(self._model.modelStatusToString(status))

    def solve(self, seconds: float, without: Sequence[int] = ()) -> Solved:
        """The best integers within that time, with nothing of the columns in `without`.

        Raises NotSolved where there are neither integers nor a proof of none.
        """
        self._kind(highspy.HighsVarType.kInteger)
        self._bound(without, [0.0] * len(without))
        try:
            return self._solved(seconds)
        finally:
            # another bound is another program: what was found is forgotten
            self._bound(without, [self._upper[column] for column in without])

    def _solved(self, seconds: float) -> Solved:
        status = self._run(seconds)
        info = self._model.getInfo()
        if _is_infeasible(status):
            return Solved(None, ENDLESS, ENDLESS)
        found = info.primal_solution_status == highspy.SolutionStatus.kSolutionStatusFeasible
        if status == highspy.HighsModelStatus.kOptimal or (status == highspy.HighsModelStatus.kTimeLimit and found):
            values = [round(value) for value in self._model.getSolution().col_value]
            return Solved(values, info.objective_function_value, info.mip_dual_bound)
        raise NotSolved(self._model.modelStatusToString(status))

    def _bound(self, columns: Sequence[int], upper: Sequence[float]) -> None:
        if columns:
            self._model.changeColsBounds(len(columns), list(columns), [0.0] * len(columns), list(upper))

    def _kind(self, kind: highspy.HighsVarType) -> None:
        count = len(self._upper)
        self._model.changeColsIntegrality(count, list(range(count)), [kind] * count)  # type: ignore[arg-type]

    def _run(self, seconds: float) -> highspy.HighsModelStatus:
        # the clock of HiGHS runs on from run to run
        self._model.setOptionValue("time_limit", self._model.getRunTime() + max(seconds, 0.0))
        self._model.run()
        return self._model.getModelStatus()


def _is_infeasible(status: highspy.HighsModelStatus) -> bool:
    return status in (highspy.HighsModelStatus.kInfeasible, highspy.HighsModelStatus.kUnboundedOrInfeasible)
