"""The rank of a low-rank adapter: what its configuration says, else the narrow side of its matrices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flows.extract.info import whole
from flows.headers.tensor_set import TensorSet

LARGEST_RANK = 2**16
_DOWN = ("lora_A.weight", "lora_A.default.weight", "lora_down.weight", "lora.down.weight")


def adapter_rank(config: Mapping[str, Any] | None, sets: Mapping[str, TensorSet]) -> int | None:
    """The largest rank of any layer; null when neither tells.

    peft writes `r`, and `rank_pattern` for layers that have another. The matrices of the files have the last word.
    """
    stored = [
        min(group.shape)
        for found in sets.values()
        for group in found.groups
        if group.pattern.endswith(_DOWN) and group.shape
    ]
    if stored:
        return whole(max(stored), LARGEST_RANK)
    told = config or {}
    patterns = told.get("rank_pattern")
    ranks = [told.get("r"), *(patterns.values() if isinstance(patterns, dict) else ())]
    known = [rank for rank in (whole(rank, LARGEST_RANK) for rank in ranks) if rank]
    return max(known, default=None)
