"""The embedded source: committed answers of the Hub, through the same function type as the live client."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import catalogs
from flows.extract.info import base_model
from flows.failures import Failure
from flows.raw import RawModel, Source


def snapshot_source(path: Path | None = None) -> Source:
    """Answers from catalogs/hub_snapshot.jsonl; an id that is not in it is a failure of that id."""
    rows = {row["model_id"]: row for row in catalogs.hub_snapshot(path)}
    read_at = datetime.now(UTC)

    def source(model_ids: Iterable[str]) -> Iterator[tuple[str, RawModel | Failure]]:
        for model_id in model_ids:
            row = rows.get(model_id)
            if row is None:
                yield model_id, Failure("not_in_snapshot", "the embedded snapshot does not contain this model")
            else:
                base_id = base_model(json.loads(row["info"])) if row["config"] is None else None
                base = rows.get(base_id or "", {}).get("config")
                raw = RawModel(model_id, row["revision"], row["info"], row["config"], read_at, base_id, base)
                yield model_id, raw

    return source
