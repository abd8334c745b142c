"""One raw answer -> the rows of one model, or the reason why there are none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from flows.extract.architecture import Architecture
from flows.extract.count import Count, count
from flows.extract.info import Info, clean, load_object, parse, printable
from flows.extract.inherit import inherited
from flows.extract.logical import Logical, logical
from flows.extract.quantization import stored_precision
from flows.extract.read_config import read_architecture
from flows.extract.shape import is_sane, override_rows, shape_id, shape_row
from flows.extract.stored import WIDTHS, Stored, stored
from flows.failures import Failure
from flows.headers.tensor_set import load
from flows.raw import RawModel

# What llama.cpp's converters call architectures that are no decoders of text.
GGUF_KINDS = {
    "clip": "encoder", "bert": "encoder", "nomic-bert": "encoder", "t5encoder": "encoder", "flux": "diffusion",
    "sd1": "diffusion", "sd3": "diffusion", "sdxl": "diffusion", "wan": "diffusion", "ltxv": "diffusion",
}  # fmt: skip
LONGEST_NOTES = 1000
OF_THE_BASE = ("layers", "hidden_size", "vocab_size")
UNREADABLE = "the configuration met a defect of the reader"
Row = dict[str, Any]


@dataclass(frozen=True)
class Extracted:
    """Rows of one model for the tables models, model_shapes, attention_groups, artifacts and model_overrides."""

    model: Row
    shape: Row
    groups: list[Row]
    artifacts: list[Row]
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
        found, problem = _architecture(config)
    base, base_note = inherited(raw, info)
    if base is not None and not info.is_adapter:
        found = base
    precision, is_quantised = stored_precision(config, info.dtypes)
    headers = _headers(raw, config, found)
    total = found.parameters if found else None
    weights = stored(info, precision, _quantisable(found), total, headers.bytes if headers else None)
    from_files = _from_files(weights, info)
    if info.is_diffusers and found is None:
        counted = _count_pipeline(info, weights, from_files)
    else:
        counted = count(info, found, is_quantised=is_quantised, from_files=from_files,
                        in_headers=headers.parameters if headers else None)  # fmt: skip
    if found is None and counted.parameters is None and weights.bytes is None and not weights.quants:
        if problem:
            return Failure("malformed_config", problem)
        return Failure("no_weights", "neither a configuration nor weights that can be sized")
    unnamed = "the format of its quantised weights has no name here" if is_quantised and precision is None else None
    notes = [
        *(found.notes if found else ()),
        base_note,
        headers.note if headers else None,
        problem,
        counted.note,
        weights.note,
        unnamed,
        *info.notes,
    ]
    shape = shape_row(_kind(info, found), found, counted, weights)
    overrides = override_rows(found, shape, weights)
    shape["shape_id"] = shape_id(shape, overrides)
    return Extracted(
        model=_model(raw, info, found, base, counted, shape, [note for note in notes if note]),
        shape=shape,
        groups=_groups(raw.model_id, found or base),
        artifacts=[{"model_id": raw.model_id, **vars(artifact)} for artifact in weights.artifacts],
        overrides=[{"shape_id": shape["shape_id"], **row} for row in overrides],
    )


def _config(text: str | None) -> tuple[dict[str, Any] | None, str | None]:
    if text is None:
        return None, None
    config = load_object(text)
    return (None, "config.json is not a JSON object") if config is None else (config, None)


def _architecture(config: Mapping[str, Any]) -> tuple[Architecture | None, str | None]:
    """What the configuration says, or why it says nothing.

    The reader promises ValueError. What else a strange configuration may provoke is a defect of the reader, named as
    such in the model's row: one model must not take the others' night with it.
    """
    try:
        found = read_architecture(config)
    except ValueError as error:
        return None, printable(str(error))
    except (ArithmeticError, AttributeError, LookupError, TypeError) as error:
        return None, printable(f"{UNREADABLE} ({type(error).__name__}: {error})")
    return (found, None) if is_sane(found) else (None, "the configuration's dimensions are beyond any model")


def _headers(raw: RawModel, config: Mapping[str, Any] | None, found: Architecture | None) -> Logical | None:
    """What the tensor headers of the weight set say, null where none were read."""
    for one in load(raw.tensors):
        if one.problem is not None:
            return Logical(None, None, printable(f"its tensor headers cannot be read: {one.problem}"))
        return logical(one, config or {}, is_tied=found is not None and found.columns.get("p_lm_head") == 0)
    return None


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


def _model(
    raw: RawModel,
    info: Info,
    found: Architecture | None,
    base: Architecture | None,
    counted: Count,
    shape: Row,
    notes: list[str],
) -> Row:
    parameters, active = counted.parameters, None
    if found is not None and found.active_parameters is not None and found.parameters is not None:
        is_same = parameters == found.parameters
        active = found.active_parameters if is_same else found.active_parameters + counted.difference
    return {
        "model_id": raw.model_id,
        "resolved_id": info.id or raw.model_id,
        "revision": raw.revision,
        "library": info.library,
        "task": info.task,
        "license": info.license,
        "is_gated": info.is_gated,
        "downloads": info.downloads,
        "likes": info.likes,
        "last_modified_at": info.last_modified_at,
        "kind": shape["kind"],
        "model_type": clean(found.model_type) if found else info.gguf_architecture,
        "architecture": clean(found.name) if found else None,
        "base_model": info.base_model,
        "parameters": parameters,
        "active_parameters": active,
        "mtp_parameters": found.mtp_parameters if found else None,
        "parameters_source": "inherited" if base is not None and counted.source == "config" else counted.source,
        "inherited_from": clean(raw.base_id) if base is not None else None,
        "parameters_conflict": counted.is_conflict,
        "config_parameters": found.parameters if found else None,
        "confidence": counted.confidence,
        "stored_bytes": shape["stored_bytes"],
        "stored_precision": shape["stored_precision"],
        # an adapter is sized by itself, but it lives in the layers of its base
        **{name: (shape if base is None else base.columns).get(name) for name in OF_THE_BASE},
        "max_context_tokens": (shape if base is None else base.columns).get("max_context_tokens") or info.gguf_context,
        "notes": printable("; ".join(notes))[:LONGEST_NOTES] or None,
        "shape_id": shape["shape_id"],
    }


def _groups(model_id: str, found: Architecture | None) -> list[Row]:
    if found is None:
        return []
    return [{"model_id": model_id, "position": position, **vars(group)} for position, group in enumerate(found.groups)]
