"""Geometry of the static SVG charts: numbers in, positions out. Widths are in per mille of the chart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from reports.format import gib
from reports.model import Bar, Step

PARTS = ("weights", "cache", "state", "activation", "gradient", "optimizer", "overhead")
WIDTH = 1000.0


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


def stacked(bars: Sequence[Bar]) -> tuple[DrawnBar, ...]:
    """Bars on one scale, the longest filling the width."""
    longest = max((sum(size or 0 for size in bar.parts.values()) for bar in bars), default=0) or 1
    drawn = []
    for bar in bars:
        x = 0.0
        segments = []
        for part in PARTS:
            size = bar.parts.get(part)
            if not size:
                continue
            width = size / longest * WIDTH
            segments.append(Segment(part, round(x, 1), round(width, 1), f"{part} {gib(size)}"))
            x += width
        drawn.append(DrawnBar(bar.label, gib(bar.total), bar.total is None, round(x, 1), tuple(segments)))
    return tuple(drawn)


@dataclass(frozen=True)
class DrawnStep:
    """A step of the waterfall: what remains, and what was lost since the step before."""

    name: str
    value: str
    lost: str | None
    width: float


def waterfall(steps: Sequence[Step]) -> tuple[DrawnStep, ...]:
    """Known steps on one scale; a step without a published figure is left out."""
    known = [step for step in steps if step.bytes is not None]
    largest = max((step.bytes or 0 for step in known), default=0) or 1
    drawn = []
    before: int | None = None
    for step in known:
        size = step.bytes or 0
        lost = gib(before - size) if before is not None and before > size else None
        drawn.append(DrawnStep(step.name, gib(size), lost, round(size / largest * WIDTH, 1)))
        before = size
    return tuple(drawn)
