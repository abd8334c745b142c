"""Literals in, one literal out: what a formula is tested with."""

from __future__ import annotations

from typing import Any

import polars as pl


def value(expression: pl.Expr) -> Any:
    return pl.select(expression).item()


def whole(number: int | None) -> pl.Expr:
    return pl.lit(number, dtype=pl.Int64)


def real(number: float | None) -> pl.Expr:
    return pl.lit(number, dtype=pl.Float64)


def text(word: str | None) -> pl.Expr:
    return pl.lit(word, dtype=pl.String)
