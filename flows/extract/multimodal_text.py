"""The text part of a multimodal configuration: its keys, its dialect, and whose word on tying counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from catalogs import architectures
from flows.extract.architecture import Architecture
from flows.extract.encoders.read import read_encoder
from flows.extract.read_decoder import read_decoder


def text_of(
    config: Mapping[str, Any], entry: Mapping[str, Any], key: str, model_type: str, name: str | None
) -> Architecture:
    section = section_of(config, key, model_type)
    if (is_tied := _is_tied(config, section, entry.get("tie"), model_type)) is not None:
        section = {**section, "tie_word_embeddings": is_tied}
    row = dialect(config, entry, key, model_type)
    if "family" in row:
        found = read_encoder(section, row, model_type, row.get("unnamed", "Model"))
        return replace(found, name=name)
    return read_decoder(section, row, model_type, name, is_verified=bool(row.get("verified")), notes=())


def _is_tied(config: Mapping[str, Any], section: Mapping[str, Any], rule: str | None, model_type: str) -> Any:
    """Whether the head is the embedding: the class that has the head decides, and that is mostly the outer one.

    Null when nobody says, and the default of the text's class holds.
    """
    if rule == "never":
        return False
    own, outer = tying(config, section, model_type)
    if rule == "text" or outer is None:
        return own
    if rule == "either" and own is None and architectures.multimodal()[model_type].get("tied_text"):
        return True
    return own if rule == "either" and own is True else outer


def tying(config: Mapping[str, Any], section: Mapping[str, Any], model_type: str) -> tuple[Any, Any]:
    """What the text's section says about tying, and what the outer configuration or its class says."""
    known = architectures.classes().get(model_type, {}).get("defaults", {})
    return section.get("tie_word_embeddings"), {**known, **config}.get("tie_word_embeddings")


def section_of(config: Mapping[str, Any], key: str, model_type: str) -> dict[str, Any]:
    """The text's keys; older repositories write them at the top, and without any the class builds its own."""
    section = config.get(key)
    known = architectures.classes().get(model_type, {})
    if isinstance(section, dict):
        is_merged = architectures.multimodal()[model_type].get("merges")
        return {**known.get("built", {}).get(key, {}), **section} if is_merged else section
    if key in known.get("sections", {}) and not any(name in config for name in architectures.spellings()["hidden"]):
        return dict(known.get("built", {}).get(key, {}))
    # a class without a section for its text has the text's defaults itself
    own = {} if key in known.get("sections", {}) else known.get("defaults", {})
    return {**own, **{name: value for name, value in config.items() if not isinstance(value, dict)}}


def unknown_text(config: Mapping[str, Any], key: str, model_type: str) -> str | None:
    """The type that the text section names, when nobody here knows it."""
    section = config.get(key)
    named = section.get("model_type") if isinstance(section, dict) else None
    if not isinstance(named, str) or not named or named in architectures.dialects():
        return None
    usual = architectures.classes().get(model_type, {}).get("sections", {}).get(key, "")
    return None if usual.startswith(named) else named


def dialect(config: Mapping[str, Any], entry: Mapping[str, Any], key: str, model_type: str) -> Mapping[str, Any]:
    """The dialect that the section names, else the one of the class, else the row's."""
    section = config.get(key)
    named = section.get("model_type") if isinstance(section, dict) else None
    of_class = architectures.classes().get(model_type, {}).get("sections", {}).get(key)
    for kind in (named, of_class, entry["text"]):
        row = architectures.dialects().get(kind) if isinstance(kind, str) else None
        if row is not None and ("family" not in row or entry.get("listens")):
            return row
    return architectures.dialects()[entry["text"]]
