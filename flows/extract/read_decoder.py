"""A decoder's configuration -> Architecture: counts, active parameters, cache and what could not be told."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from catalogs import architectures
from flows.extract import decoder, decoder_columns, rotary
from flows.extract.architecture import Architecture
from flows.extract.expressions import evaluate
from flows.extract.heads import CLASSIFIERS, has_vocabulary_head
from flows.extract.keys import Keys

# Endings of the classes that generate text.
DECODER_HINTS = ("CausalLM", "LMHead", "ConditionalGeneration", "VisionText2Text")
COLUMNS_OF_TOWERS = ("p_vision", "p_audio", "p_speech", "p_projector")


def read_decoder(
    config: Mapping[str, Any],
    row: Mapping[str, Any],
    model_type: str,
    name: str | None,
    *,
    is_verified: bool,
    notes: tuple[str, ...],
) -> Architecture:
    """A text decoder under a dialect's row. Raises ValueError when the configuration is not usable."""
    if _is_other(config, row.get("instead", {})):
        row = architectures.dialects()[row["instead"]["dialect"]]
        is_verified = is_verified and bool(row.get("verified"))
    keys = Keys(config, row)
    # remote code names its classes as it likes: ChatGLMModel has a head
    named = name if model_type in architectures.classes() else None
    found = decoder.read(keys, row, named)
    body, columns = found.body, decoder_columns.columns(found, keys, row)
    columns |= {column: body.counts[column] for column in COLUMNS_OF_TOWERS}
    reasons = tuple(reason for reason in (body.unknown_parameters, body.unknown_cache) if reason)
    parameters = None if body.unknown_parameters else body.parameters
    active = None
    if parameters is not None:
        beside = sum(columns[column] for column in COLUMNS_OF_TOWERS)
        active = (
            parameters - _idle(columns) - beside if columns["experts_per_token"] or not columns["experts"] else None
        )
        # an embedding row is looked up, not multiplied, unless it is the head's matrix as well
        is_head = has_vocabulary_head(named) and not columns["p_lm_head"]
        looked_up = columns["p_pos_embed"] + (0 if is_head else columns["p_embed"])
        columns["active_read_parameters"] = None if active is None else active - looked_up
        columns["parameters_resident"] = parameters
    else:
        columns = _without_counts(columns)
    kind = row.get("kind", "decoder")
    if name and not name.endswith((*DECODER_HINTS, *CLASSIFIERS, "Model")):
        notes = (*notes, f"{name} is sized as the decoder that it is built on")
    return Architecture(
        model_type=model_type,
        name=name,
        kind=kind,
        is_verified=is_verified and not reasons,
        parameters=None if parameters is None else parameters + body.mtp,
        active_parameters=active,
        mtp_parameters=body.mtp if parameters is not None else None,
        columns=columns,
        dimensions={
            **dimensions(keys, columns),
            "prediction_block": body.prediction_block,
            "rotary_width": rotary.width(keys, row, found.attentions[0] if found.attentions else None),
            "stored_tables": evaluate(row.get("stored_beside", 0), keys.count),
            "base_parameters": None if parameters is None else parameters - found.head,
            "head_parameters": found.head,
            "largest_layer": found.largest_layer,
            "is_largest_layer_sparse": found.is_largest_sparse,
            "routers": found.routers,
        },
        groups=body.attention_groups(),
        notes=(*notes, *dict.fromkeys(reasons)),
        tensors=found.tensors,
    )


def _is_other(config: Mapping[str, Any], instead: Mapping[str, Any]) -> bool:
    """Whether a switch that is off, or a key that is there, says that the type is used for something else."""
    return ("off" in instead and config.get(instead["off"]) is False) or instead.get("has") in config


def _idle(columns: Mapping[str, Any]) -> int:
    """Parameters of experts that one token does not visit."""
    experts, visited = columns["experts"], columns["experts_per_token"]
    if not experts:
        return 0
    routed = columns["p_expert"] + columns["p_expert_bias"]
    return int(routed - routed * visited // experts)


def _without_counts(columns: Mapping[str, Any]) -> dict[str, Any]:
    """Columns of a decoder whose parameters are not known: every count is null, dimensions and cache stay."""
    lost = ("quant_rows", "fp8_block_scales", "lora_io", "lora_qv_io", "lora_qv_rows")
    kept = {key: None if key.startswith("p_") or key in lost else value for key, value in columns.items()}
    return {**kept, "parameters_resident": None, "active_read_parameters": None}


def dimensions(keys: Keys, columns: Mapping[str, Any]) -> dict[str, int | float | bool | None]:
    """What the per-tensor rules of other formats ask for besides the columns."""
    heads, hidden = columns["heads"], columns["hidden_size"]
    return {
        "head_dim": keys.number("head_dim") or (hidden // heads if heads else None),
        "is_tied": columns["p_lm_head"] == 0,
    }
