"""Another quantisation of a model whose GGUF header is known: its tensors without its vocabulary.

The files of one repository differ in the types of their tensors and hardly in anything before them, so the descriptions
begin within some kilobytes of where they do in the file that was read whole: 100 kB instead of 10 MB. What is found
there must be the same tensors, and their data must end where the file ends.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

from flows.headers.byte_source import ReadAt, Stream
from flows.headers.gguf import GgufHeader, described
from flows.headers.problem import HeaderProblem
from flows.headers.safetensors import Tensor

SLACK = 24 * 1024  # names of files and importance matrices, chat templates that were corrected


def sibling_tensors(
    read_at: ReadAt, size: int, known: Sequence[Tensor], like: GgufHeader, header: GgufHeader
) -> Iterator[Tensor]:
    """The tensors of a file of `size` bytes that has those `known` of a file with the header `like`, in one read.

    Raises HeaderProblem when they are not there: the file must be read from its beginning then.
    """
    if not known:
        raise HeaderProblem("no tensors to look for")
    begin = max(0, like.described_at - SLACK)
    data = read_at(begin, like.described_to - like.described_at + 2 * SLACK)
    mark = _mark(known[0])
    at = data.find(mark)
    if at < 0 or data.find(mark, at + 1) >= 0:
        raise HeaderProblem("the tensors are not described where those of its sibling are")
    stream = Stream(lambda offset, count: data[at + offset : at + offset + count])
    header.alignment = like.alignment
    for tensor, expected in zip(described(stream, len(known), header), known, strict=True):
        if (tensor.name, tensor.shape) != (expected.name, expected.shape):
            raise HeaderProblem(f"{tensor.name!r:.80} is not the tensor that its sibling has there")
        yield tensor
    header.described_at, header.described_to = begin + at, begin + at + stream.position
    if size - header.check(size) >= header.alignment:
        raise HeaderProblem("the file has more tensors than its sibling")


def _mark(tensor: Tensor) -> bytes:
    """How a description begins: the name, the dimensions."""
    name, sizes = tensor.name.encode(), tuple(reversed(tensor.shape))
    return struct.pack("<Q", len(name)) + name + struct.pack(f"<I{len(sizes)}Q", len(sizes), *sizes)
