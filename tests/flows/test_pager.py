"""On a terminal: what it cannot show at once goes through the pager of its user, everything else does not."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

COLUMNS, ROWS = 40, 10


def on_a_terminal(place: Path, query: str, **environment: str) -> str:
    """What a terminal of 40 columns and 10 rows is told."""
    program = "import sys; from pathlib import Path; from flows import sql_shell as s; "
    program += "s.answer(Path(sys.argv[1]), sys.argv[2], None, None)"
    ours, theirs = pty.openpty()
    size = {"COLUMNS": str(COLUMNS), "LINES": str(ROWS), "TERM": "xterm"}
    with subprocess.Popen(
        [sys.executable, "-c", program, str(place), query],
        stdin=theirs, stdout=theirs, stderr=theirs, env={**os.environ, **size, **environment},
    ) as asked:  # fmt: skip
        os.close(theirs)
        told = b""
        try:
            while piece := os.read(ours, 65536):
                told += piece
        except OSError:  # the other end is closed
            pass
        os.close(ours)
    assert asked.returncode == 0, told
    return told.decode().replace("\r\n", "\n")


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "published" / "night" / "night.duckdb"
    path.parent.mkdir(parents=True)
    duckdb.connect(str(path)).close()
    return path


@pytest.mark.parametrize(
    ("query", "is_paged"),
    [
        ("FROM range(8)", False),  # nine lines with the names, and the prompt's below
        ("FROM range(9)", True),
        ("SELECT repeat('x', 40) AS a", False),
        ("SELECT repeat('x', 41) AS a", True),
    ],
)
def test_what_leaves_the_screen_is_paged(database: Path, tmp_path: Path, query: str, is_paged: bool) -> None:
    paged = tmp_path / "paged"
    told = on_a_terminal(database, query, PAGER=f"sh -c 'cat > {paged}; echo $LESS'", LESS="R")
    assert paged.exists() == is_paged
    if is_paged:
        assert told == "R\n"
        assert max(len(line) for line in paged.read_text().splitlines()) in (5, 41)


@pytest.mark.parametrize("environment", [{"PAGER": ""}, {"PAGER": "no-such-program -x"}, {"TERM": "dumb"}])
def test_without_a_pager_it_is_folded(database: Path, environment: dict[str, str]) -> None:
    told = on_a_terminal(database, "SELECT repeat('x', 41) AS a", **environment)
    assert [line.strip() for line in told.splitlines()] == ["a", "x" * 40, "x"]


def test_a_pager_that_is_left_early_is_no_error(database: Path) -> None:
    assert on_a_terminal(database, "SELECT repeat('x', 100000) AS a FROM range(5)", PAGER="true") == ""


def test_less_cuts_lines_unless_told_otherwise(database: Path, tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "LESS"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "environ", environment)
        assert on_a_terminal(database, "FROM range(9)", PAGER="sh -c 'cat > /dev/null; echo $LESS'") == "-SX\n"
