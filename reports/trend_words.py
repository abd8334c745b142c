"""What moved over the published nights, in sentences and in tables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from reports.format import UNKNOWN, count, day, plural, usd
from reports.trends import (
    NONE,
    TrendsPage,
    by_memory,
    device,
    headline,
    jumps,
    marked,
    parameters,
    percent,
)


@dataclass(frozen=True)
class Class:
    """What is known of a class of devices, in words."""

    item: str
    devices: str
    fit: str
    before: str
    price: str
    stale: int  # devices whose cheapest price is


def sentences(page: TrendsPage) -> tuple[str, ...]:
    """What moved over the published nights, in words."""
    read = page.ends("models", "read")
    held = headline(page)
    holds = "what devices hold is unknown"
    if held is not None:
        told = page.ends("fit", held).words(percent, " of those whose need is known")
        holds = f"one {device(held)} holds {told}"
    if len(page.nights) < 2:
        models = UNKNOWN if read.now is None else plural(round(read.now), "model")
        return (
            "This is the first published night; a trend begins with the second.",
            f"In this night: {models} read; {holds}.",
        )
    models = UNKNOWN if read.now is None else count(read.now)
    if read.before is not None:
        models = f"{models}, as before" if read.before == read.now else f"{count(read.before)} → {models}"
    middle, largest = page.ends("parameters", "median"), page.ends("parameters", "largest")
    return (
        f"Over {plural(len(page.nights), 'night')} since {day(page.nights[0].started_at)}: models {models}; {holds}.",
        "How many parameters decoders have is unknown."
        if middle.now is None
        else f"Parameters of the decoder in the middle: {middle.words(parameters)};"
        f" of the largest: {largest.words(parameters)}.",
        *_remarks(page),
    )


def _remarks(page: TrendsPage) -> Iterator[str]:
    """What a step in a line may come of besides the models."""
    if other_lists := jumps(page):
        yield (
            f"{plural(len(other_lists), 'night')} had another list of models than the night before: a step there says"
            " more of the list than of the models."
        )
    versions = len({then.code_version for then in page.nights})
    if versions > 1:
        yield f"{versions} versions of hubfit counted these nights: a step may also come of another method."
    if page.elsewhere:
        yield (f"{plural(page.elsewhere, 'night')} asked another workload, so what devices held then is not compared.")


def marks(page: TrendsPage) -> tuple[str, ...]:
    """The nights that charts mark, in words."""
    return tuple(f"{day(then.started_at)} ({words})" for then, words in marked(page))


def classes(page: TrendsPage) -> tuple[Class, ...]:
    """Every class of devices of this night, by segment and memory."""
    this = page.nights[-1].run_id
    found = []
    for item in sorted(page.items("devices"), key=by_memory):
        devices = page.figures["devices", item].get(this)
        if devices is None:
            continue
        ends = page.ends("fit", item)
        price = page.ends("price", item).now
        stale = page.ends("stale prices", item).now or 0
        found.append(
            Class(
                item,
                count(devices),
                NONE if ends.now is None else percent(ends.now),
                NONE if ends.before is None else percent(ends.before),
                usd(price),
                int(stale),
            )
        )
    return tuple(found)


def figures(page: TrendsPage) -> tuple[tuple[str, str, str, str], ...]:
    """Topic, item, then and now of what is no figure of a class of devices."""
    this = page.nights[-1].run_id
    found = []
    for topic, say in (
        ("models", count), ("kind", count), ("known", percent), ("parameters", parameters),
        ("stored precision", percent),
    ):  # fmt: skip
        for item in page.items(topic):
            values = page.figures[topic, item]
            if this in values or topic != "stored precision":
                ends = page.ends(topic, item)
                found.append(
                    (
                        topic,
                        item,
                        NONE if ends.before is None else say(ends.before),
                        UNKNOWN if ends.now is None else say(ends.now),
                    )
                )
    return tuple(found)
