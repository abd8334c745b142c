"""What a layer does beside its kind: own a cache or use another's, choose tokens, turn by position, be marked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flows.extract.keys import Keys


def cache_owners(keys: Keys, dialect: Mapping[str, Any], plan: list[str]) -> list[bool]:
    """Trailing layers may reuse an earlier layer's cache (num_kv_shared_layers), or each names whose it uses.

    `owners = { every = "cla_share_factor", when = "use_cla" }`: one layer of so many, where a switch is on.
    """
    if "owners" in dialect:
        step = keys.need(dialect["owners"]["every"]) if keys.flag(dialect["owners"]["when"]) else 1
        return [position % max(step, 1) == 0 for position in range(len(plan))]
    sources = keys.items("kv_source_layers")
    if sources is not None:
        if len(sources) != len(plan):
            raise ValueError(f"kv_source_layers names {len(sources)} of {len(plan)} layers")
        return [source == position for position, source in enumerate(sources)]
    shared = min(keys.number("num_kv_shared_layers") or 0, len(plan))
    return [True] * (len(plan) - shared) + [False] * shared


def has_indexer(keys: Keys, position: int) -> bool:
    """Whether a layer of sparse attention scores tokens itself or uses the choice of a layer before it.

    Source: transformers 5.24 models/glm_moe_dsa: a list or a pattern of letters, else every index_topk_freq-th layer.
    """
    types = keys.items("indexer_types")
    if types is not None:
        return position >= len(types) or types[position] != "shared"
    pattern = keys.text("index_topk_pattern")
    if pattern is not None:
        return pattern[position : position + 1] != "S"
    offset = keys.number("index_skip_topk_offset")
    step = max(keys.number("index_topk_freq") or 1, 1)
    return max(position - (2 if offset is None else offset) + 1, 0) % step == 0


def is_rotary(keys: Keys, position: int) -> bool:
    """Whether a layer turns queries and keys by position; all but every fourth where nothing is written.

    Source: transformers 5.24 models/mistral_large4.
    """
    flags = keys.items("no_rope_layers")
    if flags is None:
        step = keys.number("no_rope_layer_interval")
        step = 4 if step is None else max(step, 1)
        return (position + 1) % step != 0
    if position >= len(flags):
        raise ValueError(f"no_rope_layers has no value for layer {position}")
    return bool(flags[position])


def marks(keys: Keys, dialect: Mapping[str, Any], layers: int) -> dict[int, int]:
    """Layers that a key lists: position -> how many listed ones come before. Raises ValueError for an unusable list.

    `marked = { key = "ple_layer_ids", first = 1 }`: numbers of layers, counted from `first`.
    """
    if "marked" not in dialect:
        return {}
    rule = dialect["marked"]
    listed = keys.items(rule["key"]) or []
    if not all(type(item) is int and 0 <= item - rule["first"] < layers for item in listed):
        raise ValueError(f"{rule['key']} is not a usable list of layers")
    return {item - rule["first"]: order for order, item in enumerate(sorted(set(listed)))}
