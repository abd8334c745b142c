"""What the tensor headers of a repository say, set by set, and what that makes of the whole model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flows.extract.gguf import quants
from flows.extract.info import Info, printable
from flows.extract.logical import gguf_parameters, logical
from flows.extract.weight_files import FileSet, weight_files
from flows.headers.tensor_set import TensorSet, load

WIDEST = 4  # bytes of a weight: what a module that nobody read is taken to be stored in


@dataclass(frozen=True)
class Measured:
    """`parameters` are those of the sets that make up the model without modules, null unless all were understood."""

    sets: Mapping[str, TensorSet]  # by artifact
    parameters: int | None = None
    source: str | None = None  # safetensors_header | pickle_header | gguf_header
    module_parameters: int | None = 0  # dense layers of a sentence-transformers model, null when they cannot be sized
    are_modules_read: bool = True
    notes: tuple[str, ...] = field(default=())
    gguf: TensorSet | None = None  # the file that stands for all GGUF files of the repository


def measure(text: str | None, info: Info, config: Mapping[str, Any] | None, *, is_tied: bool) -> Measured:
    """`text` is what the crawl kept of the headers; null where it read none."""
    sets = {one.artifact: one for one in load(text)}
    files = weight_files(info)
    counts, notes = {}, []
    for name, found in sets.items():
        if found.problem is not None:
            notes.append(printable(f"{name}: its tensor headers cannot be read: {found.problem}"))
    for one in files:
        if one.artifact in sets and sets[one.artifact].groups:
            told = logical(sets[one.artifact], config or {}, is_tied=is_tied)
            counts[one.artifact] = told.parameters
            notes += [printable(f"{one.artifact}: {told.note}")] if told.note else []
    own = [one for one in files if one.role != "module"]
    if not own and (whole := _gguf(sets, info)):
        return Measured(sets, gguf_parameters(whole), "gguf_header", notes=tuple(notes), gguf=whole)
    known = [counts[one.artifact] for one in own if counts.get(one.artifact) is not None]
    is_whole = bool(own) and len(known) == len(own)
    modules, are_read = _modules([one for one in files if one.role == "module"], counts)
    return Measured(
        sets=sets,
        parameters=sum(count for count in known if count is not None) if is_whole else None,
        source=f"{own[0].format}_header" if is_whole else None,
        module_parameters=modules,
        are_modules_read=are_read,
        notes=tuple(notes),
    )


def _gguf(sets: Mapping[str, TensorSet], info: Info) -> TensorSet | None:
    """The first GGUF file that is a whole model and whose header was read; one repository's have equal tensors."""
    own = {quant.name for quant in quants(info.files or ()) if not quant.is_beside}
    return next((one for one in sets.values() if one.format == "gguf" and one.groups and one.artifact in own), None)


def _modules(modules: Sequence[FileSet], counts: Mapping[str, int | None]) -> tuple[int | None, bool]:
    """(parameters of all modules, whether each was read): those that were not by the size of their files."""
    total, are_read = 0, True
    for one in modules:
        count = counts.get(one.artifact)
        if count is None:
            are_read = False
            sizes = [file.bytes for file in one.files if file.bytes is not None]
            if len(sizes) < len(one.files):
                return None, False
            count = sum(sizes) // WIDEST
        total += count
    return total, are_read
