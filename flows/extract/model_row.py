"""The row of the table models: what was found out about one model, with where it comes from."""

from __future__ import annotations

from typing import Any

from flows.extract.architecture import Architecture
from flows.extract.count import Count
from flows.extract.info import Info, clean, printable
from flows.raw import RawModel

LONGEST_NOTES = 1000
OF_THE_BASE = ("layers", "hidden_size", "vocab_size")


def model_row(
    raw: RawModel,
    info: Info,
    found: Architecture | None,
    base: Architecture | None,
    counted: Count,
    shape: dict[str, Any],
    rank: int | None,
    notes: list[str],
) -> dict[str, Any]:
    """A row of MODELS. `base` is the architecture that was inherited, null when the model has its own."""
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
        "base_model": info.base_model or clean(raw.base_id),
        "adapter_rank": rank,
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
