"""The published nights that trends.html is about, their figures, and what of them stands for the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from reports.format import UNKNOWN, billions, day
from reports.lines import MOST_LINES
from reports.model import Night, Workload

# Nights with another list of models that are marked, those with the largest difference.
MOST_MARKED = 12
# Another number of listed models by this share of it is another list.
JUMP = 0.1
# Whose devices stand for a band of memory.
SEGMENTS = ("consumer", "datacenter")
# In a table: of that night there is no figure, which is no unknown one.
NONE = "\N{EN DASH}"

Values = Mapping[str, float]  # by run_id


@dataclass(frozen=True)
class Then:
    """A published night."""

    run_id: str
    started_at: datetime
    source: str
    code_version: str
    models_listed: int


@dataclass(frozen=True)
class TrendsPage:
    """trends.html. `figures` are by topic and item; of `fit` those for the workload that this night serves."""

    night: Night
    workload: Workload | None  # null where nothing is served
    nights: Sequence[Then]  # ascending; the last is this night
    figures: Mapping[tuple[str, str], Values]
    elsewhere: int = 0  # nights whose fit is of another workload

    def items(self, topic: str) -> list[str]:
        return [item for of, item in self.figures if of == topic]

    def ends(self, topic: str, item: str) -> Ends:
        """The figure of this night, and that of the first night that has it."""
        values = self.figures.get((topic, item), {})
        first = next((then for then in self.nights[:-1] if then.run_id in values), None)
        return Ends(
            values.get(self.nights[-1].run_id),
            None if first is None else values[first.run_id],
            None if first is None or first is self.nights[0] else first.started_at,
        )


@dataclass(frozen=True)
class Ends:
    """A figure now and before; `since` is when before was, where it was not the first night."""

    now: float | None
    before: float | None
    since: datetime | None

    def words(self, say: Callable[[float], str], of: str = "") -> str:
        """61 %, 58 % before; `of` follows the figure of this night."""
        if self.now is None:
            return UNKNOWN
        if self.before is None:
            return f"{say(self.now)}{of}"
        when = "before" if self.since is None else f"on {day(self.since)}"
        then = "as" if say(self.now) == say(self.before) else say(self.before)
        return f"{say(self.now)}{of}, {then} {when}"


def percent(value: float) -> str:
    """A share of 0 to 1 without false precision."""
    return "<1 %" if 0 < value < 0.01 else ">99 %" if 0.99 < value < 1 else f"{100 * value:.0f} %"


def parameters(value: float) -> str:
    """A count of parameters."""
    return billions(round(value))


def device(item: str) -> str:
    """A class inside a sentence: consumer 24 GiB -> consumer device of 24 GiB."""
    segment, _, band = item.partition(" ")
    return f"{segment} device {band if band.startswith('below') else f'of {band}'}"


def jumps(page: TrendsPage) -> list[tuple[Then, str, float]]:
    """Nights with another list than the one before: what is other, and by how much."""
    found = []
    for before, now in pairwise(page.nights):
        share = abs(now.models_listed - before.models_listed) / max(1, before.models_listed)
        words = f"{before.models_listed:,} → {now.models_listed:,} listed"
        if now.source != before.source:
            found.append((now, f"{words}, {before.source} → {now.source}", 1 + share))
        elif share >= JUMP:
            found.append((now, words, share))
    return found


def marked(page: TrendsPage) -> list[tuple[Then, str]]:
    largest = sorted(jumps(page), key=lambda jump: -jump[2])[:MOST_MARKED]
    return sorted(((then, words) for then, words, _ in largest), key=lambda jump: jump[0].started_at)


def by_memory(item: str) -> tuple[str, int]:
    segment, _, band = item.partition(" ")
    number = band.split(" ")[0]
    return segment, int(number) if number.isdigit() else 0


def shown_classes(page: TrendsPage) -> list[str]:
    """Of each band the class with most devices of SEGMENTS, of the bands those with most; the largest share first."""
    this = page.nights[-1].run_id
    bands: dict[int, tuple[float, str]] = {}
    for item in page.items("fit"):
        segment, band = by_memory(item)
        devices = page.figures.get(("devices", item), {}).get(this)
        if this in page.figures["fit", item] and segment in SEGMENTS and devices is not None:
            bands[band] = max(bands.get(band, (0.0, item)), (devices, item), key=lambda found: found[0])
    most = sorted(bands, key=lambda band: (-bands[band][0], band))[:MOST_LINES]
    items = [bands[band][1] for band in sorted(most, reverse=True)]
    return items or sorted(item for item in page.items("fit") if this in page.figures["fit", item])[:MOST_LINES]


def headline(page: TrendsPage) -> str | None:
    """The class of the first sentence: consumer devices of 24 GiB, else the one in the middle of the chart."""
    chosen = shown_classes(page)
    usual = "consumer 24 GiB"
    return usual if usual in chosen else chosen[len(chosen) // 2] if chosen else None
