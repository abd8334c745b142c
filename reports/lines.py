"""Geometry of line charts over time: dates across, values upwards, each line with its name at its end.

Positions are in the units of the SVG's own box; the page scales it. Lines differ by marker and dash besides colour.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from statistics import median

WIDTH, HEIGHT = 480.0, 260.0
# Room of the names on the right, what a letter and a line of them take up at most, and where they begin.
ROOM, LETTER, LINE, BESIDE = 210.0, 6.9, 15.0, 22.0
MARK = 3.5
MOST_LINES = 8
# Markers of a line: as many as tell it from others without hiding it.
MARKERS = 12
# Nights are a day apart; a line is broken where far more lie between two of them than usual.
USUAL, GAP = timedelta(days=1), 2.5
STEPS = (1, 2, 5)
MOST_TICKS = 7

Say = Callable[[float], str]


@dataclass(frozen=True)
class Series:
    """A line: a value for each of the times, null where there is none."""

    name: str
    values: Sequence[float | None]


@dataclass(frozen=True)
class Tick:
    """A line across the plot at `at`, and its words."""

    at: float
    label: str


@dataclass(frozen=True)
class Mark:
    """A marker at a value; `d` is the path of its shape."""

    d: str
    label: str


@dataclass(frozen=True)
class Line:
    """`number` chooses colour, dash and marker; `pointer` is a path from the line's end to its name at (x, y)."""

    number: int
    d: str
    marks: tuple[Mark, ...]
    is_open: bool
    pointer: str
    x: float
    y: float
    text: str


@dataclass(frozen=True)
class Chart:
    """`cuts` are upright lines at times that something happened, with what it was."""

    width: float
    height: float
    room: float
    x: tuple[Tick, ...]
    y: tuple[Tick, ...]
    cuts: tuple[Tick, ...]
    lines: tuple[Line, ...]


def chart(
    times: Sequence[datetime],
    series: Sequence[Series],
    say: Say,
    *,
    is_logarithmic: bool = False,
    is_whole: bool = False,
    cuts: Sequence[tuple[datetime, str]] = (),
    pace: timedelta = USUAL,
) -> Chart | None:
    """A chart of at most MOST_LINES series over ascending times; null where no two times have a value.

    `say` puts a value in words, `is_whole` is of values that are counted, `pace` what usually lies between two times.
    A series without any value is left out, and values that a logarithmic axis has no place for are not drawn.
    """
    drawn = [
        (at, [value if value is not None and (value > 0 or not is_logarithmic) else None for value in one.values])
        for at, one in enumerate(series[:MOST_LINES])
    ]
    drawn = [(at, values) for at, values in drawn if any(value is not None for value in values)]
    with_values = [any(values[n] is not None for _, values in drawn) for n in range(len(times))]
    if sum(with_values) < 2 or times[0] == times[-1]:
        return None
    known = [value for _, values in drawn for value in values if value is not None]
    up = _logarithmic(known) if is_logarithmic else _linear(known, is_whole)
    across = _Scale(times[0].timestamp(), times[-1].timestamp(), WIDTH)
    x = [across.at(time.timestamp()) for time in times]
    broken = _broken(times, pace)
    made = []
    for number, values in drawn:
        y = [None if value is None else round(HEIGHT - up.scale.at(up.of(value)), 1) for value in values]
        made.append((number, y, values))
    ends = [next(n for n in reversed(range(len(times))) if y[n] is not None) for _, y, _ in made]
    heights = [float(y[end] or 0.0) for (_, y, _), end in zip(made, ends, strict=True)]
    lines = []
    for (number, y, values), end, height, place in zip(made, ends, heights, spread(heights), strict=True):
        name = series[number].name
        marked = set(_marked(y, broken, end))
        lines.append(
            Line(
                number,
                _path(x, y, broken),
                tuple(
                    Mark(_shape(number, x[n], here), f"{times[n]:%Y-%m-%d}: {name} {say(value)}")
                    for n, (here, value) in enumerate(zip(y, values, strict=True))
                    if n in marked and here is not None and value is not None
                ),
                number >= len(_SHAPES),
                f"M{x[end]:g} {height:g}L{WIDTH + 7:g} {height:g}L{WIDTH + BESIDE - 4:g} {place:g}",
                WIDTH + BESIDE,
                place,
                _fitting(name, say(values[end] or 0.0)),
            )
        )
    return Chart(
        WIDTH,
        HEIGHT,
        ROOM,
        tuple(Tick(across.at(time.timestamp()), label) for time, label in dates(times[0], times[-1])),
        tuple(
            Tick(round(HEIGHT - up.scale.at(up.of(value)), 1), say(value).replace(".00 ", " ")) for value in up.ticks
        ),
        tuple(Tick(across.at(time.timestamp()), label) for time, label in cuts),
        tuple(lines),
    )


def spread(wanted: Sequence[float]) -> list[float]:
    """Where lines of words go that want to be at these heights: LINE apart at least, in their order, inside the plot.

    There is room for HEIGHT / LINE of them.
    """
    order = sorted(range(len(wanted)), key=lambda n: wanted[n])
    places = [0.0] * len(wanted)
    lowest = 0.0
    for n in order:
        places[n] = lowest = max(wanted[n], lowest)
        lowest += LINE
    highest = HEIGHT
    for n in reversed(order):
        places[n] = round(min(places[n], highest), 1)
        highest = places[n] - LINE
    return places


def dates(first: datetime, last: datetime) -> list[tuple[datetime, str]]:
    """Some days, or first days of months or years, from first to last; the ends where it is no two days."""
    if first.date() == last.date():
        return [(time, f"{time:%m-%d %H:%M}") for time in (first, last)]
    if last - first < timedelta(days=2):
        return [(time, f"{time:%Y-%m-%d}") for time in (first, last)]
    for found in _calendars(first, last):
        inside = [day for day in found if first <= day <= last]
        if len(inside) <= 4:
            return [(day, f"{day:%Y-%m-%d}") for day in inside]
    return [(time, f"{time:%Y-%m-%d}") for time in (first, last)]


def _calendars(first: datetime, last: datetime) -> Iterator[list[datetime]]:
    midnight = datetime(first.year, first.month, first.day, tzinfo=UTC)
    for step in (1, 2, 5, 7, 14):
        yield [midnight + timedelta(days=step * n) for n in range(1, (last - midnight).days // step + 1)]
    for step in (1, 2, 3, 6, 12, 24, 60, 120):
        months = range(first.year * 12, last.year * 12 + 12, step)
        yield [datetime(month // 12, month % 12 + 1, 1, tzinfo=UTC) for month in months]


@dataclass(frozen=True)
class _Scale:
    low: float
    high: float
    length: float

    def at(self, value: float) -> float:
        return round(self.length * min(1.0, max(0.0, (value - self.low) / (self.high - self.low))), 1)


@dataclass(frozen=True)
class _Axis:
    scale: _Scale
    of: Callable[[float], float]
    ticks: tuple[float, ...]


def _linear(values: Sequence[float], is_whole: bool) -> _Axis:
    """From zero to the step above the largest, in five steps at most; far enough that steps are told apart in words."""
    top = max(*values, 1.0 if is_whole else 0.05)
    steps = (step * 10.0**power for power in range(-4, 15) for step in STEPS)
    step = next(step for step in steps if step * 5 >= top * (1 - 1e-9) and (step >= 1 or not is_whole))
    number = math.ceil(top / step - 1e-9)
    ticks = tuple(round(step * n, 6) for n in range(number + 1))
    return _Axis(_Scale(0.0, ticks[-1], HEIGHT), float, ticks)


def _logarithmic(values: Sequence[float]) -> _Axis:
    """Between steps of 1, 2 and 5 around the values; powers of ten alone have words where all would be too many."""
    marks = [step * 10.0**power for power in range(-4, 17) for step in STEPS]
    low = max([mark for mark in marks if mark <= min(values)] or marks[:1])
    high = min([mark for mark in marks if mark >= max(values)] or marks[-1:])
    if low == high:
        high = marks[min(marks.index(low) + 1, len(marks) - 1)]
    ticks = [mark for mark in marks if low <= mark <= high]
    if len(ticks) > MOST_TICKS:
        ticks = [mark for mark in ticks if math.log10(mark).is_integer()]
    every = -(-len(ticks) // MOST_TICKS)
    return _Axis(_Scale(math.log10(low), math.log10(high), HEIGHT), math.log10, tuple(ticks[::every]))


def _broken(times: Sequence[datetime], pace: timedelta) -> set[int]:
    """Times that no line leads to from the one before."""
    apart = [after - before for before, after in pairwise(times)]
    usual = max(pace, timedelta(seconds=median(gap.total_seconds() for gap in apart)))
    return {n + 1 for n, gap in enumerate(apart) if gap > usual * GAP}


def _path(x: Sequence[float], y: Sequence[float | None], broken: set[int]) -> str:
    parts = []
    for n, here in enumerate(y):
        if here is not None:
            is_joined = n > 0 and y[n - 1] is not None and n not in broken
            parts.append(f"{'L' if is_joined else 'M'}{x[n]:g} {here:g}")
    return "".join(parts)


def _marked(y: Sequence[float | None], broken: set[int], end: int) -> Iterator[int]:
    """Which values have a marker: some of them, the last one, and all that no line leads to or from."""
    known = [n for n, here in enumerate(y) if here is not None]
    every = -(-len(known) // MARKERS)
    for place, n in enumerate(known):
        is_joined = n > 0 and y[n - 1] is not None and n not in broken
        is_left = n + 1 < len(y) and y[n + 1] is not None and n + 1 not in broken
        if n == end or (len(known) - 1 - place) % every == 0 or not (is_joined or is_left):
            yield n


# A disc, a square, a diamond, a triangle, around (x, y); the next four lines have the same ones, open.
_SHAPES: tuple[Callable[[float, float], str], ...] = (
    lambda x, y: f"M{x - MARK:g} {y:g}a{MARK:g} {MARK:g} 0 1 0 {2 * MARK:g} 0a{MARK:g} {MARK:g} 0 1 0 -{2 * MARK:g} 0",
    lambda x, y: f"M{x - 3:g} {y - 3:g}h6v6h-6z",
    lambda x, y: f"M{x:g} {y - 4.5:g}l4.5 4.5l-4.5 4.5l-4.5 -4.5z",
    lambda x, y: f"M{x:g} {y - 4.5:g}l4 7h-8z",
)


def _shape(number: int, x: float, y: float) -> str:
    return _SHAPES[number % len(_SHAPES)](x, y)


def _fitting(name: str, value: str) -> str:
    """A name that leaves room for its value, cut where it does not."""
    most = int((ROOM - BESIDE) / LETTER) - len(value) - 1
    cut = name if len(name) <= most else f"{name[: max(1, most - 1)].rstrip()}…"
    return f"{cut} {value}"
