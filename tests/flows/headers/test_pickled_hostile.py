"""Hostile and damaged checkpoints: nothing of them is run, each is a HeaderProblem, and memory stays bounded."""

from __future__ import annotations

import builtins
import os
import tracemalloc
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pickle_opcodes import (
    EMPTY_ORDERED_DICT,
    MAGIC,
    called,
    checkpoint,
    legacy,
    mapping,
    name,
    number,
    numbers,
    pickled,
    storage,
    tensor,
    text,
    widened,
    zipped,
)

from flows.headers import pickle_values
from flows.headers.byte_source import PIECE
from flows.headers.fold import Folder
from flows.headers.pickled import tensors
from flows.headers.problem import HeaderProblem
from flows.headers.safetensors import Header

FILES = Path(__file__).parents[2] / "data" / "pickles"
WRITTEN = [path.read_bytes() for path in sorted(FILES.glob("*.bin"))]
MEMORY = pickle_values.MOST_MEMORY
SHELL = text("echo hostile")
REBUILD, UNTYPED = "torch._utils._rebuild_tensor_v2", "torch._utils._rebuild_tensor_v3"


def read(content: bytes, size: int | None = -1) -> int:
    """The number of tensors."""
    folder = Folder()
    whole = len(content) if size == -1 else size
    folder.add(tensors(lambda at, count: content[at : at + count], whole, Header()))
    return sum(group.count for group in folder.groups())


def one(value: bytes) -> bytes:
    return checkpoint(mapping({"a": value}))


def rebuilt(*arguments: bytes, function: str = REBUILD) -> bytes:
    return one(called(function, *arguments))


@pytest.mark.parametrize(
    ("body", "what"),
    [
        (called("os.system", SHELL), "os.system"),
        (called("posix.system", SHELL), "posix.system"),
        (called("builtins.eval", SHELL), "builtins.eval"),
        (called("__builtin__.exec", SHELL), "__builtin__.exec"),
        (called("torch.load", SHELL), "torch.load"),
        (called("torch._utils._rebuild_wrapper_subclass", SHELL), "torch._utils._rebuild_wrapper_subclass"),
        (called("collections.OrderedDict.fromkeys", SHELL), "collections.OrderedDict.fromkeys"),
        (text("os") + text("system") + b"\x93" + SHELL + b"\x85R", "os.system"),
        (name("os.system") + SHELL + b"\x85\x81", "os.system"),
        (name("os.system") + SHELL + b"\x85}\x92", "os.system"),
        (name("os.system") + b"}b", "the state of os.system"),
        (name("os.system") + b"K\x01a", "a method of os.system"),
        (name("os.system") + b"(K\x01K\x02u", "a method of os.system"),
        (name("os.system") + b"(K\x01\x90", "a method of os.system"),
        (b"(" + SHELL + b"ios\nsystem\n", "os.system"),
        (b"(" + name("os.system") + SHELL + b"o", "os.system"),
        (b"\x82\x07", "the extension 7"),
        (b"(" + text("module") + name("os.system") + b"NNtQ", "os.system"),
        (SHELL + b")R", "a plain value"),
        (called("x" * 500 + ".y"), "x{80}$"),
        (called("os.\x1b[31m\u202e"), r"os\.\\x1b\[31m\\u202e$"),
    ],
)
@pytest.mark.parametrize("protocol", [2, 5])
def test_what_needs_code_is_named_and_not_run(
    body: bytes, what: str, protocol: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(*arguments: object) -> None:
        raise AssertionError("it was run")

    monkeypatch.setattr(os, "system", run)
    for content in (checkpoint(body, protocol=protocol), legacy(body, ()), pickled(body), one(body)):
        with monkeypatch.context() as nothing_is_imported:
            nothing_is_imported.setattr(builtins, "__import__", run)
            with pytest.raises(HeaderProblem, match=f"needs code to be run: {what}"):
                read(content)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        # no checkpoint
        (b"", "neither a zip nor"),
        (b"{}", "neither a zip nor"),
        (b"PK\x03\x04", "ends inside"),
        (b"PK\x05\x06" + bytes(18), "neither a zip nor"),
        (b"\x80", "ends inside"),
        (b"\x80\x01.", "does not begin like"),
        (b"\x80\x06.", "does not begin like"),
        (pickled(b"K\x01"), "a pickle that is no PyTorch checkpoint"),
        (MAGIC + pickled(b"K\x01"), "of another version"),
        (MAGIC + pickled(b"M\xe9\x03"), "ends inside"),
        (checkpoint(b"}", protocol=0), "does not begin like"),
        (zipped({"x/data.pkl": b""}), "ends inside|none of pickle"),
        # no mapping of names to tensors
        (checkpoint(b"N"), "holds a plain value"),
        (checkpoint(b"K\x01"), "holds a plain value"),
        (checkpoint(b"]"), "holds a list"),
        (checkpoint(b")"), "holds a tuple"),
        (checkpoint(b"\x8f"), "holds a set"),
        (checkpoint(tensor(3)), "holds a tensor"),
        (checkpoint(storage(3)), "holds a storage"),
        (checkpoint(name("os.system")), "holds os.system"),
        (checkpoint(b"}"), "no tensors"),
        (checkpoint(mapping({"epoch": number(3)})), "no tensors at the top or one level below, in: epoch"),
        (one(mapping({"b": mapping({"c": tensor(1)})})), "no tensors at the top"),
        (checkpoint(mapping(dict.fromkeys("gd", mapping({"a": tensor(1)})))), "more than one.*: g, d"),
        (checkpoint(mapping({"a": tensor(1, stored=storage(1, "1")), "b": b"]" + tensor(1) + b"a"})), "tensors beside"),
        (checkpoint(mapping({"a": tensor(1, stored=storage(1, "1")), "b": tensor(1) + b"\x85"})), "tensors beside"),
        (checkpoint(mapping({"a": tensor(1), "b": name("torch.float16")})), "'b' is torch.float16, no tensor"),
        (checkpoint(b"}(K\x01" + tensor(1) + b"u"), "no tensors"),
        (checkpoint(b"}(K\x01" + tensor(1) + text("a") + tensor(1) + b"u"), "a tensor's name is no text"),
        # tensors
        (one(tensor(3, stored=storage(2))), "reaches beyond its storage 0"),
        (one(tensor(3, offset=1)), "reaches beyond"),
        (one(tensor(3, stride=(2,))), "reaches beyond"),
        (one(tensor(3, stride=(-1,))), "no usable strides"),
        (one(tensor(3, stride=(1, 1))), "no usable strides"),
        (one(tensor(3, offset=-1)), "no usable offset"),
        (one(tensor(3, offset=2**90)), "no usable offset"),
        (one(tensor(*[1] * 9)), "no usable shape"),
        (one(tensor(2**40, stride=(0,), stored=storage(1))), "no usable shape"),
        (one(tensor(3, stored=storage(3, key="x" * 500), offset=1)), "its storage x{80}$"),
        (one(tensor(-1, stored=storage(1))), "no usable shape"),
        (one(tensor(*[2**32] * 8, stride=(0,) * 8, stored=storage(1))), "repeats its own numbers"),
        (one(tensor(2, 2, stride=(1, 1), stored=storage(3))), "repeats its own numbers"),
        (one(tensor(3, stored=b"N")), "numbers are a plain value"),
        (one(tensor(3, stored=storage(3, kind="torch.storage.UntypedStorage"))), "numbers are a storage"),
        (rebuilt(storage(1), number(0)), "not described"),
        (rebuilt(storage(1), number(0), numbers(1), numbers(1), b"\x89", b"N", b"N", b"N"), "not described"),
        (rebuilt(storage(1), number(0), b"]", numbers(1)), "no usable shape"),
        (rebuilt(storage(1), number(0), b"\x88\x85", numbers(1)), "no usable shape"),
        (rebuilt(storage(1), b"\x89", numbers(1), numbers(1)), "no usable offset"),
        (rebuilt(storage(1), b"N", numbers(1), b"N"), "no usable strides"),
        (rebuilt(storage(1), *[b"N"] * 5, function=UNTYPED), "not described"),
        (rebuilt(storage(1), *[b"N"] * 5, name("torch.quint8"), function=UNTYPED), "of the type torch.quint8"),
        (rebuilt(*[b"N"] * 6, name("torch.uint16"), function=UNTYPED), "numbers are a plain value"),
        (rebuilt(function="torch._utils._rebuild_parameter"), "a parameter that is no tensor"),
        (rebuilt(b"N", function="torch._utils._rebuild_parameter"), "a parameter that is no tensor"),
        (rebuilt(function="torch._utils._rebuild_qtensor"), "quantised"),
        (rebuilt(b"N", function="collections.OrderedDict"), "no list of pairs"),
        (rebuilt(b"]K\x01a", function="collections.OrderedDict"), "no list of pairs"),
        (rebuilt(b"]", b"]", function="collections.OrderedDict"), "no list of pairs"),
        (one(name("collections.OrderedDict") + b"NR"), "called without arguments"),
        (one(called("torch.Size", b"N")), "no tensors"),
        # storages
        (one(tensor(1, stored=storage(1, kind="torch.ComplexDoubleStorage"))), "type torch.ComplexDoubleStorage"),
        (one(tensor(1, stored=storage(1, kind="os.system"))), "of the type os.system"),
        (one(tensor(1, stored=storage(-1))), "without a usable key and size"),
        (one(tensor(1, stored=storage(2**62))), "a storage of 18,446,744,073,709,551,616 bytes"),
        (one(tensor(1, stored=storage(2**100))), "a storage of"),
        (one(tensor(1, stored=storage(2**40))), "tells of 4,398,046,511,104 bytes"),
        (one(tensor(1, stored=storage(1, last=numbers(1, 2, 3)))), "is a view of another"),
        (one(tensor(1, stored=b"NQ")), "no storage"),
        (one(tensor(1, stored=b")Q")), "no storage"),
        (one(tensor(1, stored=numbers(1, 2, 3, 4, 5) + b"Q")), "no storage"),
        (checkpoint(mapping({"a": tensor(1), "b": tensor(2)})), "described in two ways"),
        (legacy(mapping({"a": tensor(1, stored=storage(2**60 - 1, last=b"N"))}), ()), "describe a file of"),
        # opcodes
        (checkpoint(b"0"), "more from its stack"),
        (checkpoint(b""), "more from its stack"),
        (checkpoint(b"("), "more from its stack"),
        (checkpoint(b"K\x01(\x85"), "more from its stack"),
        (checkpoint(b"t"), "a mark that it did not set"),
        (checkpoint(b"h\x00"), "from its memo"),
        (checkpoint(b"K\x01q\x05h\x04"), "from its memo"),
        (checkpoint(b"K\x01j\xff\xff\xff\xff"), "from its memo"),
        (checkpoint(b"K\x01r\xff\xff\xff\xff"), "memo of more than"),
        (checkpoint(b"}(K\x01u"), "a key without a value"),
        (checkpoint(b"NN\x93"), "a name that is no text"),
        (checkpoint(b"cos\n\xff\n"), "not UTF-8"),
        (checkpoint(b"c" + b"x" * 2000), "a line of more than"),
        (checkpoint(b"X\x02\x00\x00\x00\xc3\x28"), "not UTF-8"),
        (checkpoint(b"X\x03\x00\x00\x00\xed\xa0\x80"), "not UTF-8"),  # half of a surrogate pair
        (checkpoint(b"I1e9\n"), "not decimal"),
        (checkpoint(b"I" + b"9" * 500 + b"\n"), "not decimal"),
        (checkpoint(b"\x80\x02"), "a pickle within"),
        (checkpoint(b"S'a'\n"), "the opcode 0x53"),
        (checkpoint(b"\x97"), "the opcode 0x97"),
        (checkpoint(b"\xff"), "the opcode 0xff"),
        # lengths
        (checkpoint(b"\x8b\xff\xff\xff\x7f"), "a value of 2,147,483,647 bytes"),
        (checkpoint(b"\x8b\xff\xff\xff\xff"), "a value of 4,294,967,295 bytes"),
        (checkpoint(b"\x8d" + b"\xff" * 8), "a value of 18,446,744,073,709,551,615 bytes"),
        (checkpoint(b"\x8e" + bytes(7) + b"\x80"), "a value of 9,223,372,036,854,775,808 bytes"),
        (checkpoint(b"\x96" + bytes(7) + b"\x80"), "a value of 9,223,372,036,854,775,808 bytes"),
        (checkpoint(b"X\xff\xff\xff\xff"), "a value of 4,294,967,295 bytes"),
        (checkpoint(b"B\xff\xff\xff\xff"), "a value of 4,294,967,295 bytes"),
        (MAGIC + pickled(b"M\xe9\x03") + b"\x80\x02X\xff\xff\x00\x00", "ends inside"),
        # bombs
        (checkpoint(b"(" * 100_000), "a stack of more than"),
        (checkpoint(b"]" * 100_000), "a stack of more than"),
        (checkpoint(b"N" + b"2" * 100_000), "a stack of more than"),
        (checkpoint(b"N0" * 550_000), "more than 1,000,000 opcodes"),
        (legacy(b"C\xff" * 60_000, ()), "ends inside|opcode|stack"),
        (checkpoint(b"X\xf0\xff\x00\x00" + bytes(0xFFF0) + b"0" + (b"X\xf0\xff\x00\x00" + bytes(0xFFF0) + b"0") * 140),
         "more than 8 MiB"),
    ],
)  # fmt: skip
def test_damage_is_named(content: bytes, why: str) -> None:
    with pytest.raises(HeaderProblem, match=why):
        read(content)


def patched(content: bytes, at: int, value: bytes) -> bytes:
    return content[:at] + value + content[at + len(value) :]


FIRST = checkpoint(mapping({"a": tensor(3)}))
LAST = zipped({"x/version": bytes(100), "x/data.pkl": pickled(mapping({"a": tensor(3)}))})
DIRECTORY, SECOND, END = LAST.index(b"PK\x01\x02"), LAST.rindex(b"PK\x01\x02"), LAST.rindex(b"PK\x05\x06")
WIDE = widened(LAST)
WIDE_END = WIDE.rindex(b"PK\x06\x06")


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (zipped({"x/data.pkl": pickled(mapping({"a": tensor(3)}))}, zipfile.ZIP_DEFLATED), "compressed or encrypted"),
        (zipped({"x/0": b"", "x/data.pkl": b"a" * 10**6}, zipfile.ZIP_DEFLATED), "compressed or encrypted"),
        (patched(FIRST, 6, b"\x01"), "compressed or encrypted"),
        (patched(FIRST, 26, b"\xff\xff"), "a name of 65,535 bytes"),
        (patched(FIRST, 22, b"\x00\x00\x00\x10"), r"data.pkl has 268,435,456 bytes, its pickle"),
        (patched(FIRST, 22, b"\xff\xff\xff\xff"), "ZIP64 fields are incomplete"),
        (patched(FIRST, 6, b"\x08"), "goes on after its pickle"),
        (zipped({"x/data.pkl": pickled(mapping({"a": tensor(3)})) + b"."}), "its pickle"),
        (zipped({"a/data.pkl/b": b""}), r"a zip with 0 entries \*/data.pkl"),
        (zipped({"data.pkl": b""}), "a zip with 0 entries"),
        (zipped({"a": b"", "x/data.pkl": b"", "y/data.pkl": b""}), "a zip with 2 entries"),
        (LAST[:-1], "no end record"),
        (LAST + b"more", "no end record"),
        (LAST[:END], "no end record"),
        (patched(LAST, END + 4, b"\x01"), "directory is not where"),
        (patched(LAST, END + 12, b"\xff\xff\xff\xff"), "directory is not where"),
        (patched(LAST, END + 16, b"\xff\xff\xff\xff"), "directory is not where"),
        (patched(LAST, END + 16, b"\x00\x00\x00\x00"), "directory is not where"),
        (patched(LAST, END + 10, b"\x01"), "another length than it says"),
        (patched(LAST, END + 10, b"\xff\xff"), "ends inside"),
        (patched(LAST, DIRECTORY, b"XX"), "ends too early"),
        (patched(LAST, SECOND + 42, b"\x05"), "overlap"),
        (patched(LAST, SECOND + 42, b"\xf0\xff\xff\xff"), "into the directory"),
        (patched(LAST, DIRECTORY + 20, b"\x00\x00\x00\x10"), "into the directory"),
        (patched(LAST, DIRECTORY + 20, b"\x70"), "overlap"),
        (patched(LAST, SECOND + 20, b"\xff\xff\xff\xff"), "ZIP64 fields are incomplete"),
        (patched(LAST, LAST.index(b"PK\x03\x04", 4) + 30, b"y/data.pk_"), "data.pkl is not where the zip says"),
        (patched(LAST, LAST.index(b"PK\x03\x04", 4), b"XX"), "no entry where one should be"),
        (patched(WIDE, WIDE_END, b"XX"), "ZIP64 end record is not where"),
        (patched(WIDE, WIDE_END + 32, b"\xff" * 8), "a zip of 18,446,744,073,709,551,615 entries"),
        (patched(WIDE, WIDE_END + 48, b"\xff" * 8), "directory is not where"),
        (patched(WIDE, WIDE_END + 40, b"\x00" * 7 + b"\x80"), "directory is not where"),
        (patched(WIDE, WIDE.rindex(b"PK\x06\x07") + 8, b"\xff" * 8), "ZIP64 end record is not where"),
        (patched(WIDE, WIDE_END - 8, bytes(7) + b"\x80"), "tells of 9,223,372,036,854,775,808 bytes"),
        (patched(WIDE, WIDE_END - 24, b"\xff" * 8), "tells of 18,446,744,073,709,551,615 bytes"),
    ],
)  # fmt: skip
def test_a_damaged_zip_is_named(content: bytes, why: str) -> None:
    with pytest.raises(HeaderProblem, match=why):
        read(content)


def test_sizes_of_files_that_cannot_be() -> None:
    with pytest.raises(HeaderProblem, match="a file of 9,223,372,036,854,775,808 bytes"):
        read(LAST, 2**63)
    with pytest.raises(HeaderProblem, match="more than the file has"):
        read(FIRST, FIRST.index(b"PK\x03\x04", 4) + 11)
    far = {str(key): tensor(1, stored=storage(2**59, str(key))) for key in range(8)}
    with pytest.raises(HeaderProblem, match="more than the file has"):
        read(checkpoint(mapping(far)), None)


@pytest.mark.parametrize("content", [one(tensor(3)), LAST, WIDE, *WRITTEN])
def test_a_file_cut_anywhere_is_read_or_named(content: bytes) -> None:
    for length in range(0, len(content), 7):
        with suppress(HeaderProblem):  # and nothing else
            read(content[:length])
        with suppress(HeaderProblem):
            read(content[:length], None)


@given(
    content=st.sampled_from([*WRITTEN, LAST, WIDE]),
    changes=st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), min_size=1, max_size=4),
)
@settings(max_examples=500, deadline=None)
def test_a_damaged_file_is_read_or_named(content: bytes, changes: list[tuple[int, int]]) -> None:
    damaged = bytearray(content)
    for at, byte in changes:
        damaged[at % len(damaged)] = byte
    with suppress(HeaderProblem):  # and nothing else
        read(bytes(damaged))


PARTS = [
    b"(", b".", b"0", b"1", b"2", b"N", b"\x88", b")", b"]", b"}", b"\x8f", b"K\x01", b"a", b"e", b"s", b"u", b"t",
    b"\x85", b"\x86", b"\x87", b"q\x00", b"h\x00", b"\x94", b"R", b"b", b"Q", b"\x90", b"\x91", b"\x93", b"o",
    text("a"), text("module"), text("os"), name("os.system"), name("torch.Size"), name(REBUILD),
    name("collections.OrderedDict"), EMPTY_ORDERED_DICT, storage(1), tensor(1), numbers(1),
]  # fmt: skip


@given(st.lists(st.sampled_from(PARTS), max_size=40))
@settings(max_examples=500, deadline=None)
def test_any_row_of_opcodes_is_read_or_named(parts: list[bytes]) -> None:
    with suppress(HeaderProblem):  # and nothing else
        read(checkpoint(b"".join(parts)))


@given(st.binary(max_size=300))
@settings(max_examples=300, deadline=None)
def test_random_bytes_are_a_problem_and_nothing_else(content: bytes) -> None:
    for damaged in (content, b"\x80\x02" + content, MAGIC + content, zipped({"x/data.pkl": content})):
        with pytest.raises(HeaderProblem):
            read(damaged)


def laughs() -> bytes:
    """Each tuple holds the one before three times: 3^3000 values, if anybody walked through them."""
    return b"N\x94" + b"".join(b"j" + n.to_bytes(4, "little") + b"22\x87\x94" for n in range(3000))


def reduced() -> bytes:
    """A list of 4,000 pairs that is made into a mapping again and again."""
    pairs = b"".join(text(str(n)) + b"N\x86" for n in range(4000))
    return b"](" + pairs + b"eq\x00" + name("collections.OrderedDict") + b"q\x010" + b"h\x01h\x00\x85R0" * 100_000


def named(count: int, value: bytes) -> bytes:
    return b"".join(text(f"{n:x}") + value + b"s" for n in range(count))


EMOJI = (b"X\x00\xf8\x00\x00" + "\U0001f600".encode()).ljust(0xF805, b"a")  # four bytes for each letter, in memory
BOMBS: dict[str, Callable[[], bytes]] = {
    "laughs": laughs,
    "reduced": reduced,
    "100,000 nested tuples": lambda: b")" + b"\x85" * 100_000,
    "nested tuples": lambda: b")" + b"\x85" * 900_000,
    "nested lists": lambda: b"]q\x00" + b"h\x00]q\x00a0" * 150_000 + b"h\x00",
    "nested mappings": lambda: b"}q\x00" + (b"}q\x01" + text("a") + b"h\x00s0h\x01q\x000") * 90_000 + b"h\x00",
    "a list of itself": lambda: b"]q\x00h\x00a",
    "a mapping of itself": lambda: b"}q\x00" + text("a") + b"h\x00s",
    "a long list": lambda: b"]" + b"".join([b"(" + b"N" * 9000 + b"e"] * 110),
    "texts": lambda: b"](" + EMOJI * 120 + b"e",
    "numbers": lambda: b"]" + (b"\x8a\x10" + b"\x01" * 16 + b"a") * 400_000,
    "a memo": lambda: b"Nr\x3f\x42\x0f\x00" + b"0N\x94" * 300_000,
    "names": lambda: b"]" + b"ca\nb\na" * 350_000,
    "mappings": lambda: b"]" + b"}a" * 450_000,
    "entries": lambda: b"}" + named(300_000, b"N"),
    "tensors": lambda: tensor(1) + b"q\x000}" + named(300_000, b"h\x00"),
    "mappings of tensors": lambda: mapping({"a": tensor(1)}) + b"q\x000}" + named(300_000, b"h\x00"),
    "storages": lambda: b"]" + b"".join(storage(0, f"{n:x}") + b"a" for n in range(90_000)),
    "views": lambda: storage(10**6)
    + b"q\x000"
    + mapping({f"{n:x}": tensor(1, stored=b"h\x00", offset=n) for n in range(27_000)}),
}  # fmt: skip


@pytest.mark.parametrize("bomb", BOMBS)
def test_a_bomb_takes_no_more_memory_than_is_allowed(bomb: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a sixteenth of the memory, to be quick; windows over the file come on top."""
    monkeypatch.setattr(pickle_values, "MOST_MEMORY", MEMORY // 16)
    content = checkpoint(BOMBS[bomb](), data=2**23)
    folder = Folder()
    tracemalloc.start()
    with pytest.raises(HeaderProblem):
        folder.add(tensors(lambda at, count: content[at : at + count], len(content), Header()))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < MEMORY // 16 + 4 * PIECE


def test_a_large_checkpoint_stays_under_32_megabytes() -> None:
    experts = {
        f"model.layers.{n // 400}.block_sparse_moe.experts.{n % 400}.w1.weight": tensor(
            1000, 300, stored=storage(300_000, str(n))
        )
        for n in range(4000)
    }
    content = checkpoint(mapping(experts))
    folder = Folder()
    tracemalloc.start()
    folder.add(tensors(lambda at, count: content[at : at + count], None, Header()))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert MEMORY + 4 * PIECE < 32 * 2**20
    assert peak < MEMORY // 4
    assert sum(group.count for group in folder.groups()) == 4000
