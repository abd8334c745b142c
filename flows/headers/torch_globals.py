"""The only names that mean something in a checkpoint: how PyTorch writes storages, tensors and mappings.

A name that is called and is not here needs code to be run, which is a HeaderProblem that says so.
Source: PyTorch 2.14, torch/_utils.py (_rebuild_*), torch/serialization.py (persistent_id), torch/storage.py.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from flows.headers.opcodes import OTHER
from flows.headers.pickle_values import Global, Mapping, Memory, Storage, StoredTensor, described, pair, printable
from flows.headers.problem import HeaderProblem
from flows.headers.safetensors import BITS, LARGEST_DIMENSION, MOST_DIMENSIONS

_STORAGES = {
    "DoubleStorage": "F64", "FloatStorage": "F32", "HalfStorage": "F16", "BFloat16Storage": "BF16",
    "LongStorage": "I64", "IntStorage": "I32", "ShortStorage": "I16", "CharStorage": "I8", "ByteStorage": "U8",
    "BoolStorage": "BOOL", "ComplexFloatStorage": "C64",
}  # fmt: skip
STORAGE_TYPES: dict[str, str | None] = {
    **{f"{module}.{name}": dtype for module in ("torch", "torch.cuda") for name, dtype in _STORAGES.items()},
    **dict.fromkeys(("torch.storage.UntypedStorage", "torch.storage._UntypedStorage", "torch.UntypedStorage")),
}
DTYPES = {
    "torch.float64": "F64", "torch.float32": "F32", "torch.float16": "F16", "torch.bfloat16": "BF16",
    "torch.int64": "I64", "torch.int32": "I32", "torch.int16": "I16", "torch.int8": "I8", "torch.uint8": "U8",
    "torch.uint16": "U16", "torch.uint32": "U32", "torch.uint64": "U64", "torch.bool": "BOOL",
    "torch.complex64": "C64", "torch.float8_e4m3fn": "F8_E4M3", "torch.float8_e5m2": "F8_E5M2",
    "torch.float8_e4m3fnuz": "F8_E4M3FNUZ", "torch.float8_e5m2fnuz": "F8_E5M2FNUZ", "torch.float8_e8m0fnu": "F8_E8M0",
}  # fmt: skip
LARGEST_STORAGE = 2**62  # bytes


class Storages:
    """Every storage that a file has, by its key."""

    def __init__(self) -> None:
        self.found: dict[str, Storage] = {}

    @property
    def data_bytes(self) -> int:
        """Bytes of all of them, each once."""
        return sum(storage.bits for storage in self.found.values()) // 8

    def load(self, told: object, memory: Memory) -> Storage:
        """The storage of `("storage", type, key, location, elements)`; files before the zip append a null."""
        if isinstance(told, tuple) and len(told) > 1 and told[0] == "module":
            raise HeaderProblem(f"needs code to be run: {described(told[1])}")
        if not isinstance(told, tuple) or len(told) not in (5, 6) or not _is_text(told[0], "storage"):
            raise HeaderProblem("something outside of the pickle that is no storage")
        kind, key, elements = told[1], told[2], told[4]
        if not isinstance(kind, Global) or kind.name not in STORAGE_TYPES:
            raise HeaderProblem(f"a storage of the type {described(kind)}")
        if not isinstance(key, str) or type(elements) is not int or elements < 0:
            raise HeaderProblem("a storage without a usable key and size")
        if len(told) == 6 and told[5] is not None:
            raise HeaderProblem(f"the storage {printable(key)} is a view of another")
        dtype = STORAGE_TYPES[kind.name]
        bits = elements * BITS[dtype or "U8"]
        if bits > 8 * LARGEST_STORAGE:
            raise HeaderProblem(f"a storage of {bits // 8:,} bytes")
        storage = self.found.get(key)
        if storage is None:
            storage = self.found[key] = Storage(key, dtype, bits)
            memory.charge_value(storage)
            memory.charge_value(bits)
        elif (storage.dtype, storage.bits) != (dtype, bits):
            raise HeaderProblem(f"the storage {storage} is described in two ways")
        return storage


def call(what: object, arguments: object, memory: Memory) -> object:
    """What PyTorch's function would give. Raises HeaderProblem for every function that is not known."""
    known = _CALLABLES.get(what.name) if isinstance(what, Global) else None
    if known is None:
        raise HeaderProblem(f"needs code to be run: {described(what)}")
    if not isinstance(arguments, tuple):
        raise HeaderProblem(f"{described(what)} is called without arguments")
    found = known(arguments, memory)
    memory.charge_value(found)
    return found


def _is_text(value: object, text: str) -> bool:
    return isinstance(value, str) and value == text


def _ordered(arguments: tuple[object, ...], memory: Memory) -> Mapping:
    mapping = Mapping()
    memory.charge_value(mapping.items)
    if arguments:
        items = arguments[0]
        if len(arguments) > 1 or not isinstance(items, (list, tuple)):
            raise HeaderProblem("a mapping is made of something that is no list of pairs")
        mapping.put(map(pair, items), memory)
    return mapping


def _size(arguments: tuple[object, ...], memory: Memory) -> object:
    return arguments[0] if len(arguments) == 1 and isinstance(arguments[0], tuple) else OTHER


def _layout(arguments: tuple[object, ...], memory: Memory) -> object:
    return OTHER


def _quantised(arguments: tuple[object, ...], memory: Memory) -> object:
    raise HeaderProblem("a tensor that PyTorch quantised: torch._utils._rebuild_qtensor")


def _parameter(arguments: tuple[object, ...], memory: Memory) -> StoredTensor:
    if not arguments or not isinstance(arguments[0], StoredTensor):
        raise HeaderProblem("a parameter that is no tensor")
    return arguments[0]


def _typed(arguments: tuple[object, ...], memory: Memory) -> StoredTensor:
    """Of a storage that has a type; of the arguments only the first four matter."""
    if not 4 <= len(arguments) <= 7:
        raise HeaderProblem("a tensor that is not described")
    storage = arguments[0]
    if not isinstance(storage, Storage) or storage.dtype is None:
        raise HeaderProblem(f"a tensor whose numbers are {described(storage)}")
    return _tensor(storage, storage.dtype, *arguments[1:4])


def _untyped(arguments: tuple[object, ...], memory: Memory) -> StoredTensor:
    """Of a storage of bytes, with the type as the seventh argument."""
    if not 7 <= len(arguments) <= 8:
        raise HeaderProblem("a tensor that is not described")
    storage, kind = arguments[0], arguments[6]
    if not isinstance(storage, Storage):
        raise HeaderProblem(f"a tensor whose numbers are {described(storage)}")
    if not isinstance(kind, Global) or kind.name not in DTYPES:
        raise HeaderProblem(f"a tensor of the type {described(kind)}")
    return _tensor(storage, DTYPES[kind.name], *arguments[1:4])


def _tensor(storage: Storage, dtype: str, offset: object, shape: object, stride: object) -> StoredTensor:
    if not isinstance(shape, tuple) or len(shape) > MOST_DIMENSIONS or not all(map(_is_dimension, shape)):
        raise HeaderProblem(f"a tensor of the storage {storage} has no usable shape")
    if not isinstance(stride, tuple) or len(stride) != len(shape) or not all(map(_is_step, stride)):
        raise HeaderProblem(f"a tensor of the storage {storage} has no usable strides")
    if type(offset) is not int or not _is_step(offset):
        raise HeaderProblem(f"a tensor of the storage {storage} has no usable offset")
    last = offset + sum((size - 1) * step for size, step in zip(shape, stride, strict=True))
    if math.prod(shape) and (last + 1) * BITS[dtype] > storage.bits:
        raise HeaderProblem(f"a tensor reaches beyond its storage {storage}")
    return StoredTensor(storage, dtype, offset, shape)


def _is_dimension(value: object) -> bool:
    return type(value) is int and 0 <= value <= LARGEST_DIMENSION


def _is_step(value: object) -> bool:
    return type(value) is int and 0 <= value < LARGEST_STORAGE


_CALLABLES: dict[str, Callable[[tuple[object, ...], Memory], object]] = {
    "collections.OrderedDict": _ordered,
    "torch.Size": _size,
    "torch.serialization._get_layout": _layout,
    "torch._utils._rebuild_tensor": _typed,
    "torch._utils._rebuild_tensor_v2": _typed,
    "torch._utils._rebuild_tensor_v3": _untyped,
    "torch._utils._rebuild_parameter": _parameter,
    "torch._utils._rebuild_parameter_with_state": _parameter,
    "torch._utils._rebuild_qtensor": _quantised,
}
