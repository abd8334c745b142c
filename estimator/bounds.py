"""The larger and the smaller of two quantities, null when either is null.

`pl.max_horizontal` and `pl.min_horizontal` skip nulls, which would turn an unknown into a number.
"""

from __future__ import annotations

import polars as pl

GIB = 1 << 30


def larger(a: pl.Expr, b: pl.Expr) -> pl.Expr:
    """The larger of two quantities of one unit; null when either is null."""
    return pl.when(a >= b).then(a).when(a < b).then(b)


def smaller(a: pl.Expr, b: pl.Expr) -> pl.Expr:
    """The smaller of two quantities of one unit; null when either is null."""
    return pl.when(a <= b).then(a).when(a > b).then(b)


def product_or_absent(count: pl.Expr, each: pl.Expr) -> pl.Expr:
    """`count * each`, and 0 when the count is 0 whatever `each` is: what does not exist has no size to know.

    Null when the count is null, or when it is positive and `each` is null.
    """
    return pl.when(count == 0).then(0).otherwise(count * each)


def whole_bytes(quantity: pl.Expr) -> pl.Expr:
    """Bytes as Int64, rounded up: the only rounding of a formula, and its last step. Null stays null."""
    return quantity.ceil().cast(pl.Int64)
