"""Speeds in `fit`: the database's two formulas are the estimator's."""

from __future__ import annotations

import math
from typing import Any

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from estimator import speed
from flows import warehouse

STEP = (
    *("weight_bytes", "cache_bytes", "flops", "weight_bytes_per_second", "cache_bytes_per_second"),
    *("flops_per_second", "layers", "layer_seconds", "reduce_seconds", "host_seconds"),
)
PROMPT = (
    *("linear_flops", "attention_flops", "linear_flops_per_second", "attention_flops_per_second"),
    *("reduced_bytes", "reduced_bytes_per_second"),
)
positive = st.none() | st.floats(1e-3, 1e15)


@pytest.fixture(scope="module")
def macros() -> duckdb.DuckDBPyConnection:
    """The two macros of views.sql, as the night creates them."""
    connection = duckdb.connect()
    connection.execute("CREATE SCHEMA internal")
    script = warehouse._sql("views.sql")
    for name in ("step_seconds", "prompt_seconds"):
        start = script.index(f"CREATE MACRO internal.{name}(")
        connection.execute(script[start : script.index(";", start)])
    return connection


@pytest.mark.parametrize(("macro", "formula", "names"), [
    ("step_seconds", speed.step_seconds, STEP), ("prompt_seconds", speed.prompt_seconds, PROMPT),
])  # fmt: skip
def test_the_database_says_the_same(macro: str, formula: Any, names: tuple[str, ...], macros: Any) -> None:
    @settings(max_examples=60, deadline=None)
    @given(st.lists(st.tuples(*(positive for _ in names)), min_size=1, max_size=20))
    def agree(rows: list[tuple[float | None, ...]]) -> None:
        frame = pl.DataFrame(rows, schema=dict.fromkeys(names, pl.Float64), orient="row")
        ours = frame.select(seconds=formula(**{name: pl.col(name) for name in names}))["seconds"].to_list()
        columns = ", ".join(f"{name} DOUBLE" for name in names)
        macros.execute(f"CREATE OR REPLACE TABLE rows ({columns})")
        macros.executemany(f"INSERT INTO rows VALUES ({', '.join('?' * len(names))})", rows)
        theirs = [row[0] for row in macros.execute(f"SELECT internal.{macro}({', '.join(names)}) FROM rows").fetchall()]
        for mine, its in zip(ours, theirs, strict=True):
            assert (mine is None) == (its is None)
            assert mine is None or math.isclose(mine, its, rel_tol=1e-12)

    agree()
