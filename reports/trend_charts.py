"""The charts of trends.html, each with its finding in words and the numbers behind it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from reports import lines
from reports.format import count, day, moment
from reports.trends import NONE, Then, TrendsPage, device, marked, parameters, percent, shown_classes

# Nights of a chart and its table; of more, some are left out: the table `trends` has all.
MOST_NIGHTS = 100
# A share that moves by less has hardly moved.
POINT = 0.01
OTHER = "other"


@dataclass(frozen=True)
class TrendChart:
    """A chart with its finding, and the numbers behind it, the newest night first. `chart` is null without a line."""

    id: str
    title: str
    note: str
    upwards: str  # what the axis says
    chart: lines.Chart | None
    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[str]]]


def charts(page: TrendsPage) -> tuple[TrendChart, ...]:
    """The page's charts, each with its finding; none of one night."""
    if len(page.nights) < 2:
        return ()
    return (_fit(page), _parameters(page), _precisions(page), _models(page))


def _fit(page: TrendsPage) -> TrendChart:
    chosen = shown_classes(page)
    moved = {}
    for item in chosen:
        ends = page.ends("fit", item)
        if ends.now is not None and ends.before is not None:
            moved[item] = ends.now - ends.before
    most = max(moved, key=lambda item: abs(moved[item]), default=None)
    if not chosen:
        title = "What one device holds is unknown"
    elif most is None:
        title = "What one device holds has no night to be compared with"
    elif abs(moved[most]) < POINT:
        title = "What one device holds moved by less than a point"
    else:
        title = f"What one device holds moved most for the {device(most)}: {page.ends('fit', most).words(percent)}"
    workload = "" if page.workload is None else f": {page.workload.title} ({page.workload.id})"
    return _chart(
        page, "fit", title,
        "Of the models whose need is known, the share that one device holds, sure or tight, at four bits or"
        f" more{workload}. A class is a segment and the lower end of a band of advertised memory; the figure is that of"
        " the middle one of its devices that the engine runs on. For each band the consumer or datacenter"
        " class with more devices, at most eight; the table below has all.",
        "share of the models",
        [lines.Series(item, _values(page, "fit", item)) for item in chosen],
        percent,
    )  # fmt: skip


def _parameters(page: TrendsPage) -> TrendChart:
    middle = page.ends("parameters", "median")
    return _chart(
        page, "parameters", f"Parameters of the decoder in the middle: {middle.words(parameters)}",
        "Parameters of the decoders that were read and whose count is known: the middle one, the one at nine tenths and"
        " the largest.",
        "parameters, logarithmic",
        [lines.Series(item, _values(page, "parameters", item)) for item in ("largest", "90th percentile", "median")],
        parameters,
        is_logarithmic=True,
    )  # fmt: skip


def _precisions(page: TrendsPage) -> TrendChart:
    """The families that were ever most common; the others together, so that shares add up."""
    counted = {then.run_id for then in page.nights if _has(page, "stored precision", then.run_id)}
    found = {
        item: [page.figures["stored precision", item].get(run_id, 0.0) for run_id in sorted(counted)]
        for item in page.items("stored precision")
    }
    order = sorted(found, key=lambda item: (-max(found[item]), item))
    few = order if len(order) <= lines.MOST_LINES else order[: lines.MOST_LINES - 1]
    rest = order[len(few) :]

    def share(items: Sequence[str], run_id: str) -> float | None:
        if run_id not in counted:
            return None  # an absent family is none of the models, an absent topic says nothing
        return sum(page.figures["stored precision", item].get(run_id, 0.0) for item in items)

    drawn = [(item, [item]) for item in few] + ([(OTHER, rest)] if rest else [])
    leading = max(
        (item for item in order if item != "unknown"),
        key=lambda item: page.figures["stored precision", item].get(page.nights[-1].run_id, 0.0),
        default=None,
    )
    title = "What models are stored in is unknown"
    if leading is not None:
        title = f"Most models are stored as {leading}: {page.ends('stored precision', leading).words(percent)}"
        if (page.ends("stored precision", leading).now or 0) <= 0.5:
            title = f"The most common stored form is {title.removeprefix('Most models are stored as ')}"
    return _chart(
        page, "precisions", title,
        "Share of the models read, by the family of the precision of their own weights; float is 16 and 32 bits.",
        "share of the models",
        [lines.Series(name, [share(items, then.run_id) for then in page.nights]) for name, items in drawn],
        percent,
    )  # fmt: skip


def _models(page: TrendsPage) -> TrendChart:
    return _chart(
        page, "models",
        f"Models that are read: {page.ends('models', 'read').words(count)};"
        f" that fail: {page.ends('models', 'failed').words(count)}",
        "Of the models on the list. Why models fail is on the page Quality.",
        "models",
        [lines.Series(item, _values(page, "models", item)) for item in ("read", "failed")],
        count,
        is_whole=True,
    )  # fmt: skip


def _chart(
    page: TrendsPage, name: str, title: str, note: str, upwards: str, series: Sequence[lines.Series],
    say: Callable[[float], str], *, is_logarithmic: bool = False, is_whole: bool = False,
) -> TrendChart:  # fmt: skip
    other_lists = marked(page)
    kept, pace = thinned(
        [then.started_at for then in page.nights], [page.nights.index(then) for then, _ in other_lists]
    )
    nights = [page.nights[n] for n in kept]
    some = [lines.Series(one.name, [one.values[n] for n in kept]) for one in series]
    rows = [
        (label, [NONE if one.values[n] is None else say(one.values[n] or 0.0) for one in some])
        for n, label in reversed(list(enumerate(_labels(nights))))
    ]
    drawn = lines.chart(
        [then.started_at for then in nights], some, say, is_logarithmic=is_logarithmic, is_whole=is_whole,
        cuts=[(then.started_at, f"{day(then.started_at)}: {words}") for then, words in other_lists], pace=pace,
    )  # fmt: skip
    return TrendChart(name, title, note, upwards, drawn, [one.name for one in series], rows)


def thinned(times: Sequence[datetime], kept: Sequence[int]) -> tuple[list[int], timedelta]:
    """Which of ascending times are drawn, and what then lies between two of them.

    Of MOST_NIGHTS equal spans the last time each; the first, and those of `kept` with the one before, besides.
    """
    if len(times) <= MOST_NIGHTS:
        return list(range(len(times))), lines.USUAL
    span = (times[-1] - times[0]) / MOST_NIGHTS
    last = {min(MOST_NIGHTS - 1, (time - times[0]) // span): n for n, time in enumerate(times)}
    also = {place for n in kept for place in (n - 1, n) if place >= 0}
    return sorted({0, *last.values(), *also}), max(lines.USUAL, span)


def _labels(nights: Sequence[Then]) -> list[str]:
    """Days, or moments where a day had several nights."""
    days = [day(then.started_at) for then in nights]
    if len(set(days)) == len(days):
        return days
    return [moment(then.started_at).removesuffix(" UTC") for then in nights]


def _values(page: TrendsPage, topic: str, item: str) -> list[float | None]:
    values = page.figures.get((topic, item), {})
    return [values.get(then.run_id) for then in page.nights]


def _has(page: TrendsPage, topic: str, run_id: str) -> bool:
    return any(run_id in values for (of, _), values in page.figures.items() if of == topic)
