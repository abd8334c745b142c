"""Keep the nightly flow on schedule: a Prefect deployment served from this process."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flows import prefect_server, terminal

NAME = "nightly"  # of the deployment
# One night at work and one that is just being told so: after a long absence of this process, or with an interval
# shorter than a night, no more of them start at once.
RUNS_AT_ONCE = 2


def serve(data: Path, *, cron: str | None, every_seconds: int | None, parameters: Mapping[str, Any]) -> None:
    """Serve until interrupted or terminated. Exactly one of `cron` and `every_seconds` is given.

    A night that is due while another is at work is skipped by the lock on the data folder, see `flows.scheduled`.
    Raises prefect_server.NoServer, and locks.Refused where another process serves this data folder.
    """
    with _terminable(), prefect_server.api(data, services=True) as own:
        from flows import orphans
        from flows.nightly import nightly

        closed = orphans.close(nightly.name, NAME, at_work=own)
        if closed:
            terminal.note(f"closed {closed} earlier runs that nobody will finish")
        when = f"cron {cron} UTC" if cron else f"every {every_seconds} s"
        terminal.note(f"serving `nightly`: {when}; stop with Ctrl-C")
        # asyncio cancels its work on Ctrl-C only where nobody else has asked for the signal.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        nightly.serve(
            name=NAME,
            cron=cron,
            interval=every_seconds,
            parameters=dict(parameters),
            limit=RUNS_AT_ONCE,
            print_starting_message=False,
            pause_on_shutdown=False,
        )
        terminal.note("stopped serving")


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM unwinds as an error does, so that the server is stopped; once it serves, Prefect does the same."""

    def leave(number: int, frame: object) -> None:
        terminal.note("terminated")
        sys.exit(0)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
