"""From a provider's names to our devices, by the catalog of names and by nothing else."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

# Grain: provider x region x instance type x kind x device.
PRICES = pl.Schema(
    {
        "gpu": pl.String(),
        "provider": pl.String(),
        "region": pl.String(),
        "kind": pl.String(),  # on_demand | spot
        "basis": pl.String(),  # list | marketplace
        "instance_type": pl.String(),
        "gpu_count": pl.Float64(),
        "usd_per_gpu_hour": pl.Float64(),
        "as_of": pl.Date(),
        "confidence": pl.String(),
        "source": pl.String(),
    }
)
PRICE_KEY = ("provider", "region", "instance_type", "kind", "gpu")

# Grain: provider x name x memory.
UNMAPPED = pl.Schema(
    {
        "provider": pl.String(),
        "gpu_name": pl.String(),
        "device_memory_gib": pl.Float64(),
        "offers": pl.Int64(),
        "usd_per_instance_hour": pl.Float64(),  # of the cheapest
        "as_of": pl.Date(),
    }
)
# Lists give the marketed size or what a driver reports, which is up to 7 % less; the next size is 10 % away or more.
MEMORY_TOLERANCE = 0.08


@dataclass(frozen=True)
class Named:
    prices: pl.DataFrame
    unmapped: pl.DataFrame


def named(offers: pl.DataFrame, names: pl.DataFrame, basis: str, confidence: str) -> Named:
    """Prices of the `offers` whose device the catalog `names` tells, and the names that it does not tell.

    An instance type that is named wins over the name of the device; names that two devices share name none.
    """
    asked = offers.with_row_index("__row")
    known = names.select("provider", "gpu", __name=_plain("name"), __gib="device_memory_gib", __count="gpu_count")
    by_type, by_device = (_found(asked, known, column) for column in ("instance_type", "gpu_name"))
    found = pl.concat([by_type, by_device.join(by_type, on="__row", how="anti")])
    told = (
        asked.join(found, on="__row", how="left", maintain_order="left")
        # a list counts a slice as a part of the board: of the slice that the catalog names there is what it says
        .with_columns(gpu_count=pl.coalesce("__count", "gpu_count"), basis=pl.lit(basis), confidence=pl.lit(confidence))
        .with_columns(usd_per_gpu_hour=pl.col("usd_per_instance_hour") / pl.col("gpu_count"))
    )
    is_told = pl.col("gpu").is_not_null() & pl.col("usd_per_gpu_hour").is_not_null()
    prices = (
        told.filter(is_told)
        .select(pl.col(name).cast(dtype) for name, dtype in PRICES.items())
        .sort(*PRICE_KEY, "usd_per_gpu_hour")
        .unique(PRICE_KEY, keep="first", maintain_order=True)
    )
    unmapped = (
        told.filter(~is_told)
        .group_by("provider", "gpu_name", "device_memory_gib")
        .agg(offers=pl.len(), usd_per_instance_hour=pl.col("usd_per_instance_hour").min(), as_of=pl.col("as_of").max())
        .select(pl.col(name).cast(dtype) for name, dtype in UNMAPPED.items())
        .sort("provider", "gpu_name", "device_memory_gib")
    )
    return Named(prices, unmapped)


def _found(asked: pl.DataFrame, known: pl.DataFrame, column: str) -> pl.DataFrame:
    """Device and count of each row that `column` names, where it names one device only."""
    size, nominal = pl.col("device_memory_gib"), pl.col("__gib")
    is_same = (size / nominal - 1).abs() <= MEMORY_TOLERANCE
    return (
        asked.select("__row", "provider", "device_memory_gib", __name=_plain(column))
        .join(known, on=["provider", "__name"])
        .filter(is_same | nominal.is_null())
        .group_by("__row")
        .agg("gpu", pl.col("__count").first())
        .filter(pl.col("gpu").list.n_unique() == 1)
        .select("__row", pl.col("gpu").list.first(), "__count")
    )


def _plain(column: str) -> pl.Expr:
    return pl.col(column).str.to_lowercase().str.replace_all(r"[\s_-]", "")
