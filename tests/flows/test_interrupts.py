"""Ctrl-C is one line and status 130: while importing, in a query, in the middle of a night."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

RUN = ["-m", "flows", "run", "--source", "snapshot", "--model", "openai-community/gpt2", "--model", "Qwen/Qwen3-0.6B"]


def interrupt(arguments: list[str], at: str, *, group: bool = False) -> tuple[int, list[str]]:
    """Send SIGINT when a line with `at` shows on stderr; returns the status and the lines after that."""
    process = subprocess.Popen(
        [sys.executable, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stderr is not None
    for line in process.stderr:
        if at in line:
            break
    else:
        pytest.fail(f"ended with {process.wait()} before {at!r}")
    (os.killpg if group else os.kill)(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert out == ""
    return process.returncode, err.splitlines()


@pytest.mark.parametrize("module", ["typer.core", "polars._plr", "duckdb"])
def test_while_importing(tmp_path: Path, module: str) -> None:
    """As it was, a traceback from a Python module and an abort from a C++ module."""
    status, lines = interrupt(["-X", "importtime", *RUN, "--data", str(tmp_path)], f" {module}\n")
    assert status == 130, lines
    assert lines[-1].startswith("error: interrupted")
    assert not [line for line in lines[:-1] if not line.startswith("import time:")]


@pytest.mark.parametrize("group", [False, True])
def test_while_the_database_is_built(tmp_path: Path, group: bool) -> None:
    status, lines = interrupt([*RUN, "--data", str(tmp_path)], "publish: 1 to do", group=group)
    assert (status, lines) == (
        130,
        ["error: interrupted; the previous night stays, the same command resumes this run"],
    )


def test_in_a_long_query() -> None:
    """DuckDB turns the exception of a signal handler into an error of its own."""
    code = (
        "import sys; from flows import interrupts; interrupts.install(); import duckdb; print('now', file=sys.stderr);"
        "duckdb.sql('SELECT sum(sin(range)) FROM range(100000000000)').fetchall()"
    )
    assert interrupt(["-c", code], "now") == (130, ["error: interrupted"])


def test_where_it_is_ignored_it_stays_ignored() -> None:
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); from flows import interrupts;"
        "interrupts.install(); signal.raise_signal(signal.SIGINT);"
        "context = interrupts.raised(); context.__enter__(); signal.raise_signal(signal.SIGINT); print('went on')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "went on\n"), done.stderr
