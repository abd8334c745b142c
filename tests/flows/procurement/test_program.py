"""The door to HiGHS: what it says of a program, and that it says no more than it knows."""

from __future__ import annotations

import pytest

from flows.procurement.problem import NotSolved
from flows.procurement.program import ENDLESS, Column, Program, Row


def test_fractions_their_prices_and_integers() -> None:
    """At least 3, of which 4 are a unit for 6: 4.50 by fractions, 6 in units; in a cheaper way that is added 1."""
    program = Program([Row(3.0, ENDLESS), Row(-ENDLESS, 0.0)])
    program.add([Column(6.0, {1: -4.0}), Column(0.0, {0: 1.0, 1: 1.0})])
    relaxed = program.relax(10.0)
    assert relaxed is not None
    assert (relaxed.cost, list(relaxed.duals)) == (4.5, [1.5, -1.5])
    solved = program.solve(10.0)
    assert (solved.values, solved.cost, solved.bound) == ([1, 3], 6.0, 6.0)
    program.add([Column(0.5, {0: 2.0}, upper=1.0)])
    assert program.solve(10.0).values in ([1, 1, 1], [1, 3, 0], [1, 2, 1], [1, 4, 0])
    program.add([Column(0.5, {0: 2.0})])
    last = program.solve(10.0)
    assert (last.cost, last.values and last.values[2] + last.values[3]) == (1.0, 2)


def test_what_cannot_be_has_no_values() -> None:
    program = Program([Row(3.0, ENDLESS)])
    program.add([Column(1.0, {0: 1.0}, upper=2.0)])
    assert program.relax(10.0) is None
    assert program.solve(10.0).values is None
    program.add([])
    program.add([Column(1.0, {0: 0.4}, upper=3.0)])
    assert program.relax(10.0) is not None
    assert program.solve(10.0).values == [2, 3]


def test_a_program_without_end_is_no_plan() -> None:
    """What costs less than nothing would be taken for ever."""
    program = Program([Row(1.0, ENDLESS)])
    program.add([Column(-1.0, {0: 1.0})])
    with pytest.raises(NotSolved):
        program.relax(10.0)
