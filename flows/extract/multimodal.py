"""A multimodal configuration -> Architecture: the text decoder, and towers beside it where their class is known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from catalogs import architectures
from flows.extract import towers
from flows.extract.architecture import Architecture
from flows.extract.read_decoder import read_decoder


def read_multimodal(config: Mapping[str, Any], model_type: str, name: str | None) -> Architecture:
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
    text = read_decoder(section, row, model_type, name, is_verified=bool(row.get("verified")), notes=())
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
