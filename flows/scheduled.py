"""A run that a schedule started says aloud how it ended: nobody waits for its exit status."""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from prefect.client.schemas.objects import State
from prefect.states import Cancelled, Failed

from catalogs import CatalogError
from flows import terminal
from flows.failures import Stop
from flows.locks import Refused
from flows.prices.web import ListAway

Result = TypeVar("Result")


def night(work: Callable[[], Path]) -> str | State[Any]:
    """The folder that `work` published, or the state of a night that ended in an expected way, without a traceback.

    A night that is due while another is at work is Cancelled; the lock decides that and not a limit of Prefect's,
    whose slots outlive a killed night and would block every later one.
    """
    published = _ended(work, "night", "; the previous one stays")
    if not isinstance(published, Path):
        return published
    terminal.note(f"night published: {published / 'report' / 'index.html'}")
    return str(published)


def prices(work: Callable[[], list[str]]) -> list[str] | State[Any]:
    """What became of each list, or the state of a refresh that ended in an expected way."""
    told = _ended(work, "refresh of prices", "")
    if isinstance(told, list):
        for line in told:
            terminal.note(f"prices of {line}")
    return told


def _ended(work: Callable[[], Result], what: str, comfort: str) -> Result | State[Any]:
    logging.getLogger("prefect.task_runs").addFilter(_in_a_line)
    try:
        return work()
    except Refused as refused:
        terminal.note(f"{what} skipped: {refused}")
        return Cancelled(message=str(refused))
    except (Stop, CatalogError, OSError) as error:
        terminal.error(f"{what} failed: {error}{comfort}")
        return Failed(message=str(error))
    except Exception as error:
        terminal.error(f"{what} failed: {type(error).__name__}: {error}{comfort}")
        raise


def _in_a_line(record: logging.LogRecord) -> bool:
    """What is expected is a line in Prefect's log and no page: a Hub or a list that is away, tried again or not."""
    if record.exc_info and isinstance(record.exc_info[1], (Stop, ListAway)):
        record.exc_info = record.exc_text = None
    return True
