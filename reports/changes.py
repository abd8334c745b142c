"""What changes.html shows: what differs from the published night before, and in words how much of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from reports.format import count, moment, plural
from reports.model import Night, Table


@dataclass(frozen=True)
class Tally:
    """How much changed. `models` and `devices` count by the words of their column `change`."""

    previous: datetime | None  # when the night before began; null where nothing is compared
    reason: str | None = None  # why nothing is
    method_changed: bool = False
    models: Mapping[str, int] | None = None  # models by change
    devices: Mapping[str, int] | None = None  # pairs of model and device by change, in some workload
    verdicts: int = 0
    prices: int = 0  # devices with another cheapest price
    catalogs: int = 0  # rows of catalogs


@dataclass(frozen=True)
class ChangesPage:
    """changes.html."""

    night: Night
    tally: Tally
    causes: Sequence[tuple[str, int, int, int]]  # cause, verdicts, models, devices
    devices: Table
    devices_in_all: int
    models: Table
    prices: Table
    catalogs: Table


_OF_MODELS = {
    "added": ("was added", "were added"),
    "removed": ("is gone", "are gone"),
    "failed": ("cannot be read any more", "cannot be read any more"),
    "recovered": ("can be read again", "can be read again"),
    "renamed": ("has another name", "have another name"),
    "revision": ("has a new revision", "have a new revision"),
    "parameters": ("has another count of parameters", "have another count of parameters"),
    "metadata": ("has other metadata", "have other metadata"),
}
# what was lost, what was won, what is otherwise: in the order in which a reader asks
_ON_DEVICES = {
    "runs no longer": ("runs no longer", "run no longer"),
    "runs now": ("runs now", "run now"),
    "runs worse": ("runs worse", "run worse"),
    "runs better": ("runs better", "run better"),
    "runs in another precision": ("runs in another precision", "run in another precision"),
}


def sentences(tally: Tally) -> tuple[str, ...]:
    """What changed overnight, in words; one sentence where nothing is compared."""
    if tally.previous is None:
        return (f"There is nothing to compare with: {tally.reason}.",)
    models, devices = _counted(tally.models or {}, _OF_MODELS), _counted(tally.devices or {}, _ON_DEVICES)
    since = f"the night of {moment(tally.previous)}"
    said = [
        f"Models since {since}: {models}." if models else f"No model came, went or changed since {since}.",
        f"Models on devices: {devices}." if devices else "Every device runs what it ran, in the same way.",
        f"The cheapest price of {plural(tally.prices, 'device')} moved." if tally.prices else "No price moved.",
    ]
    if tally.catalogs:
        said.append(f"{plural(tally.catalogs, 'row')} of the other catalogs changed.")
    if tally.method_changed:
        said.append("hubfit itself is another version: what it computes otherwise has the cause method.")
    return tuple(said)


def _counted(found: Mapping[str, int], words: Mapping[str, tuple[str, str]]) -> str:
    return ", ".join(
        f"{count(found[change])} {one if found[change] == 1 else many}"
        for change, (one, many) in words.items()
        if found.get(change)
    )
