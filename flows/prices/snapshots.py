"""Dated prices in the lake: `lake/prices/date=2026-11-30/provider=aws.parquet`, one part a provider and day.

A provider whose list was refused or could not be read has no part of that day, so its last good one stays the newest.
"""

from __future__ import annotations

import logging
import re
from datetime import date
from pathlib import Path

import polars as pl

from flows import lake
from flows.prices.naming import PRICES, UNMAPPED

log = logging.getLogger(__name__)

GOOD, NAMES = "prices", "price_unmapped"  # tables of the lake
_SCHEMAS = {GOOD: PRICES, NAMES: UNMAPPED}


def write(data: Path, table: str, provider: str, on: date, rows: pl.DataFrame) -> Path:
    """Replace the part of that provider and day. Raises OSError when the disk refuses."""
    return lake.write(rows, data / "lake" / table / f"date={on}" / f"provider={provider}.parquet", _SCHEMAS[table])


def files(data: Path, table: str, until: date) -> list[tuple[date, str, Path]]:
    """Day, provider and file of every whole part up to a day, oldest first; others are reported and left out."""
    found = []
    for path in sorted((data / "lake" / table).glob("date=*/provider=*.parquet")):
        day = _day(path.parent.name)
        if day is None or day > until:
            continue
        if not lake.is_sealed(path):
            log.warning("price snapshot %s is damaged and not used", path)
        elif pl.read_parquet_schema(path) != dict(_SCHEMAS[table]):
            log.warning("price snapshot %s is of another version of hubfit and not used", path)
        else:
            found.append((day, path.stem.removeprefix("provider="), path))
    return found


def latest(data: Path, table: str, until: date) -> pl.DataFrame:
    """The newest rows of every provider."""
    newest = {provider: path for _, provider, path in files(data, table, until)}
    return pl.concat([pl.DataFrame(schema=_SCHEMAS[table]), *(pl.read_parquet(path) for path in newest.values())])


def _day(folder: str) -> date | None:
    found = re.fullmatch(r"date=(\d{4}-\d{2}-\d{2})", folder)
    try:
        return date.fromisoformat(found[1]) if found else None
    except ValueError:
        return None
