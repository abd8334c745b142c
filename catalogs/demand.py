"""What a plan must serve, and what is there already: files of a buyer's own.

A folder of `--catalogs` may hold both: nights then plan for them (flows/night_plan.py).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from catalogs import load
from catalogs.errors import CatalogError, visible
from catalogs.model_list import id_problem
from catalogs.nearby import did_you_mean
from catalogs.rules import at_most, not_negative, positive
from catalogs.schema import GPUS, PRECISIONS
from catalogs.schema.table import Table

ANY = "any"

HEADER = "model_id,precision,context_tokens,concurrent_sequences,min_tokens_per_second,replicas"

# Grain: one use of one model. `replicas` of it each serve `concurrent_sequences`.
DEMAND = Table(
    name="demand",
    columns=pl.Schema(
        {
            "model_id": pl.String,
            "precision": pl.String,  # empty or `any`: every format of four bits or more
            "context_tokens": pl.Int64,
            "concurrent_sequences": pl.Int64,
            "min_tokens_per_second": pl.Float64,  # of each sequence; empty: none
            "replicas": pl.Int64,  # empty: 1
        }
    ),
    key=("model_id", "precision", "context_tokens", "concurrent_sequences", "min_tokens_per_second"),
    optional=("precision", "min_tokens_per_second", "replicas"),
    rules=(
        *positive("context_tokens", "concurrent_sequences", "replicas", "min_tokens_per_second"),
        *at_most(100_000_000, "context_tokens"),
        *at_most(1_000_000, "concurrent_sequences"),
        *at_most(10_000, "replicas"),
    ),
    derive=(pl.col("precision").fill_null(ANY), pl.col("replicas").fill_null(1)),
    remedies=(
        ("is empty", f"begin it with {HEADER}, and write a line for each use of a model"),
        ("has a header", "write a line for each use of a model"),
        ("column ", f"the columns are {HEADER}"),
        ("model_id + ", "leave one of them and write how many replicas there are of it"),
        ("model_id ", "write it as the Hub does, owner/name"),
        ("context_tokens ", "write the tokens of a sequence, such as 8192"),
        ("concurrent_sequences ", "write how many sequences are served at once, such as 16"),
        ("min_tokens_per_second ", "write tokens a second of each sequence, or nothing where none are asked"),
        ("replicas ", "write how many there are, or nothing for one"),
    ),
)

# Grain: a kind of device.
INVENTORY = Table(
    name="inventory",
    columns=pl.Schema({"gpu": pl.String, "devices": pl.Int64}),
    key=("gpu",),
    optional=(),
    rules=tuple(not_negative("devices")),
    remedies=(
        ("is empty", "begin it with gpu,devices, or leave --inventory out"),
        ("has a header", "write a line for each kind of device, or leave --inventory out"),
        ("column ", "the columns are gpu,devices"),
        ("gpu must be unique", "write how many there are of it into one line"),
        ("devices ", "write how many are there, such as 4"),
    ),
)


def demand(file: Path, precisions: list[str]) -> pl.DataFrame:
    """Rows of a demand file with their line. Errors: CatalogError, also for a precision that no catalog has."""
    rows = load.checked(DEMAND, str(file), load.content(file))
    for line, model in rows.select(load.LINE, "model_id").iter_rows():
        if (problem := id_problem(model)) is not None:
            raise CatalogError(str(file), f"model_id {problem} (got {visible(model)}); write it as the Hub does", line)
    must = f'must be {ANY} or a precision of the catalog (hubfit sql "FROM precisions")'
    _require_known("precision", must, [ANY, *precisions], str(file), rows)
    return rows.rename({load.LINE: "line"})


def inventory(file: Path, gpus: list[str]) -> pl.DataFrame:
    """Devices that are there. Errors: CatalogError, also for a device that no catalog has."""
    rows = load.checked(INVENTORY, str(file), load.content(file))
    must = (
        'must be a gpu_id of the catalog that counts (hubfit sql "SELECT gpu_id FROM gpus"), or be added'
        " to a gpus.csv of your own"
    )
    _require_known("gpu", must, gpus, str(file), rows)
    return rows.drop(load.LINE)


def _require_known(column: str, must: str, among: list[str], file: str, rows: pl.DataFrame) -> None:
    """Raise CatalogError for the first cell that names nothing `among`, with what it may have meant."""
    for line, name in rows.select(load.LINE, column).iter_rows():
        if name not in among:
            hint = did_you_mean(name, among)
            raise CatalogError(file, f"{column} {must} (got {visible(name)}){hint}", line)


@dataclass(frozen=True)
class Wanted:
    """What a folder asks a night to plan for; an inventory that is not there has no rows."""

    demand: pl.DataFrame
    inventory: pl.DataFrame


def of_folder(folder: Path | None) -> Wanted | None:
    """The demand that `folder` holds, None where it holds none; an inventory alone is for `hubfit plan`.

    Errors: CatalogError.
    """
    if folder is None or not load.is_there(folder / DEMAND.file):
        return None
    named = load.frame_with_lines(GPUS, folder)["gpu_id"].to_list()
    formats = load.frame_with_lines(PRECISIONS, folder)["precision"].to_list()
    has_inventory = load.is_there(folder / INVENTORY.file)
    return Wanted(
        demand(folder / DEMAND.file, formats),
        inventory(folder / INVENTORY.file, named) if has_inventory else pl.DataFrame(schema=INVENTORY.columns),
    )
