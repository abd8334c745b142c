"""Models' pages written by a second process: the same files, its failures told, and no process left behind."""

from __future__ import annotations

import dataclasses
import errno
import multiprocessing
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from made_up import model_page

from flows import report_pages
from reports.model import ModelPage


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_pages, "BATCH", 2)


def some(count: int = 5) -> list[ModelPage]:
    return [model_page(f"owner/model-{number}") for number in range(count)]


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_two_processes_write_what_one_writes(tmp_path: Path, small_batches: None) -> None:
    report_pages.write_pages(tmp_path / "one", some(), 5)
    report_pages.write_pages(tmp_path / "two", some(), report_pages.FEW + 1)
    assert len(files(tmp_path / "one")) == 5
    assert files(tmp_path / "two") == files(tmp_path / "one")
    assert multiprocessing.active_children() == []


def test_a_file_that_cannot_be_written_is_the_same_error(tmp_path: Path, small_batches: None) -> None:
    (tmp_path / "models").write_text("in the way")
    for expected in (5, report_pages.FEW + 1):
        with pytest.raises(OSError, match="models") as caught:
            report_pages.write_pages(tmp_path, some(), expected)
        assert caught.value.errno in (errno.ENOTDIR, errno.EEXIST)


def test_a_page_that_cannot_be_rendered_is_an_error(tmp_path: Path, small_batches: None) -> None:
    pages = [*some(1), dataclasses.replace(model_page("owner/bad"), bars=None), *some(3)]  # type: ignore[arg-type]
    with pytest.raises(TypeError) as caught:
        report_pages.write_pages(tmp_path, pages, report_pages.FEW + 1)
    assert any("_write_batch" in note for note in caught.value.__notes__), "where it happened is told"


def test_an_error_while_reading_rows_ends_both(tmp_path: Path, small_batches: None) -> None:
    def torn() -> Iterator[ModelPage]:
        yield from some()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        report_pages.write_pages(tmp_path, torn(), report_pages.FEW + 1)
    assert multiprocessing.active_children() == []


def test_a_second_process_that_is_killed_is_an_error(tmp_path: Path, small_batches: None) -> None:
    def killing() -> Iterator[ModelPage]:
        for page in some(2000):
            for child in multiprocessing.active_children():
                os.kill(child.pid or 0, signal.SIGKILL)
            yield page

    with pytest.raises(RuntimeError, match="ended before its work"):
        report_pages.write_pages(tmp_path, killing(), 2000)


def test_no_process_is_left_when_the_night_is_killed(tmp_path: Path) -> None:
    program = """
import sys, time, multiprocessing
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from made_up import model_page
from flows import report_pages
def slow():
    yield from (model_page(f"owner/model-{number}") for number in range(report_pages.BATCH + 1))
    print(multiprocessing.active_children()[0].pid, flush=True)
    time.sleep(600)
if __name__ == "__main__":
    report_pages.write_pages(Path(sys.argv[1]), slow(), 2000)
"""
    script = tmp_path / "night.py"
    script.write_text(program)
    support = Path(__file__).parents[1] / "reports" / "support"
    with subprocess.Popen([sys.executable, script, tmp_path, support], stdout=subprocess.PIPE, text=True) as night:
        assert night.stdout is not None
        renderer = int(night.stdout.readline())
        night.kill()
    until = time.monotonic() + 30
    while time.monotonic() < until and alive(renderer):
        time.sleep(0.05)
    assert not alive(renderer)


def alive(pid: int) -> bool:
    """Whether a process works: an ended one may wait for a parent to ask."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False
