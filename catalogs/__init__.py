"""What we declare: data files and the schemas they must meet.

Every function takes the what-if folder of `--catalogs DIR`: a file found there replaces ours. All that is
wrong with a file raises CatalogError, which names file, line and rule, before anything else happens.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl

from catalogs import demand, load, model_list, snapshot
from catalogs.errors import CatalogError
from catalogs.model_list import BadEntry, ModelList
from catalogs.references import REFERENCES, resolve
from catalogs.rules import Rule
from catalogs.schema import TABLES

__all__ = [
    "BadEntry",
    "CatalogError",
    "ModelList",
    "digest",
    "engines",
    "gpus",
    "hub_snapshot",
    "is_replaced",
    "kv_precisions",
    "links",
    "measurements",
    "model_ids",
    "policy",
    "precisions",
    "price_names",
    "price_sources",
    "prices",
    "reserves",
    "scores",
    "speeds",
    "validate",
    "workloads",
]


def gpus(folder: str | Path | None = None) -> pl.DataFrame:
    """One row per device. Adds visible_bytes, visible_basis, reserve_bytes and memory_tier."""
    return _frame("gpus", folder)


def precisions(folder: str | Path | None = None) -> pl.DataFrame:
    """One row per weight format, families together, most bits first; the last is `stored`."""
    return _frame("precisions", folder)


def kv_precisions(folder: str | Path | None = None) -> pl.DataFrame:
    """One row per element type of the cache, most bytes first."""
    return _frame("kv_precisions", folder)


def workloads(folder: str | Path | None = None) -> pl.DataFrame:
    """One row per named use. Columns of training are null for inference and the other way round."""
    return _frame("workloads", folder)


def engines(folder: str | Path | None = None) -> pl.DataFrame:
    """One row per engine and memory tier."""
    return _frame("engines", folder)


def reserves(folder: str | Path | None = None) -> pl.DataFrame:
    """One row per engine, version range and size of device: what the engine leaves to its forward passes."""
    return _frame("reserves", folder)


def speeds(folder: str | Path | None = None) -> pl.DataFrame:
    """One row per engine and kind of memory: shares of the nominal rates that are reached, and latencies."""
    return _frame("speeds", folder)


def links(folder: str | Path | None = None) -> pl.DataFrame:
    """One row per link and number of devices: what a reduction over them costs."""
    return _frame("links", folder)


def prices(folder: str | Path | None = None) -> pl.DataFrame:
    """One row per offer, US dollars per device. Ours for devices that a what-if gpus.csv lacks are out."""
    return _frame("prices", folder)


def price_names(folder: str | Path | None = None) -> pl.DataFrame:
    """One row per name that a provider gives a device, by memory. Ours for devices a what-if gpus.csv lacks are out."""
    return _frame("price_names", folder)


def price_sources(folder: str | Path | None = None) -> pl.DataFrame:
    """One row per provider whose prices are fetched: address and layout."""
    return _frame("price_sources", folder)


def policy(folder: str | Path | None = None) -> pl.DataFrame:
    """One row per number that turns prices into costs: hours, amortisation, power."""
    return _frame("policy", folder)


def measurements(folder: str | Path | None = None) -> pl.DataFrame:
    """One row per measured figure. Ours on devices that a what-if gpus.csv lacks are out."""
    return _frame("measurements", folder)


def model_ids(*names_or_files: str | Path, extra: Sequence[str] = ()) -> ModelList:
    """Ids of lists (NAME of `lists/NAME.txt`) and files (.txt, .csv, .parquet), then those of `extra`.

    Without any argument, of the list `default`. An entry that is no model id comes back in `rejected`.
    Errors: CatalogError for a file that cannot be used or that names no model.
    """
    return model_list.read(names_or_files if names_or_files or extra else ("default",), extra)


def hub_snapshot(path: Path | None = None) -> Iterator[dict[str, Any]]:
    """Rows of the embedded snapshot: model_id, revision, info and config as JSON text, provenance."""
    return snapshot.read(path or snapshot.SNAPSHOT)


def scores(folder: str | Path | None = None) -> pl.DataFrame:
    """One row per model that a site scores; ours has none, and `hubfit` then ranks by parameters."""
    return _frame("scores", folder)


def is_replaced(name: str, folder: str | Path | None = None) -> bool:
    """Whether the what-if folder has a file of that catalog."""
    whatif = _folder(folder)
    return load.path_of(load.TABLE_BY_NAME[name], whatif).parent != load.OURS


def digest(folder: str | Path | None = None) -> str:
    """SHA-256 over the files that count: the catalogs, and what else the folder holds that a night reads.

    Depends on content, not on place.
    """
    whatif = _folder(folder)
    files = {table.name: load.path_of(table, whatif) for table in TABLES}
    if whatif is not None:
        files |= {name: whatif / name for name in load.BESIDE if load.is_there(whatif / name)}
    total = hashlib.sha256()
    for name, path in files.items():
        raw = load.content(path)
        total.update(f"{name} {len(raw)}\n".encode())
        total.update(raw)
    return total.hexdigest()


def validate(folder: str | Path | None = None) -> None:
    """Load every catalog and follow every reference, and the demand of the folder. Errors: CatalogError."""
    for table in TABLES:
        _frame(table.name, folder)
    if is_replaced("prices", folder):
        _check_prices_are_in_force(folder)
    demand.of_folder(_folder(folder))


def _check_prices_are_in_force(folder: str | Path | None) -> None:
    """A price of next year would be the freshest of all. A day is left for clocks that are behind."""
    tomorrow = datetime.now(UTC).date() + timedelta(days=1)
    rule = Rule("as_of", "must not lie in the future", pl.col("as_of") <= tomorrow)
    table = load.TABLE_BY_NAME["prices"]
    load.check_rule(
        rule, load.file_name(load.path_of(table, _folder(folder))), load.frame_with_lines(table, _folder(folder))
    )


def _folder(folder: str | Path | None) -> Path | None:
    if folder is None:
        return None
    path = Path(folder)
    load.check_folder(path)
    return path


def _frame(name: str, folder: str | Path | None) -> pl.DataFrame:
    whatif = _folder(folder)
    frame = load.frame_with_lines(load.TABLE_BY_NAME[name], whatif)
    for reference in REFERENCES:
        if reference.table == name:
            frame = resolve(reference, frame, whatif)
    return frame.drop(load.LINE)
