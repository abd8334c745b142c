"""Where line charts put their lines, their markers, their axes and the names at the ends."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from history import at
from hypothesis import given
from hypothesis import strategies as st

from reports.format import billions
from reports.lines import HEIGHT, LINE, MOST_LINES, ROOM, WIDTH, Series, chart, dates, spread
from reports.trends import percent

FIRST = at("2026-01-01T03:00")


def days(*numbers: int) -> list[datetime]:
    return [FIRST + timedelta(days=number) for number in numbers]


def points(path: str) -> list[tuple[float, float]]:
    """Corners of a line."""
    return [(float(x), float(y)) for x, y in re.findall(r"[ML]([\d.]+) ([\d.]+)", path)]


def test_dates_are_across_not_places() -> None:
    made = chart(days(0, 1, 4), [Series("a", [0.0, 0.5, 1.0])], percent, pace=timedelta(days=3))
    assert made is not None
    [line] = made.lines
    assert line.d == f"M0 {HEIGHT:g}L120 130L480 0"
    assert [tick.label for tick in made.y] == ["0 %", "20 %", "40 %", "60 %", "80 %", "100 %"]
    assert [tick.at for tick in made.y] == [260, 208, 156, 104, 52, 0]
    assert line.text == "a 100 %"
    assert [mark.label for mark in line.marks] == ["2026-01-01: a 0 %", "2026-01-02: a 50 %", "2026-01-05: a 100 %"]


def test_a_gap_breaks_the_line_and_a_lonely_night_is_seen() -> None:
    """Nights are a day apart, and four days are more than two and a half times as long."""
    made = chart(days(0, 1, 2, 3, 4, 8, 12), [Series("a", [0.0, 0.5, 0.5, 0.5, 0.5, 0.5, 1.0])], percent)
    assert made is not None
    [line] = made.lines
    assert line.d == "M0 260L40 130L80 130L120 130L160 130M320 130M480 0"
    assert len(line.marks) == 7


def test_a_night_without_a_figure_breaks_the_line() -> None:
    made = chart(days(0, 1, 2, 3, 4), [Series("a", [1.0, 1.0, None, 1.0, 1.0])], percent)
    assert made is not None
    assert made.lines[0].d == "M0 0L120 0M360 0L480 0"


def test_ten_times_as_many_parameters_are_as_far_everywhere() -> None:
    made = chart(days(0, 1, 2), [Series("a", [1e9, 1e10, 1e11])], billions, is_logarithmic=True)
    assert made is not None
    assert made.lines[0].d == "M0 260L240 130L480 0"
    assert [tick.label for tick in made.y] == ["1 B", "2 B", "5 B", "10 B", "20 B", "50 B", "100 B"]


def test_a_wide_logarithmic_axis_names_powers_of_ten_alone() -> None:
    made = chart(days(0, 1), [Series("a", [5e8, 2e12])], billions, is_logarithmic=True)
    assert made is not None
    assert [tick.label for tick in made.y] == ["1 B", "10 B", "100 B", "1,000 B"]


def test_counts_have_whole_steps_and_nothing_has_an_axis() -> None:
    made = chart(days(0, 1), [Series("failed", [0, 2])], lambda value: f"{value:.0f}", is_whole=True)
    assert made is not None
    assert [tick.label for tick in made.y] == ["0", "1", "2"]
    made = chart(days(0, 1), [Series("failed", [0, 0])], lambda value: f"{value:.0f}", is_whole=True)
    assert made is not None
    assert [tick.label for tick in made.y] == ["0", "1"]


def test_no_line_without_two_nights() -> None:
    assert chart(days(0, 1), [Series("a", [None, 0.5])], percent) is None
    assert chart(days(0, 1), [Series("a", [0.0, 0.0])], billions, is_logarithmic=True) is None
    assert chart(days(0, 1), [], percent) is None


def test_names_at_one_height_stand_one_below_the_other() -> None:
    made = chart(days(0, 1), [Series(name, [0.5, 1.0]) for name in "abc"], percent)
    assert made is not None
    assert [line.y for line in made.lines] == [0, 15, 30]
    assert made.lines[2].pointer == "M480 0L487 0L498 30"
    assert spread([260, 259, 0]) == [260, 245, 0]


def test_a_long_name_is_cut_and_keeps_its_figure() -> None:
    made = chart(days(0, 1), [Series("a family with a name of its own", [0.5, 0.75])], percent)
    assert made is not None
    assert made.lines[0].text == "a family with a name… 75 %"


def test_lines_differ_by_their_markers_without_colour() -> None:
    made = chart(days(0, 1), [Series(f"n{n}", [0.5, 0.75]) for n in range(MOST_LINES)], percent)
    assert made is not None
    looks = {(re.sub(r"^M\S+ \S+?(?=[a-z])", "", line.marks[0].d), line.is_open) for line in made.lines}
    assert len(looks) == MOST_LINES


def test_what_happened_is_marked_at_its_date() -> None:
    made = chart(days(0, 1, 4), [Series("a", [1, 1, 1])], percent, cuts=[(days(1)[0], "another list")])
    assert made is not None
    assert [(cut.at, cut.label) for cut in made.cuts] == [(120, "another list")]


@pytest.mark.parametrize(
    ("first", "last", "labels"),
    [
        ("2026-01-01T03:00", "2026-01-01T09:30", ["01-01 03:00", "01-01 09:30"]),
        ("2026-01-01T03:00", "2026-01-02T03:00", ["2026-01-01", "2026-01-02"]),
        ("2026-01-01T03:00", "2026-01-06T03:00", ["2026-01-03", "2026-01-05"]),
        ("2026-01-01T03:00", "2026-02-10T03:00", ["2026-01-15", "2026-01-29"]),
        ("2025-11-24T03:00", "2026-12-29T03:00", ["2026-01-01", "2026-04-01", "2026-07-01", "2026-10-01"]),
        ("2020-11-24T03:00", "2028-12-29T03:00", ["2022-01-01", "2024-01-01", "2026-01-01", "2028-01-01"]),
    ],
)
def test_days_months_or_years(first: str, last: str, labels: list[str]) -> None:
    assert [label for _, label in dates(at(first), at(last))] == labels


VALUES = st.one_of(st.none(), st.floats(0, 1), st.just(0.5))


@st.composite
def drawings(draw: st.DrawFn) -> tuple[list[datetime], list[Series]]:
    apart = draw(st.lists(st.integers(1, 40 * 24 * 60), min_size=1, max_size=30))
    times = [FIRST]
    for minutes in apart:
        times.append(times[-1] + timedelta(minutes=minutes))
    number = draw(st.integers(1, MOST_LINES + 2))
    values = st.lists(VALUES, min_size=len(times), max_size=len(times))
    return times, [Series("x" * draw(st.integers(0, 60)), draw(values)) for _ in range(number)]


@given(drawings(), st.booleans())
def test_names_never_overlap_and_points_are_inside(
    drawn: tuple[list[datetime], list[Series]], is_logarithmic: bool
) -> None:
    made = chart(*drawn, percent, is_logarithmic=is_logarithmic)
    if made is None:
        return
    heights = sorted(line.y for line in made.lines)
    assert heights[0] >= 0
    assert heights[-1] <= HEIGHT
    assert all(below - above >= LINE - 0.05 for above, below in pairwise(heights))
    for line in made.lines:
        assert line.x + len(line.text) * 6.9 <= WIDTH + ROOM
        assert line.marks, "the newest figure is always seen"
        corners = points(line.d)
        assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in corners)
        assert [x for x, _ in corners] == sorted(x for x, _ in corners)
        assert line.pointer.startswith(f"M{corners[-1][0]:g} {corners[-1][1]:g}L")
    assert all(0 <= tick.at <= WIDTH for tick in made.x)
    assert all(0 <= tick.at <= HEIGHT for tick in made.y)
    assert 2 <= len(made.y) <= 7
