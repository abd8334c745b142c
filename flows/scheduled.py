"""A night that a schedule started says aloud how it ended: nobody waits for its exit status."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from prefect.client.schemas.objects import State
from prefect.states import Cancelled, Failed

from catalogs import CatalogError
from flows import terminal
from flows.failures import Stop
from flows.locks import Refused


def night(work: Callable[[], Path]) -> str | State[Any]:
    """The folder that `work` published, or the state of a night that ended in an expected way, without a traceback.

    A night that is due while another is at work is Cancelled; the lock decides that and not a limit of Prefect's,
    whose slots outlive a killed night and would block every later one.
    """
    try:
        published = work()
    except Refused as refused:
        terminal.note(f"night skipped: {refused}")
        return Cancelled(message=str(refused))
    except (Stop, CatalogError, OSError) as error:
        terminal.error(f"night failed: {error}; the previous one stays")
        return Failed(message=str(error))
    except Exception as error:
        terminal.error(f"night failed: {type(error).__name__}: {error}; the previous one stays")
        raise
    terminal.note(f"night published: {published / 'report' / 'index.html'}")
    return str(published)
