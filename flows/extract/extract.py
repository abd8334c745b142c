"""One raw answer -> the rows of one model, or the reason why there are none."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from flows.extract.adapter import adapter_rank
from flows.extract.architecture import Architecture
from flows.extract.automodel import automodel
from flows.extract.count import Count, count
from flows.extract.gguf_architecture import gguf_architecture
from flows.extract.info import Info, load_object, parse
from flows.extract.inherit import inherited
from flows.extract.measured import measure
from flows.extract.model_row import model_row
from flows.extract.quantization import stored_precision
from flows.extract.read_config import configured
from flows.extract.shape import override_rows, shape_id, shape_row
from flows.extract.stored import WIDTHS, Stored, stored
from flows.extract.tensor_types import tensor_types
from flows.failures import Failure
from flows.raw import RawModel

# What llama.cpp's converters call architectures that are no decoders of text.
GGUF_KINDS = {
    "clip": "encoder", "bert": "encoder", "nomic-bert": "encoder", "t5encoder": "encoder", "flux": "diffusion",
    "sd1": "diffusion", "sd3": "diffusion", "sdxl": "diffusion", "wan": "diffusion", "ltxv": "diffusion",
}  # fmt: skip
Row = dict[str, Any]


@dataclass(frozen=True)
class Extracted:
    """Rows of one model for models, model_shapes, attention_groups, artifacts, tensor_types and model_overrides."""

    model: Row
    shape: Row
    groups: list[Row]
    artifacts: list[Row]
    tensor_types: list[Row]
    overrides: list[Row]


def extract(raw: RawModel) -> Extracted | Failure:
    """Read one answer. A model that is partly unknown is a row with nulls; only an unusable one is a failure."""
    info = parse(raw.info)
    if info is None:
        return Failure("malformed_info", "the Hub's answer is not a JSON object")
    config, problem = _config(raw.config)
    if config is not None and "_class_name" in config and "model_type" not in config:
        info = replace(info, is_diffusers=True)
    found: Architecture | None = None
    if config is not None and not info.is_adapter and not (info.is_diffusers and "model_type" not in config):
        found, problem = configured(config)
    base, base_note = inherited(raw, info)
    if base is not None and not info.is_adapter:
        found = base
    precision, is_quantised = stored_precision(config, info.dtypes)
    measured = measure(raw.tensors, info, config, is_tied=found is not None and found.columns.get("p_lm_head") == 0)
    header_note = None
    if found is None and measured.gguf is not None and not info.is_diffusers:
        found, header_note = gguf_architecture(measured.gguf)
    total = found.parameters if found else None
    weights = stored(info, precision, _quantisable(found), total, measured.sets)
    from_files = _from_files(weights, info)
    if info.is_diffusers and found is None and measured.parameters is None:
        counted = _count_pipeline(info, weights, from_files)
    else:
        counted = count(info, found, is_quantised=is_quantised, from_files=from_files, measured=measured)
    is_nothing = found is None and counted.parameters is None and weights.bytes is None and not weights.quants
    if is_nothing and not info.is_adapter:
        if problem:
            return Failure("malformed_config", problem)
        return Failure("no_weights", "neither a configuration nor weights that can be sized")
    unnamed = None
    if weights.precision is None and not info.is_diffusers and len(weights.quants) < 2:
        unnamed = "the format of its quantised weights has no name here" if is_quantised else "no word of its dtype"
    notes = [
        *(found.notes if found else ()),
        base_note,
        header_note,
        *measured.notes,
        problem,
        counted.note,
        weights.note,
        unnamed,
        *info.notes,
    ]
    shape = shape_row(_kind(info, found), found, counted, weights)
    if config is not None and found is not None and base is None and header_note is None and not counted.is_conflict:
        shape |= automodel(config, found)
    types = tensor_types(measured.sets)
    overrides = override_rows(found, shape, weights)
    shape["shape_id"] = shape_id(shape, overrides)
    rank = adapter_rank(config, measured.sets) if info.is_adapter else None
    return Extracted(
        model=model_row(raw, info, found, base, counted, shape, rank, [note for note in notes if note]),
        shape=shape,
        groups=_groups(raw.model_id, found or base),
        artifacts=[{"model_id": raw.model_id, **vars(artifact)} for artifact in weights.artifacts],
        tensor_types=[{"model_id": raw.model_id, **row} for row in types],
        overrides=[{"shape_id": shape["shape_id"], **row} for row in overrides],
    )


def _config(text: str | None) -> tuple[dict[str, Any] | None, str | None]:
    if text is None:
        return None, None
    config = load_object(text)
    return (None, "config.json is not a JSON object") if config is None else (config, None)


def _quantisable(found: Architecture | None) -> int | None:
    """Weights that a format for linear layers packs."""
    if found is None or found.parameters is None:
        return None
    names = ("p_attn", "p_mlp", "p_expert", "p_shared", "p_ssm")
    return int(sum(found.columns[name] or 0 for name in names))


def _from_files(weights: Stored, info: Info) -> int | None:
    """Parameters by size of files in one plain dtype."""
    dtype = next(iter(info.dtypes), None) if len(info.dtypes) == 1 else None
    width = WIDTHS.get(dtype or "") or {"bf16": 2, "fp16": 2, "fp32": 4}.get(weights.precision or "")
    return weights.bytes // width if weights.bytes is not None and width else None


def _count_pipeline(info: Info, weights: Stored, from_files: int | None) -> Count:
    """A pipeline is sized by the files of its components: the Hub counts only one of them."""
    if from_files is not None:
        return Count(from_files, from_files, "file_size", "estimated")
    note = "the Hub counts one component of a pipeline only" if info.dtypes and not weights.artifacts else None
    return Count(info.gguf_total, info.gguf_total, "gguf_api" if info.gguf_total else None,
                 "estimated" if info.gguf_total else None, note=note)  # fmt: skip


def _kind(info: Info, found: Architecture | None) -> str:
    if info.is_adapter:
        return "adapter"
    if info.is_diffusers:
        return "diffusion"
    if found is not None:
        return found.kind
    return GGUF_KINDS.get(info.gguf_architecture, "decoder") if info.gguf_architecture else "other"


def _groups(model_id: str, found: Architecture | None) -> list[Row]:
    if found is None:
        return []
    return [{"model_id": model_id, "position": position, **vars(group)} for position, group in enumerate(found.groups)]
