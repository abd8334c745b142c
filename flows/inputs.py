"""What a night is asked: which models, and who answers for them. Everything wrong with it is found before it starts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import catalogs
from flows import snapshot
from flows.raw import Source
from flows.settings import Settings

SOURCES = ("hub", "snapshot")


def open_source(name: str, settings: Settings) -> Source:
    """The function that answers for model ids; the live client is imported only when it is asked for."""
    if name == "snapshot":
        return snapshot.snapshot_source()
    if name == "hub":
        from flows.hub import hub_source

        return hub_source(settings)
    raise ValueError(f"unknown source {name!r}: one of {', '.join(SOURCES)}")


def listed(lists: Sequence[str], models: Sequence[str]) -> list[tuple[str, str | None]]:
    """The ids of a night with the reason why one is rejected. Errors: catalogs.CatalogError.

    Lists of the Hub are looked at, not asked for: see `begin`.
    """
    files = [name for name in lists if not is_of_the_hub(name)]
    if len(files) < len(lists):
        from flows import hub_list

        for name in lists:
            if is_of_the_hub(name):
                hub_list.parse(name)
        if not files and not models:
            return []
    found = catalogs.model_ids(*files, extra=models)
    return [(model_id, None) for model_id in found.ids] + [(bad.text, bad.reason) for bad in found.rejected]


def is_of_the_hub(name: str) -> bool:
    """Whether a list is one that the Hub makes, `hub:author=NAME` or `hub:top=N`."""
    return name.startswith("hub:")


def check_inputs(lists: Sequence[str], models: Sequence[str], catalogs_folder: Path | None) -> None:
    """Read every catalog and list, so that a bad one fails before anything is started or fetched."""
    catalogs.validate(catalogs_folder)
    listed(lists, models)
