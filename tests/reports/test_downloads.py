"""CSV and Excel: what is in them, that nothing in them runs, and that equal rows are equal bytes."""

from __future__ import annotations

import csv
import io
import zipfile
from datetime import UTC, date, datetime
from xml.etree import ElementTree

from reports.downloads import CELL_CHARACTERS, comma_separated, workbook

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
