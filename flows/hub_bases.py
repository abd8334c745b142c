"""Configurations of base models, for repositories that have none of their own: each asked for once in a crawl."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from urllib.parse import quote

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
        try:
            validate_repo_id(model_id)
        except HFValidationError:
            return None
        path = f"/{quote(model_id, safe='/')}/resolve/main/config.json"
        answer = self._client.get(path, bucket="resolvers", params=None, limit=LARGEST_CONFIG)
        return answer.body.decode("utf-8", errors="replace") if isinstance(answer, Answer) else None
