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
from collections.abc import Sequence
from datetime import date, datetime

from xlsxwriter import Workbook  # type: ignore[import-untyped]

Value = str | int | float | bool | date | None
# What a spreadsheet takes for the begin of a formula.
FORMULA = re.compile(r"[=+\-@\t\r\n]")
# All but tabs and ends of lines.
CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
# What Excel holds of one cell, and of rows with one for the names.
CELL_CHARACTERS = 32_767
SHEET_ROWS = 1_048_575
WIDTHS = (8, 48)


def comma_separated(names: Sequence[str], rows: Sequence[Sequence[Value]]) -> bytes:
    """CSV as RFC 4180 has it, UTF-8."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow(names)
    writer.writerows([_plain(value) for value in row] for row in rows)
    return out.getvalue().encode("utf-8", errors="replace")


def _plain(value: Value) -> str | int | float | None:
    if isinstance(value, str):
        shown = CONTROLS.sub("\N{REPLACEMENT CHARACTER}", value)
        return f"'{shown}" if FORMULA.match(shown) else shown
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.isoformat() if isinstance(value, date) else value


def workbook(
    names: Sequence[str], rows: Sequence[Sequence[Value]], about: Sequence[tuple[str, str]], created: datetime
) -> bytes:
    """Two sheets: `rows`, filtered and with their names in sight, and `about`. What exceeds a sheet is left out."""
    out = io.BytesIO()
    inert = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False}
    book = Workbook(out, {"in_memory": True, **inert})
    book.set_properties({"created": created.replace(tzinfo=None)})
    bold, dated = book.add_format({"bold": True}), book.add_format({"num_format": "yyyy-mm-dd"})
    sheet = book.add_worksheet("rows")
    shown = rows[:SHEET_ROWS]
    for column, name in enumerate(names):
        longest = max((len(str(row[column])) for row in shown[:200]), default=0)
        sheet.set_column(column, column, min(max(longest, len(name), WIDTHS[0]) + 2, WIDTHS[1]))
        sheet.write_string(0, column, name, bold)
    sheet.freeze_panes(1, 1)
    sheet.autofilter(0, 0, max(1, len(shown)), len(names) - 1)
    for at, row in enumerate(shown, start=1):
        for column, value in enumerate(row):
            if isinstance(value, str):
                sheet.write_string(at, column, _sound(value))
            elif isinstance(value, bool):
                sheet.write_boolean(at, column, value)
            elif isinstance(value, date):
                sheet.write_datetime(at, column, value, dated)
            elif value is not None and math.isfinite(value):
                sheet.write_number(at, column, value)
    notes = book.add_worksheet("about")
    notes.set_column(0, 0, 28)
    notes.set_column(1, 1, 100)
    for at, (title, words) in enumerate(about):
        notes.write_string(at, 0, _sound(title), bold)
        notes.write_string(at, 1, _sound(words))
    book.close()
    return out.getvalue()


def _sound(text: str) -> str:
    """What Excel can hold: no lone surrogate, no text that is too long."""
    return text.encode("utf-8", errors="replace").decode("utf-8")[:CELL_CHARACTERS]
