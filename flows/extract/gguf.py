"""GGUF files of a repository: file or shard set -> precision and bytes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from flows.extract.info import LARGEST_SIZE, File, whole
from flows.extract.quantization import known_precisions

SHARD = re.compile(r"[-_]\d{5,6}-of-(\d{5,6})(?=\.)")
# The file type is the last word of the name that looks like one.
_TYPE = re.compile(
    r"(?<![A-Za-z0-9])(IQ\d_[A-Z]+|TQ\d_0|Q\d_K_[SML]|Q\d_K|Q\d_[01]|BF16|FP?16|FP?32|MXFP4(?:_MOE)?|NVFP4)(?![A-Za-z0-9])",
    re.IGNORECASE,
)
_BESIDE = {"mmproj": "projector", "draft": "draft", "mtp": "draft"}
_FLOAT = {"bf16": "bf16", "f16": "fp16", "fp16": "fp16", "f32": "fp32", "fp32": "fp32", "mxfp4": "gguf_mxfp4_moe"}


@dataclass(frozen=True)
class Quant:
    """One loadable file or shard set. `bytes` is null when a size is missing."""

    name: str
    role: str  # model, projector (towers of an image or sound), draft, or matrix (of importance: nothing to load)
    precision: str | None
    bytes: int | None
    members: tuple[File, ...]

    @property
    def is_beside(self) -> bool:
        """Whether it is something beside the model itself."""
        return self.role != "model"


def quants(files: Iterable[File]) -> list[Quant]:
    """Grain: file or shard set, sorted by name."""
    sets: dict[str, list[File]] = {}
    for file in files:
        if file.name.lower().endswith(".gguf"):
            sets.setdefault(SHARD.sub("", file.name), []).append(file)
    return [
        Quant(
            name=name,
            role=_role(name.lower().rsplit("/", 1)[-1]),
            precision=precision_of(name),
            bytes=sum_bytes(members),
            members=tuple(members),
        )
        for name, members in sorted(sets.items())
    ]


def _role(name: str) -> str:
    # a model quantised with an importance matrix says so in its name, beside its file type
    if "imatrix" in name and not _TYPE.search(name):
        return "matrix"
    return next((role for word, role in _BESIDE.items() if word in name), "model")


def sum_bytes(files: Iterable[File]) -> int | None:
    """Null when any size is missing, a shard is missing, there is no file, or the sum is absurd."""
    members = list(files)
    known = [file.bytes for file in members if file.bytes is not None]
    if not known or len(known) < len(members) or len(members) < most_shards(members):
        return None
    return whole(sum(known), LARGEST_SIZE)


def most_shards(files: Iterable[File]) -> int:
    """Shards that the names of one set promise, 1 without a promise. Some sets count from zero and have one more."""
    return max((int(found[-1]) for file in files if (found := SHARD.findall(file.name))), default=1)


def precision_of(name: str) -> str | None:
    """The precision that a file name claims, null when it claims none that we know."""
    found = _TYPE.findall(name)
    if not found:
        return None
    kind = found[-1].lower()
    precision = _FLOAT.get(kind, f"gguf_{kind}")
    return precision if precision in known_precisions() else None
