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


@pytest.mark.parametrize(
    "query",
    [
        "ATTACH '{elsewhere}'",
        "ATTACH ':memory:' AS m",
        "COPY t TO '{elsewhere}'",
        "EXPORT DATABASE '{elsewhere}'",
        "IMPORT DATABASE '{elsewhere}'",
        "FROM read_csv('{secret}')",
        "FROM '{secret}'",
        "FROM read_blob('{secret}')",
        "FROM glob('{secret}')",
        "FROM query_table('{secret}')",
        "FROM query('FROM read_text(''{secret}'')')",
        "FROM sniff_csv('{secret}')",
        "EXPLAIN ANALYZE COPY t TO '{elsewhere}'",
        "FROM duckdb_secrets()",
        "INSTALL httpfs",
        "LOAD httpfs",
        "LOAD json",
        "SET enable_external_access = true",
        "SET VARIABLE x = 1",
        "RESET memory_limit",
        "PRAGMA memory_limit = '1GB'",
        "PRAGMA enable_profiling",
        "CREATE TEMP TABLE x AS SELECT 1",
        "CREATE SECRET s (TYPE s3)",
        "INSERT INTO t FROM t",
        "UPDATE t SET small = 1",
        "DELETE FROM t",
        "BEGIN",
        "CHECKPOINT",
        "VACUUM",
        "USE system",
        "PREPARE p AS SELECT 1",
        "CALL force_checkpoint()",
        "SELECT 1; SELECT 2",
        "FROM names",
        "",
        "-- nothing",
    ],
)
@pytest.mark.parametrize("format", ["csv", "parquet", "xlsx"])
def test_only_questions_to_this_file_are_answered(database: Path, tmp_path: Path, query: str, format: str) -> None:
    secret = tmp_path / "secret.csv"
    secret.write_text("a,b\n1,2\n", encoding="utf-8")
    asked = query.format(secret=secret, elsewhere=tmp_path / "elsewhere.duckdb")
    before = database.read_bytes()
    with pytest.raises(BadQuery):
        sql_shell.answer(database, asked, format, tmp_path / "rows")
    assert sorted(path.name for path in tmp_path.rglob("*") if path.is_file()) == ["night.duckdb", "secret.csv"]
    assert database.read_bytes() == before


@pytest.mark.parametrize(
    "query",
    ["DESCRIBE t", "SHOW TABLES", "SUMMARIZE t", "EXPLAIN FROM t", "PRAGMA table_info('t')", "VALUES (1)", "FROM t;"],
)
def test_every_kind_of_question_is_answered(database: Path, query: str) -> None:
    assert sql_shell.ask(database, query)[1]


def test_what_memory_does_not_hold_is_not_spilled_beside_the_file(database: Path) -> None:
    _, rows = sql_shell.ask(database, "SELECT current_setting('temp_directory')")
    assert not Path(rows[0][0]).is_relative_to(database.parents[2])


def test_moments_are_at_utc_wherever_the_machine_stands(database: Path) -> None:
    program = "import sys; from pathlib import Path; from flows import sql_shell as s; "
    program += "s.answer(Path(sys.argv[1]), sys.argv[2], 'csv', None)"
    query = "SELECT TIMESTAMPTZ '2026-01-02 03:00:00+00' AS moment"
    done = subprocess.run(
        [sys.executable, "-c", program, str(database), query],
        capture_output=True, text=True, check=True, env={**os.environ, "TZ": "Asia/Tokyo"},
    )  # fmt: skip
    assert done.stdout == "moment\n2026-01-02T03:00:00+00:00\n"


def test_a_suffix_says_the_format(database: Path, tmp_path: Path) -> None:
    query = 'SELECT small, late, mood, price, "at", small = 0 AS is_none FROM t ORDER BY small LIMIT 1'
    for name in ("a.csv", "a.JSON", "a.md", "a.parquet", "a.txt", "a.xlsx", "a"):
        sql_shell.answer(database, query, None, tmp_path / name)
    assert (tmp_path / "a.csv").read_text() == (
        "small,late,mood,price,at,is_none\n0,,good,1.50,2026-01-02T00:00:00,true\n"
    )
    assert json.loads((tmp_path / "a.JSON").read_text())[0]["late"] is None
    assert (tmp_path / "a.md").read_text().splitlines() == [
        "| small | late | mood | price | at | is_none |",
        "|---|---|---|---|---|---|",
        "| 0 |  | good | 1.50 | 2026-01-02 00:00:00 | True |",
    ]
    assert pl.read_parquet(tmp_path / "a.parquet").height == 1
    assert (tmp_path / "a.txt").read_text() == (tmp_path / "a").read_text()
    assert (tmp_path / "a.xlsx").read_bytes()[:2] == b"PK"
    with pytest.raises(BadQuery, match=r"\.tsv .*\.xlsx\): give --format"):
        sql_shell.answer(database, query, None, tmp_path / "a.tsv")
    sql_shell.answer(database, query, "csv", tmp_path / "a.tsv")
    assert (tmp_path / "a.tsv").read_text() == (tmp_path / "a.csv").read_text()


def test_no_format_starts_a_formula_or_a_tag(database: Path, tmp_path: Path) -> None:
    query = "SELECT '=1+1' AS a, '<b>|x' AS b, -1 AS c, -1.5::DECIMAL(3, 1) AS d, ['=x'] AS e"
    sql_shell.answer(database, query, None, tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_text().splitlines()[1] == "'=1+1,<b>|x,-1,-1.5,['=x']"
    sql_shell.answer(database, query, None, tmp_path / "a.md")
    assert (tmp_path / "a.md").read_text().splitlines()[2] == "| =1+1 | &lt;b>\\|x | -1 | -1.5 | ['=x'] |"


def test_a_limit_holds_in_every_format(database: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    query = "FROM range(2000) -- all of them"
    sql_shell.answer(database, query, None, None)
    shown = capsys.readouterr()
    assert (len(shown.out.splitlines()), shown.err) == (1 + 1000, "the first 1,000 rows; --all for all of them\n")
    sql_shell.answer(database, query, None, None, sql_shell.ALL)
    shown = capsys.readouterr()
    assert (len(shown.out.splitlines()), shown.err) == (1 + 2000, "")
    sql_shell.answer(database, query, "csv", None)
    assert len(capsys.readouterr().out.splitlines()) == 1 + 2000
    sql_shell.answer(database, query, "csv", None, 2)
    assert capsys.readouterr().out == "range\n0\n1\n"
    sql_shell.answer(database, query, "json", None, 0)
    assert json.loads(capsys.readouterr().out) == []
    sql_shell.answer(database, query, "parquet", tmp_path / "a.parquet", 3)
    assert pl.read_parquet(tmp_path / "a.parquet")["range"].to_list() == [0, 1, 2]


@pytest.mark.parametrize("format", ["csv", "parquet", "xlsx"])
def test_a_query_that_fails_halfway_leaves_the_file_that_was_there(database: Path, tmp_path: Path, format: str) -> None:
    file = tmp_path / "rows"
    file.write_text("before", encoding="utf-8")
    query = "SELECT CASE WHEN range = 90000 THEN error('enough') ELSE range END AS n FROM range(100000)"
    with pytest.raises(BadQuery, match="enough"):
        sql_shell.answer(database, query, format, file)
    assert file.read_text(encoding="utf-8") == "before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["published", "rows"]


@pytest.mark.parametrize("name", ["a.csv", "a.json", "a.xlsx"])
def test_many_rows_take_no_more_memory_than_few(database: Path, tmp_path: Path, name: str) -> None:
    program = (
        "import resource, sys; from pathlib import Path; from flows import sql_shell as s\n"
        "for rows in (1000, 21000):\n"
        "    query = f'SELECT range AS a, repeat(chr((65 + range % 26)::INTEGER), 3000) AS b FROM range({rows})'\n"
        "    s.answer(Path(sys.argv[1]), query, None, Path(sys.argv[2]))\n"
        "    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(database), str(tmp_path / name)], capture_output=True, text=True, check=True
    )
    few, many = (int(line) for line in done.stdout.splitlines() if line.isdigit())
    assert many - few < 30_000  # KiB; their text alone is 60 MB more


def test_a_pipe_can_be_written_to_but_not_as_a_file(database: Path, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE) as reader:
        sql_shell.answer(database, "SELECT 1 AS a", "csv", pipe)
        assert reader.communicate()[0] == b"a\n1\n"
    for format in ("parquet", "xlsx"):
        with pytest.raises(BadQuery, match="needs a file"):
            sql_shell.answer(database, "SELECT 1 AS a", format, pipe)
    assert pipe.is_fifo()
