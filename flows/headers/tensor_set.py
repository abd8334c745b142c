"""What the headers of one weight set say, small enough to keep beside the Hub's other answers.

A checkpoint has up to hundreds of thousands of tensors and a few hundred kinds of them: tensors whose names differ
only in numbers, with equal dtype and shape, are one group. `model.layers.3.mlp.up_proj.weight` has the pattern
`model.layers.#.mlp.up_proj.weight`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

Scalar = str | int | float | bool
_NUMBER = re.compile(r"(?:(?<=\.)|^)\d+(?=\.|$)")
MOST_GROUPS = 20_000
LONGEST_PATTERN = 300


@dataclass(frozen=True)
class TensorGroup:
    """Tensors of one name pattern, dtype and shape."""

    pattern: str
    dtype: str  # as the file names it: BF16, F8_E4M3, U8, … of safetensors; Q4_K, F32, … of GGUF
    shape: tuple[int, ...]
    count: int

    @property
    def elements(self) -> int:
        """Stored elements of all tensors of the group; a scalar has one."""
        return self.count * math.prod(self.shape)


@dataclass(frozen=True)
class TensorSet:
    """The headers of one weight set. `problem` says why they are not usable, and then there are no groups."""

    artifact: str  # the name of the set in the table artifacts
    format: str  # safetensors | gguf | pickle
    files: int
    tensor_bytes: int | None  # exact bytes of the tensors' data; null when not all headers were read
    groups: tuple[TensorGroup, ...]
    metadata: Mapping[str, Scalar] = field(default_factory=dict)
    problem: str | None = None

    @property
    def dtypes(self) -> dict[str, int]:
        """Stored elements by dtype, in the order of their first tensor."""
        counts: dict[str, int] = {}
        for group in self.groups:
            counts[group.dtype] = counts.get(group.dtype, 0) + group.elements
        return counts


def pattern(name: str) -> str:
    """The name with every number between dots as `#`."""
    return _NUMBER.sub("#", name)[:LONGEST_PATTERN]


def dump(sets: Iterable[TensorSet]) -> str:
    """JSON text for the column `tensors` of the lake table `hub`."""
    return json.dumps(
        [
            {
                "artifact": one.artifact,
                "format": one.format,
                "files": one.files,
                "tensor_bytes": one.tensor_bytes,
                "groups": [[group.pattern, group.dtype, list(group.shape), group.count] for group in one.groups],
                "metadata": dict(one.metadata),
                "problem": one.problem,
            }
            for one in sets
        ],
        separators=(",", ":"),
    )


def load(text: str | None) -> tuple[TensorSet, ...]:
    """The sets that `dump` wrote; none for null. It is our own text: anything else raises."""
    if text is None:
        return ()
    return tuple(
        TensorSet(
            artifact=one["artifact"],
            format=one["format"],
            files=one["files"],
            tensor_bytes=one["tensor_bytes"],
            groups=tuple(TensorGroup(name, dtype, tuple(shape), count) for name, dtype, shape, count in one["groups"]),
            metadata=one["metadata"],
            problem=one["problem"],
        )
        for one in json.loads(text)
    )
