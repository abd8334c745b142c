"""Geometry of the scatter of predicted against measured bytes: logarithmic axes, drawn when the page is built."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from reports.format import gib
from reports.model import Point

SIDE = 600.0
# From 1 KiB to 1 TiB; what lies outside is drawn at the edge.
LOW, HIGH = 10, 40
TICKS = {10: "1 KiB", 15: "32 KiB", 20: "1 MiB", 25: "32 MiB", 30: "1 GiB", 35: "32 GiB", 40: "1 TiB"}
# A square is as large as a disc of half this width.
HALF = 4.5


@dataclass(frozen=True)
class Dot:
    """A mark: `d` is the path of its shape, so that the sides differ without colour."""

    split: str
    d: str
    label: str


@dataclass(frozen=True)
class Tick:
    """A line across and its words, from the left and from the top."""

    x: float
    y: float
    label: str


@dataclass(frozen=True)
class Scatter:
    """Marks, the fitted ones first, so that those that judge lie on top."""

    side: float
    ticks: tuple[Tick, ...]
    dots: tuple[Dot, ...]


def scatter(points: Sequence[Point]) -> Scatter:
    """Points on a square whose diagonal is a perfect prediction. Sizes that are not positive have no place on it."""
    drawn = sorted((p for p in points if p.measured > 0 and p.predicted > 0), key=lambda p: p.split != "fitted")
    return Scatter(
        SIDE,
        tuple(Tick(_place(2**power), SIDE - _place(2**power), label) for power, label in TICKS.items()),
        tuple(
            Dot(
                point.split,
                _shape(point.split, _place(point.measured), SIDE - _place(point.predicted)),
                f"{point.label}: {gib(point.predicted)} predicted, {gib(point.measured)} measured",
            )
            for point in drawn
        ),
    )


def _place(size: int) -> float:
    share = (math.log2(size) - LOW) / (HIGH - LOW)
    return round(SIDE * min(1.0, max(0.0, share)), 1)


def _shape(split: str, x: float, y: float) -> str:
    """A square for what was fitted to, a disc for what judges."""
    if split == "fitted":
        return f"M{x - HALF:g} {y - HALF:g}h{2 * HALF:g}v{2 * HALF:g}h-{2 * HALF:g}z"
    return f"M{x - HALF:g} {y:g}a{HALF:g} {HALF:g} 0 1 0 {2 * HALF:g} 0a{HALF:g} {HALF:g} 0 1 0 -{2 * HALF:g} 0"
