"""Weights as the repository stores them: one weight set, its bytes, and every set that can be loaded.

Bytes are those of the tensors where headers or published counts give them (they are exact then), else those of the
files of one chosen format, which carry some kilobytes of header. The Hub's counts of packed integers follow rules that
changed over time, so they are never multiplied by a width unless the configuration says which of the two readings is
meant.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache

import catalogs
from flows.extract.gguf import Quant, most_shards, quants, sum_bytes
from flows.extract.gguf_types import precision_of_tensors
from flows.extract.info import LARGEST_SIZE, File, Info, clean, whole
from flows.extract.quantization import stored_precision
from flows.extract.weight_files import FileSet, weight_files
from flows.headers.tensor_set import TensorSet

# Bytes an element. Other integers may be containers of packed weights.
WIDTHS = {
    "F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1, "F8_E8M0": 1, "I64": 8, "BOOL": 1,
}  # fmt: skip
_HEADERS = 64 * 2**20  # file headers and padding together, generously


@dataclass(frozen=True)
class Artifact:
    """A loadable weight set: one row of `artifacts`."""

    artifact: str
    role: str  # model | component | module | adapter | projector | draft
    format: str
    precision: str | None
    bytes: int | None
    files: int


@dataclass(frozen=True)
class Stored:
    """`bytes` of the set an engine would load, null when unknown; `precision` is its format."""

    bytes: int | None
    precision: str | None
    artifacts: tuple[Artifact, ...]
    quants: tuple[Quant, ...]
    note: str | None = None


def stored(
    info: Info,
    precision: str | None,
    quantisable: int | None,
    total: int | None,
    headers: Mapping[str, TensorSet] | None = None,
) -> Stored:
    """`quantisable` and `total` are the configuration's counts, null when it has none.

    `headers` are those that were read, by artifact: what they say of the bytes is the truth.
    """
    headers = headers or {}
    found_quants = tuple(_measured(quant, headers.get(quant.name)) for quant in quants(info.files or ()))
    own = [quant for quant in found_quants if not quant.is_beside]
    artifacts = [_gguf(quant) for quant in found_quants if quant.role != "matrix"]
    sets = weight_files(info)
    counted = None if info.is_adapter or info.is_diffusers else _from_counts(info.dtypes, precision, quantisable, total)
    if not any(one.files for one in sets) and counted is None and own:
        # one file is the repository's weight set; of several nothing says which
        if len(own) > 1:
            return Stored(
                None, None, tuple(artifacts), found_quants, "several GGUF files, each a whole model of its own"
            )
        return Stored(own[0].bytes, own[0].precision, tuple(artifacts), found_quants)
    if not any(one.role != "module" for one in sets) and counted is not None:
        sets = (FileSet("model.safetensors", "model", ()), *sets)  # counted, though no file is listed
    sizes, notes = [], []
    for one in sets:
        from_headers = headers[one.artifact].tensor_bytes if one.artifact in headers else None
        known = from_headers if from_headers is not None else counted if one.role == "model" else None
        size, note = _settle(known, sum_bytes(one.files), one.files)
        sizes.append(size)
        notes.append(note)
        named = precision if one.role == "model" else _precision(headers.get(one.artifact))
        artifacts.append(Artifact(clean(one.artifact) or "", one.role, one.format, named, size, len(one.files)))
    known_sizes = [size for size in sizes if size is not None]
    all_bytes = whole(sum(known_sizes), LARGEST_SIZE) if sizes and len(known_sizes) == len(sizes) else None
    if headers and not any(one.role == "model" for one in sets):
        parts = {artifact.precision for artifact in artifacts if artifact.role in ("component", "adapter")}
        precision = parts.pop() if len(parts) == 1 else None  # a pipeline of several has no single one
    if all_bytes is None:
        notes.append(_why_unknown(info, sets))
    return Stored(all_bytes, precision, tuple(artifacts), found_quants, next(filter(None, notes), None))


def _why_unknown(info: Info, sets: Sequence[FileSet]) -> str:
    if info.files is None:
        return "the Hub's answer lists no files"
    if not any(one.files for one in sets):
        return "no weight files are listed"
    return "sizes of its weight files are missing"


def _precision(found: TensorSet | None) -> str | None:
    """Of a set without settings of its own: the float that most of it is stored in."""
    return stored_precision(None, found.dtypes)[0] if found else None


def _measured(quant: Quant, found: TensorSet | None) -> Quant:
    """A GGUF file as its header has it: bytes of the tensors, and what it is stored in where its name does not say."""
    if found is None or not found.groups:
        return quant
    precision = quant.precision or precision_of_tensors(found.groups, found.metadata)
    return replace(quant, precision=precision, bytes=found.tensor_bytes)


def _gguf(quant: Quant) -> Artifact:
    return Artifact(clean(quant.name) or "", quant.role, "gguf", quant.precision, quant.bytes, len(quant.members))


def _settle(counted: int | None, in_files: int | None, chosen: Sequence[File]) -> tuple[int | None, str | None]:
    """Tensor bytes from headers or counts; the files where those cannot be of this set."""
    if in_files is None:
        is_partial = bool(chosen) and len(chosen) < most_shards(chosen)
        return counted, "not every shard is listed" if is_partial and counted is None else None
    if counted is None:
        return in_files, None
    if counted - in_files > 0 or in_files - counted > in_files // 50 + _HEADERS:
        return in_files, f"the weight files have {in_files:,} bytes, the Hub's counts give {counted:,}"
    return counted, None


def _from_counts(
    dtypes: Mapping[str, int], precision: str | None, quantisable: int | None, total: int | None
) -> int | None:
    """Tensor bytes from counts by dtype; null when the counts do not tell.

    Plain dtypes: count x width. Packed integers: only when the configuration has as many quantisable weights as one
    of the two readings (elements, or parameters), and then with the exact bits of the format.
    """
    if not dtypes:
        return None
    packed = {dtype: count for dtype, count in dtypes.items() if dtype not in WIDTHS}
    plain = sum(count * WIDTHS[dtype] for dtype, count in dtypes.items() if dtype in WIDTHS)
    if not packed:
        return whole(plain, LARGEST_SIZE)
    bits = _bits().get(precision or "")
    if len(packed) != 1 or bits is None or not quantisable:
        return None
    [(_, count)] = packed.items()
    meant = {count, 2 * count, 8 * count}
    # of a checkpoint that packs only its experts the counts themselves say how many
    parameters = quantisable if quantisable in meant else total - sum_plain(dtypes) if total else None
    if parameters is None or parameters not in meant:
        return None
    exact = parameters * bits / 8
    return whole(plain + int(exact), LARGEST_SIZE) if exact == int(exact) else None


def sum_plain(dtypes: Mapping[str, int]) -> int:
    """Parameters in dtypes that are not packed."""
    return sum(count for dtype, count in dtypes.items() if dtype in WIDTHS)


@cache
def _bits() -> Mapping[str, float]:
    frame = catalogs.precisions().select("precision", "bits_per_weight").drop_nulls()
    return dict(frame.iter_rows())
