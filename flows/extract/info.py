"""The Hub's detail answer, read without trust: a wrong type or an absurd number is null, never a crash."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

LARGEST = 2**62
LARGEST_SIZE = 2**53  # bytes or parameters: what 64-bit floats still count one by one, far above any model
LONGEST_TEXT = 200
MOST_FILES = 200_000
# Half surrogates are legal in JSON escapes, but in no text that can be written.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
_OWN_WEIGHTS = ("model.", "model-", "pytorch_model.", "pytorch_model-", "diffusion_pytorch_model", "model_index.json")


@dataclass(frozen=True)
class File:
    """A file of the repository; `bytes` is null when the answer does not say."""

    name: str
    bytes: int | None

    @property
    def folder(self) -> str:
        """The folder it lies in, empty at the top."""
        return self.name.rpartition("/")[0]

    @property
    def base(self) -> str:
        """The name within its folder."""
        return self.name.rpartition("/")[2]


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
    notes: tuple[str, ...] = ()  # fields that were there and not usable


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
    dtypes = _dtypes(safetensors.get("parameters"))
    read = Info(
        id=clean(answer.get("id")),
        library=clean(answer.get("library_name")),
        task=clean(answer.get("pipeline_tag")),
        license=_tagged(tags, "license:") or clean(card.get("license")),
        is_gated=_gated(answer.get("gated")),
        downloads=whole(answer.get("downloads")),
        likes=whole(answer.get("likes")),
        last_modified_at=_moment(answer.get("lastModified")),
        base_model=base_model(answer),
        dtypes=dtypes or {},
        safetensors_total=whole(safetensors.get("total"), LARGEST_SIZE),
        gguf_total=whole(gguf.get("total"), LARGEST_SIZE),
        gguf_architecture=clean(gguf.get("architecture")),
        gguf_context=whole(gguf.get("context_length"), LARGEST_SIZE),
        files=files,
        is_adapter=_is_adapter(answer, config, tags, names),
        is_diffusers=answer.get("library_name") == "diffusers" or "diffusers" in config or "model_index.json" in names,
    )
    pairs = (
        (answer, "id", read.id), (answer, "library_name", read.library), (answer, "pipeline_tag", read.task),
        (answer, "gated", read.is_gated), (answer, "downloads", read.downloads), (answer, "likes", read.likes),
        (answer, "lastModified", read.last_modified_at), (answer, "siblings", files),
        (safetensors, "parameters", dtypes), (safetensors, "total", read.safetensors_total),
        (gguf, "total", read.gguf_total), (gguf, "context_length", read.gguf_context),
    )  # fmt: skip
    unusable = [name for place, name, value in pairs if value is None and place.get(name) not in (None, "")]
    return replace(read, notes=(f"not usable in the Hub's answer: {', '.join(unusable)}",)) if unusable else read


def load_object(text: str) -> dict[str, Any] | None:
    """A JSON object, or null for anything else, however deep or broken."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def whole(value: object, most: int = LARGEST) -> int | None:
    """A count that fits the tables; booleans, negatives, fractions, NaN and the absurd are null."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= most:
        return None
    return value


def clean(value: object) -> str | None:
    """Text without control characters, of bounded length; null for anything that is not text, or empty."""
    if not isinstance(value, str):
        return None
    text = printable(value).strip()
    return (text[: LONGEST_TEXT - 1] + "…" if len(text) > LONGEST_TEXT else text) or None


def printable(text: str) -> str:
    """Text that a terminal, a page and a Parquet file can take, of any length."""
    return _CONTROL.sub("�", text)


def _dtypes(parameters: object) -> dict[str, int] | None:
    """Counts by dtype, all of them or null: a sum over those that happen to be usable would be wrong."""
    counts = {printable(dtype)[:20]: whole(value, LARGEST_SIZE) for dtype, value in _dict(parameters).items()}
    known = {dtype: count for dtype, count in counts.items() if count is not None}
    return known if known and len(known) == len(counts) and sum(known.values()) <= LARGEST_SIZE else None


def _files(siblings: object) -> tuple[File, ...] | None:
    """Every file once, or null: half a list would make half a weight set."""
    if not isinstance(siblings, list) or len(siblings) > MOST_FILES:
        return None
    found: dict[str, File] = {}
    for entry in siblings:
        if isinstance(entry, dict) and isinstance(entry.get("rfilename"), str):
            name = printable(entry["rfilename"])
            found.setdefault(name, File(name, whole(entry.get("size"), LARGEST_SIZE)))
    return tuple(found.values())


def _is_adapter(answer: Mapping[str, Any], config: Mapping[str, Any], tags: list[str], names: set[str]) -> bool:
    """Low-rank weights for another model. A claim counts only where no weights of its own contradict it."""
    if "adapter_config.json" in names or "peft" in config:
        return True
    is_claimed = (
        answer.get("library_name") == "peft"
        or _dict(answer.get("baseModels")).get("relation") == "adapter"
        or any(tag.startswith("base_model:adapter:") for tag in tags)
        or any(name.startswith("pytorch_lora_weights") for name in names)
    )
    return is_claimed and not any(name.startswith(_OWN_WEIGHTS) for name in names)


def base_model(answer: Mapping[str, Any]) -> str | None:
    """The first model that a detail answer names as the origin of this one; null when it names none."""
    card = _dict(answer.get("cardData"))
    tags = [tag for tag in _list(answer.get("tags")) if isinstance(tag, str)]
    for model in _list(_dict(answer.get("baseModels")).get("models")):
        if found := clean(_dict(model).get("id")):
            return found
    named = card.get("base_model")
    first = named[0] if isinstance(named, list) and named else named
    if found := clean(first):
        return found
    adapted = clean(_dict(_dict(answer.get("config")).get("peft")).get("base_model_name_or_path"))
    return adapted or next((clean(tag.rsplit(":", 1)[1]) for tag in tags if tag.startswith("base_model:")), None)


def _gated(value: object) -> bool | None:
    if isinstance(value, bool):
        return value
    return True if value in ("auto", "manual") else None


def _moment(value: object) -> datetime | None:
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):  # the first and the last day of the calendar have no UTC everywhere
        return None


def _tagged(tags: list[str], prefix: str) -> str | None:
    return next((clean(tag.removeprefix(prefix)) for tag in tags if tag.startswith(prefix)), None)


def _dict(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
