"""Memory of a device that a process can count on, derived from the figures of `gpus.csv`.

Marketed, driver and runtime totals differ (80 / 79.65 / 79.18 GiB on one H100), so nothing is inferred from
the nominal size while a better figure is known.
"""

from __future__ import annotations

import polars as pl

GIB = 2**30
MIB = 2**20

# What a CUDA process sees less than the driver reports: 0.32-0.48 GiB up to Hopper, 0.48-0.70 on Blackwell.
DRIVER_SHARE_GIB = 0.5
DRIVER_SHARE_BLACKWELL_GIB = 0.7
# GDDR6 with ECC on, the worst case seen.
NOMINAL_SHARE = 0.93
# A desktop takes 0.3-1.5 GiB of a card with a display.
DISPLAY_RESERVE_GIB = 0.5
DISPLAY_SEGMENTS = ("consumer", "laptop", "workstation")

# Serving engines pick batch sizes by total memory, and treat A100 and GB10 as small whatever they hold.
TIERS = ("a100", "under_70_gib", "70_to_160_gib", "from_160_gib")

COLUMNS = pl.Schema(
    {
        "visible_bytes": pl.Int64,  # total that a process can count on
        "visible_basis": pl.String,  # unified | runtime | driver | nominal: where it comes from
        "reserve_bytes": pl.Int64,  # taken by a display
        "memory_tier": pl.String,  # one of TIERS
    }
)


def visible_bytes() -> pl.Expr:
    """Bytes, rounded down. Unified memory is shared with the system, so its share is used even where the
    runtime reports more."""
    blackwell = pl.col("architecture").str.starts_with("Blackwell")
    share = pl.when(blackwell).then(DRIVER_SHARE_BLACKWELL_GIB).otherwise(DRIVER_SHARE_GIB) * GIB
    return (
        pl.when(pl.col("is_unified_memory"))
        .then(pl.col("memory_gib_nominal") * pl.col("unified_usable_fraction") * GIB)
        .when(pl.col("memory_gib_runtime").is_not_null())
        .then(pl.col("memory_gib_runtime") * GIB)
        .when(pl.col("memory_mib_driver").is_not_null())
        .then(pl.col("memory_mib_driver") * MIB - share)
        .otherwise(pl.col("memory_gib_nominal") * NOMINAL_SHARE * GIB)
        .floor()
        .cast(pl.Int64)
    )


def visible_basis() -> pl.Expr:
    """Which figure `visible_bytes` comes from."""
    return (
        pl.when(pl.col("is_unified_memory"))
        .then(pl.lit("unified"))
        .when(pl.col("memory_gib_runtime").is_not_null())
        .then(pl.lit("runtime"))
        .when(pl.col("memory_mib_driver").is_not_null())
        .then(pl.lit("driver"))
        .otherwise(pl.lit("nominal"))
    )


def reserve_bytes() -> pl.Expr:
    """Bytes of a display; 0 on servers and where the unified share already leaves room for the system."""
    display = pl.col("segment").is_in(DISPLAY_SEGMENTS) & ~pl.col("is_unified_memory")
    return pl.when(display).then(int(DISPLAY_RESERVE_GIB * GIB)).otherwise(0).cast(pl.Int64)


def memory_tier() -> pl.Expr:
    """Row of `engines.csv` whose constants apply, by visible memory and device name."""
    visible = visible_bytes()
    small_by_name = (pl.col("vendor") == "nvidia") & pl.col("name").str.contains(r"\b(?:A100|GB10)\b")
    return (
        pl.when(visible < 70 * GIB)
        .then(pl.lit("under_70_gib"))
        .when(small_by_name)
        .then(pl.lit("a100"))
        .when(visible < 160 * GIB)
        .then(pl.lit("70_to_160_gib"))
        .otherwise(pl.lit("from_160_gib"))
    )


EXPRESSIONS = (
    visible_bytes().alias("visible_bytes"),
    visible_basis().alias("visible_basis"),
    reserve_bytes().alias("reserve_bytes"),
    memory_tier().alias("memory_tier"),
)
