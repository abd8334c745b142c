"""Is there room for a night? Asked before anything is started that would wait for ever on a full disk."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from flows.failures import Stop

# Prefect's database and log take some 10 MB, the smallest night as much again.
LEAST_FREE_BYTES = 64 << 20


class NoRoom(Stop):
    """The data folder's disk is full, or nearly so."""


def require_room(data: Path) -> None:
    """Make the data folder and write a little into it. Raises NoRoom, or OSError where writing fails."""
    data.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(data).free
    if free < LEAST_FREE_BYTES:
        raise NoRoom(
            f"data folder: {data} has {free >> 20} MB free, a night needs at least {LEAST_FREE_BYTES >> 20};"
            " the previous night stays"
        )
    with tempfile.TemporaryFile(dir=data) as probe:
        probe.write(b"\0" * 4096)
        probe.flush()
