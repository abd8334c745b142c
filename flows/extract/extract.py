"""One raw answer -> the rows of one model, or the reason why there are none."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from estimator.schema import SHAPES
from flows.extract import gguf_mix
from flows.extract.architecture import Architecture
from flows.extract.count import Count, count
from flows.extract.info import Info, clean, load_object, parse
from flows.extract.quantization import known_precisions, stored_precision
from flows.extract.read_config import read_architecture
from flows.extract.stored import WIDTHS, Stored, stored
from flows.failures import Failure
from flows.raw import RawModel

NOT_DECODERS = ("clip", "flux", "sd1", "sd3", "sdxl", "bert", "nomic-bert", "t5encoder", "wan", "ltxv")
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
    found: Architecture | None = None
    if config is not None and not info.is_adapter and not (info.is_diffusers and "model_type" not in config):
        try:
            found = read_architecture(config)
        except ValueError as error:
            problem = str(error)
    precision, is_quantised = stored_precision(config, info.dtypes)
    weights = stored(info, precision, _quantisable(found), found.parameters if found else None)
    counted = count(info, found, is_quantised=is_quantised, from_files=_from_files(weights, precision, info))
    if found is None and counted.parameters is None and weights.bytes is None and not weights.quants:
        if problem:
            return Failure("malformed_config", problem)
        return Failure("no_weights", "neither a configuration nor weights that can be sized")
    kind = _kind(info, found)
    notes = [*(found.notes if found else ()), *(note for note in (problem, counted.note) if note)]
    shape = _shape(kind, found, counted, weights, precision)
    overrides = _overrides(found, shape, weights)
    shape["shape_id"] = _shape_id(shape, overrides)
    return Extracted(
        model=_model(raw, info, found, counted, shape, kind, notes),
        shape=shape,
        groups=_groups(raw.model_id, found),
        artifacts=[{"model_id": raw.model_id, **vars(artifact)} for artifact in weights.artifacts],
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


def _from_files(weights: Stored, precision: str | None, info: Info) -> int | None:
    """Parameters by size of files in one plain dtype."""
    dtype = next(iter(info.dtypes), None) if len(info.dtypes) == 1 else None
    width = WIDTHS.get(dtype or "") or {"bf16": 2, "fp16": 2, "fp32": 4}.get(precision or "")
    return weights.bytes // width if weights.bytes is not None and width else None


def _kind(info: Info, found: Architecture | None) -> str:
    if info.is_adapter:
        return "adapter"
    if info.is_diffusers:
        return "diffusion"
    if found is not None:
        return found.kind
    if info.gguf_architecture:
        return "other" if info.gguf_architecture in NOT_DECODERS else "decoder"
    return "other"


def _shape(kind: str, found: Architecture | None, counted: Count, weights: Stored, precision: str | None) -> Row:
    """What the estimator reads. A count that contradicts its parts leaves the parts unknown."""
    shape: Row = dict.fromkeys(SHAPES.names())
    if found is not None:
        shape |= {name: value for name, value in found.columns.items() if name in SHAPES}
    if kind == "diffusion":
        counted_parameters = counted.resident if counted.source == "file_size" or weights.bytes is None else None
        width = {"fp32": 4, "bf16": 2, "fp16": 2}.get(precision or "")
        if counted_parameters is None and width and weights.bytes is not None:
            counted_parameters = weights.bytes // width  # the Hub counts one component of a pipeline only
        shape["parameters_resident"] = counted_parameters
    else:
        shape["parameters_resident"] = counted.resident
        _settle_difference(shape, found, counted)
    return shape | {"kind": kind, "stored_bytes": weights.bytes, "stored_precision": precision}


def _settle_difference(shape: Row, found: Architecture | None, counted: Count) -> None:
    """Put what the count has beyond the parts where it belongs: a head, towers, or nowhere."""
    if found is None or not counted.difference:
        return
    if found.kind == "encoder":
        shape["p_head_other"] += counted.difference
    elif found.parameters is None and shape.get("p_attn") is not None:
        shape["p_vision"], shape["p_audio"], shape["p_projector"] = counted.difference, 0, 0
    elif counted.difference < 0:
        for name in SHAPES:
            if name.startswith("p_"):
                shape[name] = None


def _overrides(found: Architecture | None, shape: Row, weights: Stored) -> list[Row]:
    """Bytes known better than by the formula: GGUF files that exist, else the rule of their mixtures."""
    sized: dict[str, Row] = {}
    decoder = gguf_mix.decoder_of(shape, found.dimensions) if found and found.is_verified else None
    if decoder is not None:
        for precision, size in gguf_mix.weight_bytes(decoder).items():
            if precision in known_precisions():
                sized[precision] = {"precision": precision, "weights_bytes": size, "weights_basis": "computed"}
    for quant in weights.quants:
        if quant.precision and quant.bytes and not quant.is_beside:
            row = {"precision": quant.precision, "weights_bytes": quant.bytes, "weights_basis": "stored"}
            if sized.get(quant.precision, {}).get("weights_basis") != "stored":
                sized[quant.precision] = row
    return [sized[precision] for precision in sorted(sized)]


def _shape_id(shape: Mapping[str, Any], overrides: list[Row]) -> str:
    read = {name: value for name, value in shape.items() if name != "shape_id"}
    text = json.dumps([read, overrides], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _model(
    raw: RawModel,
    info: Info,
    found: Architecture | None,
    counted: Count,
    shape: Row,
    kind: str,
    notes: list[str],
) -> Row:
    parameters, active = counted.parameters, None
    if kind == "diffusion":
        parameters = shape["parameters_resident"]
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
        "kind": kind,
        "model_type": clean(found.model_type) if found else info.gguf_architecture,
        "architecture": clean(found.name) if found else None,
        "base_model": info.base_model,
        "parameters": parameters,
        "active_parameters": active,
        "mtp_parameters": found.mtp_parameters if found else None,
        "parameters_source": counted.source if kind != "diffusion" else "file_size" if parameters else None,
        "parameters_conflict": counted.is_conflict,
        "config_parameters": found.parameters if found else None,
        "confidence": counted.confidence if kind != "diffusion" else "estimated" if parameters else None,
        "stored_bytes": shape["stored_bytes"],
        "stored_precision": shape["stored_precision"],
        "layers": shape["layers"],
        "hidden_size": shape["hidden_size"],
        "vocab_size": shape["vocab_size"],
        "max_context_tokens": shape["max_context_tokens"] or info.gguf_context,
        "notes": "; ".join(notes) or None,
        "shape_id": shape["shape_id"],
    }


def _groups(model_id: str, found: Architecture | None) -> list[Row]:
    if found is None:
        return []
    return [{"model_id": model_id, "position": position, **vars(group)} for position, group in enumerate(found.groups)]
