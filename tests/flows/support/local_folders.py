"""Models in folders: written for a test, read as a source reads them, as rows."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from weight_bytes import safetensors
from wire import SETTINGS

from flows.extract.extract import Extracted, extract
from flows.failures import Failure
from flows.local_bases import bases_of
from flows.local_model import LocalModel
from flows.local_source import local_source
from flows.raw import RawModel

MATRIX = safetensors({"model.layers.0.mlp.up_proj.weight": ("BF16", (128, 64)), "model.norm.weight": ("F32", (64,))})
# what is known to the Hub alone
OF_THE_HUB = ("downloads", "is_gated", "revision")


Files = dict[str, Any]  # bytes, or what is written as JSON


def write(folder: Path, files: Files) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return folder


def here(path: Path, name: str = "a/b", revision: str | None = None) -> RawModel | Failure:
    folder = path if path.is_dir() else path.parent
    model = LocalModel(path, name, revision)
    [(asked, answer)] = local_source(model, bases_of(folder, "hub", SETTINGS))([name])
    assert asked == name
    return answer


def rows(answer: RawModel | Failure) -> dict[str, Any]:
    """Every row of a model, but for what only the Hub knows; of a failure, its kind and words."""
    found = extract(answer) if isinstance(answer, RawModel) else answer
    told = asdict(found)
    if isinstance(found, Extracted):
        told["model"] = {name: value for name, value in told["model"].items() if name not in OF_THE_HUB}
    return told
