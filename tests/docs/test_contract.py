"""Names, types and words that other people's queries rely on: to change one breaks them and goes into the CHANGELOG."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest

from flows import publication

CONTRACT = json.loads((Path(__file__).parents[1] / "data" / "contract.json").read_text(encoding="utf-8"))
COLUMNS = [(table, column) for table, columns in CONTRACT["columns"].items() for column in columns]


@pytest.fixture
def night(whole_night: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(publication.latest_database(whole_night)), read_only=True) as connection:
        yield connection


def test_every_column_is_there_with_its_type(night: duckdb.DuckDBPyConnection) -> None:
    found = {
        (table, column): "ENUM" if kind.startswith("ENUM") else kind
        for table, column, kind in night.execute(
            "SELECT table_name, column_name, data_type FROM duckdb_columns() WHERE schema_name = 'main'"
        ).fetchall()
    }
    expected = {(table, column): CONTRACT["columns"][table][column] for table, column in COLUMNS}
    assert {name: found.get(name) for name in expected} == expected


def test_every_column_says_what_it_is(night: duckdb.DuckDBPyConnection) -> None:
    silent = night.execute(
        "SELECT table_name, column_name FROM duckdb_columns()"
        " WHERE schema_name = 'main' AND NOT internal AND coalesce(comment, '') = ''"
    ).fetchall()
    assert silent == []


@pytest.mark.parametrize("name", CONTRACT["words"])
def test_words_are_those_that_queries_ask_for(night: duckdb.DuckDBPyConnection, name: str) -> None:
    table, column = name.split(".")
    part = "WHERE workload = 'chat-8k' AND precision IN ('bf16', 'stored')" if table == "fit" else ""
    found = {word for (word,) in night.execute(f"SELECT DISTINCT {column}::VARCHAR FROM {table} {part}").fetchall()}
    assert found
    assert found - {None} <= set(CONTRACT["words"][name])


def test_verdicts_are_these_and_in_this_order(night: duckdb.DuckDBPyConnection) -> None:
    words = night.execute("SELECT enum_range(NULL::verdict)").fetchone()
    assert words == (CONTRACT["words"]["fit.verdict"],)


def test_stored_and_the_ids_of_the_catalogs_are_what_rows_are_called(night: duckdb.DuckDBPyConnection) -> None:
    named = "('bf16', 'fp8_e4m3_block128', 'int4_awq_g128', 'nf4_dq', 'mxfp4', 'gguf_q4_k_m', 'stored')"
    assert night.execute(f"SELECT count(*) FROM precisions WHERE precision IN {named}").fetchone() == (7,)
    named = "('nvidia-h100-sxm-80gb', 'nvidia-rtx-4090-24gb')"
    assert night.execute(f"SELECT count(*) FROM gpus WHERE gpu_id IN {named}").fetchone() == (2,)


def test_a_model_without_a_cache_has_none_and_not_an_unknown_one(night: duckdb.DuckDBPyConnection) -> None:
    query = "SELECT DISTINCT kv_cache_bytes FROM requirements JOIN models USING (model_id) WHERE kind = 'encoder'"
    assert night.execute(query).fetchall() == [(0,)]


def test_readers_that_are_older_than_ours_open_the_file(whole_night: Path) -> None:
    """65 is the layout that DuckDB 1.2 reads, and every later one: docs/operations.md promises it to drivers and R."""
    header = publication.latest_database(whole_night).read_bytes()[:20]
    assert header[8:12] == b"DUCK"
    assert int.from_bytes(header[12:20], "little") == 65
