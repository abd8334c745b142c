"""Text that a terminal cannot show at once, through the pager that its user has chosen."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import subprocess

# Lines are cut at the edge and scrolled sideways, and what was seen last stays on the screen.
LESS = "-SX"


def is_too_large(text: str) -> bool:
    """Whether lines or columns of it would leave the screen."""
    columns, rows = shutil.get_terminal_size()
    lines = text.splitlines()
    return len(lines) >= rows or any(len(line) > columns for line in lines)


def show(text: str) -> bool:
    """Hand it to $PAGER, else to less, and wait. False where there is none: nothing was shown then."""
    command = shlex.split(os.environ.get("PAGER", "less"))
    if not command or shutil.which(command[0]) is None or os.environ.get("TERM") == "dumb":
        return False
    with subprocess.Popen(command, stdin=subprocess.PIPE, env={"LESS": LESS, **os.environ}) as reader:
        # Ctrl-C is the pager's, which was started before it is ignored here
        before = signal.signal(signal.SIGINT, signal.SIG_IGN)
        try:
            with contextlib.suppress(BrokenPipeError):  # it was left before the end
                reader.communicate(text.encode("utf-8", errors="replace"))
        finally:
            signal.signal(signal.SIGINT, before)
    return True
