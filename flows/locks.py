"""One holder at a time, by a lock that dies with its process, however it dies."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flows.failures import Stop


class Refused(Stop):
    """Somebody else holds the lock."""


@contextmanager
def held(file: Path, refusal: str, advice: str) -> Iterator[None]:
    """Hold `file` for this process, whose number it keeps. Raises Refused: `refusal (process N); advice`."""
    file.parent.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(descriptor, 100).decode(errors="replace").strip() or "unknown"
            raise Refused(f"{refusal} (process {holder}); {advice}") from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        yield
    finally:
        os.close(descriptor)
