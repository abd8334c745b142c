"""Tables in the room that there is: which columns go, which words are folded, and what is said of it."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from flows.check_columns import MINOR, Column, fitted

COLUMNS = [
    Column("name", is_number=False, least=8),  # eleven characters in one line
    Column("size"),
    Column("per\nhour", rank=1),
    Column("per/\nMtok", rank=MINOR),
]
ROWS = [("two words 1", "1.00", "20.00", "3"), ("[red]b[/]", "unknown", "-", "4")]


def printed(width: int, rows: list[tuple[str, ...]] = ROWS) -> list[str]:
    out = Console(file=io.StringIO(), width=width)
    out.print(fitted("Sizes", COLUMNS, rows, width, "nothing at all"))
    assert isinstance(out.file, io.StringIO)
    return [line.rstrip() for line in out.file.getvalue().splitlines()]


def test_with_room_for_all_every_column_is_there() -> None:
    # 11 + 7 + 5 + 4 characters, with one on either side of each
    assert printed(35) == [
        "Sizes",
        "                         per  per/",
        " name            size   hour  Mtok",
        " two words 1     1.00  20.00     3",
        " b            unknown      -     4",
    ]


def test_a_minor_column_goes_before_a_word_is_folded() -> None:
    assert printed(34)[3:] == [
        " two words 1     1.00  20.00",
        " b            unknown      -",
        " no room for per/Mtok",
    ]


def test_words_are_folded_before_a_column_of_weight_goes() -> None:
    # 8 + 7 + 5 and six between
    assert printed(26)[3:] == [
        " two          1.00  20.00",
        " words 1",
        " b         unknown      -",
        " no room for per/Mtok",
    ]
    assert printed(25)[1:4] == [" name            size", " two words 1     1.00", " b            unknown"]
    assert " ".join(printed(25)[4:]) == " no room for per hour, per/Mtok"


def test_what_stays_is_there_though_there_is_no_room() -> None:
    assert printed(10)[1].split() == ["name", "s…"]


@pytest.mark.parametrize("width", [10, 80])
def test_no_rows_are_said_to_be_none(width: int) -> None:
    assert printed(width, [])[0] == "Sizes"
    assert " ".join(printed(width, [])[1:]).split() == ["nothing", "at", "all"]
