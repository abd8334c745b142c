"""Tensors -> groups: what the lake keeps of the headers of one set."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from flows.headers.problem import HeaderProblem
from flows.headers.safetensors import Tensor
from flows.headers.tensor_set import MOST_GROUPS, TensorGroup, pattern


class Folder:
    """Counts tensors by pattern, dtype and shape. Raises HeaderProblem when there are too many kinds.

    A tensor that stands in two shards is loaded once and counts once.
    """

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str, tuple[int, ...]]] = Counter()
        self._seen: set[int] = set()  # hashes: names of a large checkpoint would take megabytes

    def add(self, tensors: Iterable[Tensor]) -> None:
        """Count those that were not there before."""
        for tensor in tensors:
            name = hash(tensor.name)
            if name in self._seen:
                continue
            self._seen.add(name)
            self._counts[pattern(tensor.name), tensor.dtype, tensor.shape] += 1
            if len(self._counts) > MOST_GROUPS:
                raise HeaderProblem(f"more than {MOST_GROUPS:,} kinds of tensors")

    def groups(self) -> tuple[TensorGroup, ...]:
        """In the order in which the kinds first appeared."""
        return tuple(TensorGroup(name, dtype, shape, count) for (name, dtype, shape), count in self._counts.items())
