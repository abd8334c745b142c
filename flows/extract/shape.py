"""The shape of a model: everything that the estimator reads of it, and the name that equal shapes share."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from estimator.schema import SHAPES
from flows.extract import gguf_mix
from flows.extract.architecture import Architecture
from flows.extract.count import TOWERS, Count
from flows.extract.quantization import known_precisions
from flows.extract.stored import Stored

Row = dict[str, Any]


def shape_row(kind: str, found: Architecture | None, counted: Count, weights: Stored) -> Row:
    """A row of SHAPES without its `shape_id`. A count that contradicts its parts leaves the parts unknown."""
    shape: Row = dict.fromkeys(SHAPES.names())
    if found is not None:
        shape |= {name: value for name, value in found.columns.items() if name in SHAPES}
    shape["parameters_resident"] = counted.resident
    if counted.is_text_only:
        shape |= dict.fromkeys(TOWERS, 0)
    _settle_difference(shape, found, counted)
    return shape | {
        "kind": kind,
        "confidence": counted.confidence,
        "stored_bytes": weights.bytes,
        "stored_precision": weights.precision,
    }


def _settle_difference(shape: Row, found: Architecture | None, counted: Count) -> None:
    """Put what the count has beyond the parts where it belongs: a head, towers, or nowhere."""
    if found is None or not counted.difference:
        return
    if found.kind == "encoder":
        shape["p_head_other"] += counted.difference
    elif found.parameters is None and shape.get("p_attn") is not None:
        shape |= dict.fromkeys(TOWERS, 0) | {"p_vision": counted.difference}
    elif counted.difference < 0:
        for name in SHAPES:
            if name.startswith("p_"):
                shape[name] = None


def override_rows(found: Architecture | None, shape: Row, weights: Stored) -> list[Row]:
    """Bytes known better than by the formula: GGUF files that exist, else the rule of their mixtures.

    Of several files of one precision the largest counts: what is promised to fit must fit.
    """
    sized: dict[str, Row] = {}
    is_checked = found is not None and found.is_verified and shape["kind"] == "decoder"
    file = gguf_mix.file_of(shape, found.tensors) if found and is_checked else None
    if file is not None:
        for precision, size in gguf_mix.weight_bytes(file).items():
            if precision in known_precisions():
                sized[precision] = {"precision": precision, "weights_bytes": size, "weights_basis": "computed"}
    for quant in sorted(weights.quants, key=lambda quant: quant.bytes or 0):
        if quant.precision and quant.bytes and not quant.is_beside:
            sized[quant.precision] = {
                "precision": quant.precision, "weights_bytes": quant.bytes, "weights_basis": "stored",
            }  # fmt: skip
    return [sized[precision] for precision in sorted(sized)]


def shape_id(shape: Mapping[str, Any], overrides: list[Row]) -> str:
    """Equal for models that are equal to the estimator: 16 hexadecimal digits over all that it reads."""
    read = {name: value for name, value in shape.items() if name != "shape_id"}
    text = json.dumps([read, overrides], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
