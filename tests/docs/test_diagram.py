"""The diagram's keys and references are those of a night, and its page is what the generator makes."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import duckdb
import pytest

from flows import publication

PLACE = Path(__file__).parents[2] / "docs"
# Of these a workload and some formats are enough: they are as large as the night itself.
LARGE = {"fit", "fitting", "tight_splits", "calculator_gpus", "verdict_changes"}
PART = {"workload": "'chat-8k'", "precision": "'bf16'"}


def diagram() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_diagram", PLACE / "diagram.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


MADE = diagram()


@pytest.fixture
def night(whole_night: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(publication.latest_database(whole_night)), read_only=True) as connection:
        yield connection


def columns(night: duckdb.DuckDBPyConnection) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for table, column in night.execute(
        "SELECT table_name, column_name FROM duckdb_columns() WHERE schema_name = 'main' AND NOT internal"
    ).fetchall():
        found.setdefault(table, {})[column] = ""
    return found


def test_the_page_is_what_the_night_says(whole_night: Path) -> None:
    """Regenerate with `make docs`."""
    made = MADE.document(publication.latest_database(whole_night))
    assert made == (PLACE / "er-diagram.md").read_text(encoding="utf-8")


def test_every_table_and_view_has_a_key(night: duckdb.DuckDBPyConnection) -> None:
    found = columns(night)
    assert set(MADE.KEYS) == set(found)
    for table, of in found.items():
        assert set(MADE.key(table)) <= set(of), table


@pytest.mark.parametrize("table", MADE.KEYS)
def test_no_two_rows_have_one_key(night: duckdb.DuckDBPyConnection, table: str) -> None:
    key = ", ".join(MADE.key(table)) or "1"
    of = columns(night)[table]
    part = " AND ".join(f"{column} = {value}" for column, value in PART.items() if column in of)
    where = f"WHERE {part}" if table in LARGE else ""
    assert (
        night.execute(f"SELECT {key}, count(*) FROM {table} {where} GROUP BY ALL HAVING count(*) > 1").fetchall() == []
    )


def test_every_reference_has_its_row(night: duckdb.DuckDBPyConnection) -> None:
    found = columns(night)
    references = list(MADE.references(found))
    assert ("fit", "gpu", "gpus", "gpu_id") in references
    for table, column, owner, named in references:
        part = " AND ".join(f"t.{c} = {value}" for c, value in PART.items() if c in found[table] and table in LARGE)
        query = f"SELECT t.{column} FROM {table} t ANTI JOIN {owner} o ON o.{named} = t.{column}"
        assert (
            night.execute(f"{query} WHERE t.{column} IS NOT NULL {'AND ' + part if part else ''}").fetchall() == []
        ), (
            table,
            column,
        )
