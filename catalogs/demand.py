"""What a plan must serve, what is there already, and what money and power cost: files of a buyer's own."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from catalogs import load
from catalogs.errors import CatalogError
from catalogs.rules import Rule, at_most, not_negative, one_of, positive
from catalogs.schema.table import Table

ANY = "any"

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
)

# Grain: a kind of device.
INVENTORY = Table(
    name="inventory",
    columns=pl.Schema({"gpu": pl.String, "devices": pl.Int64}),
    key=("gpu",),
    optional=(),
    rules=tuple(not_negative("devices")),
)


# Grain: a number that turns prices into the cost of a plan.
PARAMETERS = (*("hours_per_month", "amortisation_years", "usd_per_kwh", "power_usage_effectiveness", "power_share"),)
POLICY = Table(
    name="policy",
    columns=pl.Schema(
        {
            "parameter": pl.String,
            "value": pl.Float64,
            "unit": pl.String,
            "source": pl.String,
            "as_of": pl.Date,
            "notes": pl.String,
        }
    ),
    key=("parameter",),
    optional=("notes",),
    rules=(one_of("parameter", PARAMETERS), *positive("value")),
)


def policy(folder: Path | None) -> dict[str, float]:
    """Each of PARAMETERS with its value, of the folder's policy.csv or ours. Errors: CatalogError."""
    path = load.path_of(POLICY, folder)
    rows = load.checked(POLICY, load.file_name(path), load.content(path))
    values = dict(rows.select("parameter", "value").iter_rows())
    for name in PARAMETERS:
        if name not in values:
            raise CatalogError(load.file_name(path), f"parameter {name} is missing")
    return values


def demand(file: Path, precisions: list[str]) -> pl.DataFrame:
    """Rows of a demand file with their line. Errors: CatalogError, also for a precision that no catalog has."""
    rows = load.checked(DEMAND, str(file), load.content(file))
    known = pl.col("precision").is_in([ANY, *precisions])
    must = f'must be {ANY} or a precision of the catalog (hubfit sql "FROM precisions")'
    load.check_rule(Rule("precision", must, known), str(file), rows)
    return rows.rename({load.LINE: "line"})


def inventory(file: Path, gpus: list[str]) -> pl.DataFrame:
    """Devices that are there. Errors: CatalogError, also for a device that no catalog has."""
    rows = load.checked(INVENTORY, str(file), load.content(file))
    must = 'must be a gpu_id of the catalog (hubfit sql "SELECT gpu_id FROM gpus")'
    load.check_rule(Rule("gpu", must, pl.col("gpu").is_in(gpus)), str(file), rows)
    return rows.drop(load.LINE)
