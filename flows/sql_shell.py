"""Read-only SQL on one published file, printed for people or for other programs."""

from __future__ import annotations

import csv
import json
import math
import os
import sys
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any, TextIO

import duckdb
from rich.console import Console
from rich.table import Table

from flows import terminal, warehouse
from flows.failures import Stop

TABLE_ROWS = 100


class BadQuery(Stop):
    """The query is not one read-only statement, or the database refused it."""


def answer(database: Path, query: str, format: str, output: Path | None) -> None:
    """Run one read-only statement and print its rows; `format` is table, csv, json or parquet.

    Raises BadQuery with the database's own words.
    """
    if output is not None and output.resolve().is_relative_to(database.resolve().parents[1]):
        raise BadQuery(f"cannot write {output}: what is published is never touched again")
    if format == "parquet":
        if output is None:
            raise BadQuery("parquet is not for terminals: give --output FILE")
        _copy(database, query, output)
        return
    columns, rows = ask(database, query)
    if output is None:
        try:
            _print(columns, rows, format, sys.stdout)
            sys.stdout.flush()
        except BrokenPipeError:  # `| head` has seen enough; what is left must not fail when Python ends
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return
    try:
        with output.open("w", encoding="utf-8", newline="") as file:
            _print(columns, rows, format, file)
    except OSError as error:
        raise BadQuery(f"cannot write {output}: {error.strerror}") from None


def ask(database: Path, query: str) -> tuple[list[str], list[tuple[Any, ...]]]:
    """Column names and rows of one read-only statement."""
    with warehouse.connect(database) as connection:
        try:
            result = connection.execute(_one_statement(connection, query))
            return [column[0] for column in result.description or []], result.fetchall()
        except duckdb.Error as error:
            raise BadQuery(str(error)) from None


def _copy(database: Path, query: str, output: Path) -> None:
    """Rows into a Parquet file with the types that the database gives them. The file appears when it is whole."""
    unfinished = output.absolute().with_name(f".{output.name}.{os.getpid()}")
    try:
        with warehouse.connect(database, target=unfinished) as connection:
            _one_statement(connection, query)
            target = str(unfinished).replace("'", "''")
            # on lines of their own: the query may end in a comment
            connection.execute(f"COPY (\n{_before_semicolon(query)}\n) TO '{target}' (FORMAT parquet)")
        unfinished.replace(output)
    except duckdb.IOException as error:
        raise BadQuery(f"cannot write {output}: {error}") from None
    except duckdb.Error as error:
        raise BadQuery(str(error)) from None
    except OSError as error:
        raise BadQuery(f"cannot write {output}: {error.strerror}") from None
    finally:
        unfinished.unlink(missing_ok=True)


def _one_statement(connection: duckdb.DuckDBPyConnection, query: str) -> duckdb.Statement:
    statements = connection.extract_statements(query)
    if len(statements) != 1:
        raise BadQuery(f"one statement at a time, please; this has {len(statements)}")
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


def _print(columns: Sequence[str], rows: Sequence[Sequence[Any]], format: str, file: TextIO) -> None:
    if format == "csv":
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
    elif format == "json":
        names = _distinct(columns)
        records = [dict(zip(names, map(_in_json, row), strict=True)) for row in rows]
        json.dump(records, file, default=str, ensure_ascii=False, indent=1, allow_nan=False)
        file.write("\n")
    else:
        _print_table(columns, rows, file)


def _distinct(columns: Sequence[str]) -> list[str]:
    """Names of an object's members: one that comes again gets a number, `n`, `n_1`."""
    names: list[str] = []
    for column in columns:
        name, number = column, 0
        while name in names:
            number += 1
            name = f"{column}_{number}"
        names.append(name)
    return names


def _in_json(value: Any) -> Any:
    """A value as JSON has it: no number that is none, bytes in hexadecimal, decimals as numbers."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, list | tuple):
        return [_in_json(one) for one in value]
    if isinstance(value, dict):
        return {str(key): _in_json(one) for key, one in value.items()}
    return value


def _print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], file: TextIO) -> None:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for position, name in enumerate(columns):
        is_number = all(isinstance(row[position], int | float) or row[position] is None for row in rows[:TABLE_ROWS])
        table.add_column(terminal.inert(name), justify="right" if is_number else "left", overflow="fold")
    for row in rows[:TABLE_ROWS]:
        table.add_row(*(_cell(value) for value in row))
    # A terminal wraps at its own width; a pipe gets whole lines.
    console = Console(file=file, highlight=False, markup=False, width=None if file.isatty() else 1000)
    with console.capture() as captured:  # on a closed pipe it would end the program with status 1
        console.print(table)
    file.write(captured.get())
    if len(rows) > TABLE_ROWS:
        terminal.note(f"first {TABLE_ROWS} of {len(rows):,} rows; use --format csv for all of them")


def _cell(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1e15 else f"{value:.4g}"
    return terminal.inert(str(value))
