"""Keep the nightly flow on schedule: a Prefect deployment served from this process."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from flows import prefect_server, terminal

# Of the deployments.
NAME = "nightly"
PRICES = "prices"
# One night at work and one that is just being told so: after a long absence of this process, or with an interval
# shorter than a night, no more of them start at once. A refresh of prices goes on beside them.
RUNS_AT_ONCE = 2


def serve(
    data: Path,
    *,
    cron: str | None,
    every_seconds: int | None,
    prices_cron: str | None,
    parameters: Mapping[str, Any],
) -> None:
    """Serve until interrupted or terminated. Exactly one of `cron` and `every_seconds` is given.

    With `prices_cron` prices are refreshed, too, from the same folder of catalogs into the same data folder.
    A night that is due while another is at work is skipped by the lock on the data folder, see `flows.scheduled`.
    Raises prefect_server.NoServer, and locks.Refused where another process serves this data folder.
    """
    with _terminable(), prefect_server.api(data, services=True) as own:
        from prefect.exceptions import TerminationSignal
        from prefect.runner import Runner

        from flows import orphans
        from flows.nightly import nightly
        from flows.prices_flow import prices

        # one that is no longer asked for may still have runs that seem to be at work
        closed = orphans.close(nightly.name, NAME, at_work=own) + orphans.close(prices.name, PRICES, at_work=own)
        if closed:
            terminal.note(f"closed {closed} earlier runs that nobody will finish")
        when = f"cron {cron} UTC" if cron else f"every {every_seconds} s"
        # flows are handed over themselves: by an entry point Prefect prints a traceback for every night that is skipped
        runner = Runner(pause_on_shutdown=False, limit=RUNS_AT_ONCE + bool(prices_cron))
        runner.add_flow(nightly, name=NAME, cron=cron, interval=every_seconds, parameters=dict(parameters))
        if prices_cron:
            theirs = {name: parameters[name] for name in ("catalogs", "data")}
            runner.add_flow(prices, name=PRICES, cron=prices_cron, parameters=theirs)
            when += f", `prices`: cron {prices_cron} UTC"
        terminal.note(f"serving `nightly`: {when}; stop with Ctrl-C")
        # asyncio cancels its work on Ctrl-C only where nobody else has asked for the signal.
        signal.signal(signal.SIGINT, signal.default_int_handler)
        with suppress(KeyboardInterrupt, TerminationSignal):
            asyncio.run(runner.start())
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
