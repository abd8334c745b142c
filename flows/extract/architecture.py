"""What a configuration says about a model: the value that every dialect is reduced to."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from flows.extract.gguf_tensors import Layout
from flows.extract.info import LARGEST_SIZE

GROUP_KINDS = ("full", "sliding", "chunked", "latent", "recurrent", "cross", "none", "unknown")

# Columns of SHAPES that count layers by what they keep, and the kinds of groups that each counts.
LAYERS_THAT_KEEP = {
    "kv_full_layers": ("full", "latent"),
    "kv_window_layers": ("sliding", "chunked"),
    "state_layers": ("recurrent",),
}


@dataclass(frozen=True)
class Group:
    """Like layers that keep the same cache: one row of `attention_groups`.

    `elements_per_token` and `state_bytes` are sums over the group's layers; null means unknown.
    A layer that keeps no cache of its own (shared caches, feed-forward blocks, encoders) is kind `none`.
    """

    kind: str
    layers: int
    kv_heads: int | None = None
    key_dim: int | None = None
    value_dim: int | None = None
    window_tokens: int | None = None
    elements_per_token: float | None = None
    state_bytes: int | None = None


def layers_that_keep(layers: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Columns of LAYERS_THAT_KEEP from kinds of groups and their layers; who keeps several things counts for each."""
    found = list(layers)
    return {column: sum(count for kind, count in found if kind in kinds) for column, kinds in LAYERS_THAT_KEEP.items()}


@dataclass(frozen=True)
class Architecture:
    """A configuration, read. Counts are logical parameters; null means that the dialect does not tell."""

    model_type: str
    name: str | None  # the class in `architectures`
    kind: str  # estimator.schema.KINDS
    is_verified: bool  # the dialect has its own row and its count was checked against an oracle
    parameters: int | None  # all of it: with towers and multi-token-prediction blocks, tied tensors once
    active_parameters: int | None
    mtp_parameters: int | None  # stored but not resident
    columns: Mapping[str, int | float | None]  # columns of estimator.schema.SHAPES that the configuration decides
    dimensions: Mapping[str, int | float | bool | None]  # head_dim, tied, largest layer, … for what other tools count
    groups: tuple[Group, ...]
    notes: tuple[str, ...] = field(default=())  # defaults used, keys that contradict each other, what is unknown
    tensors: Layout | None = None  # of the decoder as llama.cpp's files have it


def is_sane(found: Architecture) -> bool:
    """Whether every number is one that the tables and the estimator's arithmetic can carry."""
    numbers: list[Any] = [found.parameters, found.active_parameters, found.mtp_parameters]
    numbers += found.columns.values()
    numbers += found.dimensions.values()
    numbers += [value for group in found.groups for value in vars(group).values() if not isinstance(value, str)]
    return all(value is None or (math.isfinite(value) and abs(value) <= LARGEST_SIZE) for value in numbers)
