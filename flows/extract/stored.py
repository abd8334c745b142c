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
from flows.extract.gguf import SHARD, Quant, most_shards, quants, sum_bytes
from flows.extract.info import LARGEST_SIZE, File, Info, clean, whole

# Bytes an element. Other integers may be containers of packed weights.
WIDTHS = {
    "F64": 8, "F32": 4, "F16": 2, "BF16": 2, "F8_E4M3": 1, "F8_E5M2": 1, "F8_E8M0": 1, "I64": 8, "BOOL": 1,
}  # fmt: skip
# Beside a model's own files: copies for other programs, parts of a training run, low-rank weights.
_NOT_A_SET = ("consolidated", "adapter", "mmproj", "optimizer", "scheduler", "training_args", "pytorch_lora")
_ELSEWHERE = ("original", "onnx", "openvino", "metal", "coreml", "flax", "tf")
_VERSIONED = re.compile(r"_\d+_\d+$")
_HEADERS = 64 * 2**20  # file headers and padding together, generously


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
    """`bytes` of the set an engine would load, null when unknown; `precision` is its format."""

    bytes: int | None
    precision: str | None
    artifacts: tuple[Artifact, ...]
    quants: tuple[Quant, ...]
    note: str | None = None


def stored(
    info: Info, precision: str | None, quantisable: int | None, total: int | None, in_headers: int | None = None
) -> Stored:
    """`quantisable` and `total` are the configuration's counts, null when it has none.

    `in_headers` are the bytes that the tensor headers of the chosen set give: the truth, where they were read.
    """
    files = info.files or ()
    found_quants = tuple(quants(files))
    own = [quant for quant in found_quants if not quant.is_beside]
    artifacts = [Artifact(clean(one.name) or "", "gguf", one.precision, one.bytes, one.files) for one in own]
    if info.is_adapter:
        return _adapter(files, precision)
    if info.is_diffusers and not own:
        return _pipeline(files, precision)
    chosen, name, kind = weight_set(files)
    counted = in_headers or _from_counts(info.dtypes, precision, quantisable, total)
    if not chosen and not info.dtypes and own:
        # one file is the repository's weight set; of several nothing says which
        size, named = (own[0].bytes, own[0].precision) if len(own) == 1 else (None, None)
        return Stored(size, named, tuple(artifacts), found_quants)
    size, note = _settle(counted, sum_bytes(chosen), chosen)
    if chosen or counted is not None:
        artifacts.append(Artifact(name, kind, precision, size, len(chosen)))
    return Stored(size, precision, tuple(artifacts), found_quants, note)


def _settle(counted: int | None, in_files: int | None, chosen: list[File]) -> tuple[int | None, str | None]:
    """Tensor bytes from the counts; the files where the counts cannot be of this set."""
    if in_files is None:
        is_partial = bool(chosen) and len(chosen) < most_shards(chosen)
        return counted, "not every shard is listed" if is_partial and counted is None else None
    if counted is None:
        return in_files, None
    if counted - in_files > 0 or in_files - counted > in_files // 50 + _HEADERS:
        return in_files, f"the weight files have {in_files:,} bytes, the Hub's counts give {counted:,}"
    return counted, None


def _adapter(files: tuple[File, ...], precision: str | None) -> Stored:
    """Low-rank weights, once: safetensors before pickles."""
    names = ("adapter_model.", "pytorch_lora_weights.")
    for ending in (".safetensors", ".bin"):
        members = [file for file in files if file.name.startswith(names) and file.name.endswith(ending)]
        if members:
            break
    else:
        members = [file for file in files if "/" not in file.name and file.name.endswith(".safetensors")]
    size = sum_bytes(members)
    return Stored(size, precision, (Artifact("adapter_model", "adapter", precision, size, len(members)),), ())


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


def weight_set(files: tuple[File, ...]) -> tuple[list[File], str, str]:
    """One weight set of the top folder: safetensors before pickles, consolidated copies only when they are alone."""
    top = [file for file in files if "/" not in file.name]
    own = [file for file in top if not file.name.startswith(_NOT_A_SET)]
    if chosen := _one_set([file for file in own if file.name.endswith(".safetensors")], "model"):
        return chosen, "model.safetensors", "safetensors"
    pickles = [file for file in own if file.name.endswith(".bin") and file.name.startswith("pytorch_model")]
    if chosen := _one_set(pickles, "pytorch_model"):
        return chosen, "pytorch_model.bin", "pickle"
    consolidated = [file for file in top if file.name.startswith("consolidated") and file.name.endswith(".safetensors")]
    if chosen := _one_set(consolidated, "consolidated"):
        return chosen, "consolidated.safetensors", "safetensors"
    return [], "model.safetensors", "safetensors"


def _one_set(files: list[File], name: str) -> list[File]:
    """One set out of files of one folder and format: under the usual name, complete, plain, sharded before others.

    A variant (`model.fp16.safetensors`) is a twin of the plain file and counts only without it. Shards are grouped by
    stem and number; single files without the usual name are taken as the parts of one set.
    """
    groups: dict[tuple[str, int], list[File]] = {}
    for file in files:
        found = SHARD.search(file.name)
        stem = SHARD.sub("", file.name).rpartition(".")[0]
        plain, _, variant = stem.partition(".")
        is_twin = bool(variant) and plain == name
        key = stem if found or stem == name or is_twin else ""
        groups.setdefault((key, int(found[1]) if found else 0), []).append(file)
    if not groups:
        return []

    def rank(group: tuple[str, int]) -> tuple[bool, bool, bool, bool, int, str]:
        stem, shards = group
        is_partial = len(groups[group]) < shards
        return stem.partition(".")[0] != name, is_partial, "." in stem, not shards, -shards, stem

    return groups[min(groups, key=rank)]


def _pipeline(files: tuple[File, ...], precision: str | None) -> Stored:
    """A diffusers pipeline: every component folder once; or a single component in the top folder."""
    folders: dict[str, list[File]] = {}
    for file in files:
        folder, _, name = file.name.partition("/")
        if name and "/" not in name and folder not in _ELSEWHERE and name.endswith((".safetensors", ".bin")):
            folders.setdefault(folder, []).append(File(name, file.bytes))
    components = {folder: _component(members) for folder, members in sorted(folders.items())}
    components = {
        folder: chosen
        for folder, chosen in components.items()
        # `vae_1_0` is an older copy of `vae`
        if chosen and not (_VERSIONED.sub("", folder) != folder and _VERSIONED.sub("", folder) in components)
    }
    if not components:
        top = [file for file in files if "/" not in file.name]
        components = {"diffusion_pytorch_model": chosen} if (chosen := _component(top)) else {}
    sizes = {folder: sum_bytes(chosen) for folder, chosen in components.items()}
    artifacts = tuple(
        Artifact(clean(folder) or "", "diffusers", None, sizes[folder], len(chosen))
        for folder, chosen in components.items()
    )
    known = [size for size in sizes.values() if size is not None]
    total = whole(sum(known), LARGEST_SIZE) if known and len(known) == len(sizes) else None
    return Stored(total, precision, artifacts, ())


def _component(files: list[File]) -> list[File]:
    """The weights of one component, empty when the folder has none that diffusers would load."""
    for ending in (".safetensors", ".bin"):
        for name in ("diffusion_pytorch_model", "model", "pytorch_model"):
            named = [file for file in files if file.name.startswith(name) and file.name.endswith(ending)]
            if chosen := _one_set(named, name):
                return chosen
    return []
