"""Safetensors headers: right ones read, wrong ones named, memory bounded."""

from __future__ import annotations

import json
import tracemalloc
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.headers.fold import Folder
from flows.headers.problem import HeaderProblem
from flows.headers.safetensors import FIRST_BYTES, Header, Tensor, tensors

PLAIN = {
    "__metadata__": {"format": "pt"},
    "model.layers.0.mlp.up_proj.weight": {"dtype": "BF16", "shape": [4, 2], "data_offsets": [0, 16]},
    "model.layers.1.mlp.up_proj.weight": {"dtype": "BF16", "shape": [4, 2], "data_offsets": [16, 32]},
    "scale": {"dtype": "F32", "shape": [], "data_offsets": [32, 36]},
}


def file(header: Any, *, data: int = 36, length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + bytes(data)


def read(content: bytes, size: int | None = -1) -> tuple[list[Tensor], Header]:
    header = Header()
    whole = len(content) if size == -1 else size
    found = list(tensors(lambda at, count: content[at : at + count], whole, header))
    return found, header


def test_tensors_bytes_and_metadata() -> None:
    found, header = read(file(PLAIN))
    assert found[0] == Tensor("model.layers.0.mlp.up_proj.weight", "BF16", (4, 2))
    assert found[2] == Tensor("scale", "F32", ())
    assert header.data_bytes == 36
    assert header.metadata == {"format": "pt"}


def test_groups() -> None:
    folder = Folder()
    folder.add(read(file(PLAIN))[0])
    assert [(group.pattern, group.count) for group in folder.groups()] == [
        ("model.layers.#.mlp.up_proj.weight", 2),
        ("scale", 1),
    ]


def test_one_piece_holds_a_small_header_and_nothing_beyond_it_is_asked_for() -> None:
    content = file(PLAIN, data=36)
    asked: list[tuple[int, int]] = []

    def read_at(at: int, count: int) -> bytes:
        asked.append((at, count))
        return content[at : at + count]

    list(tensors(read_at, None, Header()))
    assert asked == [(0, FIRST_BYTES)]


def one(**changes: Any) -> dict[str, Any]:
    return {"a": {"dtype": "F32", "shape": [3], "data_offsets": [0, 12], **changes}}


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "ends inside"),
        (b"\x01\x02", "ends inside"),
        (file(b"{}", length=2**63), "9,223,372,036,854,775,808 bytes"),
        (file(b"", length=0), "a header of 0 bytes"),
        (file(b"{}", data=0, length=90), "in a file of 10"),
        (file(b"[]", data=0), "not a JSON object"),
        (file(b"null", data=0), "not a JSON object"),
        (file(b"{'a': 1}", data=0), "not valid JSON"),
        (file(b'{"a"', data=0), "too early"),
        (file(b'{"a":{"dtype":"F32"', data=0), "too early"),
        (file(b'{"a":1}', data=0), "not valid JSON"),
        (file(b'{"a":{"b":{}}}', data=0), "not valid JSON"),
        (file(b'{"a":{}}', data=0), "dtype None"),
        (file(b'{"a":' + b"[" * 5000 + b"}", data=0), "not valid JSON"),
        (file({"__metadata__": {"a": "b"}}, data=3), "describes a file of"),
        (file(one(dtype="Q4"), data=12), "dtype 'Q4'"),
        (file(one(dtype=None), data=12), "dtype None"),
        (file(one(shape=[-3]), data=12), "no usable shape"),
        (file(one(shape=[3.0]), data=12), "no usable shape"),
        (file(one(shape=["3"]), data=12), "no usable shape"),
        (file(one(shape=[True]), data=12), "no usable shape"),
        (file(one(shape=[2**40]), data=12), "no usable shape"),
        (file(one(shape=[1] * 9), data=12), "no usable shape"),
        (file(one(shape=None), data=12), "no usable shape"),
        (file(one(data_offsets=[12, 0]), data=12), "has -12 bytes"),
        (file(one(data_offsets=[0, 13]), data=13), "13 bytes, its shape needs 12"),
        (file(one(data_offsets=[0, 2**63]), data=12), "no usable offsets"),
        (file(one(data_offsets=[0]), data=12), "no usable offsets"),
        (file(one(data_offsets=[0, 12.0]), data=12), "no usable offsets"),
        (file(one(data_offsets=[4, 16]), data=16), "leave a hole at byte 4"),
        (file({**one(), "b": {"dtype": "F32", "shape": [3], "data_offsets": [8, 20]}}, data=20), "overlap at byte 8"),
        (file(b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}',
              data=2), "two tensors have the same name"),
        (file(b'{"a":{"dtype":"F4","shape":[3],"data_offsets":[0,1]}}', data=1), "1 bytes, its shape needs 2"),
        (file(b'{"' + b"x" * 1_500_000 + b'":1}', data=0), "larger than a megabyte"),
        (file(b'{"a":{"dtype":"F32","shape":[NaN],"data_offsets":[0,4]}}', data=4), "no usable shape"),
    ],
)  # fmt: skip
def test_damage_is_named(content: bytes, why: str) -> None:
    with pytest.raises(HeaderProblem, match=why):
        read(content)


@given(st.binary(max_size=300))
@settings(max_examples=200, deadline=None)
def test_random_bytes_are_a_problem_and_nothing_else(content: bytes) -> None:
    with pytest.raises(HeaderProblem):
        read(content + b"!")


@given(at=st.integers(0, len(file(PLAIN)) - 1), byte=st.integers(0, 255), cut=st.integers(0, 400))
@settings(max_examples=300, deadline=None)
def test_a_damaged_file_is_read_or_named(at: int, byte: int, cut: int) -> None:
    content = bytearray(file(PLAIN))
    content[at] = byte
    with suppress(HeaderProblem):  # and nothing else
        read(bytes(content)[: len(content) - cut])


def test_a_large_header_is_read_in_the_memory_allowed_to_it() -> None:
    """A quarter of the largest in a quarter of 32 MB; `benchmarks/headers.py` reads the largest itself."""
    name = "model.layers.{}." + "deep." * 60 + "weight"
    entries = (
        f'"{name.format(number)}":{{"dtype":"BF16","shape":[64,32],"data_offsets":[{at},{at + 4096}]}}'
        for number, at in enumerate(range(0, 15_000 * 4096, 4096))
    )
    text = ("{" + ",".join(entries) + "}").encode()
    assert 5_500_000 < len(text) < 6_500_000
    content = len(text).to_bytes(8, "little") + text
    folder = Folder()
    tracemalloc.start()
    folder.add(tensors(lambda at, count: content[at : at + count], None, Header()))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * 2**20
    assert sum(group.count for group in folder.groups()) == 15_000
