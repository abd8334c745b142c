"""The Hub's detail answer, read without trust: a wrong type or an absurd number is null, never a crash."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

LARGEST = 2**62
LONGEST_TEXT = 200
MOST_FILES = 200_000
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


@dataclass(frozen=True)
class File:
    """A file of the repository; `bytes` is null when the answer does not say."""

    name: str
    bytes: int | None


@dataclass(frozen=True)
class Info:
    """What the Hub said about a repository. Null means that it did not say, or not usably."""

    id: str | None
    library: str | None
    task: str | None
    license: str | None
    is_gated: bool | None
    downloads: int | None
    likes: int | None
    last_modified_at: datetime | None
    base_model: str | None
    dtypes: Mapping[str, int]  # safetensors parameters by dtype
    safetensors_total: int | None
    gguf_total: int | None
    gguf_architecture: str | None
    gguf_context: int | None
    files: tuple[File, ...] | None
    is_adapter: bool
    is_diffusers: bool


def parse(text: str) -> Info | None:
    """Null when the text is not a JSON object at all."""
    answer = load_object(text)
    if answer is None:
        return None
    tags = [tag for tag in _list(answer.get("tags")) if isinstance(tag, str)]
    config, card = _dict(answer.get("config")), _dict(answer.get("cardData"))
    safetensors, gguf = _dict(answer.get("safetensors")), _dict(answer.get("gguf"))
    files = _files(answer.get("siblings"))
    names = {file.name for file in files or ()}
    library = clean(answer.get("library_name"))
    dtypes = {
        str(dtype)[:20]: count
        for dtype, value in _dict(safetensors.get("parameters")).items()
        if (count := whole(value)) is not None
    }
    return Info(
        id=clean(answer.get("id")),
        library=library,
        task=clean(answer.get("pipeline_tag")),
        license=_tagged(tags, "license:") or clean(card.get("license")),
        is_gated=_gated(answer.get("gated")),
        downloads=whole(answer.get("downloads")),
        likes=whole(answer.get("likes")),
        last_modified_at=_moment(answer.get("lastModified")),
        base_model=_base_model(answer, card, tags),
        dtypes=dtypes,
        safetensors_total=whole(safetensors.get("total")),
        gguf_total=whole(gguf.get("total")),
        gguf_architecture=clean(gguf.get("architecture")),
        gguf_context=whole(gguf.get("context_length")),
        files=files,
        is_adapter="adapter_config.json" in names or "peft" in config or library == "peft",
        is_diffusers=library == "diffusers" or "diffusers" in config or "model_index.json" in names,
    )


def load_object(text: str) -> dict[str, Any] | None:
    """A JSON object, or null for anything else, however deep or broken."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def whole(value: object) -> int | None:
    """A count that fits the tables; booleans, negatives, fractions, NaN and the absurd are null."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LARGEST:
        return None
    return value


def clean(value: object) -> str | None:
    """Text without control characters, of bounded length; null for anything that is not text, or empty."""
    if not isinstance(value, str):
        return None
    text = _CONTROL.sub("�", value).strip()
    return (text[: LONGEST_TEXT - 1] + "…" if len(text) > LONGEST_TEXT else text) or None


def _files(siblings: object) -> tuple[File, ...] | None:
    if not isinstance(siblings, list):
        return None
    return tuple(
        File(entry["rfilename"], whole(entry.get("size")))
        for entry in siblings[:MOST_FILES]
        if isinstance(entry, dict) and isinstance(entry.get("rfilename"), str)
    )


def _base_model(answer: Mapping[str, Any], card: Mapping[str, Any], tags: list[str]) -> str | None:
    for model in _list(_dict(answer.get("baseModels")).get("models")):
        if found := clean(_dict(model).get("id")):
            return found
    named = card.get("base_model")
    first = named[0] if isinstance(named, list) and named else named
    if found := clean(first):
        return found
    return next((clean(tag.rsplit(":", 1)[1]) for tag in tags if tag.startswith("base_model:")), None)


def _gated(value: object) -> bool | None:
    if isinstance(value, bool):
        return value
    return True if value in ("auto", "manual") else None


def _moment(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)


def _tagged(tags: list[str], prefix: str) -> str | None:
    return next((clean(tag.removeprefix(prefix)) for tag in tags if tag.startswith(prefix)), None)


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
