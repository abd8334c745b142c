"""What a person at the terminal sees while a night runs: progress on stderr, results on stdout."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from rich.console import Console
from rich.logging import RichHandler
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

stderr = Console(stderr=True, highlight=False)

# Everything that could move the cursor, recolour or hide text on a terminal.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


class Step(Protocol):
    """Counts one unit of work as done."""

    def __call__(self, amount: int = 1) -> None: ...


def inert(text: str) -> str:
    """Text from the outside world, safe to print: control and direction characters become visible."""
    return _CONTROL.sub(lambda found: f"\\x{ord(found.group()):02x}", text)


def plain(text: str) -> str:
    """The same for rich, which would read brackets as markup."""
    return escape(inert(text))


def error(message: str) -> None:
    """One clear message on stderr."""
    stderr.print(f"[bold red]error[/]: {plain(message)}", soft_wrap=True)


def note(message: str) -> None:
    """One line on stderr for people."""
    stderr.print(plain(message), soft_wrap=True)


@contextmanager
def stage(name: str, total: int) -> Iterator[Step]:
    """Show the progress of one stage; yields the function that counts."""
    if not stderr.is_terminal:
        note(f"{name}: {total} to do")
        yield lambda amount=1: None
        return
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description:<10}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=stderr, transient=False) as progress:
        task = progress.add_task(name, total=total)
        yield lambda amount=1: progress.update(task, advance=amount)


def log_to_stderr(level: int = logging.WARNING) -> None:
    """Send our own log records to stderr."""
    logger = logging.getLogger("flows")
    logger.setLevel(level)
    if not logger.handlers:
        logger.addHandler(RichHandler(console=stderr, show_path=False, show_time=False, markup=False))
