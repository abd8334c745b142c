"""Small weight files of every format, made byte by byte."""

from __future__ import annotations

import json
import math

from flows.headers.safetensors import BITS

Tensors = dict[str, tuple[str, tuple[int, ...]]]


def safetensors_header(tensors: Tensors) -> dict[str, dict[str, object]]:
    """The JSON of the header; data in the order of the names."""
    header: dict[str, dict[str, object]] = {}
    at = 0
    for name, (dtype, shape) in tensors.items():
        size = math.prod(shape) * BITS[dtype] // 8
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    return header


def safetensors(tensors: Tensors) -> bytes:
    """A whole file, its data zeros."""
    header = safetensors_header(tensors)
    text = json.dumps(header).encode()
    size = sum(math.prod(shape) * BITS[dtype] // 8 for dtype, shape in tensors.values())
    return len(text).to_bytes(8, "little") + text + bytes(size)
