"""Weights as the repository stores them: one weight set, its bytes, and every set that can be loaded.

Bytes are those of the tensors where published counts give them (they are exact then), else those of the files of one
chosen format, which carry some kilobytes of header. The Hub's counts of packed integers follow rules that changed over
time, so they are never multiplied by a width unless the configuration says which of the two readings is meant.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

import catalogs
from flows.extract.gguf import Quant, quants, sum_bytes
from flows.extract.info import File, Info

WIDTHS = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1, "F8_E8M0": 1}
ELSEWHERE = ("original/", "onnx/", "openvino/", "metal/", "consolidated", "coreml/", "flax/", "tf/")
_SHARDED = re.compile(r"-\d{5}-of-\d{5}\.|_\d{5}-of-\d{5}\.")


@dataclass(frozen=True)
class Artifact:
    """A loadable weight set: one row of `artifacts`."""

    artifact: str
    format: str
    precision: str | None
    bytes: int | None
    files: int


@dataclass(frozen=True)
class Stored:
    """`bytes` of the set an engine would load; `is_from_counts`: tensor bytes, without file headers."""

    bytes: int | None
    is_from_counts: bool
    artifacts: tuple[Artifact, ...]
    quants: tuple[Quant, ...]
    component_parameters: int | None = None


def stored(info: Info, precision: str | None, quantisable: int | None, total: int | None) -> Stored:
    """`quantisable` and `total` are the configuration's counts, null when it has none."""
    files = info.files or ()
    found_quants = tuple(quants(files))
    artifacts = [
        Artifact(quant.name, "gguf", quant.precision, quant.bytes, quant.files)
        for quant in found_quants
        if not quant.is_beside
    ]
    if info.is_adapter:
        members = [file for file in files if file.name.startswith("adapter_model.")]
        size = sum_bytes(members)
        return Stored(size, False, (Artifact("adapter_model", "adapter", None, size, len(members)),), ())
    if info.is_diffusers:
        return _pipeline(files, found_quants, artifacts)
    chosen, name, kind = _chosen(files)
    counted = _from_counts(info.dtypes, precision, quantisable, total)
    size = counted if counted is not None else sum_bytes(chosen)
    if chosen or counted is not None:
        artifacts.append(Artifact(name, kind, precision, size, len(chosen)))
    return Stored(size, counted is not None, tuple(artifacts), found_quants)


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
        return plain
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
    return plain + int(exact) if exact == int(exact) else None


def sum_plain(dtypes: Mapping[str, int]) -> int:
    """Parameters in dtypes that are not packed."""
    return sum(count for dtype, count in dtypes.items() if dtype in WIDTHS)


@cache
def _bits() -> Mapping[str, float]:
    frame = catalogs.precisions().select("precision", "bits_per_weight").drop_nulls()
    return dict(frame.iter_rows())


def _chosen(files: tuple[File, ...]) -> tuple[list[File], str, str]:
    """One weight set: safetensors before pickles, sharded before single, nothing from side folders, no fp16 twins."""
    for ending, kind, name in ((".safetensors", "safetensors", "model"), (".bin", "pickle", "pytorch_model")):
        members = [
            file
            for file in files
            if file.name.endswith(ending)
            and "/" not in file.name
            and not file.name.startswith(ELSEWHERE)
            and (kind == "safetensors" or file.name.startswith("pytorch_model"))
            and not file.name.startswith("adapter")
            and ".fp16." not in file.name
        ]
        sharded = [file for file in members if _SHARDED.search(file.name)]
        named = [file for file in members if file.name == f"{name}{ending}"]
        if chosen := sharded or named or members:
            return chosen, f"{name}{ending}", kind
    return [], "model.safetensors", "safetensors"


def _pipeline(files: tuple[File, ...], found: tuple[Quant, ...], artifacts: list[Artifact]) -> Stored:
    """A diffusers pipeline: every component folder once, plain files before fp16 twins."""
    folders: dict[str, list[File]] = {}
    for file in files:
        folder, _, name = file.name.partition("/")
        if name and "/" not in name and name.endswith((".safetensors", ".bin")):
            folders.setdefault(folder, []).append(file)
    sizes: list[int | None] = []
    for folder, members in sorted(folders.items()):
        best = [file for file in members if file.name.endswith(".safetensors")] or members
        plain = [file for file in best if ".fp16." not in file.name] or best
        size = sum_bytes(plain)
        sizes.append(size)
        artifacts.append(Artifact(folder, "diffusers", None, size, len(plain)))
    known = [size for size in sizes if size is not None]
    total = sum(known) if known and len(known) == len(sizes) else None
    return Stored(total, False, tuple(artifacts), found)
