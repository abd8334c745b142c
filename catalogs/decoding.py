"""From the bytes of somebody's file to text, or one sentence on what kind of file it is instead, and what to do."""

from __future__ import annotations

from catalogs.errors import CatalogError

# What spreadsheets write where they are not asked for CSV: xlsx, ods and numbers are zip archives, xls is of OLE.
_SPREADSHEETS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1")
_WIDE_MARKS = (b"\xff\xfe", b"\xfe\xff", b"\x00\x00\xfe\xff")
_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}

CSV_REMEDY = "save it as CSV UTF-8 with commas"


def text(file: str, raw: bytes, remedy: str = CSV_REMEDY) -> str:
    """`raw` as UTF-8, with or without its mark. Errors: CatalogError, for anything else with the `remedy`."""
    if raw.startswith(_SPREADSHEETS):
        raise CatalogError(file, f"is a spreadsheet or an archive, not text; {remedy}")
    if raw.startswith(_WIDE_MARKS):
        raise CatalogError(file, f"is UTF-16 or UTF-32, not UTF-8; {remedy}")
    if b"\0" in raw:
        raise CatalogError(file, f"is binary, or UTF-16 without a mark; {remedy}", _line(raw, raw.index(b"\0")))
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CatalogError(file, f"is not UTF-8; {remedy}", _line(raw, error.start)) from error


def require_commas(file: str, line: str, number: int) -> None:
    """Raise CatalogError where a `line` that must have several cells has them, but not between commas."""
    if "," in line:
        return
    for separator, name in _SEPARATORS.items():
        if separator in line:
            raise CatalogError(file, f"has cells between {name} instead of commas; {CSV_REMEDY}", number)


def _line(raw: bytes, at: int) -> int:
    return raw.count(b"\n", 0, at) + 1
