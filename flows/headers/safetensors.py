"""The header of a safetensors file: which tensors it has, without reading them.

Eight bytes of length, that much JSON `{name: {"dtype", "shape", "data_offsets"}}`, then the data. A header may have
25 MB, so it is read entry by entry and never held as a whole. Offsets must follow each other without holes or
overlaps, as the format demands; whatever else a file claims is a HeaderProblem.
Source: github.com/huggingface/safetensors, format section of its README.
"""

from __future__ import annotations

import json
import math
import operator
import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from flows.headers.byte_source import ReadAt, Stream
from flows.headers.problem import HeaderProblem

LARGEST_HEADER = 25_000_000  # the Hub's own limit
FIRST_BYTES = 100_000  # one request holds most headers whole
LARGEST_ENTRY = 1_000_000
MOST_DIMENSIONS = 8
LARGEST_DIMENSION = 2**32
MOST_METADATA, LONGEST_METADATA = 32, 200
BITS = {
    "F64": 64, "I64": 64, "U64": 64, "C64": 64, "F32": 32, "I32": 32, "U32": 32, "F16": 16, "BF16": 16, "I16": 16,
    "U16": 16, "F8_E4M3": 8, "F8_E5M2": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8, "I8": 8, "U8": 8,
    "BOOL": 8, "F6_E2M3": 6, "F6_E3M2": 6, "F4": 4,
}  # fmt: skip
_SPACE = re.compile(rb"[ \t\r\n]*")
STRING = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_OBJECT = re.compile(rb'\{(?:[^{}"]|"(?:[^"\\]|\\.)*")*\}', re.DOTALL)


@dataclass(frozen=True)
class Tensor:
    """One tensor of a file."""

    name: str
    dtype: str
    shape: tuple[int, ...]


@dataclass
class Header:
    """What is known after the last tensor: bytes of the data and short metadata."""

    data_bytes: int = 0
    metadata: dict[str, str | int | float | bool] = field(default_factory=dict)


def tensors(read_at: ReadAt, size: int | None, header: Header) -> Iterator[Tensor]:
    """Every tensor in the order of the file; `header` is filled by the way. `size` is the file's, null when unknown.

    Raises HeaderProblem, and nothing else, for any bytes.
    """
    stream = Stream(read_at, first=FIRST_BYTES, end=size)
    length = int.from_bytes(stream.need(8), "little")
    if not 2 <= length <= LARGEST_HEADER:
        raise HeaderProblem(f"a header of {length:,} bytes")
    if size is not None and 8 + length > size:
        raise HeaderProblem(f"a header of {length:,} bytes in a file of {size:,}")
    stream.end = 8 + length
    begins, ends, names = array("q"), array("q"), array("q")  # 8 bytes each; a set of names would take megabytes
    for name, value in entries(stream):
        if name == "__metadata__":
            header.metadata = _metadata(value)
            continue
        names.append(hash(name))
        tensor, begin, end = tensor_of(name, value)
        begins.append(begin)
        ends.append(end)
        yield tensor
    ordered = sorted(names)
    if any(map(operator.eq, ordered, ordered[1:])):
        raise HeaderProblem("two tensors have the same name")
    del ordered, names
    header.data_bytes = contiguous(begins, ends)
    if size is not None and 8 + length + header.data_bytes != size:
        told = 8 + length + header.data_bytes
        raise HeaderProblem(f"the header describes a file of {told:,} bytes, it has {size:,}")


def entries(stream: Stream) -> Iterator[tuple[str, Any]]:
    """Members of the one object, held one at a time."""
    if next_byte(stream) != b"{":
        raise HeaderProblem("the header is not a JSON object")
    stream.at += 1
    if next_byte(stream) == b"}":
        stream.at += 1
        return
    while True:
        name = whole_value(stream, STRING)
        if next_byte(stream) != b":":
            raise HeaderProblem("the header is not valid JSON")
        stream.at += 1
        next_byte(stream)
        yield name, whole_value(stream, _OBJECT)
        after = next_byte(stream)
        stream.at += 1
        if after == b"}":
            return
        if after != b",":
            raise HeaderProblem("the header is not valid JSON")
        next_byte(stream)


def next_byte(stream: Stream) -> bytes:
    """The next byte that is not space, left where it is."""
    while True:
        found = _SPACE.match(stream.data, stream.at)
        stream.at = found.end() if found else stream.at
        if stream.waiting:
            return stream.data[stream.at : stream.at + 1]
        if not stream.more():
            raise HeaderProblem("the header's JSON ends too early")


def whole_value(stream: Stream, form: re.Pattern[bytes]) -> Any:
    """One string, or one object without another inside, reading on until it is whole."""
    while (found := form.match(stream.data, stream.at)) is None:
        if stream.waiting > LARGEST_ENTRY:
            raise HeaderProblem("an entry of the header is larger than a megabyte")
        if not stream.more():
            raise HeaderProblem("the header is not valid JSON, or ends too early")
    stream.at = found.end()
    try:
        return json.loads(found[0])
    except (ValueError, RecursionError) as error:
        raise HeaderProblem("the header is not valid JSON") from error


def tensor_of(name: str, value: Any) -> tuple[Tensor, int, int]:
    if not isinstance(value, dict):
        raise HeaderProblem(f"{name!r:.80} is not described")
    dtype, shape, offsets = value.get("dtype"), value.get("shape"), value.get("data_offsets")
    if not isinstance(dtype, str) or dtype not in BITS:
        raise HeaderProblem(f"{name!r:.80} has the dtype {dtype!r:.40}")
    if not isinstance(shape, list) or len(shape) > MOST_DIMENSIONS or not all(map(_is_dimension, shape)):
        raise HeaderProblem(f"{name!r:.80} has no usable shape")
    if not isinstance(offsets, list) or len(offsets) != 2 or not all(map(_is_offset, offsets)):
        raise HeaderProblem(f"{name!r:.80} has no usable offsets")
    begin, end = offsets
    bits = math.prod(shape) * BITS[dtype]
    if bits % 8 or end - begin != bits // 8:
        raise HeaderProblem(f"{name!r:.80} has {end - begin:,} bytes, its shape needs {bits / 8:,.0f}")
    return Tensor(name, dtype, tuple(shape)), begin, end


def _is_dimension(value: Any) -> bool:
    return type(value) is int and 0 <= value <= LARGEST_DIMENSION


def _is_offset(value: Any) -> bool:
    return type(value) is int and 0 <= value < 2**62


def contiguous(begins: array[int], ends: array[int]) -> int:
    """Bytes of the data. Raises HeaderProblem when tensors overlap or leave holes."""
    at = 0
    for position in sorted(range(len(begins)), key=begins.__getitem__):
        if begins[position] != at and ends[position] != begins[position]:
            what = "overlap" if begins[position] < at else "leave a hole"
            raise HeaderProblem(f"tensors {what} at byte {begins[position]:,}")
        at = max(at, ends[position])
    return at


def _metadata(value: Any) -> dict[str, str | int | float | bool]:
    if not isinstance(value, dict):
        raise HeaderProblem("__metadata__ is not an object")
    short = {key: told for key, told in value.items() if isinstance(told, str) and len(told) <= LONGEST_METADATA}
    return {key[:LONGEST_METADATA]: short[key] for key in list(short)[:MOST_METADATA]}
