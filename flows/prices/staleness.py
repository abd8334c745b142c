"""How long a price may be used: beyond its limit it is shown as stale, and no other price is judged by it."""

from __future__ import annotations

from datetime import date

import polars as pl

# Days by kind. Spot prices move within days, list prices within weeks, street prices within a quarter.
LIMIT_DAYS = {"spot": 14, "on_demand": 30, "reserved": 30, "purchase": 90}


def age_days(on: date) -> pl.Expr:
    """Days from `as_of` to `on`; never negative."""
    return (pl.lit(on) - pl.col("as_of")).dt.total_days().clip(0)


def is_stale(on: date) -> pl.Expr:
    """True where a price was older than the limit of its kind on that day."""
    return age_days(on) > pl.col("kind").replace_strict(LIMIT_DAYS, return_dtype=pl.Int64)
