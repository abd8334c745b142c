"""Configurations of the base models of a folder: from this machine where they are, else as --source says."""

from __future__ import annotations

from pathlib import Path

import catalogs
from flows import terminal
from flows.failures import Failure
from flows.local_files import LocalFiles
from flows.local_source import Bases
from flows.repository import LARGEST_CONFIG
from flows.settings import Settings

CONFIG = "config.json"


def bases_of(folder: Path, source: str, settings: Settings) -> Bases:
    """Text of a base's config.json, null when there is none to be had: a base is nobody's failure.

    An adapter may name a folder of its own machine, in words that begin at the folder or at the root. Else the embedded
    snapshot answers, or the cache of huggingface_hub and then the Hub, as `source` says.
    """

    def base(base_id: str) -> str | None:
        here = folder / base_id / CONFIG
        content = LocalFiles({CONFIG: here}).content(CONFIG, LARGEST_CONFIG) if here.is_file() else None
        if content is not None and not isinstance(content, Failure):
            return content.decode("utf-8", errors="replace")
        return _embedded(base_id) if source == "snapshot" else _of_the_hub(base_id, settings)

    return base


def _embedded(base_id: str) -> str | None:
    found = (row["config"] for row in catalogs.hub_snapshot() if row["model_id"] == base_id)
    return next(found, None)


def _of_the_hub(base_id: str, settings: Settings) -> str | None:
    from flows import hub_bases
    from flows.hub_http import HubHttp

    if (kept := hub_bases.kept(base_id)) is not None:
        return kept
    if not hub_bases.may_ask(base_id):
        return None
    terminal.note(f"asking the Hub for the configuration of {base_id}, its base model")
    client = HubHttp(settings)
    try:
        return hub_bases.Bases(client).config(base_id)
    finally:
        client.close()
