"""CSV from somebody else: all cells as text, with the columns that we need or one sentence."""

from __future__ import annotations

import polars as pl

from flows.prices.offers import BadList


def read(body: bytes, needed: tuple[str, ...], optional: tuple[str, ...] = ()) -> pl.DataFrame:
    """The `needed` and `optional` columns as text, null where empty; an optional one that is missing is null.

    Raises BadList for anything that is no such table.
    """
    try:
        body.decode("utf-8")
        frame = pl.read_csv(body, infer_schema=False, quote_char='"')
    except UnicodeDecodeError as error:
        raise BadList("the price list is not UTF-8") from error
    except pl.exceptions.PolarsError as error:
        raise BadList("the price list is not CSV") from error
    missing = [name for name in needed if name not in frame.columns]
    if missing:
        raise BadList(f"the price list has no column {missing[0]}")
    absent = [pl.lit(None, pl.String).alias(name) for name in optional if name not in frame.columns]
    texts = frame.with_columns(absent).select(pl.col(*needed, *optional).str.strip_chars())
    return texts.with_columns(pl.when(pl.all() != "").then(pl.all()))


def number(cell: str | pl.Expr) -> pl.Expr:
    """A finite number of the text of a column or expression, null where there is none."""
    text = pl.col(cell) if isinstance(cell, str) else cell
    value = text.cast(pl.Float64, strict=False)
    return pl.when(value.is_finite()).then(value)
