"""The prices that a night counts with: the site's own, else the last snapshot's while they are fresh, else ours."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl

import catalogs
from catalogs.schema import PRICES
from flows.prices import snapshots
from flows.prices.staleness import age_days, is_stale

# Grain: that of prices.csv. Ages are those on the day of the run.
IN_USE = pl.Schema(
    {
        **PRICES.columns,
        "origin": pl.String(),  # site | snapshot | seed
        "age_days": pl.Int64(),
        "is_stale": pl.Boolean(),
    }
)
ORDER = ("gpu", "kind", "provider", "region", "instance_type")


def in_use(data: Path, folder: Path | None, on: date) -> pl.DataFrame:
    """Prices of a run on that day. Errors: catalogs.CatalogError.

    A site's prices.csv counts alone. Without one, a device that a fresh snapshot has a price of a kind for has no other
    of that kind: cheapest offers of different months do not compare.
    """
    listed = catalogs.prices(folder)
    if catalogs.is_replaced("prices", folder):
        return _told(listed.with_columns(origin=pl.lit("site")), on)
    fresh = snapshots.latest(data, snapshots.GOOD, on).filter(~is_stale(on))
    fresh = fresh.join(catalogs.gpus(folder), left_on="gpu", right_on="gpu_id", how="semi")
    # slices are other devices: who sells nothing else of a device says nothing of its price
    seed = listed.join(fresh.filter(pl.col("gpu_count") >= 1), on=["gpu", "kind"], how="anti")
    day = fresh.with_columns(as_of_precision=pl.lit("day"), origin=pl.lit("snapshot"))
    return _told(pl.concat([seed.with_columns(origin=pl.lit("seed")), day], how="diagonal"), on)


def _told(prices: pl.DataFrame, on: date) -> pl.DataFrame:
    told = prices.with_columns(age_days=age_days(on), is_stale=is_stale(on))
    return told.select(pl.col(name).cast(dtype) for name, dtype in IN_USE.items()).sort(ORDER, maintain_order=True)
