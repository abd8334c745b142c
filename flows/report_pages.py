"""Files of the site. Thousands of models' pages are rendered by a second process, while this one reads their rows."""

from __future__ import annotations

import multiprocessing
import signal
import traceback
from collections.abc import Iterable, Iterator
from itertools import islice
from multiprocessing.connection import Connection
from pathlib import Path

from reports import render
from reports.model import ModelPage
from reports.paths import model_path

# Below so many pages a second process costs more than it saves.
FEW = 1000
BATCH = 50


def write(folder: Path, path: str, content: str | bytes) -> None:
    """Write one file of the site; text as UTF-8. Raises OSError."""
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    # a lone surrogate in somebody's text must not stop the night
    target.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", errors="replace"))


def write_models(folder: Path, pages: Iterable[ModelPage], expected: int) -> None:
    """Render and write the page of each model; `expected` says how many there are.

    Raises what rendering or writing raised, RuntimeError where the second process is gone.
    """
    if expected <= FEW:
        _write_batch(folder, pages)
        return
    spawn = multiprocessing.get_context("spawn")  # a fork would inherit the database's threads half-alive
    here, there = spawn.Pipe()
    renderer = spawn.Process(target=_render, args=(there, folder), daemon=True)
    renderer.start()
    there.close()
    try:
        for batch in _batches(pages):
            here.send(batch)  # waits while the pipe is full, so that few pages are held
        here.send(None)
        failure = here.recv()
    except (EOFError, ConnectionError) as error:
        raise RuntimeError("the process that renders the models' pages ended before its work") from error
    finally:
        here.close()  # the renderer ends with its pipe, also when this process is killed
        renderer.join()
    if failure is not None:
        raise failure


def _batches(pages: Iterable[ModelPage]) -> Iterator[list[ModelPage]]:
    left = iter(pages)
    while batch := list(islice(left, BATCH)):
        yield batch


def _write_batch(folder: Path, pages: Iterable[ModelPage]) -> None:
    for page in pages:
        write(folder, model_path(page.model_id), render.model(page))


def _render(pages: Connection, folder: Path) -> None:
    """What the second process does: batches until None, then the first failure or None as the answer."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches both; the first process decides
    failure: Exception | None = None
    try:
        while (batch := pages.recv()) is not None:
            if failure is None:
                try:
                    _write_batch(folder, batch)
                except Exception as error:
                    error.add_note("".join(traceback.format_tb(error.__traceback__)))  # which stays here
                    failure = error  # goes on reading: an answer is only heard at the end
        pages.send(failure)
    except (EOFError, ConnectionError):
        return  # the night was stopped; nobody listens
