"""PyTorch checkpoints: what PyTorch wrote is read, in the fewest requests, and counted once."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest
from pickle_opcodes import (
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

from flows.headers.byte_source import PIECE
from flows.headers.fold import Folder
from flows.headers.pickled import tensors
from flows.headers.problem import HeaderProblem
from flows.headers.safetensors import Header, Tensor

FILES = Path(__file__).parents[2] / "data" / "pickles"
LINEAR = [("0.weight", "F32", (2, 3)), ("0.bias", "F32", (2,)), ("1.weight", "F32", (4, 2))]
TIED = [("wte.weight", "BF16", (4, 2)), ("ln.weight", "F32", (2,))]
SLICES = [("upper", "F32", (2, 6)), ("lower", "F32", (2, 6))]


class Remote:
    """A file that remembers what was asked for."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.asked: list[tuple[int, int]] = []

    def __call__(self, at: int, count: int) -> bytes:
        self.asked.append((at, count))
        return self.content[at : at + count]


def read(content: bytes, size: int | None = -1) -> tuple[list[tuple[str, str, tuple[int, ...]]], int]:
    header = Header()
    whole = len(content) if size == -1 else size
    found = [(one.name, one.dtype, one.shape) for one in tensors(Remote(content), whole, header)]
    return found, header.data_bytes


def each(names: str) -> list[tuple[str, str, tuple[int, ...]]]:
    return [(one.split(":")[0], one.split(":")[1], (2, 3)) for one in names.split()]


WRITTEN = {
    "state_dict": (LINEAR, 64),
    "floats": (each("float64:F64 float32:F32 float16:F16 bfloat16:BF16 complex64:C64"), 144),
    "integers": (each("int64:I64 int32:I32 int16:I16 int8:I8 uint8:U8 bool:BOOL"), 102),
    "untyped": (each("float8_e4m3fn:F8_E4M3 float8_e5m2:F8_E5M2 uint16:U16 uint32:U32 uint64:U64"), 96),
    "tied": (TIED, 24),
    "slices": (SLICES, 96),
    "columns": ([("turned", "F32", (6, 4)), ("columns", "F32", (4, 2)), ("scalar", "F32", ())], 196),
    "nested": (LINEAR, 64),
    "parameters": ([("weight", "F32", (3, 2)), ("bias", "F32", (2,))], 32),
    "protocol_4": (LINEAR, 64),
    "legacy": (LINEAR, 64),
    "legacy_nested": (LINEAR, 64),
    "legacy_slices": (SLICES, 96),
    "legacy_tied": (TIED, 24),
    "python2": (TIED, 24),
}
REFUSED = {
    "module": "needs code to be run: torch.nn.modules.linear.Linear",
    "optimizer": "tensors beside the one mapping of names, such as states of an optimizer",
    "quantised": "a storage of the type torch.QInt8Storage",
    "expanded": "'row' overlaps another tensor, or repeats its own numbers",
}


def test_every_file_that_pytorch_wrote_is_used() -> None:
    assert {path.stem for path in FILES.glob("*.bin")} == {*WRITTEN, *REFUSED}


@pytest.mark.parametrize("file", WRITTEN)
def test_a_file_that_pytorch_wrote(file: str) -> None:
    """The numbers are PyTorch's: shapes, types and which tensors share a storage are written down in make.py."""
    remote, header = Remote((FILES / f"{file}.bin").read_bytes()), Header()
    found = list(tensors(remote, len(remote.content), header))
    assert [(one.name, one.dtype, one.shape) for one in found] == WRITTEN[file][0]
    assert header.data_bytes == WRITTEN[file][1]
    assert len(remote.asked) == 1


@pytest.mark.parametrize("file", REFUSED)
def test_a_file_that_pytorch_wrote_and_that_is_no_state_dict(file: str) -> None:
    with pytest.raises(HeaderProblem, match=REFUSED[file]):
        read((FILES / f"{file}.bin").read_bytes())


def test_a_size_that_is_not_known_costs_no_request() -> None:
    content = (FILES / "state_dict.bin").read_bytes()
    assert read(content, None) == (LINEAR, 64)
    remote = Remote(content + bytes(PIECE))
    list(tensors(remote, None, Header()))
    assert remote.asked == [(0, PIECE)]


def test_a_longer_pickle_is_read_in_pieces_and_no_further() -> None:
    body = mapping({f"layers.{n}.weight": tensor(1, stored=storage(1, str(n))) for n in range(2500)})
    remote = Remote(checkpoint(body, data=10_000 + 3 * PIECE))
    assert len(pickled(body)) > PIECE
    folder = Folder()
    folder.add(tensors(remote, len(remote.content), Header()))
    assert [(group.pattern, group.count) for group in folder.groups()] == [("layers.#.weight", 2500)]
    assert remote.asked == [(0, PIECE), (PIECE, PIECE)]


def test_data_pkl_is_found_by_the_directory_when_it_is_not_first() -> None:
    described = pickled(mapping({"a": tensor(3)}))
    content = zipped({"x/version": b"3", "x/data/0": bytes(300_000), "x/data.pkl": described})
    remote, header = Remote(content), Header()
    assert list(tensors(remote, len(content), header)) == [Tensor("a", "F32", (3,))]
    assert header.data_bytes == 12
    start, tail, entry = remote.asked
    assert start == (0, PIECE)
    assert tail == (len(content) - 65_536, 65_536)
    assert content[entry[0] : entry[0] + 4] == b"PK\x03\x04"
    with pytest.raises(HeaderProblem, match="the file's size is not known"):
        read(content, None)


def test_a_directory_larger_than_the_tail_is_read_as_well() -> None:
    described = pickled(mapping({"a": tensor(3)}))
    content = zipped({**{f"x/data/{n}": bytes(40) for n in range(2000)}, "x/data.pkl": described})
    remote = Remote(content)
    assert list(tensors(remote, len(content), Header())) == [Tensor("a", "F32", (3,))]
    assert len(remote.asked) == 4


def test_a_zip_with_fields_of_64_bits() -> None:
    described = pickled(mapping({"a": tensor(3)}))
    content = widened(zipped({"x/version": bytes(100), "x/data.pkl": described}))
    with zipfile.ZipFile(io.BytesIO(content)) as as_python_reads_it:
        assert as_python_reads_it.read("x/data.pkl") == described
    assert read(content) == ([("a", "F32", (3,))], 12)


def test_tensors_of_python_2_and_large_numbers_as_text() -> None:
    body = b"}U\x01a" + tensor(3, stored=b"(U\x07storage" + name("torch.cuda.HalfStorage") + b"U\x010U\x03cpuI3\ntQ")
    assert read(checkpoint(body + b"s")) == ([("a", "F16", (3,))], 6)


def test_attributes_of_a_state_dict_say_nothing() -> None:
    body = mapping({"a": tensor(2)}) + b"}" + text("_metadata") + b"}sb"
    assert read(checkpoint(body)) == ([("a", "F32", (2,))], 8)


def test_numbers_and_texts_beside_the_tensors_are_passed_over() -> None:
    beside = {"epoch": number(3), "rate": b"G" + bytes(8), "none": b"N", "list": b"](K\x01K\x02e", "bytes": b"C\x01a"}
    assert read(checkpoint(mapping({**beside, "a": tensor(2)}))) == ([("a", "F32", (2,))], 8)
    assert read(checkpoint(mapping({**beside, "model": mapping({"a": tensor(2)})}))) == ([("a", "F32", (2,))], 8)


def test_views_of_one_storage() -> None:
    whole = storage(12)
    views = {
        "first": tensor(2, 3, stored=whole),
        "tied": tensor(2, 3, stored=whole),
        "second": tensor(2, 3, stored=whole, offset=6),
    }
    assert read(checkpoint(mapping(views))) == ([("first", "F32", (2, 3)), ("second", "F32", (2, 3))], 48)
    turned = {**views, "turned": tensor(3, 2, stored=whole)}
    with pytest.raises(HeaderProblem, match="'turned' overlaps another tensor"):
        read(checkpoint(mapping(turned)))


def test_a_slice_of_a_larger_storage_has_the_bytes_of_all_of_it() -> None:
    assert read(checkpoint(mapping({"a": tensor(2, stored=storage(100))}))) == ([("a", "F32", (2,))], 400)


def test_an_empty_tensor() -> None:
    assert read(checkpoint(mapping({"a": tensor(0, 4)}))) == ([("a", "F32", (0, 4))], 0)


def test_a_file_before_the_zip_has_exactly_the_bytes_that_it_describes() -> None:
    body = mapping({"a": tensor(2, stored=storage(2, last=b"N"))})
    assert read(legacy(body, (8,))) == ([("a", "F32", (2,))], 8)
    with pytest.raises(HeaderProblem, match="the pickles describe a file of"):
        read(legacy(body, (8, 1)))


def test_a_size_and_a_layout_may_be_called() -> None:
    size = called("torch.Size", numbers(2, 3))
    body = called("torch._utils._rebuild_tensor", storage(6), number(0), size, called("torch.Size", numbers(3, 1)))
    layout = called("torch.serialization._get_layout", text("torch.strided"))
    assert read(checkpoint(mapping({"a": body, "layout": layout}))) == ([("a", "F32", (2, 3))], 24)
