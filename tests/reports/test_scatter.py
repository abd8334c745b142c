from __future__ import annotations

import pytest

from reports.model import Point
from reports.scatter import HIGH, LOW, SIDE, scatter


def centre(point: Point) -> tuple[float, float]:
    """Middle of the mark: half a mark to the right of where its path begins, and below for a square."""
    [dot] = scatter([point]).dots
    x, y = (float(word) for word in dot.d[1:].replace("a", " ").replace("h", " ").split()[:2])
    return x + 4.5, y + (4.5 if point.split == "fitted" else 0)


@pytest.mark.parametrize("split", ["fitted", "judged"])
def test_a_perfect_prediction_lies_on_the_diagonal(split: str) -> None:
    x, y = centre(Point(2**30, 2**30, split, "a"))
    assert x == pytest.approx(SIDE - y)
    assert x == pytest.approx(SIDE * (30 - LOW) / (HIGH - LOW))


def test_too_much_is_above_the_diagonal_and_too_little_below() -> None:
    x, y = centre(Point(2**30, 2**31, "judged", "a"))
    assert SIDE - y > x
    x, y = centre(Point(2**31, 2**30, "judged", "a"))
    assert SIDE - y < x


def test_marks_differ_in_shape_and_those_that_judge_lie_on_top() -> None:
    dots = scatter([Point(2**30, 2**30, "judged", "a"), Point(2**30, 2**30, "fitted", "b")]).dots
    assert [dot.split for dot in dots] == ["fitted", "judged"]
    assert ["h" in dot.d for dot in dots] == [True, False]
    assert dots[1].label == "a: 1.00 GiB predicted, 1.00 GiB measured"


def test_what_lies_outside_is_drawn_at_the_edge_and_nothing_has_no_place() -> None:
    assert centre(Point(2**60, 1, "judged", "a")) == (SIDE, SIDE)
    assert scatter([Point(0, 2**30, "judged", "a"), Point(2**30, 0, "judged", "a")]).dots == ()
