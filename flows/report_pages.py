"""Files of the site. Thousands of pages are rendered by a second process, while this one reads their rows."""

from __future__ import annotations

import multiprocessing
import queue
import signal
import threading
import traceback
from collections.abc import Iterable, Iterator
from itertools import islice
from multiprocessing.connection import Connection
from multiprocessing.reduction import ForkingPickler
from pathlib import Path

from reports import render
from reports.model import DevicePage, ModelPage
from reports.paths import device_path, model_path

Page = DevicePage | ModelPage
Batch = bytes | memoryview

# Below so many pages a second process costs more than it saves.
FEW = 1000
# Pages a message, and messages that may wait while a query keeps the rows back: 10 to 50 MB.
BATCH = 20
AHEAD = 100


def write(folder: Path, path: str, content: str | bytes) -> None:
    """Write one file of the site; text as UTF-8. Raises OSError."""
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    # a lone surrogate in somebody's text must not stop the night
    target.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", errors="replace"))


def write_pages(folder: Path, pages: Iterable[Page], expected: int) -> None:
    """Render and write each page; `expected` says how many there are.

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
    waiting: queue.Queue[Batch | None] = queue.Queue(AHEAD)
    feeder = threading.Thread(target=_feed, args=(here, waiting), daemon=True)
    feeder.start()
    try:
        for batch in _batches(pages):
            waiting.put(ForkingPickler.dumps(batch))
        waiting.put(ForkingPickler.dumps(None))
    except BaseException:
        renderer.terminate()  # or it would render what is waiting first
        raise
    finally:
        waiting.put(None)
        feeder.join()
        failure = _answer(here)
        here.close()  # the renderer ends with its pipe, also when this process is killed
        renderer.join()
    if failure is not None:
        raise failure


def _feed(renderer: Connection, waiting: queue.Queue[Batch | None]) -> None:
    """Send what waits until None. A renderer that is gone gets no more: its answer will be missing."""
    is_gone = False
    while (batch := waiting.get()) is not None:
        if not is_gone:
            try:
                renderer.send_bytes(batch)
            except ConnectionError:
                is_gone = True


def _answer(renderer: Connection) -> Exception | None:
    try:
        failure: Exception | None = renderer.recv()
    except (EOFError, ConnectionError):
        return RuntimeError("the process that renders the pages ended before its work")
    return failure


def _batches(pages: Iterable[Page]) -> Iterator[list[Page]]:
    left = iter(pages)
    while batch := list(islice(left, BATCH)):
        yield batch


def _write_batch(folder: Path, pages: Iterable[Page]) -> None:
    for page in pages:
        if isinstance(page, DevicePage):
            write(folder, device_path(page.gpu), render.device(page))
        else:
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
