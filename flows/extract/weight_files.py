"""Which files of a repository are its weights: one set, once, and nothing that belongs to another program.

Not its copies (`original/`, `consolidated*`, fp16 twins, pickles beside safetensors, onnx), not the parts of a training
run. A pipeline of diffusers has a set for each component folder, a sentence-transformers model one for each module that
has weights of its own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from flows.extract.gguf import SHARD, quants
from flows.extract.info import File, Info

# Beside a model's own files: copies for other programs, parts of a training run, low-rank weights.
_NOT_A_SET = ("consolidated", "adapter", "mmproj", "optimizer", "scheduler", "training_args", "pytorch_lora")
_ELSEWHERE = ("original", "onnx", "openvino", "metal", "coreml", "flax", "tf")
_VERSIONED = re.compile(r"_\d+_\d+$")
_ADAPTER = ("adapter_model.", "pytorch_lora_weights.")
MODULES = "modules.json"
_MODULE = re.compile(r"\d+_[A-Z]\w*")  # `2_Dense`, as sentence-transformers names its folders
ENDINGS = {".safetensors": "safetensors", ".bin": "pickle", ".pt": "pickle", ".gguf": "gguf"}


@dataclass(frozen=True)
class FileSet:
    """Files that are loaded together: one row of `artifacts`.

    role: model, component (of a pipeline), module (beside a transformer) or adapter.
    """

    artifact: str
    role: str
    files: tuple[File, ...]

    @property
    def format(self) -> str:
        """How its files are written: safetensors, pickle or gguf; safetensors when there is none."""
        name = self.files[0].name.lower() if self.files else ""
        return next((ENDINGS[ending] for ending in ENDINGS if name.endswith(ending)), "safetensors")


def weight_files(info: Info) -> tuple[FileSet, ...]:
    """The sets that make up the model, the main one first. GGUF files are not among them: each is a whole model."""
    files = info.files or ()
    if info.is_adapter:
        return (_adapter(files),)
    if info.is_diffusers and not any(not quant.is_beside for quant in quants(files)):
        return _pipeline(files)
    main = _model(files)
    return ((main,) if main else ()) + _modules(files)


def _model(files: Sequence[File]) -> FileSet | None:
    """The set of the top folder: safetensors before pickles, consolidated copies only when they are alone."""
    top = [file for file in files if not file.folder]
    own = [file for file in top if not file.name.startswith(_NOT_A_SET)]
    pickles = [file for file in own if file.name.startswith("pytorch_model")]
    consolidated = [file for file in top if file.name.startswith("consolidated")]
    for members, stem, ending in (
        (own, "model", ".safetensors"),
        (pickles, "pytorch_model", ".bin"),
        (consolidated, "consolidated", ".safetensors"),
    ):
        if chosen := _one_set([file for file in members if file.name.endswith(ending)], stem):
            return FileSet(stem + ending, "model", tuple(chosen))
    return None


def _modules(files: Sequence[File]) -> tuple[FileSet, ...]:
    """Folders of a sentence-transformers model that have weights: a dense layer, or the transformer itself."""
    if not any(file.name == MODULES for file in files):
        return ()
    folders = sorted({file.folder for file in files if _MODULE.fullmatch(file.folder)})
    found = {folder: _component([file for file in files if file.folder == folder]) for folder in folders}
    return tuple(FileSet(folder, "module", tuple(chosen)) for folder, chosen in found.items() if chosen)


def _adapter(files: Sequence[File]) -> FileSet:
    """Low-rank weights, once: safetensors before pickles."""
    for ending in (".safetensors", ".bin"):
        members = [file for file in files if file.name.startswith(_ADAPTER) and file.name.endswith(ending)]
        if members:
            break
    else:
        members = [file for file in files if not file.folder and file.name.endswith(".safetensors")]
    return FileSet("adapter_model", "adapter", tuple(members))


def _pipeline(files: Sequence[File]) -> tuple[FileSet, ...]:
    """A diffusers pipeline: every component folder once; or a single component in the top folder."""
    folders: dict[str, list[File]] = {}
    for file in files:
        if file.folder and "/" not in file.folder and file.folder not in _ELSEWHERE:
            folders.setdefault(file.folder, []).append(file)
    components = {folder: _component(members) for folder, members in sorted(folders.items())}
    components = {
        folder: chosen
        for folder, chosen in components.items()
        # `vae_1_0` is an older copy of `vae`
        if chosen and not (_VERSIONED.sub("", folder) != folder and _VERSIONED.sub("", folder) in components)
    }
    if not components and (chosen := _component([file for file in files if not file.folder])):
        components = {"diffusion_pytorch_model": chosen}
    return tuple(FileSet(folder, "component", tuple(chosen)) for folder, chosen in components.items())


def _component(files: list[File]) -> list[File]:
    """The weights of one folder, empty when it has none that would be loaded."""
    for ending in (".safetensors", ".bin"):
        for name in ("diffusion_pytorch_model", "model", "pytorch_model"):
            named = [file for file in files if file.base.startswith(name) and file.base.endswith(ending)]
            if chosen := _one_set(named, name):
                return chosen
    return []


def _one_set(files: list[File], name: str) -> list[File]:
    """One set out of files of one folder and format: under the usual name, complete, plain, sharded before others.

    A variant (`model.fp16.safetensors`) is a twin of the plain file and counts only without it. Shards are grouped by
    stem and number; single files without the usual name are taken as the parts of one set.
    """
    groups: dict[tuple[str, int], list[File]] = {}
    for file in files:
        found = SHARD.search(file.base)
        stem = SHARD.sub("", file.base).rpartition(".")[0]
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
