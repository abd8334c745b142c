"""From a CSV file to a checked frame: decode, header, cells, rules, derived columns. Ours crash loudly.

A cell is stripped; an empty one is null. Lines that start with '#' and blank lines are skipped. A cell may
not hold a line break, so that every row has one line to blame.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable
from difflib import get_close_matches
from functools import lru_cache
from pathlib import Path

import polars as pl

from catalogs import decoding
from catalogs.errors import CatalogError, visible
from catalogs.rules import Rule
from catalogs.schema import TABLES, Table

OURS = Path(__file__).parent
TABLE_BY_NAME = {table.name: table for table in TABLES}
# What a folder may hold, too, though it is no table of a night.
BESIDE = ("demand.csv", "inventory.csv", "device_names.csv")

FEW_COLUMNS = 8  # so many may be named in a message
LINE = "__line"  # line of the file that a row was read from; never leaves this module
KINDS: dict[type[pl.DataType], str] = {
    pl.Int64: "a whole number",
    pl.Float64: "a finite number",
    pl.Boolean: "true or false",
    pl.Date: "a date like 2026-11-22",
}


def path_of(table: Table, folder: Path | None) -> Path:
    """The file that counts: the one in the what-if folder if it is there, else ours."""
    if folder is not None and is_there(folder / table.file):
        return folder / table.file
    return OURS / table.file


def check_folder(folder: Path) -> None:
    """Raise CatalogError unless `folder` has a catalog or one of BESIDE: a mistyped one must not be ignored."""
    if "\0" in str(folder) or not folder.is_dir():
        raise CatalogError(visible(str(folder)), "is not a folder")
    files = [*(table.file for table in TABLES), *BESIDE]
    if not any(is_there(folder / file) for file in files):
        raise CatalogError(str(folder), f"holds none of {', '.join(files)}")


def is_there(path: Path) -> bool:
    """Also for a link to nothing and for what may not be seen: reading it then says what is wrong."""
    try:
        return path.is_symlink() or path.exists()
    except OSError:
        return True


def content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CatalogError(file_name(path), f"cannot be read ({error.strerror})") from error


def file_name(path: Path) -> str:
    """Our own files by name, those of a what-if folder by path."""
    return path.name if path.parent == OURS else str(path)


def frame_with_lines(table: Table, folder: Path | None) -> pl.DataFrame:
    """The checked frame of `table` with its LINE column. Parsed once per content."""
    path = path_of(table, folder)
    return _parse(table.name, file_name(path), content(path))


@lru_cache(maxsize=32)
def _parse(table_name: str, file: str, raw: bytes) -> pl.DataFrame:
    return checked(TABLE_BY_NAME[table_name], file, raw)


def checked(table: Table, file: str, raw: bytes) -> pl.DataFrame:
    """The rows of a file that must be a `table`, with their LINE column. Errors: CatalogError."""
    try:
        return _checked(table, file, raw)
    except CatalogError as error:
        for words, remedy in table.remedies:
            if error.rule.startswith(words):
                raise CatalogError(file, f"{error.rule}; {remedy}", error.line) from error
        raise


def _checked(table: Table, file: str, raw: bytes) -> pl.DataFrame:
    text = _cells(table, file, raw)
    _check_required(table, file, text)
    typed = _typed(table, file, text)
    _check_unique(table, file, typed)
    _check_rules(table.rules, file, typed)
    return typed.with_columns(table.derive).select(LINE, *table.loaded.names())


def _cells(table: Table, file: str, raw: bytes) -> pl.DataFrame:
    """Grain: data line. All columns of the table as text, null where empty, in the table's order."""
    lines = decoding.text(file, raw).split("\n")
    header: list[str] | None = None
    rows: list[dict[str, str | int | None]] = []
    for number, line in enumerate(lines, start=1):
        line = line.removesuffix("\r")
        if not line.strip() or line.startswith("#"):
            continue
        if len(table.columns) > 1:
            decoding.require_commas(file, line, number)
        try:
            (cells,) = csv.reader([line], strict=True)
        except (csv.Error, ValueError) as error:
            raise CatalogError(file, f"is not CSV ({error})", number) from error
        cells = [cell.strip() for cell in cells]
        if header is None:
            header = cells
            _check_header(table, file, header, number)
            continue
        if len(cells) != len(header):
            unit = "cell" if len(cells) == 1 else "cells"
            raise CatalogError(file, f"has {len(cells)} {unit}, the header has {len(header)}", number)
        read = {name: cell or None for name, cell in zip(header, cells, strict=True) if name not in table.retired}
        rows.append({LINE: number, **read})
    if header is None:
        raise CatalogError(file, "is empty")
    if not rows and not table.may_be_empty:
        raise CatalogError(file, "has a header and no rows")
    return pl.DataFrame(rows, schema={LINE: pl.Int64, **dict.fromkeys(table.columns.names(), pl.String)})


def _check_header(table: Table, file: str, header: list[str], line: int) -> None:
    for name in header:
        if header.count(name) > 1:
            raise CatalogError(file, f"column {visible(name)} appears twice", line)
        if name not in table.columns and name not in table.retired:
            near = get_close_matches(name, table.columns.names(), n=1)
            hint = f" (did you mean {near[0]}?)" if near else ""
            if not near and len(table.columns) <= FEW_COLUMNS:
                hint = f" (known are {', '.join(table.columns)})"
            raise CatalogError(file, f"column {visible(name)} is unknown{hint}", line)
    # a file that somebody wrote before an optional column existed stays good
    missing = [name for name in table.columns.names() if name not in header and name not in table.optional]
    if missing:
        raise CatalogError(file, f"column {', '.join(missing)} is missing", line)


def _check_required(table: Table, file: str, text: pl.DataFrame) -> None:
    filled = [name for name in table.columns.names() if name not in table.optional]
    _check_rules([Rule(name, "must not be empty", pl.col(name).is_not_null()) for name in filled], file, text)


def _typed(table: Table, file: str, text: pl.DataFrame) -> pl.DataFrame:
    """The cells in the types of the schema; the first cell that does not parse is named with its line."""
    typed = text.with_columns(_read_cell(name, dtype) for name, dtype in table.columns.items())
    for name, dtype in table.columns.items():
        if typed[name].null_count() > text[name].null_count():
            lost = text.filter(typed[name].is_null() & text[name].is_not_null())
            kind, line, cell = KINDS[dtype.base_type()], lost[LINE][0], lost[name][0]
            raise CatalogError(file, f"{name} must be {kind} (got {visible(cell)!s})", line)
    return typed


def _read_cell(name: str, dtype: pl.DataType) -> pl.Expr:
    """Null where the text is not of the type."""
    cell = pl.col(name)
    if dtype == pl.Boolean:
        return cell.replace_strict({"true": True, "false": False}, default=None, return_dtype=pl.Boolean)
    if dtype == pl.Date:
        iso = pl.when(cell.str.contains(r"^\d{4}-\d{2}-\d{2}$")).then(cell)
        return iso.str.to_date("%Y-%m-%d", strict=False)
    if dtype == pl.Float64:
        number = cell.cast(pl.Float64, strict=False)
        return pl.when(number.is_finite()).then(number).alias(name)
    return cell.cast(dtype, strict=False)


def _check_unique(table: Table, file: str, frame: pl.DataFrame) -> None:
    key = list(table.key)
    again = frame.filter(~pl.struct(key).is_first_distinct())
    if not again.is_empty():
        row = again.row(0, named=True)
        first = frame.join(again.head(1).select(key), on=key, how="semi", nulls_equal=True)[LINE][0]
        shown = ", ".join(visible(str(row[name])) for name in key if row[name] is not None)
        raise CatalogError(file, f"{' + '.join(key)} must be unique ({shown} is on line {first} too)", row[LINE])


def _check_rules(rules: Iterable[Rule], file: str, frame: pl.DataFrame) -> None:
    """Raise CatalogError for the first of `rules` that a row breaks.

    All are asked at once: a command loads every catalog, and a query for each rule of all takes a third of a second.
    """
    asked = list(enumerate(rules))
    is_broken = frame.select((~rule.holds.fill_null(True)).any().alias(str(at)) for at, rule in asked).row(0)
    for at, rule in asked:
        if is_broken[at]:
            check_rule(rule, file, frame)


def check_rule(rule: Rule, file: str, frame: pl.DataFrame) -> None:
    """Raise CatalogError for the first row of `frame` (with its LINE) that breaks `rule`."""
    broken = frame.filter(~rule.holds.fill_null(True))
    if broken.is_empty():
        return
    row = broken.row(0, named=True)
    got = row[rule.column]
    shown = "" if got is None else f" (got {visible(_written(got))})"
    raise CatalogError(file, f"{rule.column} {rule.must}{shown}", row[LINE])


def _written(value: object) -> str:
    """A value as somebody writes it into a cell."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
