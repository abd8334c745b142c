"""A night for one who asks and leaves: some models through the stages, in a folder that is thrown away."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from flows import inputs, lake, night, stages, warehouse
from flows.night import Night
from flows.raw import Source
from flows.settings import Settings


def what_if(place: Path, folder: Path | None, workloads: Sequence[Mapping[str, Any]]) -> Path:
    """A folder of catalogs under `place`: those of `folder`, with only the workloads that are asked for."""
    made = place / "catalogs"
    made.mkdir()
    for file in sorted(folder.glob("*.csv")) if folder is not None else []:
        shutil.copy(file, made)
    with (made / "workloads.csv").open("w", encoding="utf-8", newline="") as text:
        writer = csv.DictWriter(text, fieldnames=list(workloads[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(workloads)
    return made


def answer(
    entries: Sequence[tuple[str, str | None]],
    settings: Settings,
    source: str,
    place: Path,
    folder: Path,
    reader: Source | None = None,
    now: datetime | None = None,
) -> tuple[Night, Path]:
    """Crawl, extract, estimate and build, exactly as a night does. `folder` holds what-if catalogs.

    `entries` are as inputs.listed makes them. `reader` answers for the ids, where that is not the `source` itself. The
    prices are those of a night that starts `now` in the data folder of `settings`, of which nothing else is looked at.
    A model that cannot be read is a row of `model_errors`. Raises HubUnavailable.
    """
    inside = replace(settings, data=place)
    this = night.start(inside.data, source, entries, folder, now=now)
    reader = reader or inputs.open_source(source, inside)
    database = place / "asked.duckdb"
    with lake.in_passing():
        for shard in range(this.shards):
            stages.fetch(this, shard, reader)
            stages.extract(this, shard)
        for shard in range(stages.shapes(this)):
            stages.estimate(this, shard)
        warehouse.build_answers(this, database, settings.data, warehouse.OF_ONE_ANSWER)
    return this, database
