"""What every price list is read into: offers as their provider words them, and prices whose device we know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

# Grain: provider x region x instance type x kind x name of the device.
OFFERS = pl.Schema(
    {
        "provider": pl.String(),
        "region": pl.String(),
        "instance_type": pl.String(),
        "gpu_name": pl.String(),  # as given
        "device_memory_gib": pl.Float64(),  # of one device; null where the list does not tell it beyond doubt
        "gpu_count": pl.Float64(),  # null where the list does not tell
        "kind": pl.String(),  # on_demand | spot
        "usd_per_instance_hour": pl.Float64(),
        "usd_per_gpu_hour": pl.Float64(),  # null where gpu_count is
        "as_of": pl.Date(),
        "source": pl.String(),
    }
)
KEY = ("provider", "region", "instance_type", "kind", "gpu_name", "device_memory_gib", "gpu_count")


class BadList(Exception):
    """An answer that is not the price list it should be: one line for people."""


@dataclass(frozen=True)
class Offers:
    """What a price list says, and how many of its rows say no price of a GPU, by reason."""

    rows: pl.DataFrame
    skipped: Mapping[str, int]


def offers(rows: pl.LazyFrame, reasons: Mapping[str, pl.Expr]) -> Offers:
    """`rows` in the columns of OFFERS but usd_per_gpu_hour, less those of the first of `reasons` that is true for them.

    Of several prices of one offer (zones of a region, listings of a marketplace) the lowest stays.
    """
    reason = pl.coalesce(*(pl.when(is_so).then(pl.lit(name)) for name, is_so in reasons.items()))
    told = rows.with_columns(
        __reason=reason, usd_per_gpu_hour=pl.col("usd_per_instance_hour") / pl.col("gpu_count")
    ).collect()
    counted = told.drop_nulls("__reason").group_by("__reason").len().sort("__reason")
    kept = (
        told.filter(pl.col("__reason").is_null())
        .select(pl.col(name).cast(dtype) for name, dtype in OFFERS.items())
        .sort(*KEY, "usd_per_instance_hour", nulls_last=True)
        .unique(KEY, keep="first", maintain_order=True)
    )
    return Offers(kept, dict(counted.iter_rows()))
