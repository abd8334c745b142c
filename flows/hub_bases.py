"""Configurations of base models, for repositories that have none of their own: each asked for once in a crawl."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from pathlib import Path
from urllib.parse import quote

from huggingface_hub import constants
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils._validators import validate_repo_id

from flows.hub_http import Answer, HubHttp
from flows.repository import LARGEST_CONFIG


class Bases:
    """Shared by the threads of one crawl. A base that does not answer is nobody's failure: the answer is null."""

    def __init__(self, client: HubHttp) -> None:
        self._client = client
        self._lock = threading.Lock()
        self._asked: dict[str, Future[str | None]] = {}

    def config(self, model_id: str) -> str | None:
        """Text of the base's config.json, null when there is none to be had."""
        with self._lock:
            answer = self._asked.get(model_id)
            is_first = answer is None
            answer = self._asked.setdefault(model_id, Future())
        if is_first:
            text: str | None = None
            try:
                text = self._fetch(model_id)
            finally:
                answer.set_result(text)
        return answer.result()

    def _fetch(self, model_id: str) -> str | None:
        if not is_id(model_id):
            return None
        path = f"/{quote(model_id, safe='/')}/resolve/main/config.json"
        answer = self._client.get(path, bucket="resolvers", params=None, limit=LARGEST_CONFIG)
        return answer.body.decode("utf-8", errors="replace") if isinstance(answer, Answer) else None


def kept(model_id: str) -> str | None:
    """Text of a config.json that the cache of huggingface_hub has, null when it has none."""
    if not is_id(model_id):
        return None
    from huggingface_hub import try_to_load_from_cache  # its module costs a third of a second

    found = try_to_load_from_cache(model_id, "config.json")
    try:
        with Path(str(found)).open(encoding="utf-8", errors="replace") as file:
            text = file.read(LARGEST_CONFIG + 1)
    except OSError:
        return None
    return text if len(text) <= LARGEST_CONFIG else None


def may_ask(model_id: str) -> bool:
    """Whether there is an id to ask for, and a Hub that may be asked."""
    return is_id(model_id) and not constants.is_offline_mode()


def is_id(text: str) -> bool:
    """Whether the Hub could have a repository of that name."""
    try:
        validate_repo_id(text)
    except HFValidationError:
        return False
    return True
