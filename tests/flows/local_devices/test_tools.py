"""A driver's tool that is missing, broken, slow or talks without end."""

from __future__ import annotations

import os
import signal
import time
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


def test_bytes_that_are_no_text(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tools, "MOST_BYTES", 8)
    script(path, r"printf 'a\377b\000cdef'")
    problems: list[str] = []
    assert tools.answer(["tool"], problems) == "a\ufffdb\x00cdef"
    assert problems == []


def test_of_one_that_says_why_the_first_characters_are_told(path: Path) -> None:
    script(path, f"echo {'because ' * 30}; exit 1")
    problems: list[str] = []
    assert tools.answer(["tool"], problems) == ""
    assert problems == ["tool: " + "because " * 25]


def test_what_it_leaves_running_is_not_waited_for(path: Path) -> None:
    script(path, "PATH=/bin:/usr/bin; echo $$; sleep 60 & echo there")
    problems: list[str] = []
    group, said = tools.answer(["tool"], problems).split()
    os.killpg(int(group), signal.SIGKILL)
    assert (said, problems) == ("there", [])


@pytest.mark.parametrize(
    ("body", "seconds", "problem"),
    [
        ("exec yes", 60.0, "tool prints more than 4,194,304 bytes"),
        ("yes", 60.0, "tool prints more than 4,194,304 bytes"),  # one that it has started
        ("while true; do echo 0; sleep 0.02; done", 0.5, "tool did not answer within 0.5 s"),
        ("echo 0; sleep 60", 0.5, "tool did not answer within 0.5 s"),
        ("exec >&- 2>&-; exec sleep 60", 0.5, "tool did not answer within 0.5 s"),
    ],
)
def test_one_without_end_is_stopped(path: Path, body: str, seconds: float, problem: str) -> None:
    script(path, f"PATH=/bin:/usr/bin; echo $$ > {path}/group; {body}")
    problems: list[str] = []
    assert tools.answer(["tool"], problems, seconds) == ""
    assert problems == [problem]
    group = int((path / "group").read_text())
    for _ in range(100):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return
        time.sleep(0.1)  # init has not collected it yet
    pytest.fail("it is still there")
