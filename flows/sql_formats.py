"""Rows of a query as text: CSV, JSON, Markdown, and a table for people. All but the table write as they read."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from typing import Any, TextIO

from rich.console import Console
from rich.table import Table

from flows import pager, terminal
from reports import downloads

Names = Sequence[str]
Rows = Iterable[Sequence[Any]]
# Of a table that is no terminal's: lines stay whole, whatever is in them.
WHOLE_LINES = 100_000


def write_csv(names: Names, rows: Rows, file: TextIO) -> None:
    """Unknown is empty, booleans are words, and text that a spreadsheet would run has an apostrophe before it."""
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([downloads.inert(value) for value in row] for row in rows)


def write_json(names: Names, rows: Rows, file: TextIO) -> None:
    """One array, each row an object on a line of its own."""
    members = _distinct(names)
    before = "[\n "
    for row in rows:
        record = dict(zip(members, map(_in_json, row), strict=True))
        file.write(before + json.dumps(record, default=str, ensure_ascii=False, allow_nan=False))
        before = ",\n "
    file.write("[]\n" if before.startswith("[") else "\n]\n")


def write_markdown(names: Names, rows: Rows, file: TextIO) -> None:
    """A table as GitHub and notebooks render it; unknown is empty."""
    file.write(f"| {' | '.join(map(_in_markdown, names))} |\n|{'---|' * len(names)}\n")
    for row in rows:
        file.write(f"| {' | '.join(map(_in_markdown, row))} |\n")


def write_table(names: Names, rows: Rows, file: TextIO) -> None:
    """Columns side by side. What a terminal cannot show at once goes through its pager."""
    table = _table(names, list(rows))
    whole = _rendered(table, WHOLE_LINES)
    if not file.isatty() or not pager.is_too_large(whole):
        file.write(whole)
    elif not pager.show(whole):
        file.write(_rendered(table, None))  # folded at the terminal's width


WRITERS: dict[str, Callable[[Names, Rows, TextIO], None]] = {
    "table": write_table,
    "csv": write_csv,
    "json": write_json,
    "markdown": write_markdown,
}


def _distinct(columns: Names) -> list[str]:
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


def _in_markdown(value: Any) -> str:
    if value is None:
        return ""
    text = terminal.inert(value if isinstance(value, str) else _cell(value))
    # what comes from repositories is text: neither a cell's end nor a tag
    for mark, written in (("\\", "\\\\"), ("|", "\\|"), ("<", "&lt;"), ("\n", " ")):
        text = text.replace(mark, written)
    return text


def _table(names: Names, rows: Sequence[Sequence[Any]]) -> Table:
    table = Table(box=None, header_style="bold", pad_edge=False)
    for position, name in enumerate(names):
        is_number = all(isinstance(row[position], int | float) or row[position] is None for row in rows)
        table.add_column(terminal.inert(name), justify="right" if is_number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    return table


def _rendered(table: Table, width: int | None) -> str:
    # of its own file: on a closed pipe a console would end the program with status 1
    console = Console(file=io.StringIO(), highlight=False, markup=False, width=width)
    with console.capture() as captured:
        console.print(table)
    return captured.get()


def _cell(value: Any) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    if isinstance(value, float):
        return f"{value:,.4g}" if abs(value) < 1e15 else f"{value:.4g}"
    return terminal.inert(str(value))
