"""A folder or a file of this machine as a source: the answer that the Hub would give for a repository of its files.

What only the Hub knows (licence, downloads, whether it is gated) is unknown. Headers are read by the same functions.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from flows import local_files
from flows.extract.gguf import quants
from flows.extract.info import Info, load_object, parse
from flows.extract.inherit import missing_base
from flows.extract.weight_files import weight_files
from flows.failures import Failure
from flows.headers.gguf_metadata import ARCHITECTURE
from flows.headers.tensor_set import TensorSet, dump
from flows.local_model import LocalModel
from flows.raw import RawModel, Source
from flows.repository import LARGEST_CONFIG, config_name
from flows.tensor_sets import tensor_sets

Bases = Callable[[str], str | None]  # id of a base model -> text of its configuration, null when there is none


def local_source(model: LocalModel, bases: Bases) -> Source:
    """Answers for the one model, whatever it is called; `bases` are asked where it has no configuration of its own."""

    def source(model_ids: Iterable[str]) -> Iterator[tuple[str, RawModel | Failure]]:
        for model_id in model_ids:
            yield model_id, _read(model, bases)

    return source


def _read(model: LocalModel, bases: Bases) -> RawModel | Failure:
    found = local_files.of_folder(model.path) if model.path.is_dir() else local_files.of_file(model.path)
    if isinstance(found, Failure):
        return found
    siblings = [{"rfilename": name, "size": size} for name, size in found.files()]
    told: dict[str, Any] = {"id": model.name, "sha": model.revision, "siblings": siblings}
    info = parse(json.dumps(told))
    assert info is not None  # an object was written
    config, name = None, config_name(info)
    if name is None and (inner := _models_inside(info)):
        return Failure("no_weights", f"no model at its top; there are some in: {', '.join(inner[:5])}")
    if name is not None:
        content = found.content(name, LARGEST_CONFIG)
        if isinstance(content, Failure):
            return content
        config = content.decode("utf-8", errors="replace")
    settings = load_object(config) if config is not None else None
    base_id = missing_base(info, settings, has_config=config is not None)
    sets = tensor_sets(found, info, settings)
    told |= _gguf(sets)
    return RawModel(
        model_id=model.name,
        revision=model.revision,
        info=json.dumps(told),
        config=config,
        fetched_at=datetime.now(UTC),
        base_id=base_id,
        base_config=bases(base_id) if base_id else None,
        tensors=dump(sets) if sets else None,
    )


def _models_inside(info: Info) -> list[str]:
    """Folders with configurations of their own, of a folder without weights: it is a shelf of models, not one."""
    files = info.files or ()
    if quants(files) or any(one.files for one in weight_files(info)):
        return []
    return sorted({file.folder for file in files if file.base == "config.json"})


def _gguf(sets: Iterable[TensorSet]) -> dict[str, Any]:
    """What the Hub's answer has of one GGUF file of a repository, out of its header."""
    for one in sets:
        architecture = one.metadata.get(ARCHITECTURE)
        if one.format == "gguf" and isinstance(architecture, str):
            total = sum(group.elements for group in one.groups)
            context = one.metadata.get(f"{architecture}.context_length")
            return {"gguf": {"architecture": architecture, "total": total, "context_length": context}}
    return {}
