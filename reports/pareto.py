"""Geometry of price against capability: logarithmic axes, the frontier as a line, its devices with their names.

Positions are in the units of the SVG's own box; the page scales it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from reports.format import billions, usd
from reports.procurement import Offer, frontier

WIDTH, HEIGHT = 860.0, 420.0
# Half of a mark, the distance of a label from it, and what a letter and a line of a label take up at most.
MARK, GAP = 4.5, 8.0
LETTER, LINE = 6.9, 15.0
AWAY = (34, 50, 66)
STEPS = (1, 2, 5)


@dataclass(frozen=True)
class Tick:
    """A line across the plot at `at`, and its words."""

    at: float
    label: str


@dataclass(frozen=True)
class Mark:
    """A device: `d` is the path of its shape, a disc, or an open diamond where the price is stale."""

    d: str
    is_stale: bool
    is_best: bool
    label: str


@dataclass(frozen=True)
class Label:
    """Words at a mark of the frontier; `anchor` as in SVG, `line` a path to the mark where they do not touch."""

    x: float
    y: float
    anchor: str
    text: str
    line: str = ""


@dataclass(frozen=True)
class Pareto:
    """`line` is the path of the frontier, empty where it has one device only."""

    width: float
    height: float
    x: tuple[Tick, ...]
    y: tuple[Tick, ...]
    marks: tuple[Mark, ...]
    line: str
    labels: tuple[Label, ...]


def pareto(offers: Sequence[Offer]) -> Pareto | None:
    """Devices with a price that are sure to hold a model; null where there is none. The frontier lies on top."""
    drawn = [offer for offer in offers if offer.parameters and offer.usd_per_hour > 0]
    if not drawn:
        return None
    across = _Scale([offer.usd_per_hour for offer in drawn], WIDTH)
    up = _Scale([float(offer.parameters or 0) for offer in drawn], HEIGHT)

    def place(offer: Offer) -> tuple[float, float]:
        return across.at(offer.usd_per_hour), round(HEIGHT - up.at(float(offer.parameters or 0)), 1)

    best = frontier(drawn)
    held = {offer.gpu for offer in best}
    corners = [place(offer) for offer in best]
    line = f"M{corners[0][0]:g} {corners[0][1]:g}" + "".join(f"H{x:g}V{y:g}" for x, y in corners[1:])
    return Pareto(
        WIDTH,
        HEIGHT,
        tuple(Tick(across.at(value), usd(value).removesuffix(".00")) for value in across.ticks),
        tuple(Tick(round(HEIGHT - up.at(value), 1), billions(round(value)).replace(".00", "")) for value in up.ticks),
        tuple(
            Mark(_shape(offer.is_stale, *place(offer)), offer.is_stale, offer.gpu in held, _words(offer))
            for offer in sorted(drawn, key=lambda offer: (offer.gpu in held, offer.usd_per_hour, offer.gpu))
        ),
        line if len(corners) > 1 else "",
        _labels(best, corners, [place(offer) for offer in drawn]),
    )


class _Scale:
    """A logarithmic scale between the steps of 1, 2 and 5 around its values, over `length`."""

    def __init__(self, values: Sequence[float], length: float) -> None:
        steps = [step * 10.0**power for power in range(-4, 15) for step in STEPS]
        below = [step for step in steps if step <= min(values)]
        above = [step for step in steps if step >= max(values)]
        low, high = (below or steps)[-1 if below else 0], (above or steps)[0 if above else -1]
        if low == high:
            high = steps[min(steps.index(low) + 1, len(steps) - 1)]
        self.ticks = tuple(step for step in steps if low <= step <= high)
        self._low, self._span, self._length = math.log10(low), math.log10(high) - math.log10(low), length

    def at(self, value: float) -> float:
        share = (math.log10(value) - self._low) / self._span
        return round(self._length * min(1.0, max(0.0, share)), 1)


def _shape(is_stale: bool, x: float, y: float) -> str:
    if is_stale:
        return f"M{x:g} {y - MARK:g}l{MARK:g} {MARK:g}l-{MARK:g} {MARK:g}l-{MARK:g} -{MARK:g}z"
    return f"M{x - MARK:g} {y:g}a{MARK:g} {MARK:g} 0 1 0 {2 * MARK:g} 0a{MARK:g} {MARK:g} 0 1 0 -{2 * MARK:g} 0"


def _words(offer: Offer) -> str:
    several = "" if offer.devices_per_instance == 1 else f" in an instance of {offer.devices_per_instance}"
    stale = ", stale price" if offer.is_stale else ""
    return (
        f"{offer.name}: {usd(offer.usd_per_hour)} an hour{several}{stale},"
        f" holds {billions(offer.parameters)} parameters ({offer.largest_model} at {offer.precision})"
    )


Box = tuple[float, float, float, float]


def _labels(
    best: Sequence[Offer], corners: Sequence[tuple[float, float]], marks: Sequence[tuple[float, float]]
) -> tuple[Label, ...]:
    """Names above and left of the frontier, where nothing can lie; the ends first, none over a name, mark or line."""
    taken: list[Box] = [(x - MARK, y - MARK, x + MARK, y + MARK) for x, y in marks]
    for (x, y), (right, top) in pairwise(corners):
        taken += [(x, y - 1, right, y + 1), (right - 1, top, right + 1, y)]
    order = sorted(range(len(best)), key=lambda n: (n not in (0, len(best) - 1), -corners[n][1]))
    found: dict[int, Label] = {}
    for n in order:
        text = f"{best[n].name}{' (stale)' if best[n].is_stale else ''}"
        for label, box in _places(*corners[n], text):
            inside = box[0] >= 0 and box[2] <= WIDTH and box[1] >= -LINE and box[3] <= HEIGHT
            if inside and not any(_overlap(box, other) for other in taken):
                taken.append(box)
                found[n] = label
                break
    return tuple(found[n] for n in sorted(found))


def _places(x: float, y: float, text: str) -> Iterator[tuple[Label, Box]]:
    """Where words may stand, the best place first: beside the mark, then away from it with a line to it."""
    width = len(text) * LETTER
    for anchor, left, base in (
        ("end", x - GAP - width, y - 3), ("end", x - width, y - GAP - 3), ("start", x + 2, y - GAP - 3),
        ("start", x + GAP, y + 4), ("start", x + 2, y + LINE + GAP - 3),
    ):  # fmt: skip
        at = left if anchor == "start" else left + width
        yield Label(round(at, 1), round(base, 1), anchor, text), (left, base + 3 - LINE, left + width, base + 3)
    for away in AWAY:
        left, base = x + away / 2, y + away
        line = f"M{x:g} {y + MARK:g}L{left:g} {base - LINE / 2:g}"
        yield (
            Label(round(left + 3, 1), round(base, 1), "start", text, line),
            (left, base + 3 - LINE, left + width, base + 3),
        )


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
