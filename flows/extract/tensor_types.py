"""Rows of the table tensor_types: what the headers of each artifact say, by dtype."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flows.extract.info import LARGEST_SIZE, clean, whole
from flows.headers.ggml_types import TYPES
from flows.headers.safetensors import BITS
from flows.headers.tensor_set import TensorSet

# (elements, bytes) of a block: a row of ggml's types is stored in whole blocks.
_BLOCKS = {dtype: (8, bits) for dtype, bits in BITS.items()}
_GGML_BLOCKS = {one.name: (one.elements, one.bytes) for one in TYPES.values()}


def tensor_types(sets: Mapping[str, TensorSet]) -> list[dict[str, Any]]:
    """Grain: artifact x dtype, in the order in which the files name them."""
    rows = []
    for found in sets.values():
        blocks = _GGML_BLOCKS if found.format == "gguf" else _BLOCKS
        for dtype, elements in found.dtypes.items():
            per, size = blocks.get(dtype, (1, None))
            rows.append(
                {
                    "artifact": clean(found.artifact) or "",
                    "dtype": dtype,
                    "tensors": sum(group.count for group in found.groups if group.dtype == dtype),
                    "elements": whole(elements, LARGEST_SIZE),
                    "bytes": None if size is None else whole(-(-elements * size // per), LARGEST_SIZE),
                }
            )
    return rows
