"""Ctrl-C is one line and status 130, whenever it comes.

Imported before anything heavy: a KeyboardInterrupt in the middle of an import is a traceback, and in the middle of a
C++ module's start an abort. So the process leaves from the handler itself. A night can afford that: its parts are
whole or absent, and its lock dies with the process.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

INTERRUPTED = 130
PATIENCE_SECONDS = 3.0

_message = "interrupted"


def install() -> None:
    """From now on Ctrl-C ends the process at once. Where it is ignored (nohup, a shell's `&`) it stays ignored."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, leave)


def resumable() -> None:
    """From now on the line also says what an interrupted night leaves behind."""
    global _message
    _message = "interrupted; the previous night stays, the same command resumes this run"


def leave(*_: object) -> None:
    """Say so and end the process, whatever it is doing."""
    # A progress bar hides the cursor and leaves it in the middle of a line.
    restore = "\x1b[?25h\r\n" if os.isatty(2) else ""
    try:
        os.write(2, f"{restore}error: {_message}\n".encode())
    finally:
        os._exit(INTERRUPTED)


@contextmanager
def raised() -> Iterator[None]:
    """Ctrl-C is a KeyboardInterrupt in here, for work that has something to put in order: a flow run to close.

    Whatever error follows from it is still an interruption, and after some seconds of patience the process leaves.
    """
    pressed = False

    def press(number: int, frame: object) -> None:
        nonlocal pressed
        pressed = True
        patience = threading.Timer(PATIENCE_SECONDS, leave)
        patience.daemon = True
        patience.start()
        raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGINT)
    if before is signal.SIG_IGN:
        yield
        return
    signal.signal(signal.SIGINT, press)
    try:
        yield
    except Exception:
        if pressed:
            raise KeyboardInterrupt from None
        raise
    finally:
        signal.signal(signal.SIGINT, before)
