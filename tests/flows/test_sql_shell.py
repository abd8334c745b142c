"""Rows of the published file for other programs: the database's own types, valid JSON, no other file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import duckdb
import polars as pl
import pytest

from flows import sql_shell
from flows.sql_shell import BadQuery


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "published" / "night" / "night.duckdb"
    path.parent.mkdir(parents=True)
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TYPE mood AS ENUM ('good', 'bad')")
        connection.execute(
            "CREATE TABLE t AS SELECT i::UTINYINT AS small, CASE WHEN i > 150 THEN i / 7 END AS late,"
            " NULL::DOUBLE AS never, 'good'::mood AS mood, uuid() AS id, [i, 2] AS list, {'a': i} AS pair,"
            " 1.50::DECIMAL(9, 2) AS price,"
            " TIMESTAMP '2026-01-02' AS at FROM range(200) r(i)"
        )
    return path


def test_parquet_has_the_types_of_the_database(database: Path, tmp_path: Path) -> None:
    file = tmp_path / "rows's.parquet"
    sql_shell.answer(database, "FROM t ORDER BY late NULLS FIRST -- the first rows tell nothing", "parquet", file)
    schema = pl.read_parquet_schema(file)
    assert (schema["small"], schema["late"], schema["never"]) == (pl.UInt8, pl.Float64, pl.Float64)
    assert schema["price"] == pl.Decimal(9, 2)
    assert schema["list"] == pl.List(pl.Int64)
    assert pl.read_parquet(file).height == 200
    sql_shell.answer(database, "SELECT small FROM t WHERE small > 250 AND 'é;' <> ';'; -- none", "parquet", file)
    assert pl.read_parquet(file).schema == {"small": pl.UInt8}
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_json_is_json(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    numbers = "'nan'::DOUBLE AS a, 'inf'::DOUBLE AS a, 1 AS a, [1.5, 'nan'::DOUBLE] AS l"
    sql_shell.answer(database, f"SELECT {numbers}, '\\xAA'::BLOB AS b, 1.5::DECIMAL AS d", "json", None)
    assert json.loads(capsys.readouterr().out) == [
        {"a": None, "a_1": None, "a_2": 1, "l": [1.5, None], "b": "aa", "d": 1.5}
    ]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT 1) TO '/tmp/other.parquet' (FORMAT parquet); --",
        "FROM read_csv('/etc/hosts')",
        "FROM read_text('/etc/hostname')",
        "COPY t TO 'x.csv'",
        "SELECT 1; SELECT 2",
        "DROP TABLE t",
    ],
)
def test_nothing_else_is_read_or_written(database: Path, tmp_path: Path, query: str) -> None:
    for format, output in (("parquet", tmp_path / "out.parquet"), ("csv", None)):
        with pytest.raises(BadQuery):
            sql_shell.answer(database, query, format, output)
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["night.duckdb"]


@pytest.mark.parametrize("format", ["parquet", "csv"])
def test_a_file_that_cannot_be_written_is_named(database: Path, tmp_path: Path, format: str) -> None:
    with pytest.raises(BadQuery, match="cannot write"):
        sql_shell.answer(database, "FROM t", format, tmp_path / "no" / "folder" / "x")


def test_parquet_needs_a_file(database: Path) -> None:
    with pytest.raises(BadQuery, match="--output"):
        sql_shell.answer(database, "FROM t", "parquet", None)


@pytest.mark.parametrize("format", ["parquet", "csv"])
def test_what_is_published_is_not_written_to(database: Path, tmp_path: Path, format: str) -> None:
    (tmp_path / "latest").symlink_to(database.parent)
    for place in (database.parent, tmp_path / "latest"):
        with pytest.raises(BadQuery, match="never touched again"):
            sql_shell.answer(database, "FROM t", format, place / "rows")


def test_a_reader_that_has_seen_enough_is_no_error(database: Path) -> None:
    program = "import sys; from pathlib import Path; from flows import sql_shell as s; "
    program += f"s.answer(Path({str(database)!r}), 'FROM range(1000000)', 'csv', None)"
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as writer:
        assert writer.stdout is not None
        assert writer.stderr is not None
        assert writer.stdout.readline() == b"range\n"
        writer.stdout.close()
        assert writer.stderr.read() == b""
    assert writer.returncode == 0


@pytest.mark.parametrize("format", ["table", "csv", "json"])
def test_no_format_minds_a_reader_that_is_gone(database: Path, format: str) -> None:
    program = "from pathlib import Path; from flows import sql_shell as s; "
    program += f"s.answer(Path({str(database)!r}), 'FROM range(10)', {format!r}, None)"
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run([sys.executable, "-c", program], stdout=writer, stderr=subprocess.PIPE, check=False)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")
