"""The tensors of a GGUF file by what its sibling says: found in one read, or a problem, never other tensors."""

from __future__ import annotations

from contextlib import suppress

import pytest
from gguf_bytes import ARRAY, STRING, U32, described, gguf, pair
from hypothesis import given, settings
from hypothesis import strategies as st

from flows.headers.gguf import GgufHeader, tensors
from flows.headers.gguf_sibling import SLACK, sibling_tensors
from flows.headers.problem import HeaderProblem
from flows.headers.safetensors import Tensor

F32, F16, Q4_0, Q8_0 = 0, 1, 2, 8
BYTES = {F32: 64 * 2 * 4, F16: 64 * 2 * 2, Q4_0: 64 * 2 * 18 // 32, Q8_0: 64 * 2 * 34 // 32}


def file(
    kind: int, *, names: tuple[str, ...] = ("a", "b", "c"), name: str = "x", tokens: int = 5_000, more: int = 0
) -> bytes:
    pairs = [pair("general.name", STRING, name), pair("general.file_type", U32, kind)]
    pairs += [pair("tokenizer.ggml.tokens", ARRAY, (STRING, [f"token {n}" for n in range(tokens)]))]
    room = -(-BYTES[kind] // 32) * 32
    one = [described(tensor, (64, 2), kind, number * room) for number, tensor in enumerate(names)]
    return gguf(pairs, one, data=room * len(names)) + bytes(more)


def whole(content: bytes) -> tuple[list[Tensor], GgufHeader]:
    header = GgufHeader()
    return list(tensors(lambda at, count: content[at : at + count], len(content), header)), header


KNOWN, LIKE = whole(file(Q8_0))


def by_sibling(content: bytes) -> tuple[list[Tensor], GgufHeader, list[tuple[int, int]]]:
    asked: list[tuple[int, int]] = []

    def read_at(at: int, count: int) -> bytes:
        asked.append((at, count))
        return content[at : at + count]

    header = GgufHeader()
    return list(sibling_tensors(read_at, len(content), KNOWN, LIKE, header)), header, asked


@pytest.mark.parametrize("kind", [F32, F16, Q4_0, Q8_0])
def test_the_same_as_reading_it_whole_in_one_read_without_the_vocabulary(kind: int) -> None:
    content = file(kind, name="another, longer name")
    found, header, asked = by_sibling(content)
    expected, read = whole(content)
    assert found == expected
    assert (header.data_bytes, header.described_at) == (read.data_bytes, read.described_at)
    [(at, count)] = asked
    assert at == LIKE.described_at - SLACK
    assert count == LIKE.described_to - LIKE.described_at + 2 * SLACK


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (file(F16, names=("a", "b", "d")), "is not the tensor"),
        (file(F16, names=("a", "b")), "overlap"),
        (file(F16, names=("a", "b", "c", "d")), "overlap|hole|more tensors|describes a file"),
        (file(F16, names=("z", "b", "c")), "not described where"),
        (file(F16, tokens=50_000), "not described where"),
        (file(F16, more=64), "more tensors"),
        (file(F16)[:-200], "describes a file"),
        (b"", "not described where"),
    ],
)
def test_another_file_is_a_problem(content: bytes, why: str) -> None:
    with pytest.raises(HeaderProblem, match=why):
        by_sibling(content)


def test_a_beginning_that_stands_there_twice_is_none() -> None:
    with pytest.raises(HeaderProblem, match="not described where"):
        by_sibling(file(F16) + described("a", (64, 2), F16, 0))


@given(at=st.integers(0, 400), byte=st.integers(0, 255), cut=st.integers(0, 600))
@settings(max_examples=200, deadline=None)
def test_damage_is_a_problem_or_the_same_tensors(at: int, byte: int, cut: int) -> None:
    content = bytearray(file(F16))
    content[LIKE.described_at + at] = byte
    with suppress(HeaderProblem):  # and nothing else
        found = by_sibling(bytes(content)[: len(content) - cut])[0]
        assert [(tensor.name, tensor.shape) for tensor in found] == [(tensor.name, tensor.shape) for tensor in KNOWN]
