"""One provider, from its price list to its part of the lake. Whatever goes wrong, its last good prices stay."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import catalogs
from flows.prices import gate, snapshots, sources
from flows.prices.naming import named
from flows.prices.offers import BadList
from flows.prices.sources import Source
from flows.prices.web import ListAway, ListFailed, Patience, Web

log = logging.getLogger(__name__)

# Failures that look the same when there is no network at all.
NO_NETWORK = ("connection", "timeout")


@dataclass(frozen=True)
class Outcome:
    """What became of one provider. `message` says why nothing was replaced, null where it was."""

    provider: str
    prices: int = 0
    unmapped: int = 0
    message: str | None = None
    is_out_of_reach: bool = False

    def __str__(self) -> str:
        if self.message is not None:
            return f"{self.provider}: {self.message}; its last prices stay"
        names = f", {self.unmapped} names without a device" if self.unmapped else ""
        return f"{self.provider}: {self.prices} prices{names}"


def sources_of(folder: Path | None) -> list[Source]:
    """The providers to ask. Errors: catalogs.CatalogError."""
    columns = list(Source.__dataclass_fields__)
    return [Source(**row) for row in catalogs.price_sources(folder).select(columns).iter_rows(named=True)]


def refresh(data: Path, source: Source, folder: Path | None, on: date, patience: Patience) -> Outcome:
    """Fetch, read, name, judge and keep. Raises ListAway for what another try may mend, OSError for the disk."""
    try:
        with Web(patience) as web:
            offers = sources.read(source, web, on)
    except ListAway:
        raise
    except (BadList, ListFailed) as error:
        return Outcome(source.provider, message=str(error))
    found = named(offers.rows, catalogs.price_names(folder), source.basis, source.confidence)
    snapshots.write(data, snapshots.NAMES, source.provider, on, found.unmapped)  # also that there are none any more
    last = snapshots.latest(data, snapshots.GOOD, on).filter(provider=source.provider)
    verdict = gate.judged(found.prices, last, on)
    _tell(source.provider, "left out", {**offers.skipped, **verdict.left_out})
    if verdict.rows is None:
        return Outcome(source.provider, unmapped=found.unmapped.height, message=verdict.refusal)
    snapshots.write(data, snapshots.GOOD, source.provider, on, verdict.rows)
    return Outcome(source.provider, verdict.rows.height, found.unmapped.height)


def away(source: Source, error: ListAway) -> Outcome:
    """The outcome after the last try."""
    return Outcome(source.provider, message=str(error), is_out_of_reach=error.failure.kind in NO_NETWORK)


def _tell(provider: str, what: str, counts: Mapping[str, int]) -> None:
    if counts:
        log.info("%s: %s: %s", provider, what, ", ".join(f"{count} {reason}" for reason, count in counts.items()))
