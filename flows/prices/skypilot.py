"""CSV of skypilot-catalog, one row per instance type and zone.

Traps: a device's memory field may hold GB; the total may not be multiplied by the count; rows of a machine whose
accelerator is priced elsewhere have none, and rows of a part have no machine; a spot price may be 0 or a copy.
"""

from __future__ import annotations

from datetime import date

import polars as pl

from flows.prices import delimited
from flows.prices.offers import Offers, offers

NEEDED = ("InstanceType", "AcceleratorName", "AcceleratorCount", "Price", "Region")
OPTIONAL = ("SpotPrice", "GpuInfo", "AvailabilityZone")
# No device has less memory than this in MiB, and none more than this in GB: a smaller number is GB.
LEAST_MIB = 1024
# Share of the spot prices of a list from which on, where they repeat those on demand, the list says nothing about spot.
MOST_COPIES = 0.9


def parse(body: bytes, provider: str, as_of: date, source: str) -> Offers:
    """Offers of `provider`, dated `as_of`: nothing in the list says of which day it is. Raises BadList."""
    text = delimited.read(body, NEEDED, OPTIONAL)
    machines = text.lazy().select(
        provider=pl.lit(provider),
        region=pl.col("Region"),
        instance_type=pl.col("InstanceType"),
        gpu_name=pl.coalesce(_told("Name"), "AcceleratorName"),
        accelerator=pl.col("AcceleratorName"),
        gpu_count=delimited.number("AcceleratorCount"),
        on_demand=delimited.number("Price"),
        spot=delimited.number("SpotPrice"),
        size=delimited.number(_told("SizeInMiB")),
        total=delimited.number(_told("TotalGpuMemoryInMiB")),
        as_of=pl.lit(as_of),
        source=pl.lit(source),
    )
    machines = machines.with_columns(device_memory_gib=_device_memory_gib()).drop("size", "total")
    on_demand = machines.with_columns(kind=pl.lit("on_demand"), usd_per_instance_hour="on_demand")
    spot = machines.with_columns(kind=pl.lit("spot"), usd_per_instance_hour="spot").filter(
        pl.col("spot").is_not_null(), pl.col("accelerator").is_not_null()
    )
    copies = machines.filter(pl.col("spot") > 0).select((pl.col("spot") == pl.col("on_demand")).mean()).collect().item()
    is_copied = pl.lit(copies is not None and copies >= MOST_COPIES)
    reasons = {
        "no accelerator": pl.col("accelerator").is_null(),
        "an accelerator without a machine": pl.col("instance_type").is_null(),
        "no count": ~(pl.col("gpu_count") > 0).fill_null(False),
        "no price": ~(pl.col("usd_per_instance_hour") > 0).fill_null(False),
        "spot repeats on demand": (pl.col("kind") == "spot") & is_copied,
    }
    return offers(pl.concat([on_demand, spot]), reasons)


def _told(field: str) -> pl.Expr:
    """A field of GpuInfo, which is a dictionary as Python prints it, or JSON; the first where it is there twice."""
    return pl.col("GpuInfo").str.extract(rf"""['"]{field}['"]: *['"]?([^'",}}\]]+)""").str.strip_chars()


def _device_memory_gib() -> pl.Expr:
    """Of one device; the total only where there is one device, and no size that is the same as the total of several."""
    is_one = pl.col("gpu_count") == 1
    size = pl.when(is_one | (pl.col("size") != pl.col("total")) | pl.col("total").is_null()).then("size")
    told = pl.coalesce(size, pl.when(is_one & pl.col("size").is_null()).then("total"))
    return pl.when(told > 0).then(pl.when(told < LEAST_MIB).then(told).otherwise(told / 1024))
