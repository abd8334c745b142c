"""How long each kind of question may take, by a clock that a test sets."""

from __future__ import annotations

import plan_requests
from plan_requests import demand, fit, price, request

from flows.procurement.effort import Effort


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def is_over_from(effort: Effort, clock: Clock, second: float) -> bool:
    """Whether there is time until that second of the clock and none from there on."""
    clock.now = second - 0.01
    before = effort.is_over("a question")
    clock.now = second
    return not before and effort.is_over("a question")


def test_each_kind_has_its_part_and_what_others_left() -> None:
    """Of 20 s four parts: 5 s. After 2 of them 18 s are left, 6 for each of three. That takes 8 s instead, so that 10
    are left, 5 for each of two; the last has all that is left, 7 s after a third that took 3, and a fifth has nothing.
    """
    clock = Clock()
    effort = Effort(20.0, clock=clock)
    assert not effort.is_over("before the first")
    effort.begin()
    assert is_over_from(effort, clock, 105.0)
    clock.now = 102.0
    effort.begin()
    assert is_over_from(effort, clock, 108.0)
    clock.now = 110.0
    effort.begin()
    assert is_over_from(effort, clock, 115.0)
    clock.now = 113.0
    effort.begin()
    assert is_over_from(effort, clock, 120.0)
    effort.begin()
    assert effort.is_over("a fifth")
    assert effort.left_out == ["a question", "a fifth"]


def test_one_kind_alone_has_all_of_it_and_who_took_more_than_there_was_leaves_nothing() -> None:
    clock = Clock()
    effort = Effort(20.0, clock=clock)
    effort.begin_all()
    assert is_over_from(effort, clock, 120.0)
    clock.now = 130.0
    effort.begin()
    assert is_over_from(effort, clock, 130.0)


def test_who_asks_first_has_the_first_part() -> None:
    clock = Clock()
    effort = Effort(20.0, clock=clock)
    asked = request(demand(), plan_requests.answers([fit("a")], [price("a", 10.0)]))
    # the solver reads the machine's clock, so that this may be answered or not
    effort.ask("a question", asked.choice, asked.problem)
    assert is_over_from(effort, clock, 105.0)
