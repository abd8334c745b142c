"""Versions of engines, and the ranges in which the engine catalog says that its constants hold.

A range is `any`, one version with all its patches (`0.5`), or two of them, both included, of which one may be missing:
`0.17-0.26`, `0.27-`, `-0.16`.
"""

from __future__ import annotations

import polars as pl

RANGE = r"^(any|[0-9]+(\.[0-9]+){0,2}(-([0-9]+(\.[0-9]+){0,2})?)?|-[0-9]+(\.[0-9]+){0,2})$"

_NO_END = 10**15  # above every version's number


def is_in_range(version: pl.Expr, range_: pl.Expr) -> pl.Expr:
    """Whether a version like 0.19.0 is in a range. Null when either is null; parts that are no numbers count as 0."""
    number = _number(version)
    inside = (number >= first(range_)) & (number <= last(range_))
    return pl.when(range_ == "any").then(version.is_not_null()).otherwise(inside)


def first(range_: pl.Expr) -> pl.Expr:
    """Number of a range's first version, 0 where it has none; numbers order versions as they came out."""
    return pl.when(range_ == "any").then(0).otherwise(_number(range_.str.split("-").list.first()))


def last(range_: pl.Expr) -> pl.Expr:
    """Number of a range's last version: 0.26 is every patch of it."""
    end = pl.when(range_.str.contains("-")).then(range_.str.split("-").list.last()).otherwise(range_)
    written = end.str.split(".").list.len()
    open_ = pl.when(written == 1).then(10**8).when(written == 2).then(10**4).otherwise(1)
    return pl.when((range_ == "any") | (end == "")).then(_NO_END).otherwise(_number(end) + open_ - 1)


def _number(version: pl.Expr) -> pl.Expr:
    """A version's first three parts as one number, so that 0.9 < 0.17."""
    parts = [
        version.str.split(".").list.get(part, null_on_oob=True).cast(pl.Int64, strict=False).fill_null(0)
        for part in range(3)
    ]
    return pl.when(version.is_not_null()).then(parts[0] * 10**8 + parts[1] * 10**4 + parts[2])
