"""The embedded snapshot: answers of the Hub for a few hundred models, one JSON object a line, sorted by id.

Keys of a line: model_id, revision, info (as the Hub answers), config (config.json or null) and provenance
(which of it is verbatim, which reconstructed, from what source and date).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from catalogs.errors import CatalogError, visible

SNAPSHOT = Path(__file__).parent / "hub_snapshot.jsonl"
_KEYS = {"model_id": str, "revision": str, "info": dict, "config": dict | None, "provenance": dict}


def read(path: Path) -> Iterator[dict[str, Any]]:
    """Rows with `info` and `config` as JSON text, in file order. Errors: CatalogError, at once when the file
    cannot be opened, at the row otherwise."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise CatalogError(path.name, f"cannot be read ({error.strerror})") from error
    return _rows(path.name, raw)


def _rows(file: str, raw: bytes) -> Iterator[dict[str, Any]]:
    previous = ""
    for number, line in enumerate(raw.split(b"\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line.decode("utf-8-sig" if number == 1 else "utf-8"))
        except ValueError as error:  # of the decoding or of the JSON
            raise CatalogError(file, f"is not JSON ({error})", number) from error
        _check(file, number, row)
        if row["model_id"] <= previous:
            raise CatalogError(file, f"model_id must be sorted and unique (got {visible(row['model_id'])})", number)
        previous = row["model_id"]
        yield {
            "model_id": row["model_id"],
            "revision": row["revision"],
            "info": _json(row["info"]),
            "config": None if row["config"] is None else _json(row["config"]),
            "provenance": row["provenance"],
        }


def _check(file: str, number: int, row: object) -> None:
    if not isinstance(row, dict) or set(row) != set(_KEYS):
        raise CatalogError(file, f"must have the keys {', '.join(_KEYS)}", number)
    for key, kind in _KEYS.items():
        if not isinstance(row[key], kind):
            raise CatalogError(file, f"{key} has the wrong type ({type(row[key]).__name__})", number)


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
