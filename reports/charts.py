"""Geometry of the static SVG charts: numbers in, positions out. Widths are in per mille of the chart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reports.format import gib
from reports.model import Bar, Finding, Heat, Step

PARTS = ("weights", "cache", "state", "activation", "gradient", "optimizer", "overhead")
WIDTH = 1000.0
# What the columns of the heat map's text alternative count, and the codes that belong to each.
TALLIES = {
    "fits": "f",
    "tight": "t",
    "sharded": "2345678g",
    "offload": "o",
    "too_big": "x",
    "unsupported": "-",
    "unknown": "?",
}


@dataclass(frozen=True)
class Segment:
    """One part of a stacked bar."""

    part: str
    x: float
    width: float
    label: str


@dataclass(frozen=True)
class DrawnBar:
    """A bar with its segments; `is_unknown` when a part is not known, then the known ones are drawn."""

    label: str
    total: str
    is_unknown: bool
    end: float
    segments: tuple[Segment, ...]
    values: tuple[int | None, ...]  # bytes by part, in the order of the chart's parts


@dataclass(frozen=True)
class Stack:
    """Stacked bars on one scale, the longest filling the width; `parts` are those that some bar has."""

    parts: tuple[str, ...]
    bars: tuple[DrawnBar, ...]


def stacked(bars: Sequence[Bar]) -> Stack:
    """Bars on one scale. A part that no bar has (the gradients of an inference workload) gets no column."""
    parts = tuple(part for part in PARTS if any(bar.parts.get(part, 0) != 0 for bar in bars))
    longest = max((sum(size or 0 for size in bar.parts.values()) for bar in bars), default=0) or 1
    drawn = []
    for bar in bars:
        x = 0.0
        segments = []
        for part in parts:
            size = bar.parts.get(part)
            if not size:
                continue
            width = size / longest * WIDTH
            segments.append(Segment(part, round(x, 1), round(width, 1), f"{part} {gib(size)}"))
            x += width
        values = tuple(bar.parts.get(part) for part in parts)
        drawn.append(DrawnBar(bar.label, gib(bar.total), bar.total is None, round(x, 1), tuple(segments), values))
    return Stack(parts, tuple(drawn))


@dataclass(frozen=True)
class DrawnStep:
    """A step of the waterfall: what remains, and what was lost since the step before."""

    name: str
    value: str
    lost: str | None
    width: float
    lost_width: float


def waterfall(steps: Sequence[Step]) -> tuple[DrawnStep, ...]:
    """Known steps on one scale; a step without a published figure is left out."""
    known = [step for step in steps if step.bytes is not None]
    largest = max((step.bytes or 0 for step in known), default=0) or 1
    drawn = []
    before: int | None = None
    for step in known:
        size = step.bytes or 0
        loss = max(0, before - size) if before is not None else 0
        drawn.append(
            DrawnStep(
                step.name,
                gib(size),
                gib(loss) if loss else None,
                round(size / largest * WIDTH, 1),
                round(loss / largest * WIDTH, 1),
            )
        )
        before = size
    return tuple(drawn)


def reach(strip: Sequence[Finding]) -> tuple[float | None, ...]:
    """Bar lengths of the overview's strip, by parameters; null where nothing known fits."""
    largest = max((row.parameters or 0 for row in strip), default=0) or 1
    return tuple(None if row.parameters is None else round(row.parameters / largest * WIDTH, 1) for row in strip)


def shares(rows: Sequence[tuple[str, int, int]]) -> tuple[float, ...]:
    """Bar lengths of `part of whole` rows; nothing of nothing is no bar."""
    return tuple(round(part / whole * WIDTH, 1) if whole else 0.0 for _, part, whole in rows)


@dataclass(frozen=True)
class Tally:
    """A row of the heat map in numbers: devices by verdict, in the order of TALLIES."""

    precision: str
    devices: tuple[int, ...]


def tallies(heat: Heat) -> tuple[Tally, ...]:
    """The text alternative of a heat map: how many devices share a verdict, by precision."""
    return tuple(
        Tally(precision, tuple(sum(map(codes.count, marks)) for marks in TALLIES.values()))
        for precision, codes in heat.rows
    )
