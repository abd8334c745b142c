"""Read-only SQL on one published file, printed for people or for other programs."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

import duckdb
import polars as pl
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
    columns, rows, schema = ask(database, query)
    if format == "parquet":
        if output is None:
            raise BadQuery("parquet is not for terminals: give --output FILE")
        pl.DataFrame(rows, schema=schema, orient="row").write_parquet(output)
        return
    if output is None:
        _print(columns, rows, format, sys.stdout)
    else:
        with output.open("w", encoding="utf-8", newline="") as file:
            _print(columns, rows, format, file)


def ask(database: Path, query: str) -> tuple[list[str], list[tuple[Any, ...]], list[str]]:
    """Column names and rows of one read-only statement."""
    with warehouse.connect(database) as connection:
        try:
            statements = connection.extract_statements(query)
            if len(statements) != 1:
                raise BadQuery(f"one statement at a time, please; this has {len(statements)}")
            result = connection.execute(statements[0])
            columns = [column[0] for column in result.description or []]
            return columns, result.fetchall(), columns
        except duckdb.Error as error:
            raise BadQuery(str(error)) from None


def _print(columns: Sequence[str], rows: Sequence[Sequence[Any]], format: str, file: TextIO) -> None:
    if format == "csv":
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)
    elif format == "json":
        records = [dict(zip(columns, row, strict=True)) for row in rows]
        json.dump(records, file, default=str, ensure_ascii=False, indent=1)
        file.write("\n")
    else:
        _print_table(columns, rows, file)


def _print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], file: TextIO) -> None:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for position, name in enumerate(columns):
        is_number = all(isinstance(row[position], int | float) or row[position] is None for row in rows[:TABLE_ROWS])
        table.add_column(terminal.inert(name), justify="right" if is_number else "left", overflow="fold")
    for row in rows[:TABLE_ROWS]:
        table.add_row(*(_cell(value) for value in row))
    # A terminal wraps at its own width; a pipe gets whole lines.
    console = Console(file=file, highlight=False, markup=False, width=None if file.isatty() else 1000)
    console.print(table)
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
