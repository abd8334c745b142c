"""Read-only SQL on one published file, printed for people or written for other programs."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

import duckdb

from flows import terminal, warehouse
from flows.failures import Stop
from flows.sql_formats import WRITERS
from reports import downloads

# Of a table, unless told otherwise: nobody reads more, and columns are as wide as their widest row.
TABLE_ROWS = 1_000
ALL = sys.maxsize
# What a file's suffix asks for; without one it is a table.
SUFFIXES = {
    ".csv": "csv",
    ".json": "json",
    ".md": "markdown",
    ".parquet": "parquet",
    ".txt": "table",
    ".xlsx": "xlsx",
    "": "table",
}
FOR_FILES = ("parquet", "xlsx")
BATCH = 1_000
READS = {
    duckdb.StatementType.SELECT,  # DESCRIBE, SHOW and SUMMARIZE too
    duckdb.StatementType.EXPLAIN,
    duckdb.StatementType.PRAGMA,
    duckdb.StatementType.MULTI,  # PIVOT
}
# What there is to ask: of one who types `hubfit sql` and nothing else.
TABLES = """
SELECT name, type, comment FROM (
    SELECT schema_name, table_name AS name, 'table' AS type, comment FROM duckdb_tables()
    UNION ALL
    SELECT schema_name, view_name, 'view', comment FROM duckdb_views() WHERE NOT internal
)
WHERE schema_name = 'main' ORDER BY name
"""


class BadQuery(Stop):
    """The query is not one read-only statement, or the database refused it."""


def answer(database: Path, query: str, format: str | None, output: Path | None, limit: int | None = None) -> None:
    """Run one read-only statement and print its rows, or write them to `output`, which appears when it is whole.

    `format` is one of sql_formats.WRITERS, parquet or xlsx; None: what the suffix of `output` says, else table.
    `limit`: at most so many rows; None: all, of a table TABLE_ROWS. Rows of any number take little memory but as
    a table. Raises BadQuery with the database's own words.
    """
    chosen = format or _format_of(output)
    if output is None:
        if chosen in FOR_FILES:
            raise BadQuery(f"{chosen} is not for terminals: give --output FILE")
        _print(database, query, chosen, limit)
        return
    if output.resolve().is_relative_to(database.resolve().parents[1]):
        raise BadQuery(f"cannot write {output}: what is published is never touched again")
    try:
        with _whole(output, chosen) as target:
            if chosen == "parquet":
                _copy(database, query, target, limit)
            elif chosen == "xlsx":
                _spreadsheet(database, query, target, limit)
            else:
                with target.open("w", encoding="utf-8", errors="replace", newline="") as file:
                    _write(database, query, chosen, limit, file)
    except duckdb.IOException as error:
        raise BadQuery(f"cannot write {output}: {error}") from None
    except OSError as error:
        raise BadQuery(f"cannot write {output}: {error.strerror}") from None


def ask(database: Path, query: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Column names and rows of one read-only statement."""
    with _asked(database, query) as (names, rows):
        return names, list(rows)


def _format_of(output: Path | None) -> str:
    if output is None:
        return "table"
    if output.suffix.lower() not in SUFFIXES:
        known = ", ".join(suffix for suffix in SUFFIXES if suffix)
        raise BadQuery(f"no format is known by the name {output.suffix} ({known}): give --format")
    return SUFFIXES[output.suffix.lower()]


@contextmanager
def _whole(output: Path, format: str) -> Iterator[Path]:
    """Where to write, so that nobody finds half a file: beside `output`, renamed at the end."""
    if output.exists() and not output.is_file():
        if format in FOR_FILES:
            raise BadQuery(f"cannot write {output}: {format} needs a file")
        yield output  # a pipe or a device
        return
    output = output.resolve()  # a link stays one
    unfinished = output.with_name(f".{output.name}.{os.getpid()}")
    try:
        yield unfinished
        unfinished.replace(output)
    finally:
        unfinished.unlink(missing_ok=True)


@contextmanager
def _asked(database: Path, query: str) -> Iterator[tuple[list[str], Iterator[tuple[Any, ...]]]]:
    """Names and rows, read as they are computed."""
    with warehouse.connect(database) as connection:
        try:
            result = connection.execute(one_statement(connection, query))
            names = [column[0] for column in result.description or []]
            yield names, _rows(result)
        except duckdb.Error as error:
            raise BadQuery(str(error)) from None


def _rows(result: duckdb.DuckDBPyConnection) -> Iterator[tuple[Any, ...]]:
    while batch := result.fetchmany(BATCH):
        yield from batch


def _print(database: Path, query: str, format: str, limit: int | None) -> None:
    try:
        _write(database, query, format, limit, sys.stdout)
        sys.stdout.flush()
    except BrokenPipeError:  # `| head` has seen enough; what is left must not fail when Python ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _write(database: Path, query: str, format: str, limit: int | None, file: TextIO) -> None:
    if limit is None:
        limit = TABLE_ROWS if format == "table" else ALL
    with _asked(database, query) as (names, rows):
        WRITERS[format](names, islice(rows, limit), file)
        is_cut = format == "table" and next(rows, None) is not None
    if is_cut:
        terminal.note(f"the first {limit:,} rows; --all for all of them")


def _spreadsheet(database: Path, query: str, target: Path, limit: int | None) -> None:
    about = (("query", query.strip()), ("night", database.resolve().parent.name))
    created = datetime.fromtimestamp(database.stat().st_mtime, UTC)
    with _asked(database, query) as (names, rows):
        try:
            downloads.write_workbook(target, names, islice(rows, ALL if limit is None else limit), about, created)
        except downloads.TooManyRows as error:
            raise BadQuery(f"{error}; --limit, or another format") from None


def _copy(database: Path, query: str, target: Path, limit: int | None) -> None:
    """Rows into a Parquet file with the types that the database gives them."""
    quoted = str(target).replace("'", "''")
    with warehouse.connect(database, target=target) as connection:
        try:
            one_statement(connection, query)
            # on lines of their own: the query may end in a comment
            rows = f"(\n{_before_semicolon(query)}\n)"
            if limit is not None:
                rows = f"(FROM {rows} LIMIT {limit})"
            connection.execute(f"COPY {rows} TO '{quoted}' (FORMAT parquet)")
        except duckdb.IOException:
            raise
        except duckdb.Error as error:
            raise BadQuery(str(error)) from None


def one_statement(connection: duckdb.DuckDBPyConnection, query: str) -> duckdb.Statement:
    """The one question of a text. Raises BadQuery where it is more, none, or anything but a question."""
    statements = connection.extract_statements(query)
    if len(statements) != 1:
        raise BadQuery(f"one statement at a time, please; this has {len(statements) or 'none'}")
    if statements[0].type not in READS:
        raise BadQuery("nothing but questions: SELECT, FROM, DESCRIBE, SHOW, SUMMARIZE or EXPLAIN")
    return statements[0]


def _before_semicolon(query: str) -> str:
    """The text of one statement without its `;` and what follows it: only the database knows what is text and comment.

    Positions that the database gives count bytes.
    """
    raw = query.encode()
    for position, kind in duckdb.tokenize(query):
        if kind == duckdb.token_type.operator and raw[position : position + 1] == b";":
            return raw[:position].decode()
    return query
