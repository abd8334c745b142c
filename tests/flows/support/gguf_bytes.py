"""GGUF files as bytes, written by hand."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

FORMS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
U8, U32, I32, F32, BOOL, STRING, ARRAY, U64, F64 = 0, 4, 5, 6, 7, 8, 9, 10, 12

Tensor = tuple[str, Sequence[int], int, int]  # name, dimensions with the fastest first, ggml type, offset


def string(text: str | bytes) -> bytes:
    content = text.encode() if isinstance(text, str) else text
    return struct.pack("<Q", len(content)) + content


def value(kind: int, content: Any) -> bytes:
    """Of an array: (kind of the elements, elements)."""
    if kind == STRING:
        return string(content)
    if kind == ARRAY:
        inner, elements = content
        return struct.pack("<IQ", inner, len(elements)) + b"".join(value(inner, one) for one in elements)
    return struct.pack(f"<{FORMS[kind]}", content)


def pair(key: str | bytes, kind: int, content: Any) -> bytes:
    """One key-value; bytes as `content` are written as they are."""
    body = content if isinstance(content, bytes) else value(kind, content)
    return string(key) + struct.pack("<I", kind) + body


def described(name: str | bytes, dimensions: Sequence[int], kind: int, offset: int) -> bytes:
    return string(name) + struct.pack(f"<I{len(dimensions)}QIQ", len(dimensions), *dimensions, kind, offset)


def gguf(
    pairs: Sequence[bytes] = (),
    tensors: Sequence[bytes] = (),
    *,
    data: int = 0,
    alignment: int = 32,
    magic: bytes = b"GGUF",
    version: int = 3,
    counts: tuple[int, int] | None = None,
) -> bytes:
    """A whole file with `data` bytes of zeros as its tensors; `counts` of tensors and keys where they are not true."""
    told = counts or (len(tensors), len(pairs))
    header = magic + struct.pack("<IQQ", version, *told) + b"".join(pairs) + b"".join(tensors)
    return header + bytes(-len(header) % alignment + data if data else 0)
