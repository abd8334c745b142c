"""GGUF headers: right ones read, wrong ones named, memory and requests bounded."""

from __future__ import annotations

import struct
import tracemalloc
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from gguf_bytes import ARRAY, BOOL, F32, F64, I32, STRING, U8, U32, U64, described, gguf, pair
from hypothesis import given, settings
from hypothesis import strategies as st

import catalogs
from flows.extract.gguf_mix import BITS
from flows.headers.fold import Folder
from flows.headers.ggml_types import REMOVED, TYPES
from flows.headers.gguf import LARGEST_HEADER, MOST_TENSORS, PIECE, GgufHeader, tensors
from flows.headers.gguf_metadata import MOST_KEYS, MOST_METADATA
from flows.headers.problem import HeaderProblem
from flows.headers.safetensors import Tensor

LLAMA = [
    pair("general.architecture", STRING, "llama"),
    pair("general.name", STRING, "Tiny"),
    pair("general.file_type", U32, 15),
    pair("general.url", STRING, "https://example.org"),
    pair("llama.block_count", U32, 3),
    pair("llama.attention.head_count_kv", ARRAY, (I32, [8, 0, 8])),
    pair("llama.attention.sliding_window_pattern", ARRAY, (BOOL, [True, False])),
    pair("llama.rope.freq_base", F32, 10000.0),
    pair("llama.rope.scaling.type", STRING, "yarn"),
    pair("llama.attention.causal", BOOL, False),
    pair("tokenizer.ggml.tokens", ARRAY, (STRING, ["<s>", "", "ab"])),
    pair("tokenizer.ggml.scores", ARRAY, (F32, [0.0, 1.0, 2.0])),
    pair("split.count", 2, 2),
]
KEPT = {
    "general.architecture": "llama",
    "general.name": "Tiny",
    "general.file_type": 15,
    "split.count": 2,
    "tokenizer.ggml.tokens.count": 3,
    "llama.block_count": 3,
    "llama.attention.head_count_kv": "8,0,8",
    "llama.attention.sliding_window_pattern": "1,0",
    "llama.rope.freq_base": 10000.0,
    "llama.rope.scaling.type": "yarn",
    "llama.attention.causal": False,
}
# 512 x 2 weights in Q4_K are 4 blocks of 144 bytes; 3 x 4 bytes are padded to 32; a scalar has 2.
TENSORS = [
    described("blk.0.ffn_up.weight", [512, 2], 12, 0),
    described("output_norm.weight", [3], 0, 576),
    described("scale", [], 1, 608),
]
WHOLE = gguf(LLAMA, TENSORS, data=610)


def read(content: bytes, size: int | None = -1) -> tuple[list[Tensor], GgufHeader]:
    header = GgufHeader()
    whole = len(content) if size == -1 else size
    found = list(tensors(lambda at, count: content[at : at + count], whole, header))
    return found, header


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("size", [-1, None])
def test_tensors_bytes_and_metadata(version: int, size: int | None) -> None:
    found, header = read(gguf(LLAMA, TENSORS, data=610, version=version), size)
    assert found == [
        Tensor("blk.0.ffn_up.weight", "Q4_K", (2, 512)),
        Tensor("output_norm.weight", "F32", (3,)),
        Tensor("scale", "F16", ()),
    ]
    assert header.data_bytes == 576 + 12 + 2
    assert header.metadata == KEPT


def test_another_alignment() -> None:
    pairs = [pair("general.alignment", U32, 8)]
    infos = [described("a", [3], 0, 0), described("b", [3], 0, 16)]
    found, header = read(gguf(pairs, infos, data=28, alignment=8))
    assert [tensor.name for tensor in found] == ["a", "b"]
    assert header.data_bytes == 24
    assert header.metadata == {"general.alignment": 8}


def test_the_first_shard_of_a_set_may_have_no_tensors() -> None:
    found, header = read(gguf([pair("split.no", 2, 0), pair("split.count", 2, 2), pair("split.tensors.count", I32, 9)]))
    assert (found, header.data_bytes) == ([], 0)
    assert header.metadata == {"split.no": 0, "split.count": 2, "split.tensors.count": 9}


def test_the_architecture_need_not_be_the_first_key() -> None:
    pairs = [pair("clip.vision.block_count", U32, 27), pair("llama.block_count", U32, 1)]
    _, header = read(gguf([*pairs, pair("general.architecture", STRING, "clip")]))
    assert header.metadata == {"general.architecture": "clip", "clip.vision.block_count": 27}


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        (F32, float("nan")),
        (F32, float("inf")),
        (F64, float("-inf")),
        (U64, 2**63),
        (STRING, "x" * 201),
        (STRING, struct.pack("<Q", 2) + b"\xff\xfe"),
        (ARRAY, (F32, [1.0])),
        (ARRAY, (STRING, ["a"])),
        (ARRAY, (ARRAY, [(U8, [1, 2]), (ARRAY, [(STRING, ["a"])])])),
        (ARRAY, (I32, [])),
        (ARRAY, (I32, [1] * 1025)),
        (ARRAY, (I32, [-1_000_000] * 1000)),
    ],
)
def test_what_is_not_kept(kind: int, content: Any) -> None:
    pairs = [pair("general.architecture", STRING, "a"), pair("a.odd", kind, content), pair("a.next", U8, 1)]
    assert read(gguf(pairs))[1].metadata == {"general.architecture": "a", "a.next": 1}


def test_metadata_is_bounded_and_the_count_of_tokens_is_ours() -> None:
    many = [pair(f"a.{number}", U8, 1) for number in range(5000)]
    tokens = [
        pair("tokenizer.ggml.tokens", ARRAY, (STRING, ["x"])),
        pair("tokenizer.ggml.tokens.count", STRING, "many"),
    ]
    _, header = read(gguf([pair("general.architecture", STRING, "a"), *many, *tokens]))
    assert len(header.metadata) == MOST_METADATA
    assert header.metadata["tokenizer.ggml.tokens.count"] == 1
    assert read(gguf([pair("general.architecture", STRING, "a"), pair("a." + "b" * 300, U8, 1)]))[1].metadata == {
        "general.architecture": "a"
    }


def test_experts_are_one_tensor_and_layers_one_group() -> None:
    infos = [described(f"blk.{layer}.ffn_up_exps.weight", [32, 4, 8], 39, layer * 544) for layer in range(2)]
    folder = Folder()
    folder.add(read(gguf([], infos, data=1088))[0])
    assert [(group.pattern, group.dtype, group.shape, group.count) for group in folder.groups()] == [
        ("blk.#.ffn_up_exps.weight", "MXFP4", (8, 4, 32), 2)
    ]


def test_a_tensor_without_elements_takes_no_room() -> None:
    found, header = read(gguf([], [described("none", [0, 4], 0, 0), described("a", [1], 0, 0)], data=4))
    assert ([tensor.shape for tensor in found], header.data_bytes) == ([(4, 0), (1,)], 4)


def nested(depth: int) -> bytes:
    return struct.pack("<IQ", ARRAY, 1) * (depth - 1) + struct.pack("<IQ", U8, 1) + b"\x01"


def info(*dimensions: int, kind: int = 0, offset: int = 0, name: str = "t") -> list[bytes]:
    return [described(name, dimensions, kind, offset)]


def one(key: str | bytes, kind: int, content: Any) -> bytes:
    return gguf([pair(key, kind, content)])


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "ends inside"),
        (b"GGU", "ends inside"),
        (gguf(magic=b"tjgg"), "begins with b'tjgg'"),
        (b"version https://git-lfs.github.com/spec/v1\n", "begins with b'vers'"),
        (gguf(version=0), "version 0"),
        (gguf(version=1), "version 1"),
        (gguf(version=4), "version 4"),
        (gguf(version=3 << 24), "big-endian"),
        (gguf(counts=(2**63, 0)), "9,223,372,036,854,775,808 tensors"),
        (gguf(counts=(MOST_TENSORS + 1, 0)), "100,001 tensors"),
        (gguf(counts=(0, MOST_KEYS + 1)), "100,001 keys"),
        (gguf(counts=(0, 2**64 - 1)), "18,446,744,073,709,551,615 keys"),
        (gguf(counts=(1, 0)), "ends inside"),
        (gguf(counts=(0, 1)), "ends inside"),
        (gguf(counts=(0, 1)) + struct.pack("<Q", 2**63), "a name of 9,223,372,036,854,775,808 bytes"),
        (one("k" * 70_000, U8, 1), "a name of 70,000 bytes"),
        (one("", U8, 1), "a key is empty"),
        (one(b"\xff", U8, 1), "not UTF-8"),
        (gguf([pair("a", U8, 1)] * 2), "two values have the key 'a'"),
        (one("a", 13, b"\x00"), "'a' has values of the type 13"),
        (one("a", 2**32 - 1, b"\x00"), "the type 4294967295"),
        (one("a", U64, b"\x00"), "ends inside"),
        (one("a", STRING, struct.pack("<Q", 2**63)), "a string of 9,223,372,036,854,775,808 bytes"),
        (one("a", STRING, struct.pack("<Q", 10_000_001)), "a string of 10,000,001 bytes"),
        (one("a", STRING, struct.pack("<Q", 9_000_000)), "ends inside"),
        (one("a", ARRAY, struct.pack("<IQ", U8, 2**63)), "an array of 9,223,372,036,854,775,808 elements"),
        (one("a", ARRAY, struct.pack("<IQ", U8, 16_000_000)), "ends inside"),
        (one("a", ARRAY, struct.pack("<IQ", U8, 5) + b"abc"), "ends inside"),
        (one("a", ARRAY, struct.pack("<IQ", STRING, 2) + struct.pack("<Q", 0)), "ends inside"),
        (one("a", ARRAY, struct.pack("<IQQ", STRING, 1, 2**63)), "a string of 9,223"),
        (one("a", ARRAY, struct.pack("<IQQ", STRING, 1, 99) + b"short"), "ends inside"),
        (one("a", ARRAY, struct.pack("<IQ", 13, 0)), "the type 13"),
        (one("a", ARRAY, nested(5)), "more than 4 deep"),
        (one("a", ARRAY, nested(100_000)), "more than 4 deep"),
        (one("a", ARRAY, struct.pack("<IQIQ", ARRAY, 1, U8, 2**40)), "an array of 1,099,511,627,776 elements"),
        (one("general.alignment", U64, 32), "not a 32-bit number"),
        (one("general.alignment", STRING, "32"), "not a 32-bit number"),
        (one("general.alignment", U32, 0), "an alignment of 0"),
        (one("general.alignment", U32, 24), "an alignment of 24"),
        (gguf([], [described("x" * 70_000, [], 0, 0)], data=4), "a name of 70,000 bytes"),
        (gguf([], [described(b"\xff", [], 0, 0)], data=4), "not UTF-8"),
        (gguf([], info(1, 1, 1, 1, 1), data=4), "'t' has 5 dimensions"),
        (gguf([], [struct.pack("<QcI", 1, b"t", 2**32 - 1)]), "4,294,967,295 dimensions"),
        (gguf([], info(2**32 + 1), data=4), "a dimension of 4,294,967,297"),
        (gguf([], info(2**63), data=4), "a dimension of 9,223,372,036,854,775,808"),
        (gguf([], info(2**32, 2**32), data=4), "more bytes of tensors than a file can have"),
        (gguf([], info(4, kind=42 + 24), data=4), "'t' has the unknown ggml type 66"),
        (gguf([], info(4, kind=2**32 - 1), data=4), "unknown ggml type 4294967295"),
        (gguf([], info(32, kind=31), data=18), "the type Q4_0_4_4, which llama.cpp removed"),
        (gguf([], info(128, 2, kind=12), data=144), "'t' has 128 columns, Q4_K needs blocks of 256"),
        (gguf([], info(kind=8), data=34), "'t' has 1 columns, Q8_0 needs blocks of 32"),
        (gguf([], info(4, offset=4), data=20), "'t' is at byte 4, not a multiple of 32"),
        (gguf([], info(4, offset=32), data=48), "leave a hole at byte 32, expected 0"),
        (gguf([], info(4, offset=2**63), data=48), "leave a hole at byte 9,223,372,036,854,775,808"),
        (gguf([], info(12) + info(4, name="b"), data=64), "overlap at byte 0, expected 64"),
        (gguf([], info(4) + info(4, offset=64, name="b"), data=80), "leave a hole at byte 64, expected 32"),
        (gguf([], info(4) + info(4, offset=32), data=64), "two tensors have the name 't'"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("is_size_known", [True, False])
def test_damage_is_named(content: bytes, why: str, is_size_known: bool) -> None:
    with pytest.raises(HeaderProblem, match=why):
        read(content, len(content) if is_size_known else None)


def test_tensors_beyond_the_end_of_the_file() -> None:
    whole = gguf([], info(5), data=20)
    assert read(whole)[1].data_bytes == 20  # the last tensor is not padded
    with pytest.raises(HeaderProblem, match="describes a file of 84 bytes, it has 83"):
        read(whole[:-1])
    with pytest.raises(HeaderProblem, match="describes a file of 8,589,934,656 bytes, it has 84"):
        read(gguf([], info(2**31), data=20))
    assert read(gguf([], info(2**31), data=20), None)[1].data_bytes == 2**33


def test_a_cut_header_ends_inside() -> None:
    header = gguf(LLAMA, TENSORS)
    for end in range(len(header)):
        for size in (end, None):
            with pytest.raises(HeaderProblem, match="ends inside"):
                read(header[:end], size)


@given(st.binary(max_size=300))
@settings(max_examples=200, deadline=None)
def test_random_bytes_are_a_problem_and_nothing_else(content: bytes) -> None:
    for start in (b"", b"GGUF\x03\x00\x00\x00"):
        with suppress(HeaderProblem):
            read(start + content)
        with suppress(HeaderProblem):
            read(start + content, None)


@given(
    changes=st.lists(st.tuples(st.integers(0, len(WHOLE) - 611), st.integers(0, 255)), max_size=4),
    cut=st.integers(0, 900),
    is_size_known=st.booleans(),
)
@settings(max_examples=500, deadline=None)
def test_a_damaged_file_is_read_or_named(changes: list[tuple[int, int]], cut: int, is_size_known: bool) -> None:
    content = bytearray(WHOLE)
    for at, byte in changes:
        content[at] = byte
    damaged = bytes(content)[: len(content) - cut]
    with suppress(HeaderProblem):  # and nothing else
        read(damaged, len(damaged) if is_size_known else None)


def large_vocabulary() -> bytes:
    """256,000 tokens with scores, types and merges: 11 MB of header."""
    count = 256_000
    tokens = b"".join(struct.pack("<Q6s", 6, b"%06d" % number) for number in range(count))
    merges = b"".join(struct.pack("<Q11s", 11, b"%05d %05d" % (number % 99_999, 7)) for number in range(count))
    tables = [
        pair("tokenizer.ggml.tokens", ARRAY, struct.pack("<IQ", STRING, count) + tokens),
        pair("tokenizer.ggml.scores", ARRAY, struct.pack("<IQ", F32, count) + bytes(4 * count)),
        pair("tokenizer.ggml.token_type", ARRAY, struct.pack("<IQ", I32, count) + bytes(4 * count)),
        pair("tokenizer.ggml.merges", ARRAY, struct.pack("<IQ", STRING, count) + merges),
        pair("tokenizer.chat_template", STRING, "{% if %}" * 2000),
    ]
    infos = [described(f"blk.{layer}.attn_norm.weight", [8], 0, 32 * layer) for layer in range(800)]
    return gguf([*LLAMA[:10], *tables], infos, data=32 * 800)


def test_the_largest_vocabulary_is_read_in_few_requests_and_little_memory() -> None:
    content = large_vocabulary()
    assert 10_500_000 < len(content) < 11_500_000
    asked: list[tuple[int, int]] = []

    def read_at(at: int, count: int) -> bytes:
        asked.append((at, count))
        return content[at : at + count]

    folder, header = Folder(), GgufHeader()
    tracemalloc.start()
    folder.add(tensors(read_at, len(content), header))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 32 * 2**20
    assert len(asked) <= 6
    assert all(begin + count <= after for (begin, count), (after, _) in pairwise(asked))
    assert sum(group.count for group in folder.groups()) == 800
    assert header.metadata["tokenizer.ggml.tokens.count"] == 256_000


@pytest.mark.parametrize("size", [5, 13, 64, 1000])
def test_pieces_of_any_size_give_the_same(size: int) -> None:
    found: list[Tensor] = []
    header = GgufHeader()
    content = gguf([*LLAMA, pair("a.s", STRING, "long" * 300)], TENSORS, data=610)
    found = list(tensors(lambda at, count: content[at : at + min(count, size)], len(content), header))
    assert (found, header.metadata) == (read(WHOLE)[0], KEPT)


def test_an_endless_header_stops() -> None:
    start = gguf([pair("k", ARRAY, struct.pack("<IQ", STRING, 16_000_000))], counts=(0, 2))
    furthest = 0

    def read_at(at: int, count: int) -> bytes:  # nothing but empty strings
        nonlocal furthest
        furthest = at + count
        return (start[at:] + bytes(count))[:count]

    with pytest.raises(HeaderProblem, match=f"a header of more than {LARGEST_HEADER:,} bytes"):
        list(tensors(read_at, None, GgufHeader()))
    assert furthest < LARGEST_HEADER + PIECE


def test_numbers_that_are_passed_over_are_not_asked_for() -> None:
    table = pair("tokenizer.ggml.other", ARRAY, struct.pack("<IQ", F32, 8_000_000) + bytes(32_000_000))
    content = gguf([table, *LLAMA], TENSORS, data=610)
    asked: list[int] = []

    def read_at(at: int, count: int) -> bytes:
        asked.append(count)
        return content[at : at + count]

    assert len(list(tensors(read_at, len(content), GgufHeader()))) == 3
    assert len(asked) == 2


def test_the_table_of_types_agrees_with_the_catalog_and_the_mixtures() -> None:
    bits = {one.name: 8 * one.bytes / one.elements for one in TYPES.values()}
    assert len(bits) == len(TYPES)
    assert not set(TYPES) & set(REMOVED)
    assert {name: bits[name] for name in BITS} == BITS
    catalog = dict(catalogs.precisions().select("precision", "bits_per_weight").iter_rows())
    shared = {name for name in bits if f"gguf_{name.lower()}" in catalog}
    assert len(shared) >= 20
    assert {name: bits[name] for name in shared} == {name: catalog[f"gguf_{name.lower()}"] for name in shared}


def test_the_gguf_package_agrees_on_its_types() -> None:
    constants = pytest.importorskip("gguf.constants", reason="the gguf package is not installed")
    theirs = {int(kind): (kind.name, *constants.GGML_QUANT_SIZES[kind]) for kind in constants.GGMLQuantizationType}
    ours = {number: (one.name, one.elements, one.bytes) for number, one in TYPES.items()}
    # fp16 scales in ggml-common.h, fp32 ones in the package; no file stores it
    assert (theirs.pop(9), ours[9]) == (("Q8_1", 32, 40), ("Q8_1", 32, 36))
    assert theirs.items() <= ours.items()


def test_the_gguf_package_agrees_on_a_file(tmp_path: Path) -> None:
    package = pytest.importorskip("gguf", reason="the gguf package is not installed")
    numpy = pytest.importorskip("numpy")
    path = tmp_path / "model.gguf"
    writer = package.GGUFWriter(path, "llama")
    writer.add_block_count(2)
    writer.add_head_count_kv([8, 0])
    writer.add_rope_freq_base(500000.0)
    writer.add_file_type(package.LlamaFileType.MOSTLY_Q8_0)
    writer.add_token_list([f"token {number}" for number in range(3000)])
    writer.add_token_scores([0.5] * 3000)
    writer.add_array("llama.nested", [[1, 2], [3]])
    writer.add_custom_alignment(64)
    for kind in package.GGMLQuantizationType:
        if kind.name == "Q8_1":
            continue
        elements, size = package.GGML_QUANT_SIZES[kind]
        stored = numpy.zeros((3, 2 * size), numpy.uint8)
        if elements == 1:
            stored = numpy.zeros((3, 5), {"F32": "f4", "F16": "f2", "F64": "f8", "BF16": "u2"}.get(kind.name, "i1"))
        raw = None if kind.name in ("F32", "F16", "F64", "I8") else kind
        if kind.name in ("I16", "I32", "I64"):
            stored, raw = stored.astype(kind.name.lower()[0] + str(size)), None
        elif kind.name == "BF16":
            stored = stored.view(numpy.uint8)
        writer.add_tensor(f"blk.0.{kind.name.lower()}.weight", stored, raw_dtype=raw)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    found, header = read(path.read_bytes())
    theirs = package.GGUFReader(path)
    assert found == [
        Tensor(one.name, one.tensor_type.name, tuple(int(size) for size in reversed(one.shape)))
        for one in theirs.tensors
    ]
    assert header.data_bytes == sum(one.n_bytes for one in theirs.tensors)
    assert header.metadata == {
        "general.architecture": "llama",
        "general.file_type": 7,
        "general.alignment": 64,
        "tokenizer.ggml.tokens.count": 3000,
        "llama.block_count": 2,
        "llama.attention.head_count_kv": "8,0",
        "llama.rope.freq_base": 500000.0,
    }
