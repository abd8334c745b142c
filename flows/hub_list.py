"""Lists that the Hub itself makes: `hub:author=NAME`, all models of an owner, and `hub:top=N`, the most downloaded.

Only ids are taken; each model is then asked for like any other. Pages have a thousand entries and name the next one.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from huggingface_hub import constants

from catalogs.errors import CatalogError, visible
from flows.failures import Failure, HubUnavailable
from flows.hub_http import Answer, HubHttp
from flows.settings import Settings

PREFIX = "hub:"
PAGE = 1000
MOST_MODELS = 100_000
LARGEST_PAGE = 64 * 2**20
HOW = "say hub:author=NAME or hub:top=N"


@dataclass(frozen=True)
class HubList:
    """A question to the Hub. `author` is null for the most downloaded models of all; `most` is how many to take."""

    author: str | None
    most: int


def parse(text: str) -> HubList:
    """Raises CatalogError, with the remedy, for a list that is not one of the two."""
    kind, _, value = text.removeprefix(PREFIX).partition("=")
    if kind == "author" and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,95}", value):
        return HubList(value, MOST_MODELS)
    if kind == "top" and re.fullmatch(r"[0-9]{1,6}", value) and 0 < int(value) <= MOST_MODELS:
        return HubList(None, int(value))
    raise CatalogError(visible(text), f"is no list of the Hub: {HOW} (N up to {MOST_MODELS:,})")


def ids(wanted: HubList, settings: Settings, http: HubHttp | None = None) -> list[str]:
    """Ids in the Hub's order, most downloaded first. Raises HubUnavailable when a page cannot be had."""
    if constants.is_offline_mode():
        raise HubUnavailable("HF_HUB_OFFLINE is set; a list of the Hub needs the Hub")
    client = http or HubHttp(settings)
    try:
        return _pages(client, wanted)
    finally:
        if http is None:
            client.close()


def _pages(client: HubHttp, wanted: HubList) -> list[str]:
    found: dict[str, None] = {}  # downloads move while pages are read, so that a model may come twice
    path = "/api/models"
    params: dict[str, str | list[str]] | None = {"sort": "downloads", "limit": str(min(PAGE, wanted.most))}
    if wanted.author and params is not None:
        params["author"] = wanted.author
    for _ in range(-(-wanted.most // PAGE) + 1):
        answer = client.get(path, bucket="api", params=params, limit=LARGEST_PAGE)
        if isinstance(answer, Failure):
            raise HubUnavailable(f"the list of models cannot be had ({answer.kind}: {answer.message})")
        rows = _rows(answer)
        for row in rows:
            name = row.get("id") if isinstance(row, dict) else None
            if isinstance(name, str):  # one bad record never loses a page
                found.setdefault(name)
        if answer.next_path is None or len(found) >= wanted.most or not rows:
            break
        path, params = answer.next_path, None
    return list(found)[: wanted.most]


def _rows(answer: Answer) -> list[Any]:
    try:
        rows = json.loads(answer.body)
    except (ValueError, RecursionError):
        rows = None
    if not isinstance(rows, list):
        raise HubUnavailable("the list of models is not a JSON list")
    return rows
