"""Tell people what a published night changed, through notification blocks that they keep in Prefect."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from prefect.blocks.abstract import NotificationBlock
from prefect.blocks.core import Block

from flows import publication, sql_shell
from flows.failures import Stop

log = logging.getLogger(__name__)


class NoBlock(Stop):
    """What `--notify` names is no notification block of the Prefect that the night runs under."""


def blocks(names: Sequence[str]) -> list[NotificationBlock]:
    """The blocks, each by type and name like slack-webhook/team. Raises NoBlock before the night and not after it."""
    return [_block(name) for name in names]


def _block(name: str) -> NotificationBlock:
    try:
        block = Block.load(name)
    except ValueError as error:  # also of a name without its type
        raise NoBlock(f"--notify {name}: Prefect has no such block ({' '.join(str(error).split())})") from None
    if not isinstance(block, NotificationBlock):
        raise NoBlock(f"--notify {name}: this block notifies nobody; take one like slack-webhook/NAME")
    return block


def send(to: Sequence[NotificationBlock], published: Path) -> None:
    """Send what changed in a published night; whoever cannot be reached is logged and no reason to fail."""
    if not to:
        return
    _, [(changes,)] = sql_shell.ask(
        published / publication.DATABASE, "SELECT changes FROM runs ORDER BY run_id DESC LIMIT 1"
    )
    page = (published / "report" / "changes.html").as_uri()
    for block in to:
        try:
            _ = block.notify(f"{changes}\n{page}", subject=f"hubfit: night {published.name} is published")
        except Exception as error:  # each kind of block speaks to another service, and fails in its own words
            log.warning("nobody was notified through %s: %s", type(block).__name__, " ".join(str(error).split()))
