"""The vocabulary in which `schema.py` says what a good row is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import polars as pl

from catalogs import versions


@dataclass(frozen=True)
class Rule:
    """`column` and `must` make the sentence of the error; `holds` is true for a good row.

    A null result counts as good: that a cell may not be empty is said by `Table.required` or by `needs`.
    """

    column: str
    must: str
    holds: pl.Expr


def positive(*columns: str) -> list[Rule]:
    return [Rule(c, "must be > 0", pl.col(c) > 0) for c in columns]


def not_negative(*columns: str) -> list[Rule]:
    return [Rule(c, "must be >= 0", pl.col(c) >= 0) for c in columns]


def at_least(limit: float, *columns: str) -> list[Rule]:
    return [Rule(c, f"must be >= {limit:g}", pl.col(c) >= limit) for c in columns]


def at_most(limit: int, *columns: str) -> list[Rule]:
    """Keeps typing errors out and products of sizes within 64 bits."""
    return [Rule(c, f"must be <= {limit}", pl.col(c) <= limit) for c in columns]


def fraction(column: str) -> Rule:
    return Rule(column, "must be > 0 and <= 1", pl.col(column).is_between(0, 1, closed="right"))


def one_of(column: str, allowed: Iterable[str] | Iterable[int]) -> Rule:
    values = list(allowed)
    return Rule(column, f"must be one of {', '.join(map(str, values))}", pl.col(column).is_in(values))


def set_of(column: str, allowed: Iterable[str]) -> Rule:
    """Space separated members of `allowed`, none twice."""
    values = list(allowed)
    members = pl.col(column).str.split(" ")
    known = members.list.eval(pl.element().is_in(values)).list.all()
    distinct = members.list.n_unique() == members.list.len()
    return Rule(column, f"must be a space separated set out of {', '.join(values)}", known & distinct)


def identifier(column: str) -> Rule:
    good = pl.col(column).str.contains(r"^[a-z0-9][a-z0-9_.-]*$")
    return Rule(column, "must be lower case letters, digits, '_', '.' and '-'", good)


def version(column: str) -> Rule:
    """Compute capabilities: text, because 12.0 and 8.10 do not survive as numbers."""
    return Rule(column, "must look like 8.9", pl.col(column).str.contains(r"^[0-9]+\.[0-9]+$"))


def version_range(column: str) -> list[Rule]:
    """Ranges as catalogs/versions.py reads them."""
    range_ = pl.col(column)
    return [
        Rule(column, "must look like any, 0.5, 0.17-0.26, 0.27- or -0.16", range_.str.contains(versions.RANGE)),
        Rule(column, "must not end before it begins", versions.first(range_) <= versions.last(range_)),
    ]


def needs(column: str, when: pl.Expr, why: str) -> Rule:
    return Rule(column, f"must not be empty {why}", ~when | pl.col(column).is_not_null())


def absent(column: str, when: pl.Expr, why: str) -> Rule:
    return Rule(column, f"must be empty {why}", ~when | pl.col(column).is_null())
