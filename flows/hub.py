"""The live source: for each id one detail request and, where there is one, one configuration.

Tested against a local server that speaks the Hub's HTTP API; the bytes are handed on unread.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from huggingface_hub import constants
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils._validators import validate_repo_id

from flows.extract.info import Info, load_object, parse
from flows.extract.inherit import missing_base
from flows.failures import Failure, HubUnavailable
from flows.headers.tensor_set import dump
from flows.hub_bases import Bases, is_id
from flows.hub_files import RemoteFiles
from flows.hub_http import Answer, HubHttp
from flows.raw import RawModel, Source
from flows.repository import LARGEST_CONFIG, config_name
from flows.settings import Settings
from flows.tensor_sets import tensor_sets

# Everything but layer counts in one request. HfApi.model_info refuses this combination, so the URL is asked directly.
EXPAND = [
    "siblings", "safetensors", "gguf", "config", "sha", "lastModified", "createdAt", "gated", "private", "disabled",
    "baseModels", "tags", "pipeline_tag", "library_name", "cardData", "downloads", "likes",
]  # fmt: skip
LARGEST_INFO = 32 * 2**20

# So many answers in a row that fail to connect or time out are nobody's single model: the Hub is away.
AWAY_AFTER = 20
AWAY_KINDS = ("connection", "timeout", "server_error")


def hub_source(settings: Settings, http: HubHttp | None = None) -> Source:
    """Answers from the Hub that huggingface_hub is told to use (HF_ENDPOINT, HF_TOKEN, HF_HUB_OFFLINE)."""

    def source(model_ids: Iterable[str]) -> Iterator[tuple[str, RawModel | Failure]]:
        if constants.is_offline_mode():
            raise HubUnavailable("HF_HUB_OFFLINE is set; use --source snapshot or unset it")
        client = http or HubHttp(settings)
        try:
            yield from _crawl(client, list(model_ids), settings.workers)
        finally:
            if http is None:
                client.close()

    return source


def _crawl(client: HubHttp, model_ids: list[str], workers: int) -> Iterator[tuple[str, RawModel | Failure]]:
    """Ask with a few threads; answers come as they arrive. Closing the generator drops what was not begun."""
    pool = ThreadPoolExecutor(workers, thread_name_prefix="hub")
    bases = Bases(client)
    waiting = iter(model_ids)
    running: dict[Future[RawModel | Failure], str] = {}
    away = 0
    is_reached = False
    try:
        while True:
            # no more than a few ahead, so that stopping stops
            while len(running) < workers * 2 and (model_id := next(waiting, None)) is not None:
                running[pool.submit(fetch, client, model_id, bases)] = model_id
            if not running:
                return
            # A Ctrl-C may land on another thread; the main one sees it when it looks up.
            done, _ = wait(running, timeout=0.3, return_when=FIRST_COMPLETED)
            for future in done:
                model_id, answer = running.pop(future), future.result()
                is_away = isinstance(answer, Failure) and answer.kind in AWAY_KINDS
                away = away + 1 if is_away else 0
                is_reached = is_reached or not is_away
                asked = len(model_ids)
                if away >= min(AWAY_AFTER, asked) and (not is_reached or away >= AWAY_AFTER):
                    assert isinstance(answer, Failure)
                    raise HubUnavailable(f"{client.endpoint} does not answer ({answer.kind}: {answer.message})")
                if isinstance(answer, Failure) and answer.kind == "unauthorized" and answer.http_status == 401:
                    raise HubUnavailable(answer.message)
                yield model_id, answer
    finally:
        if running:  # stopped early
            client.stop()
        pool.shutdown(wait=True, cancel_futures=True)


def fetch(client: HubHttp, model_id: str, bases: Bases) -> RawModel | Failure:
    """One model: at most one detail request and one configuration (a second path when the first is not served).

    Tensor headers only of packed or uncounted checkpoints. Without a configuration of its own, that of the base model
    that its card names, asked for once in a crawl.
    """
    try:
        validate_repo_id(model_id)
    except HFValidationError as error:
        return Failure("invalid_id", str(error))
    path = quote(model_id, safe="/")
    params: dict[str, str | list[str]] = {"blobs": "true", "expand": EXPAND}
    detail = client.get(f"/api/models/{path}", bucket="api", params=params, limit=LARGEST_INFO)
    if isinstance(detail, Failure):
        return detail
    answer = _object(detail)
    text = detail.body.decode("utf-8", errors="replace")
    info = parse(text)
    if answer is None or info is None:
        return Failure("malformed_answer", "the detail answer is not a JSON object")
    if answer.get("disabled") is True:
        return Failure("disabled", "the Hub has disabled this repository", 200)
    sha = answer.get("sha")
    revision = sha if isinstance(sha, str) and sha.isalnum() else None
    final = info.id if info.id and is_id(info.id) else model_id  # a renamed repository answers under its new name
    config = _config(client, info, final, revision)
    if isinstance(config, Failure):
        return config
    settings = load_object(config) if config else None
    base_id = missing_base(info, settings, has_config=config is not None)
    base = bases.config(base_id) if base_id else None
    sets = tensor_sets(RemoteFiles(client, final, revision), info, settings) if revision else []
    tensors = dump(sets) if sets else None
    return RawModel(model_id, revision, text, config, datetime.now(UTC), base_id, base, tensors)


def _config(client: HubHttp, info: Info, model_id: str, revision: str | None) -> str | Failure | None:
    """Text of config.json (or what stands for it, see config_name), null when the repository has none."""
    name = config_name(info)
    if name is None:
        return None
    path = quote(model_id, safe="/")
    answer: Answer | Failure = Failure("not_found", "no revision")
    if revision is not None:
        # One request; /resolve/ would redirect here, and the redirect counts too.
        url = f"/api/resolve-cache/models/{path}/{revision}/{name}"
        answer = client.get(url, bucket="resolvers", params=None, limit=LARGEST_CONFIG)
    if isinstance(answer, Failure) and (answer.http_status in (400, 404) or revision is None):
        url = f"/{path}/resolve/{revision or 'main'}/{name}"
        answer = client.get(url, bucket="resolvers", params=None, limit=LARGEST_CONFIG)
    if isinstance(answer, Answer):
        return answer.body.decode("utf-8", errors="replace")
    # listed but not there: the repository changed meanwhile, or siblings were not told
    return None if answer.kind == "not_found" and answer.http_status == 404 else answer


def _object(answer: Answer) -> dict[str, Any] | None:
    try:
        value = json.loads(answer.body)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
