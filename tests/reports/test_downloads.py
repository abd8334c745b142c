"""CSV and Excel: what is in them, that nothing in them runs, and that equal rows are equal bytes."""

from __future__ import annotations

import csv
import io
import zipfile
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from xml.etree import ElementTree

import pytest

from reports import downloads
from reports.downloads import CELL_CHARACTERS, TooManyRows, comma_separated, workbook, write_workbook

NAMES = ("model_id", "usd", "count", "as_of", "is_stale")
HOSTILE = [
    '=HYPERLINK("http://x")',
    "+1",
    "-1",
    "@SUM(A1)",
    "\tx",
    "\rx",
    "\nx",
    "\x1b]0;owned\x07\x9b2J",
    "https://example.org/",
    "a\x00b\ud800",
    "<&",
]
ROWS = [("owner/name", 0.0525, 3, date(2026, 1, 2), True), ("other", None, None, None, False)]
CREATED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def parts(book: bytes) -> dict[str, str]:
    with zipfile.ZipFile(io.BytesIO(book)) as file:
        return {name: file.read(name).decode() for name in file.namelist()}


def cells(book: bytes, sheet: int = 1) -> list[list[str | None]]:
    """Values as they are stored: shared texts, else the number."""
    files = parts(book)
    texts = [item.findtext(f"{SHEET}t") for item in ElementTree.fromstring(files["xl/sharedStrings.xml"])]
    found = []
    for row in ElementTree.fromstring(files[f"xl/worksheets/sheet{sheet}.xml"]).iter(f"{SHEET}row"):
        values = [(cell.get("t"), cell.findtext(f"{SHEET}v")) for cell in row]
        found.append([texts[int(value or 0)] if kind == "s" else value for kind, value in values])
    return found


def inline_cells(book: bytes, sheet: int = 1) -> list[list[str | None]]:
    """The same of a book written row by row, where texts stand in their cells."""
    rows = ElementTree.fromstring(parts(book)[f"xl/worksheets/sheet{sheet}.xml"]).iter(f"{SHEET}row")
    return [
        [
            cell.findtext(f"{SHEET}is/{SHEET}t") if cell.get("t") == "inlineStr" else cell.findtext(f"{SHEET}v")
            for cell in row
        ]
        for row in rows
    ]


def test_csv_has_names_values_and_nothing_for_the_unknown() -> None:
    lines = comma_separated(NAMES, ROWS).decode().split("\r\n")
    assert lines == [
        "model_id,usd,count,as_of,is_stale", "owner/name,0.0525,3,2026-01-02,true", "other,,,,false", "",
    ]  # fmt: skip


def test_csv_starts_no_formula() -> None:
    text = comma_separated(("text", "number"), [(value, -1.5) for value in HOSTILE]).decode()
    read = list(csv.reader(io.StringIO(text, newline="")))[1:]
    assert [row[0] for row in read] == [
        "'=HYPERLINK(\"http://x\")", "'+1", "'-1", "'@SUM(A1)", "'\tx", "'\rx", "'\nx", "\ufffd]0;owned\ufffd\ufffd2J",
        "https://example.org/", "a\ufffdb?", "<&",
    ]  # fmt: skip
    assert {row[1] for row in read} == {"-1.5"}


def test_a_workbook_has_the_same_rows_and_says_what_they_are() -> None:
    book = workbook(NAMES, ROWS, [("Night", "of 2026")], CREATED)
    assert cells(book) == [list(NAMES), ["owner/name", "0.0525", "3", "46024", "1"], ["other", "0"]]
    assert cells(book, 2) == [["Night", "of 2026"]]
    sheet = parts(book)["xl/worksheets/sheet1.xml"]
    assert '<autoFilter ref="A1:E3"/>' in sheet
    assert 'state="frozen"' in sheet


def test_a_workbook_runs_nothing_and_links_nowhere() -> None:
    found = parts(workbook(("text",), [(value,) for value in HOSTILE], [(value, value) for value in HOSTILE], CREATED))
    for text in found.values():
        ElementTree.fromstring(text)
        assert "<f>" not in text
        assert "<hyperlink" not in text
    assert cells(workbook(("text",), [("=1+1",)], [], CREATED))[1] == ["=1+1"]
    assert cells(workbook(("text",), [("x" * 40_000,)], [], CREATED))[1] == ["x" * CELL_CHARACTERS]


def test_equal_rows_of_a_night_are_equal_bytes() -> None:
    first, again = (workbook(NAMES, ROWS, [("Night", "1")], CREATED) for _ in range(2))
    assert first == again
    assert "2026-01-02T03:04:05Z" in parts(first)["docProps/core.xml"]
    assert first != workbook(NAMES, ROWS, [("Night", "1")], CREATED.replace(year=2027))


def test_a_workbook_without_rows_is_one() -> None:
    assert cells(workbook(NAMES, [], [], CREATED)) == [list(NAMES)]


def test_what_excel_cannot_hold_is_cut_or_left_out() -> None:
    long = "x" * 40_000
    [_, row] = cells(workbook(("text", "number"), [[long, float("nan")]], [], CREATED))
    assert row[0] == long[:32_767]
    assert row[1:] in ([], [None])


def test_a_workbook_in_a_file_has_the_same_cells_row_by_row(tmp_path: Path) -> None:
    file = tmp_path / "rows.xlsx"
    rows = [*ROWS, *((text, -1.5, None, None, None) for text in HOSTILE)]
    write_workbook(file, NAMES, iter(rows), [("night", "=1+1")], CREATED)
    assert inline_cells(file.read_bytes()) == cells(workbook(NAMES, rows, [("night", "=1+1")], CREATED))
    assert "<f>" not in "".join(parts(file.read_bytes()).values())
    assert [path.name for path in tmp_path.iterdir()] == ["rows.xlsx"]
    again = tmp_path / "again.xlsx"
    write_workbook(again, NAMES, rows, [("night", "=1+1")], CREATED)
    assert again.read_bytes() == file.read_bytes()


def test_a_sheet_that_cannot_hold_them_all_is_refused_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(downloads, "SHEET_ROWS", 2)
    with pytest.raises(TooManyRows, match="holds 2 rows"):
        write_workbook(tmp_path / "rows.xlsx", ("a",), ([number] for number in range(3)), [], CREATED)
    assert [path.name for path in tmp_path.iterdir() if path.name != "rows.xlsx"] == []
    write_workbook(tmp_path / "rows.xlsx", ("a",), ([number] for number in range(2)), [], CREATED)


def test_a_file_that_cannot_be_written_is_an_error_of_the_disk(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        write_workbook(tmp_path / "no" / "rows.xlsx", ("a",), [[1]], [], CREATED)
    (tmp_path / "rows.xlsx").mkdir()
    with pytest.raises(IsADirectoryError):
        write_workbook(tmp_path / "rows.xlsx", ("a",), [[1]], [], CREATED)


def test_what_a_database_holds_has_a_cell_each() -> None:
    """Doubles count to 2**53. Excel's day 1 is 1900-01-01, and 45658.125 three o'clock on 2025-01-01."""
    values = [
        2**53,
        2**53 + 1,
        Decimal("-1.50"),
        date(1900, 1, 1),
        date(1899, 12, 31),
        datetime(2025, 1, 1, 3),  # noqa: DTZ001
        datetime(2025, 1, 1, 4, tzinfo=timezone(timedelta(hours=1))),
        float("nan"),
        float("-inf"),
        b"\xaa",
        [1, "=x"],
        time(3, 4),
        1e300,
    ]
    book = workbook(("a",), [[value] for value in values], [], CREATED)
    assert [row[0] if row else None for row in cells(book)[1:]] == [
        "9007199254740992", "9007199254740993", "-1.50", "1", "1899-12-31", "45658.125", "45658.125", "aa",
        "[1, '=x']", "03:04:00", "1E+300",
    ]  # fmt: skip
    line = comma_separated(("a",), [[value] for value in values]).decode().split("\r\n")[1:-1]
    assert line == [
        "9007199254740992", "9007199254740993", "-1.50", "1900-01-01", "1899-12-31", "2025-01-01T03:00:00",
        "2025-01-01T04:00:00+01:00", "nan", "-inf", "aa", "\"[1, '=x']\"", "03:04:00", "1e+300",
    ]  # fmt: skip
