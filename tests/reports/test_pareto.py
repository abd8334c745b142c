"""Where the chart of price against capability puts its marks, its line and its names."""

from __future__ import annotations

from dataclasses import replace

import pytest
from bought import offer

from reports.pareto import HEIGHT, WIDTH, pareto


def test_ten_times_the_price_is_as_far_everywhere() -> None:
    plot = pareto([offer("a", 0.1, 10**9), offer("b", 1.0, 10**10), offer("c", 10.0, 10**11)])
    assert plot is not None
    assert [tick.label for tick in plot.x] == ["$0.10", "$0.20", "$0.50", "$1", "$2", "$5", "$10"]
    assert [tick.label for tick in plot.y] == ["1 B", "2 B", "5 B", "10 B", "20 B", "50 B", "100 B"]
    assert plot.line == f"M0 {HEIGHT:g}H430V210H{WIDTH:g}V0"
    assert [mark.is_best for mark in plot.marks] == [True, True, True]


def test_a_stale_price_has_another_shape_and_says_so() -> None:
    plot = pareto([offer("a", 1.0, 10**9), offer("b", 2.0, 2 * 10**9, is_stale=True)])
    assert plot is not None
    current, stale = plot.marks
    assert ("a4.5" in current.d, "a4.5" in stale.d) == (True, False)
    assert stale.label == "b: $2.00 an hour, stale price, holds 2.00 B parameters (owner/name at bf16)"
    assert [label.text for label in plot.labels] == ["a", "b (stale)"]


def test_a_device_that_comes_with_others_says_so() -> None:
    plot = pareto([replace(offer("a", 8.0, 10**9), devices_per_instance=8)])
    assert plot is not None
    assert plot.marks[0].label == ("a: $8.00 an hour in an instance of 8, holds 1.00 B parameters (owner/name at bf16)")


def test_devices_off_the_line_lie_below_it_and_have_no_name() -> None:
    plot = pareto([offer("a", 1.0, 10**10), offer("dearer", 2.0, 5 * 10**9)])
    assert plot is not None
    assert [mark.is_best for mark in plot.marks] == [False, True], "the best lie on top"
    assert plot.line == ""
    assert [label.text for label in plot.labels] == ["a"]


def test_a_name_without_room_at_its_mark_is_away_from_it_with_a_line() -> None:
    blocking = [offer("below", 0.12, 850 * 10**6), offer("step", 0.2, 10**10), offer("range", 10.0, 10**8)]
    plot = pareto([offer("a device with quite a long name", 0.1, 10**9), *blocking])
    assert plot is not None
    first, second = plot.labels
    assert (first.text, first.anchor, first.line[:4]) == ("a device with quite a long name", "start", "M0 2")
    assert first.y > HEIGHT / 2
    assert (second.text, second.line) == ("step", "")


def test_names_stay_within_the_chart_and_some_have_no_room() -> None:
    offers = [offer(f"a device with a long name, number {n}", 0.05 * 1.3**n, 10**9 * (n + 1)) for n in range(12)]
    plot = pareto(offers)
    assert plot is not None
    assert 2 <= len(plot.labels) < 12
    for label in plot.labels:
        width = len(label.text) * 6.9
        left = label.x - (width if label.anchor == "end" else 0)
        assert left >= 0
        assert left + width <= WIDTH + 3
        assert label.y <= HEIGHT


@pytest.mark.parametrize("offers", [[], [offer("a", 1.0, None)], [offer("a", 0.0, 10**9)]])
def test_nothing_to_draw_is_no_chart(offers: list[object]) -> None:
    assert pareto(offers) is None  # type: ignore[arg-type]
