"""A decoder that listens to an encoder, each a model of its own in a section: TrOCR, Donut, speech translators.

The cache is the decoder's: its own tokens, and once what the encoder gives. A matrix joins them where their widths
differ and the decoder does not say that it takes the encoder's. Source: transformers 5.24
models/vision_encoder_decoder, speech_encoder_decoder.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from catalogs import architectures
from flows.extract.architecture import Architecture
from flows.extract.encoders.read import read_encoder
from flows.extract.keys import Keys
from flows.extract.opaque import opaque

# The class that a decoder is built as, and the ending that any base class has.
LISTENER, BASE = "ForCausalLM", "Model"


def read_pair(config: Mapping[str, Any], row: Mapping[str, Any], model_type: str, name: str | None) -> Architecture:
    """Both halves as their own rows read them; unknown when one has none. Raises ValueError when one is not usable."""
    halves = {part: _section(config, part, model_type) for part in ("encoder", "decoder")}
    dialects = {part: architectures.dialects().get(section["model_type"], {}) for part, section in halves.items()}
    for part, dialect in dialects.items():
        kind = halves[part]["model_type"]
        if "family" not in dialect or (part == "decoder" and LISTENER not in dialect.get("heads", {})):
            return opaque(Keys(halves[part], dialect), model_type, name, f"its {part} {kind!r:.60} is not read here")
    heard = read_encoder(halves["encoder"], dialects["encoder"], halves["encoder"]["model_type"], BASE)
    told = read_encoder(halves["decoder"], dialects["decoder"], halves["decoder"]["model_type"], LISTENER)
    if not told.columns["kv_cross_elements_per_token"]:
        return opaque(Keys(halves["decoder"], dialects["decoder"]), model_type, name, "its decoder does not listen")
    named = replace(told, model_type=model_type, name=name, kind="encoder_decoder")
    return _together(named, heard, row["pair"], halves)


def _section(config: Mapping[str, Any], part: str, model_type: str) -> dict[str, Any]:
    """A half with the name of its type; where nothing is written, the class's usual one."""
    written = config.get(part)
    section = dict(written) if isinstance(written, dict) else {}
    if not isinstance(section.get("model_type"), str):
        section["model_type"] = architectures.classes()[model_type]["sections"][part]
    return section


def _together(
    told: Architecture, heard: Architecture, column: str, halves: Mapping[str, Mapping[str, Any]]
) -> Architecture:
    """The decoder with the encoder beside it."""
    columns = {**told.columns, "cross_tokens": -1}
    notes = (*told.notes, *heard.notes)
    if told.parameters is None or heard.parameters is None or told.active_parameters is None:
        columns |= {column: None, "p_projector": None, "parameters_resident": None, "active_read_parameters": None}
        return replace(told, parameters=None, active_parameters=None, mtp_parameters=None, columns=columns,
                       notes=notes, is_verified=False)  # fmt: skip
    wide, narrow = _wide(heard, halves["encoder"]), int(told.columns["hidden_size"] or 0)
    is_joined = wide != narrow and halves["decoder"].get("cross_attention_hidden_size") is None
    joint = narrow * (wide + 1) if is_joined else 0
    columns |= {column: heard.parameters, "p_projector": joint}
    columns["parameters_resident"] = told.parameters + heard.parameters + joint
    return replace(
        told,
        parameters=told.parameters + heard.parameters + joint,
        columns=columns,
        notes=notes,
        is_verified=told.is_verified and heard.is_verified,
    )


def _wide(heard: Architecture, section: Mapping[str, Any]) -> int:
    """The width that an encoder hands on: encoders of sound may say another one than they work in."""
    told = section.get("output_hidden_size")
    return told if type(told) is int and told > 0 else int(heard.columns["hidden_size"] or 0)
