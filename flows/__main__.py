"""The `hubfit` command and `python -m flows`: Ctrl-C first, because everything else takes its time to import."""

from __future__ import annotations

import signal
import sys

from flows import interrupts

# The process of a scheduled night imports the program it was spawned by, before anything else. Ctrl-C reaches it, too,
# but `hubfit serve` is who ends it, in order and without a traceback.
if "--multiprocessing-fork" in sys.orig_argv:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def main() -> None:
    """Run the command; never returns."""
    interrupts.install()
    from flows import cli

    cli.main()


if __name__ == "__main__":
    main()
