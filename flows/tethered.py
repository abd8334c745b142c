"""Run a module for as long as the process that started it holds our stdin open: `python tethered.py MODULE ARGS…`.

A child that must not outlive its parent, not even one that was killed: the kernel closes the pipe of a dead process.
Run by its path, so it may import nothing of ours.
"""

from __future__ import annotations

import gc
import os
import runpy
import signal
import sys
import threading
import time

GRACE_SECONDS = 2.0
# Prefect's server makes a million objects while it starts and frees few: looking through them at Python's own pace
# takes 1.3 s of 7.7, and 3 of 21 when it writes its tables.
OBJECTS_BEFORE_A_LOOK = 100_000


def main() -> None:
    """Replace this program by the module, watched."""
    threading.Thread(target=_follow, daemon=True).start()
    sys.argv = sys.argv[1:]
    gc.set_threshold(OBJECTS_BEFORE_A_LOOK, *gc.get_threshold()[1:])
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


def _follow() -> None:
    while os.read(0, 1024):
        pass
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(GRACE_SECONDS)  # a server that waits for its clients would wait for ever
    os._exit(1)


if __name__ == "__main__":
    main()
