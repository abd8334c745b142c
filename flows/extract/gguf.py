"""GGUF files of a repository: file or shard set -> precision and bytes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from flows.extract.info import File
from flows.extract.quantization import known_precisions

_SHARD = re.compile(r"-(\d{5})-of-(\d{5})(?=\.gguf$)", re.IGNORECASE)
# The file type is the last word of the name that looks like one.
_TYPE = re.compile(
    r"(?<![A-Za-z0-9])(IQ\d_[A-Z]+|TQ\d_0|Q\d_K_[SML]|Q\d_K|Q\d_[01]|BF16|F16|F32|MXFP4(?:_MOE)?|NVFP4)(?![A-Za-z0-9])",
    re.IGNORECASE,
)
_BESIDE = ("mmproj", "imatrix", "draft", "mtp")
_FLOAT = {"bf16": "bf16", "f16": "fp16", "f32": "fp32", "mxfp4": "gguf_mxfp4_moe"}


@dataclass(frozen=True)
class Quant:
    """One loadable file or shard set. `bytes` is null when a size is missing."""

    name: str
    precision: str | None
    bytes: int | None
    files: int
    is_beside: bool  # a projector or a draft model, not the model itself


def quants(files: Iterable[File]) -> list[Quant]:
    """Grain: file or shard set, sorted by name."""
    sets: dict[str, list[File]] = {}
    for file in files:
        if file.name.lower().endswith(".gguf"):
            sets.setdefault(_SHARD.sub("", file.name), []).append(file)
    return [
        Quant(
            name=name,
            precision=precision_of(name),
            bytes=sum_bytes(members),
            files=len(members),
            is_beside=any(word in name.lower().rsplit("/", 1)[-1] for word in _BESIDE),
        )
        for name, members in sorted(sets.items())
    ]


def sum_bytes(files: Iterable[File]) -> int | None:
    """Null when any size is missing, or there is no file."""
    sizes = [file.bytes for file in files]
    known = [size for size in sizes if size is not None]
    return sum(known) if known and len(known) == len(sizes) else None


def precision_of(name: str) -> str | None:
    """The precision that a file name claims, null when it claims none that we know."""
    found = _TYPE.findall(name)
    if not found:
        return None
    kind = found[-1].lower()
    precision = _FLOAT.get(kind, f"gguf_{kind}")
    return precision if precision in known_precisions() else None
