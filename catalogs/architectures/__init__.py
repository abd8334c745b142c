"""The declared dialects of model configurations, from the tables of this folder, with inheritance resolved."""

from __future__ import annotations

import csv
import json
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from catalogs.errors import CatalogError

FOLDER = Path(__file__).parent
FILES = (
    "spellings.toml", "decoders.toml", "remote.toml", "linear.toml", "encoders.toml", "pictures.toml", "towers.toml",
    "multimodal.toml", "gguf.toml", "gguf_tensors.toml", "activations.toml",
)  # fmt: skip
CLASSES = "class_defaults.jsonl"
AUTOMODELS = "automodels.csv"
# Tables of a row that add to its relative's instead of taking their place.
MERGED = ("let", "heads", "derived", "fallback")
PARTS = ("layer", "dense", "sparse", "adapted", "prefill")  # of rows of activations.toml


@cache
def spellings() -> Mapping[str, tuple[str, ...]]:
    """Canonical name -> keys of configurations, first one present wins."""
    return {name: tuple(keys) for name, keys in _tables()["spellings"].items()}


@cache
def classes() -> Mapping[str, Mapping[str, Any]]:
    """model_type -> what its configuration class declares: `defaults` and `sections`, from class_defaults.jsonl."""
    try:
        lines = (FOLDER / CLASSES).read_text(encoding="utf-8").splitlines()
        return {row["model_type"]: row for row in map(json.loads, lines)}
    except (OSError, ValueError, LookupError) as error:
        raise CatalogError(CLASSES, f"cannot be read ({error})") from error


@cache
def automodels() -> Mapping[str, Mapping[str, Any]]:
    """model_type -> what its class behind AutoModel builds besides parameters. Errors: CatalogError.

    From automodels.csv: counts of buffers and of embeddings as numbers, `unsplit` as a set of words.
    """
    try:
        with (FOLDER / AUTOMODELS).open(encoding="utf-8", newline="") as file:
            rows = {row["model_type"]: row for row in csv.DictReader(file)}
        counts = ("frequency_vectors", "is_by_kind", "position_vectors", "router_vectors", "scales", "embeddings")
        return {
            name: {**row, **{count: int(row[count]) for count in counts}, "unsplit": set(row["unsplit"].split())}
            for name, row in rows.items()
        }
    except (OSError, ValueError, LookupError) as error:
        raise CatalogError(AUTOMODELS, f"cannot be read ({error})") from error


@cache
def dialects() -> Mapping[str, Mapping[str, Any]]:
    """model_type -> its row, everything inherited through `like` filled in. Errors: CatalogError."""
    rows = _tables()["dialects"]
    # what was measured of a class, or checked of its files, its relatives need not share
    return {
        name: {
            **_resolved(name, rows, ()),
            "activations": activations().get(name),
            "gguf_tensors": gguf_tensors().get(name),
        }
        for name in rows
    }


@cache
def gguf_tensors() -> Mapping[str, Mapping[str, Any]]:
    """model_type -> how llama.cpp's files lay its tensors out, where that was checked. Errors: CatalogError."""
    rows: Mapping[str, Mapping[str, Any]] = _tables()["gguf_tensors"]
    for name, row in rows.items():
        if name not in _tables()["dialects"] or not row.get("source"):
            raise CatalogError("gguf_tensors.toml", f"gguf_tensors.{name} must be a known dialect with a source")
    return rows


@cache
def activations() -> Mapping[str, Mapping[str, Any]]:
    """model_type -> what its layers keep for a backward pass, everything inherited filled in. Errors: CatalogError."""
    rows = _tables()["activations"]
    return {name: _counted(name, _merged(name, rows, ())) for name in rows}


def _counted(name: str, row: dict[str, Any]) -> dict[str, Any]:
    """A row without the recipes by which its own layers were not counted, whatever its relative has."""
    absent = [recipe for recipe, types in _tables()["counted"].items() if name not in types]
    kept = {part: {key: it for key, it in row[part].items() if key not in absent} for part in PARTS if part in row}
    return {**row, **kept}


@cache
def functions() -> Mapping[str, int]:
    """Name of an activation function -> bytes that it saves for each element."""
    costs: Mapping[str, int] = _tables()["functions"]
    return costs


@cache
def multimodal() -> Mapping[str, Mapping[str, Any]]:
    """model_type -> which dialect its text part speaks and which towers stand beside it."""
    rows: Mapping[str, Mapping[str, Any]] = _tables()["multimodal"]
    for name, row in rows.items():
        if row.get("text") not in dialects() or not row.get("source"):
            raise CatalogError("multimodal.toml", f"multimodal.{name} must name a known text dialect and a source")
    return rows


@cache
def towers() -> Mapping[str, Mapping[str, Any]]:
    """Type of a tower -> its row with the names of all common parts. Errors: CatalogError."""
    rows: Mapping[str, Mapping[str, Any]] = _tables()["towers"]
    for name, row in rows.items():
        if not row.get("source") or not isinstance(row.get("size"), str):
            raise CatalogError("towers.toml", f"towers.{name} must have a source and a size")
    return {name: {**row, "let": {**_tables()["parts"], **row.get("let", {})}} for name, row in rows.items()}


@cache
def gguf() -> Mapping[str, Mapping[str, Any]]:
    """Name of a GGUF architecture -> the model type it is and its `keys` as expressions. Errors: CatalogError."""
    rows: Mapping[str, Mapping[str, Any]] = _tables()["gguf"]
    for name, row in rows.items():
        if row.get("type") not in dialects() or not row.get("source"):
            raise CatalogError("gguf.toml", f"gguf.{name} must name a known dialect and a source")
    return {name: {**row, "keys": {**_tables()["gguf_keys"], **row.get("keys", {})}} for name, row in rows.items()}


def _resolved(name: str, rows: Mapping[str, Any], seen: tuple[str, ...]) -> dict[str, Any]:
    row = rows.get(name)
    if row is None or name in seen:
        raise CatalogError(FOLDER.name, f"dialects.{seen[-1] if seen else name}: like = {name!r} leads nowhere")
    if not row.get("source"):
        raise CatalogError(FOLDER.name, f"dialects.{name} must have a source")
    parent = _resolved(row["like"], rows, (*seen, name)) if "like" in row else {}
    # the class of this very type before that of its relative; what a row itself says stands above both
    known = classes().get(name)
    defaults = known["defaults"] if known else parent.get("defaults", {})
    # what was checked for a relative was not checked for this type
    own = {"verified": False, **row, "defaults": {**defaults, **row.get("defaults", {})}}
    tables = {table: {**parent.get(table, {}), **row[table]} for table in MERGED if table in row}
    return {**parent, **own, **tables}


def _merged(name: str, rows: Mapping[str, Any], seen: tuple[str, ...]) -> dict[str, Any]:
    """A row of activations.toml above its relative's, part by part."""
    row = rows.get(name)
    if row is None or name in seen:
        raise CatalogError(
            "activations.toml", f"activations.{seen[-1] if seen else name}: like = {name!r} leads nowhere"
        )
    if not row.get("source"):
        raise CatalogError("activations.toml", f"activations.{name} must have a source")
    parent = _merged(row["like"], rows, (*seen, name)) if "like" in row else {}
    return {**parent, **row, **{part: {**parent.get(part, {}), **row[part]} for part in PARTS if part in row}}


@cache
def _tables() -> Mapping[str, Any]:
    """All files as one. Raises CatalogError for a file that cannot be read or a row that stands in two."""
    names = (
        "spellings",
        "dialects",
        "parts",
        "towers",
        "multimodal",
        "gguf_keys",
        "gguf",
        "gguf_tensors",
        "activations",
        "functions",
        "counted",
    )
    tables: dict[str, dict[str, Any]] = {name: {} for name in names}
    for name in FILES:
        try:
            found = tomllib.loads((FOLDER / name).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise CatalogError(name, f"cannot be read ({error})") from error
        for table, rows in found.items():
            if twice := tables[table].keys() & rows.keys():
                raise CatalogError(name, f"{table}.{min(twice)} is declared twice")
            tables[table] |= rows
    return tables
