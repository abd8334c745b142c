"""A multimodal configuration -> Architecture: the text decoder, and the towers beside it where their kind is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from catalogs import architectures
from flows.extract import towers
from flows.extract.architecture import Architecture
from flows.extract.keys import Keys
from flows.extract.multimodal_text import dialect, section_of, text_of, tying, unknown_text
from flows.extract.opaque import opaque

SECTIONS = {"text": "text_config", "vision": "vision_config", "audio": "audio_config"}
# A part and the column that counts it; `second` and `meaning` are further towers for pictures and for sound.
COLUMNS = {"vision": "p_vision", "second": "p_vision", "audio": "p_audio", "meaning": "p_audio"}


def read_multimodal(config: Mapping[str, Any], model_type: str, name: str | None) -> Architecture:
    """The text decoder is read as any other; towers take no part in a token of text, so active stays the text's.

    Unknown towers leave the sum unknown, not the cache. Raises ValueError when the text part is not usable.
    """
    entry = _entry(config, architectures.multimodal()[model_type], name)
    if "inner" in entry:
        inside = config.get(entry["inner"])
        whole = read_multimodal(inside if isinstance(inside, dict) else {}, entry["as"], None)
        return _with(replace(whole, model_type=model_type, name=name), *_speech(config, entry, model_type, name))
    sections = {**SECTIONS, **entry.get("sections", {})}
    former = {part: key for part, key in entry.get("formerly", {}).items() if key in config}
    sections |= {part: key for part, key in former.items() if sections[part] not in config}
    if (stranger := unknown_text(config, sections["text"], model_type)) is not None:
        told = Keys(section_of(config, sections["text"], model_type), {})
        return opaque(told, model_type, name, f"its text part is of the unknown type {stranger!r:.60}")
    text = text_of(config, entry, sections["text"], model_type, name)
    counts: dict[str, int | None] = {"p_vision": 0, "p_audio": 0, "p_projector": 0}
    notes = []
    outer = {
        "": towers.keys_of(config, model_type, entry.get("defaults", {})),
        "text": Keys(
            section_of(config, sections["text"], model_type),
            dialect(config, entry, sections["text"], model_type),
        ),
        **_other_parts(config, entry, model_type),
    }
    let = entry.get("let", {})
    for part, column in COLUMNS.items():
        kind, section = _tower(config, entry, part, sections[part], model_type) if part in sections else (None, None)
        if section is None:
            continue
        found = towers.size(kind, section) if kind else None
        if found is None:
            counts[column] = counts["p_projector"] = None
            notes.append(f"its {part} tower{f' {kind!r:.60}' if kind else ''} is not counted in closed form")
            continue
        if counts[column] is not None:
            counts[column] += found * entry.get("copies", {}).get(part, 1)
        if part in entry and counts["p_projector"] is not None:
            own = {**outer, **towers.inside(section, str(kind)), part: towers.keys_of_tower(section, str(kind))}
            counts["p_projector"] += towers.named(entry[part], own, let)
            if "tables" in entry:
                text = _with_tables(text, towers.named(entry["tables"], own, let))
    if "beside" in entry and counts["p_projector"] is not None:
        counts["p_projector"] += towers.named(entry["beside"], outer, let)
    if entry.get("unknown"):
        counts, notes = dict.fromkeys(counts), [entry["unknown"]]
    if entry.get("tie") == "needed" and False in tying(
        config, section_of(config, sections["text"], model_type), model_type
    ):
        counts, notes = dict.fromkeys(counts), ["which of its embeddings are untied is not known"]
    if strange := _strange(config, entry):
        counts, notes = dict.fromkeys(counts), [f"what {strange} is then is not known"]
    if "only" in entry and name is not None and name not in entry["only"]:
        counts, notes = dict.fromkeys(counts), [f"what {name} takes of the model is not known"]
    return _with(text, counts, tuple(notes), bool(entry.get("verified")))


def _entry(config: Mapping[str, Any], row: Mapping[str, Any], name: str | None) -> dict[str, Any]:
    """The row as it is for a class, and for what the keys say that its variants depend on."""
    entry = {**row, **row.get("named", {}).get(name, {})}
    for variant in row.get("variants", ()):
        own = variant["of"].get(str(config.get(variant["key"])), {})
        entry = {**entry, **own, "let": {**entry.get("let", {}), **own.get("let", {})}}
    return entry


def _strange(config: Mapping[str, Any], entry: Mapping[str, Any]) -> str | None:
    """A key that does not say what it must for the row to hold."""
    for key, wanted in (*entry.get("says", {}).items(), *entry.get("may_say", {}).items()):
        outer, _, inner = key.partition(".")
        section = config.get(outer)
        told = section if not inner else section.get(inner) if isinstance(section, dict) else None
        if told != wanted and (told is not None or key in entry.get("says", ())):
            return f"{key} = {told!r:.40}"
    return None


def _speech(
    config: Mapping[str, Any], entry: Mapping[str, Any], model_type: str, name: str | None
) -> tuple[dict[str, int | None], tuple[str, ...], bool]:
    """(count, notes, whether it is verified) of what speaks beside a model that thinks, where it is switched on."""
    if name is not None and name not in entry["only"]:
        return {"p_speech": None}, (f"what {name} takes of the model is not known",), False
    if not towers.keys_of(config, model_type, {}).flag(entry["switch"]):
        return {"p_speech": 0}, (), bool(entry.get("verified"))
    found = 0
    for key, kind in entry["speaks"].values():
        section = config.get(key)  # without one the class builds its own
        found += towers.size(kind, section if isinstance(section, dict) else {}) or 0
    return {"p_speech": found}, (), bool(entry.get("verified"))


def _other_parts(config: Mapping[str, Any], entry: Mapping[str, Any], model_type: str) -> dict[str, Keys]:
    """Sections that are neither the text nor a tower: resamplers and the like."""
    of_type = architectures.classes().get(model_type, {})
    found = {}
    for part, key in entry.get("sections", {}).items():
        if part not in SECTIONS:
            section = config.get(key)
            written = section if isinstance(section, dict) else of_type.get("built", {}).get(key, {})
            own = entry.get("defaults_of", {}).get(part, {})
            found[part] = towers.keys_of(written, of_type.get("sections", {}).get(key), own)
    return found


def _tower(
    config: Mapping[str, Any], entry: Mapping[str, Any], part: str, key: str, model_type: str
) -> tuple[str | None, Mapping[str, Any] | None]:
    """(kind, section) of a tower; no section when the model has no such tower."""
    of_type = architectures.classes().get(model_type, {})
    of_class = of_type.get("sections", {}).get(key)
    section = config.get(key)
    if not isinstance(section, dict):
        has_class = of_class is not None or part in entry.get("absent", ())
        is_built = has_class and key not in config and part not in entry.get("optional", ())
        if not is_built:
            return None, None
        section = entry.get("absent", {}).get(part, of_type.get("built", {}).get(key, {}))
    if part in entry.get("own_towers", {}):
        return entry["own_towers"][part], section
    written = section.get("model_type")
    named = written if isinstance(written, str) else None
    usual = of_class or entry.get("towers", {}).get(part)
    # sections of many repositories bear the name of the whole model; any other unknown name is another tower
    if named and named not in architectures.towers() and not (usual or "").startswith(named):
        return named, section
    return (named if named in architectures.towers() else usual), section


def _with_tables(text: Architecture, elements: int) -> Architecture:
    return replace(text, dimensions={**text.dimensions, "stored_tables": elements})


def _with(
    text: Architecture, counts: Mapping[str, int | None], notes: tuple[str, ...], is_verified: bool
) -> Architecture:
    """The text decoder with something beside it."""
    columns = {**text.columns, **counts}
    beside = [value for value in counts.values() if value is not None]
    if text.parameters is None or len(beside) < len(counts):
        columns["parameters_resident"] = None
        dimensions = {**text.dimensions, "base_parameters": None}
        return replace(
            text, columns=columns, parameters=None, dimensions=dimensions, is_verified=False,
            notes=(*text.notes, *notes),
        )  # fmt: skip
    columns["parameters_resident"] = int(columns["parameters_resident"] or 0) + sum(beside)
    total = text.parameters + sum(beside)
    base = text.dimensions.get("base_parameters")
    dimensions = {**text.dimensions, "base_parameters": None if base is None else base + sum(beside)}
    return replace(
        text, columns=columns, parameters=total, dimensions=dimensions, is_verified=text.is_verified and is_verified
    )
