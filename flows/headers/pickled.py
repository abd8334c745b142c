"""The description in a PyTorch checkpoint (`pytorch_model*.bin`, `*.pt`): which tensors it has, without unpickling.

Two layouts: since PyTorch 1.6 a zip whose entry `<name>/data.pkl` describes all tensors; before that five pickles in a
row (a magic number, the protocol's version, the machine's integers, the tensors, the keys of the storages), then the
storages. An inert machine walks through the opcodes; whatever would need code to be run is a HeaderProblem.

A tensor is a view of a storage, and a file has a storage once. So tensors that share one (tied weights) are yielded
once, under the first name: those with equal dtype, offset and shape. Other slices of a storage are tensors of their
own, and when they have more numbers than the storage (they overlap, or one is expanded) that is a HeaderProblem: nobody
could say how many are stored. Every storage must belong to a name of the one mapping that is read, at the top or one
level below it, without the name of that level; states of an optimizer beside it are a HeaderProblem.
Source: PyTorch 2.14, torch/serialization.py (_save, _legacy_save, _legacy_load).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import islice

from flows.headers import zip_entries
from flows.headers.byte_source import ReadAt, Stream
from flows.headers.opcodes import Source
from flows.headers.pickle_machine import Machine
from flows.headers.pickle_values import Global, Mapping, Memory, StoredTensor, described, printable
from flows.headers.problem import HeaderProblem
from flows.headers.safetensors import BITS, Header, Tensor
from flows.headers.torch_globals import LARGEST_STORAGE, Storages

SEEN_BYTES = 250  # what a tensor takes among those that were seen
MAGIC_NUMBER, LEGACY_PROTOCOL = 0x1950A86A20F9469CFC6C, 1001


def tensors(read_at: ReadAt, size: int | None, header: Header) -> Iterator[Tensor]:
    """Every tensor in the order of the file; `header` has the bytes of all storages afterwards.

    `size` is the file's in bytes, null when unknown. Raises HeaderProblem, and nothing else, for any bytes.
    """
    storages, memory = Storages(), Memory()
    stream = Stream(read_at, end=size)
    stream.more()
    if stream.data.startswith(zip_entries.LOCAL):
        value = _zipped(read_at, size, stream, storages, memory)
    elif stream.data.startswith(b"\x80"):
        value = _in_a_row(size, stream, storages, memory)
    else:
        raise HeaderProblem("neither a zip nor a row of pickles, so no PyTorch checkpoint")
    del stream
    yield from _named(_names(value), memory)
    for storage in storages.found.values():
        if not storage.is_named:
            raise HeaderProblem("tensors beside the one mapping of names, such as states of an optimizer")
    header.data_bytes = storages.data_bytes


def _zipped(read_at: ReadAt, size: int | None, stream: Stream, storages: Storages, memory: Memory) -> object:
    """The value of data.pkl."""
    source, begin = Source(stream), 0
    entry = zip_entries.local_entry(source)
    if not zip_entries.is_pickle(entry.name):
        begin = zip_entries.find_pickle(read_at, size)
        left = None if size is None else size - begin
        source = Source(Stream(lambda at, count: read_at(begin + at, count), end=left))
        entry = zip_entries.local_entry(source)
        if not zip_entries.is_pickle(entry.name):
            raise HeaderProblem("data.pkl is not where the zip says")
    if not entry.is_plain:
        raise HeaderProblem("data.pkl is compressed or encrypted")
    before = source.taken
    value = Machine(source, storages, memory).run()
    zip_entries.check_end(source, entry, source.taken - before)
    if storages.data_bytes > (LARGEST_STORAGE if size is None else size - begin - source.taken):
        raise HeaderProblem(f"the pickle tells of {storages.data_bytes:,} bytes of tensors, more than the file has")
    return value


def _in_a_row(size: int | None, stream: Stream, storages: Storages, memory: Memory) -> object:
    """The value of the fourth pickle."""
    source = Source(stream)
    if Machine(source, storages, memory).run() != MAGIC_NUMBER:
        raise HeaderProblem("a pickle that is no PyTorch checkpoint")
    if Machine(source, storages, memory).run() != LEGACY_PROTOCOL:
        raise HeaderProblem("a PyTorch checkpoint of another version")
    Machine(source, storages, memory).run()
    value = Machine(source, storages, memory).run()
    Machine(source, storages, memory).run()
    told = source.taken + 8 * len(storages.found) + storages.data_bytes  # each with its length before it
    if told > LARGEST_STORAGE or (size is not None and told != size):
        raise HeaderProblem(f"the pickles describe a file of {told:,} bytes, it has {size or 0:,}")
    return value


def _names(value: object) -> Mapping:
    """The mapping from names to tensors: the value itself, or the one below it that has tensors."""
    if not isinstance(value, Mapping):
        raise HeaderProblem(f"the file holds {described(value)}, no tensors with names")
    if value.has_tensors:
        return value
    below = ((name, one) for name, one in value.items.items() if isinstance(one, Mapping) and one.has_tensors)
    inner = list(islice(below, 3))
    if not inner:
        what = ", ".join(map(printable, islice(value.items, 5)))
        raise HeaderProblem(f"no tensors at the top or one level below, in: {what:.80}")
    if len(inner) > 1:
        what = ", ".join(printable(name) for name, _ in inner)
        raise HeaderProblem(f"more than one mapping of names to tensors: {what:.80}")
    return inner[0][1]


def _named(mapping: Mapping, memory: Memory) -> Iterator[Tensor]:
    """Each tensor once, under the first of its names."""
    if mapping.has_other_keys:
        raise HeaderProblem("a tensor's name is no text")
    seen: set[tuple[str, int, tuple[int, ...], str]] = set()
    for name, value in mapping.items.items():
        if isinstance(value, Global):
            raise HeaderProblem(f"{printable(name)!r} is {value}, no tensor")
        if not isinstance(value, StoredTensor):
            continue  # a number or text beside the tensors; tensors inside of it are found missing at the end
        identity = value.storage.key, value.offset, value.shape, value.dtype
        if identity in seen:
            continue
        seen.add(identity)
        memory.charge(SEEN_BYTES)
        value.storage.is_named = True
        value.storage.viewed += math.prod(value.shape) * BITS[value.dtype]
        if value.storage.viewed > value.storage.bits:
            raise HeaderProblem(f"{printable(name)!r} overlaps another tensor, or repeats its own numbers")
        yield Tensor(name, value.dtype, value.shape)
