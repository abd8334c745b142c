"""The header of a GGUF file: which tensors it has, without reading them.

`GGUF`, version, two counts, key-values, one description for each tensor, then the data. Shapes come after the
vocabulary, so that a header is 1 to 11 MB and pieces are large: requests count, bytes do not. Tensors must follow each
other in the order in which they are described, each padded to the alignment, as llama.cpp demands; whatever else a file
claims is a HeaderProblem.
Sources: github.com/ggml-org/ggml docs/gguf.md; github.com/ggml-org/llama.cpp ggml/src/gguf.cpp.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from flows.headers.byte_source import ReadAt, Stream
from flows.headers.ggml_types import REMOVED, TYPES, GgmlType
from flows.headers.gguf_metadata import ALIGNMENT, MOST_KEYS, metadata, number, text
from flows.headers.problem import HeaderProblem
from flows.headers.safetensors import LARGEST_DIMENSION, Header, Tensor

FIRST_BYTES = 2 * 2**20  # one request holds a vocabulary of 32,000, two hold 150,000
PIECE = 4 * 2**20
LARGEST_HEADER = 50_000_000  # as huggingface.js has it; five times a vocabulary of 256,000 with its merges
MOST_TENSORS = 100_000  # the experts of a layer are one tensor, so that the largest models have some thousand
MOST_DIMENSIONS = 4  # GGML_MAX_DIMS
DEFAULT_ALIGNMENT = 32
VERSIONS = (2, 3)


@dataclass
class GgufHeader(Header):
    """Besides, where the descriptions of the tensors begin and end, and where the last tensor ends in the data."""

    described_at: int = 0
    described_to: int = 0
    data_end: int | None = None  # null without tensors
    alignment: int = DEFAULT_ALIGNMENT

    def check(self, size: int | None) -> int:
        """Bytes of the file without what may follow. Raises HeaderProblem when `size` bytes cannot hold its tensors.

        The last tensor is not padded by every writer, and need not be.
        """
        told = self.described_to
        if self.data_end is not None:
            told = _padded(told, self.alignment) + self.data_end
        if size is not None and told > size:
            raise HeaderProblem(f"the header describes a file of {told:,} bytes, it has {size:,}")
        return told


def tensors(read_at: ReadAt, size: int | None, header: GgufHeader) -> Iterator[Tensor]:
    """Every tensor in the order of the file; `header` is filled by the way. `size` is the file's, null when unknown.

    `header.data_bytes` has the tensors without padding. Shapes are those of torch, rows first.
    Raises HeaderProblem, and nothing else, for any bytes.
    """
    stream = Stream(read_at, first=FIRST_BYTES, piece=PIECE, end=size, largest=LARGEST_HEADER)
    _check_version(stream.need(4), number(stream))
    tensor_count, key_count = struct.unpack("<QQ", stream.need(16))
    if tensor_count > MOST_TENSORS or key_count > MOST_KEYS:
        raise HeaderProblem(f"{tensor_count:,} tensors and {key_count:,} keys")
    header.metadata = metadata(stream, key_count)
    header.alignment = _alignment(header)
    header.described_at = stream.position
    yield from described(stream, tensor_count, header)
    header.described_to = stream.position
    header.check(size)


def described(stream: Stream, count: int, header: GgufHeader) -> Iterator[Tensor]:
    """The next `count` descriptions; `header` is told what their data has. Raises HeaderProblem."""
    alignment = header.alignment
    names: set[int] = set()
    total = begin = end = 0  # bytes of the data
    for _ in range(count):
        tensor, offset, length = _tensor(stream)
        if hash(tensor.name) in names:
            raise HeaderProblem(f"two tensors have the name {tensor.name!r:.80}")
        names.add(hash(tensor.name))
        if offset % alignment:
            raise HeaderProblem(f"{tensor.name!r:.80} is at byte {offset:,}, not a multiple of {alignment}")
        if offset != begin:
            what = "overlap" if offset < begin else "leave a hole"
            raise HeaderProblem(f"tensors {what} at byte {offset:,}, expected {begin:,}")
        total, end = total + length, begin + length
        begin = _padded(end, alignment)
        if begin >= 2**62:
            raise HeaderProblem("more bytes of tensors than a file can have")
        yield tensor
    header.data_bytes, header.data_end = total, end if count else None


def _check_version(magic: bytes, version: int) -> None:
    if magic != b"GGUF":
        raise HeaderProblem(f"not a GGUF file: it begins with {magic!r}")
    if version and version % 2**16 == 0:
        raise HeaderProblem("a big-endian GGUF file")
    if version not in VERSIONS:
        raise HeaderProblem(f"GGUF version {version}, only 2 and 3 are read")


def _alignment(header: Header) -> int:
    found = header.metadata.get(ALIGNMENT, DEFAULT_ALIGNMENT)
    alignment = found if isinstance(found, int) else 0
    if alignment.bit_count() != 1:
        raise HeaderProblem(f"an alignment of {alignment}")
    return alignment


def _padded(end: int, alignment: int) -> int:
    return -(-end // alignment) * alignment


def _tensor(stream: Stream) -> tuple[Tensor, int, int]:
    """(tensor, offset in the data, bytes)."""
    name, dimensions = text(stream), number(stream)
    if dimensions > MOST_DIMENSIONS:
        raise HeaderProblem(f"{name!r:.80} has {dimensions:,} dimensions")
    *sizes, kind, offset = struct.unpack(f"<{dimensions}QIQ", stream.need(8 * dimensions + 12))
    if any(size > LARGEST_DIMENSION for size in sizes):
        raise HeaderProblem(f"{name!r:.80} has a dimension of {max(sizes):,}")
    stored = _type(name, kind)
    columns = sizes[0] if sizes else 1  # a tensor without dimensions is a scalar
    if columns % stored.elements:
        raise HeaderProblem(f"{name!r:.80} has {columns:,} columns, {stored.name} needs blocks of {stored.elements}")
    length = math.prod(sizes) // stored.elements * stored.bytes
    return Tensor(name, stored.name, tuple(reversed(sizes))), offset, length


def _type(name: str, kind: int) -> GgmlType:
    if kind in REMOVED:
        raise HeaderProblem(f"{name!r:.80} has the type {REMOVED[kind]}, which llama.cpp removed")
    if kind not in TYPES:
        raise HeaderProblem(f"{name!r:.80} has the unknown ggml type {kind}")
    return TYPES[kind]
