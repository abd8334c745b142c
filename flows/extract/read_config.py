"""config.json -> Architecture: find the dialect, read it, and say what could not be told.

A model type without a row of its own is read as the common decoder only if it uses nothing but that decoder's keys;
any sign of another attention or mixer leaves its cache unknown. Never silently a plain transformer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from catalogs import architectures
from flows.extract import decoder, encoders, towers
from flows.extract.architecture import Architecture, Group
from flows.extract.keys import Keys

DECODER_HINTS = ("CausalLM", "LMHead", "ConditionalGeneration")
# Keys that announce a cache or a mixer which the common decoder does not have.
STRANGE = (
    "kv_lora_rank", "q_lora_rank", "ssm", "mamba", "linear_attn", "linear_num", "conv_kernel", "state_size",
    "lru_width", "compress", "index_head_dim", "index_n_heads", "attn_type_list", "hybrid", "rwkv", "recurrent",
    "retention", "delta", "attention_types", "kv_source", "per_layer_config", "kv_shared", "block_types",
)  # fmt: skip
# Keys that announce a tower beside the decoder.
BESIDE = ("vision", "image", "img_", "audio", "embd_layer", "mm_", "video")
COLUMNS_OF_TOWERS = ("p_vision", "p_audio", "p_projector")


def read_architecture(config: Mapping[str, Any]) -> Architecture:
    """Read a configuration. Raises ValueError, with one line, when it is not usable."""
    model_type = config.get("model_type")
    if not isinstance(model_type, str) or not model_type:
        raise ValueError("the configuration names no model_type")
    names = config.get("architectures")
    name = names[0] if isinstance(names, list) and names and isinstance(names[0], str) else None
    if model_type in architectures.multimodal():
        return _multimodal(config, model_type, name)
    row = architectures.dialects().get(model_type)
    if row is None:
        return _unknown_type(config, model_type, name)
    if "family" in row:
        return _encoder(config, row, model_type, name)
    return _decoder(config, row, model_type, name, is_verified=bool(row.get("verified")), notes=())


def _decoder(
    config: Mapping[str, Any],
    row: Mapping[str, Any],
    model_type: str,
    name: str | None,
    *,
    is_verified: bool,
    notes: tuple[str, ...],
) -> Architecture:
    keys = Keys(config, row)
    body, columns = decoder.read(keys, row)
    columns |= dict.fromkeys(COLUMNS_OF_TOWERS, 0)
    reasons = tuple(reason for reason in (body.unknown_parameters, body.unknown_cache) if reason)
    parameters = None if body.unknown_parameters else body.parameters
    active = None
    if parameters is not None:
        active = parameters - _idle(columns)
        # an embedding row is looked up, not multiplied, when the head has its own matrix
        looked_up = columns["p_pos_embed"] + (columns["p_embed"] if columns["p_lm_head"] else 0)
        columns["active_read_parameters"] = active - looked_up
        columns["parameters_resident"] = parameters
    else:
        columns = _without_counts(columns)
    kind = "decoder"
    if name and not name.endswith(DECODER_HINTS) and any(word in name for word in ("Classification", "Embedding")):
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
        dimensions={**_dimensions(keys, columns), "prediction_block": body.prediction_block},
        groups=decoder.groups(body),
        notes=(*notes, *dict.fromkeys(reasons)),
    )


def _idle(columns: Mapping[str, Any]) -> int:
    """Parameters of experts that one token does not visit."""
    experts, visited = columns["experts"], columns["experts_per_token"]
    if not experts:
        return 0
    routed = columns["p_expert"] + columns["p_expert_bias"]
    return int(routed - routed * visited // experts)


def _without_counts(columns: Mapping[str, Any]) -> dict[str, Any]:
    """Columns of a decoder whose parameters are not known: every count is null, dimensions and cache stay."""
    lost = ("quant_rows", "fp8_block_scales", "lora_io")
    kept = {key: None if key.startswith("p_") or key in lost else value for key, value in columns.items()}
    return {**kept, "parameters_resident": None, "active_read_parameters": None}


def _encoder(config: Mapping[str, Any], row: Mapping[str, Any], model_type: str, name: str | None) -> Architecture:
    keys = Keys(config, row)
    kind, linears, components, extra, groups = encoders.read(keys, row, name)
    columns = encoders.columns(linears, components, extra) | dict.fromkeys(COLUMNS_OF_TOWERS, 0)
    parameters = sum(linear.parameters for linear in linears) + sum(components.values())
    columns["parameters_resident"] = parameters
    looked_up = columns["p_pos_embed"] + (columns["p_embed"] if columns["p_lm_head"] else 0)
    columns["active_read_parameters"] = parameters - looked_up
    return Architecture(
        model_type=model_type,
        name=name,
        kind=kind,
        is_verified=True,
        parameters=parameters,
        active_parameters=parameters,
        mtp_parameters=0,
        columns=columns,
        dimensions=_dimensions(keys, columns),
        groups=groups,
    )


def _multimodal(config: Mapping[str, Any], model_type: str, name: str | None) -> Architecture:
    """The text decoder is sized exactly; towers are added where their class is known, unknown otherwise."""
    entry = architectures.multimodal()[model_type]
    section = config.get("text_config")
    if not isinstance(section, dict):
        # older repositories write the decoder's keys at the top
        section = {key: value for key, value in config.items() if not isinstance(value, dict)}
    section = dict(section)
    if "tie_word_embeddings" not in section and "tie_word_embeddings" in config:
        section["tie_word_embeddings"] = config["tie_word_embeddings"]
    spoken = section.get("model_type")
    row = architectures.dialects().get(spoken if isinstance(spoken, str) else entry["text"])
    if row is None or "family" in row:
        row = architectures.dialects()[entry["text"]]
    text = _decoder(section, row, model_type, name, is_verified=bool(row.get("verified")), notes=())
    tower, vision = entry.get("tower"), config.get("vision_config")
    columns: dict[str, Any] = dict(text.columns)
    note = "its towers are not counted in closed form"
    if tower and isinstance(vision, dict) and text.parameters is not None:
        columns["p_vision"] = towers.vision(tower, vision)
        columns["p_projector"] = towers.projector(entry.get("projector"), vision, int(columns["hidden_size"] or 0))
        beside = columns["p_vision"] + columns["p_projector"]
        columns["parameters_resident"] += beside
        return _with(text, columns, text.parameters + beside, text.is_verified, text.notes)
    if vision is None and config.get("audio_config") is None and tower:
        return text
    columns |= {"p_vision": None, "p_projector": None, "p_audio": None, "parameters_resident": None}
    return _with(text, columns, None, False, (*text.notes, note))


def _with(
    text: Architecture,
    columns: Mapping[str, Any],
    parameters: int | None,
    is_verified: bool,
    notes: tuple[str, ...],
) -> Architecture:
    """A text decoder with something beside it. Towers take no part in a token of text: active stays the text's."""
    return Architecture(
        model_type=text.model_type,
        name=text.name,
        kind=text.kind,
        is_verified=is_verified,
        parameters=parameters,
        active_parameters=text.active_parameters,
        mtp_parameters=text.mtp_parameters,
        columns=columns,
        dimensions=text.dimensions,
        groups=text.groups,
        notes=notes,
    )


def _unknown_type(config: Mapping[str, Any], model_type: str, name: str | None) -> Architecture:
    """A type without a row: read as the common decoder when nothing speaks against it, and never called verified."""
    text = config.get("text_config") if isinstance(config.get("text_config"), dict) else config
    assert isinstance(text, Mapping)
    common: dict[str, Any] = {**architectures.dialects()["llama"], "defaults": {}}
    keys = Keys(text, common)
    note = f"model type {model_type!r} is not known here"
    has_dimensions = all(keys.number(word) for word in ("hidden", "layers", "heads", "ffn", "vocabulary"))
    strange = [key for key in text if any(mark in key for mark in STRANGE) and text[key] not in (None, False, 0)]
    is_decoder = bool(name) and str(name).endswith(DECODER_HINTS[:2])
    if strange or not has_dimensions or not is_decoder or text is not config or keys.number("experts"):
        reason = f"{note}: {', '.join(strange[:3])} may change its cache" if strange else note
        return _opaque(keys, model_type, name, reason)
    if any(key.startswith(BESIDE) and text[key] not in (None, False, 0) for key in text):
        common["unknown_parameters"] = "it has a tower that is not known here"
    return _decoder(text, common, model_type, name, is_verified=False, notes=(f"{note}; read as a common decoder",))


def _opaque(keys: Keys, model_type: str, name: str | None, reason: str) -> Architecture:
    """Dimensions that can be read, and nothing that would have to be guessed."""
    layers = keys.number("layers")
    columns: dict[str, int | float | None] = {
        "layers": layers,
        "hidden_size": keys.number("hidden"),
        "vocab_size": keys.number("vocabulary"),
        "max_context_tokens": keys.number("context") or None,
    }
    is_decoder = bool(name) and str(name).endswith(DECODER_HINTS)
    return Architecture(
        model_type=model_type,
        name=name,
        kind="decoder" if is_decoder else "other",
        is_verified=False,
        parameters=None,
        active_parameters=None,
        mtp_parameters=None,
        columns=columns,
        dimensions={},
        groups=(Group(kind="unknown", layers=layers),) if layers else (),
        notes=(reason,),
    )


def _dimensions(keys: Keys, columns: Mapping[str, Any]) -> dict[str, int | float | bool | None]:
    """What the per-tensor rules of other formats ask for besides the columns."""
    heads, hidden = columns["heads"], columns["hidden_size"]
    return {
        "head_dim": keys.number("head_dim") or (hidden // heads if heads else None),
        "is_tied": columns["p_lm_head"] == 0,
    }
