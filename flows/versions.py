"""Versions of engines, and the ranges in which the engine catalog says that its constants hold."""

from __future__ import annotations

import polars as pl


def is_in_range(version: pl.Expr, range_: pl.Expr) -> pl.Expr:
    """Whether a version like 0.19.0 is in a range: `any`, `0.17-0.26` (both with all their patches), `0.17-` or `0.5`.

    Null when either is null. Parts that are no numbers count as 0.
    """
    low = range_.str.split("-").list.first()
    high = pl.when(range_.str.contains("-")).then(range_.str.split("-").list.last()).otherwise(range_)
    return (
        pl.when(range_ == "any")
        .then(version.is_not_null())
        .otherwise(
            (_number(version, 3) >= _number(low, 3)) & ((high == "") | (_cut(version, high) <= _number(high, 3)))
        )
    )


def _number(version: pl.Expr, parts: int) -> pl.Expr:
    """A version's first three parts as one number, so that 0.9 < 0.17."""
    numbers = [
        version.str.split(".").list.get(part, null_on_oob=True).cast(pl.Int64, strict=False).fill_null(0)
        for part in range(parts)
    ]
    total = numbers[0] * 1_000_000 + numbers[1] * 1_000 + numbers[2]
    return pl.when(version.is_not_null()).then(total)


def _cut(version: pl.Expr, like: pl.Expr) -> pl.Expr:
    """A version's number without the parts that `like` leaves open: 0.26.3 is within 0.26."""
    precision = like.str.split(".").list.len()
    number = _number(version, 3)
    step = pl.when(precision == 1).then(1_000_000).when(precision == 2).then(1_000).otherwise(1)
    return number // step * step
