"""What a pickle of tensors may hold: inert values, each counted before it is kept.

Numbers, text, tuples and lists are Python's own; floating-point numbers, bytes and sets are OTHER. No value is ever
compared, hashed or shown as a whole: they may be nested as deeply as a file likes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from flows.headers.opcodes import OTHER
from flows.headers.problem import HeaderProblem

MOST_MEMORY = 26 * 2**20  # bytes of all values ever made, so of those that exist; a tensor takes 1,400
_UNIT: Final = 16  # bytes of which allocations are multiples
_ENTRY: Final = 110  # bytes of a dict for an entry, at the moment at which it grows


class Memory:
    """Bytes of what was made. Nothing is given back: who would know that nothing else holds it."""

    def __init__(self) -> None:
        self.used = 0

    def charge(self, count: int) -> None:
        """Raises HeaderProblem when it is too much."""
        self.used += count
        if self.used > MOST_MEMORY:
            raise HeaderProblem(f"a header that needs more than {MOST_MEMORY // 2**20} MiB of memory")

    def charge_value(self, value: object) -> None:
        """An object without what it refers to; constants and small numbers exist anyway."""
        exists = value is None or value is OTHER or (isinstance(value, int) and -5 <= value <= 256)
        if not exists and not (isinstance(value, tuple) and not value):
            self.charge(-(-sys.getsizeof(value) // _UNIT) * _UNIT)


@dataclass(frozen=True, slots=True, eq=False)
class Global:
    """`module.name`, which is never looked up."""

    name: str

    def __str__(self) -> str:
        return printable(self.name)


@dataclass(slots=True, eq=False)
class Storage:
    """Numbers that tensors view. `dtype` is null when the storage is of bytes that tensors interpret."""

    key: str
    dtype: str | None
    bits: int
    is_named: bool = False  # whether a tensor that has a name views it
    viewed: int = 0  # bits of those tensors

    def __str__(self) -> str:
        return printable(self.key)


@dataclass(frozen=True, slots=True, eq=False)
class StoredTensor:
    """A view of a storage, inside its bounds."""

    storage: Storage
    dtype: str
    offset: int  # elements
    shape: tuple[int, ...]


@dataclass(slots=True, eq=False)
class Mapping:
    """A dict or OrderedDict. Only texts are kept as keys: of others it is only known that there are some."""

    items: dict[str, object] = field(default_factory=dict)
    has_other_keys: bool = False
    has_tensors: bool = False

    def put(self, pairs: Iterable[tuple[object, object]], memory: Memory) -> None:
        """Later ones replace earlier ones."""
        for key, value in pairs:
            memory.charge(_ENTRY)
            if isinstance(key, str):
                self.items[key] = value
                self.has_tensors |= isinstance(value, StoredTensor)
            else:
                self.has_other_keys = True


def pair(value: object) -> tuple[object, object]:
    """One item of what an OrderedDict of Python 2 is made from. Raises HeaderProblem for anything else."""
    if isinstance(value, (list, tuple)) and len(value) == 2:
        return value[0], value[1]
    raise HeaderProblem("a mapping is made of something that is no list of pairs")


def described(value: object) -> str:
    """What a value is, in words and without looking inside."""
    if isinstance(value, Global):
        return str(value)
    if value is None or value is OTHER or isinstance(value, (bool, int, str)):
        return "a plain value"
    kinds = {tuple: "a tuple", list: "a list", Mapping: "a mapping", Storage: "a storage", StoredTensor: "a tensor"}
    return kinds.get(type(value), "a set")


def printable(text: str) -> str:
    """At most 80 characters that a log can show."""
    return ascii(text[:80])[1:-1][:80]
