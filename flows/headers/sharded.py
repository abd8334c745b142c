"""The headers of a sharded checkpoint in one answer: `{"index": …, "headers": {file: header}}`.

The Hub's endpoint `/api/models/{id}/safetensors-metadata/{index}` gives it for the current revision; it replaces a
request for every shard. The answer may have tens of megabytes and is read like a header, one entry at a time.
Source: huggingface_hub 2.4 get_sharded_safetensors_metadata.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field

from flows.headers.byte_source import ReadAt, Stream
from flows.headers.problem import HeaderProblem
from flows.headers.safetensors import STRING, Tensor, contiguous, entries, next_byte, tensor_of, whole_value

LARGEST_ANSWER = 256 * 2**20
MOST_SHARDS = 10_000
# Everything that is neither a quote nor a bracket, then a string or one bracket.
_TOKEN = re.compile(rb'[^"{}\[\]]*(?:"(?:[^"\\]|\\.)*"|([{\[])|([}\]]))', re.DOTALL)


@dataclass
class Shards:
    """What is known after the last tensor."""

    files: dict[str, int] = field(default_factory=dict)  # bytes of the data of each

    @property
    def data_bytes(self) -> int:
        """Of all shards."""
        return sum(self.files.values())


def tensors(read_at: ReadAt, shards: Shards) -> Iterator[Tensor]:
    """Every tensor of every shard; `shards` is filled by the way. Raises HeaderProblem, and nothing else."""
    stream = Stream(read_at, end=LARGEST_ANSWER)
    found = False
    for name in _members(stream):
        if name != "headers":
            _skip(stream)
            continue
        found = True
        for file in _members(stream):
            if file in shards.files:
                raise HeaderProblem("a shard is told twice")
            if len(shards.files) == MOST_SHARDS:
                raise HeaderProblem(f"more than {MOST_SHARDS:,} shards")
            begins, ends = array("q"), array("q")
            for tensor_name, value in entries(stream):
                if tensor_name == "__metadata__":
                    continue
                tensor, begin, end = tensor_of(tensor_name, value)
                begins.append(begin)
                ends.append(end)
                yield tensor
            shards.files[str(file)] = contiguous(begins, ends)
    if not found:
        raise HeaderProblem("the answer has no headers")


def _members(stream: Stream) -> Iterator[str]:
    """Names of the members of an object; whoever asks consumes the value before the next."""
    if next_byte(stream) != b"{":
        raise HeaderProblem("the answer is not a JSON object")
    stream.at += 1
    if next_byte(stream) == b"}":
        stream.at += 1
        return
    while True:
        next_byte(stream)
        name = whole_value(stream, STRING)
        if next_byte(stream) != b":":
            raise HeaderProblem("the answer is not valid JSON")
        stream.at += 1
        next_byte(stream)
        yield name
        after = next_byte(stream)
        stream.at += 1
        if after == b"}":
            return
        if after != b",":
            raise HeaderProblem("the answer is not valid JSON")


def _skip(stream: Stream) -> None:
    """Pass over an object or a list, however deep, holding none of it."""
    if next_byte(stream) not in (b"{", b"["):
        raise HeaderProblem("the answer's index is not an object")
    depth = 0
    while True:
        found = _TOKEN.match(stream.data, stream.at)
        if found is None:
            if not stream.more():
                raise HeaderProblem("the answer's JSON ends too early")
            continue
        stream.at = found.end()
        depth += (found[1] is not None) - (found[2] is not None)
        if depth == 0:
            return
