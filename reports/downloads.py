"""The same rows for a spreadsheet: CSV and Excel. A spreadsheet must not run what a repository is called.

Text that begins like a formula gets a leading apostrophe in CSV, as in the tables of the pages, and control characters,
which a terminal would obey that prints the file, are replaced; in Excel it is text by its cell's type, and nothing is a
link. Unknown is an empty cell in both. Equal rows of a night make equal bytes.
"""

from __future__ import annotations

import csv
import io
import math
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import chain, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from xlsxwriter import Workbook  # type: ignore[import-untyped]
from xlsxwriter.exceptions import FileCreateError  # type: ignore[import-untyped]
from xlsxwriter.worksheet import Worksheet  # type: ignore[import-untyped]

Value = str | int | float | bool | date | None
# What a spreadsheet takes for the begin of a formula.
FORMULA = re.compile(r"[=+\-@\t\r\n]")
# All but tabs and ends of lines.
CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
# What Excel holds of one cell, and of rows with one for the names.
CELL_CHARACTERS = 32_767
SHEET_ROWS = 1_048_575
WIDTHS = (8, 48)
MEASURED_ROWS = 200
# Excel counts in doubles and knows no day before: what lies beyond is written as text, digit by digit.
EXACT = 2**53
FIRST_YEAR = 1900
INERT = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}


class TooManyRows(Exception):
    """More rows than a sheet of Excel holds."""


def comma_separated(names: Sequence[str], rows: Sequence[Sequence[Value]]) -> bytes:
    """CSV as RFC 4180 has it, UTF-8."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(names)
    writer.writerows([inert(value) for value in row] for row in rows)
    return out.getvalue().encode("utf-8", errors="replace")


def inert(value: Any) -> str | int | float | None:
    """A value as a cell of CSV: text that begins like a formula has an apostrophe before it, days are in ISO 8601.

    What CSV has no word for (lists, structures, bytes) is text.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None or isinstance(value, int | float):
        return value
    if isinstance(value, Decimal):
        return str(value)  # a number: its minus begins no formula
    text = CONTROLS.sub("\N{REPLACEMENT CHARACTER}", value.isoformat() if isinstance(value, date) else _worded(value))
    return f"'{text}" if FORMULA.match(text) else text


def workbook(
    names: Sequence[str], rows: Sequence[Sequence[Value]], about: Sequence[tuple[str, str]], created: datetime
) -> bytes:
    """Two sheets: `rows`, filtered and with their names in sight, and `about`. What exceeds a sheet is left out."""
    out = io.BytesIO()
    with _book(out, created, in_memory=True) as book:
        _fill(book, names, rows[:SHEET_ROWS])
        _tell(book, about)
    return out.getvalue()


def write_workbook(
    path: Path, names: Sequence[str], rows: Iterable[Sequence[Any]], about: Sequence[tuple[str, str]], created: datetime
) -> None:
    """The same into a file, row by row, so that memory does not grow with them.

    Raises TooManyRows as soon as one is left over; OSError when the disk refuses.
    """
    found = iter(rows)
    path.open("wb").close()  # else the refusal would come after all of the work
    # sheets are kept beside the file until it is put together: a system's folder for such things may be a small one
    try:
        with (
            TemporaryDirectory(prefix=f"{path.name}.", dir=path.parent) as sheets,
            _book(str(path), created, constant_memory=True, use_zip64=True, tmpdir=sheets) as book,
        ):
            _fill(book, names, islice(found, SHEET_ROWS))
            if next(found, None) is not None:
                raise TooManyRows(f"a sheet of Excel holds {SHEET_ROWS:,} rows and no more")
            _tell(book, about)
    except FileCreateError as error:
        raise error.args[0] from None


def _book(out: Any, created: datetime, **options: Any) -> Workbook:
    book = Workbook(out, {**options, **INERT})
    book.set_properties({"created": created.replace(tzinfo=None)})
    return book


def _fill(book: Workbook, names: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    bold = book.add_format({"bold": True})
    day, moment = (book.add_format({"num_format": form}) for form in ("yyyy-mm-dd", "yyyy-mm-dd hh:mm:ss"))
    sheet = book.add_worksheet("rows")
    found = iter(rows)
    first = list(islice(found, MEASURED_ROWS))
    for column, name in enumerate(names):
        longest = max((len(str(row[column])) for row in first), default=0)
        sheet.set_column(column, column, min(max(longest, len(name), WIDTHS[0]) + 2, WIDTHS[1]))
        sheet.write_string(0, column, _sound(name), bold)
    sheet.freeze_panes(1, 1)
    count = 0
    for count, row in enumerate(chain(first, found), start=1):
        for column, value in enumerate(row):
            _write(sheet, count, column, value, day, moment)
    sheet.autofilter(0, 0, max(1, count), len(names) - 1)


def _write(sheet: Worksheet, row: int, column: int, value: Any, day: object, moment: object) -> None:
    """One cell by its type, and nothing for the unknown."""
    if isinstance(value, bool):
        sheet.write_boolean(row, column, value)
    elif isinstance(value, float | Decimal) or (isinstance(value, int) and abs(value) <= EXACT):
        if math.isfinite(value):
            sheet.write_number(row, column, value)
    elif isinstance(value, datetime) and value.year >= FIRST_YEAR:
        # cells know no zones: all of them are at UTC
        at_utc = value.astimezone(UTC) if value.tzinfo else value
        sheet.write_datetime(row, column, at_utc.replace(tzinfo=None), moment)
    elif isinstance(value, date) and value.year >= FIRST_YEAR:
        sheet.write_datetime(row, column, value, day)
    elif value is not None:
        sheet.write_string(row, column, _sound(_worded(value)))


def _tell(book: Workbook, about: Sequence[tuple[str, str]]) -> None:
    bold = book.add_format({"bold": True})
    notes = book.add_worksheet("about")
    notes.set_column(0, 0, 28)
    notes.set_column(1, 1, 100)
    for at, (title, words) in enumerate(about):
        notes.write_string(at, 0, _sound(title), bold)
        notes.write_string(at, 1, _sound(words))


def _worded(value: Any) -> str:
    return value if isinstance(value, str) else value.hex() if isinstance(value, bytes) else str(value)


def _sound(text: str) -> str:
    """What Excel can hold: no lone surrogate, no text that is too long."""
    return text.encode("utf-8", errors="replace").decode("utf-8")[:CELL_CHARACTERS]
