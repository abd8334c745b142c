"""A driver's tool that is missing, broken, slow or talks without end."""

from __future__ import annotations

from pathlib import Path

import pytest

from flows.local_devices import tools


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on PATH."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def script(folder: Path, body: str, name: str = "tool") -> None:
    (folder / name).write_text(f"#!/bin/sh\n{body}\n")
    (folder / name).chmod(0o755)


def test_what_it_prints_with_its_arguments_and_no_shell(path: Path) -> None:
    script(path, 'printf "%s|" "$@"')
    problems: list[str] = []
    assert tools.answer(["tool", "a b", "$(c); d"], problems) == "a b|$(c); d|"
    assert problems == []


def test_one_that_is_missing_is_no_problem(path: Path) -> None:
    problems: list[str] = []
    assert tools.answer(["tool"], problems) == ""
    assert problems == []


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        ("echo; echo '  the driver is gone '; exit 9", "tool: the driver is gone"),
        ("echo away >&2; exit 1", "tool: away"),
        ("exit 3", "tool: exit status 3"),
        ("kill -9 $$", "tool: exit status -9"),
        ("sleep 60 & wait", "tool did not answer within 0.5 s"),
    ],
)
def test_one_that_fails_or_hangs_says_so_and_nothing_else(path: Path, body: str, problem: str) -> None:
    script(path, f"PATH=/bin:/usr/bin; {body}")
    problems: list[str] = []
    assert tools.answer(["tool"], problems, seconds=0.5 if "sleep" in body else 15) == ""
    assert problems == [problem]


def test_one_that_cannot_be_started(path: Path) -> None:
    (path / "tool").write_bytes(b"\x7fELF nonsense")
    (path / "tool").chmod(0o755)
    problems: list[str] = []
    assert tools.answer(["tool"], problems) == ""
    assert problems == ["tool cannot be started (Exec format error)"]


def test_bytes_that_are_no_text_and_more_of_them_than_anybody_needs(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tools, "MOST_BYTES", 8)
    script(path, r"printf 'a\377b\000cdefghijkl'")
    assert tools.answer(["tool"], []) == "a\ufffdb\x00cdef"
