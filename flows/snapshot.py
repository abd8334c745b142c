"""The embedded source: committed answers of the Hub, through the same function type as the live client."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import catalogs
from flows.extract.info import load_object, parse
from flows.extract.inherit import missing_base
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
                base_id = _base(row)
                base = rows.get(base_id or "", {}).get("config")
                raw = RawModel(model_id, row["revision"], row["info"], row["config"], read_at, base_id, base)
                yield model_id, raw

    return source


def _base(row: dict[str, Any]) -> str | None:
    info, config = parse(row["info"]), row["config"]
    return missing_base(info, load_object(config or ""), has_config=config is not None) if info else None
