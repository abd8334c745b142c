"""Files of two nights of one data folder, with what a test wants to be different between them."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

import duckdb

import catalogs
from flows import night_plan, pipeline, snapshot, stages, warehouse
from flows.changes.compare import compare
from flows.failures import Failure
from flows.raw import RawModel
from flows.settings import Settings

Answer = RawModel | Failure
Cells = Mapping[str, object]


@cache
def answer_of(model_id: str) -> RawModel:
    """What the snapshot has of a model."""
    [(_, answer)] = snapshot.snapshot_source()([model_id])
    assert isinstance(answer, RawModel)
    return answer


def under_the_name(answer: RawModel, model_id: str) -> RawModel:
    """The same repository where somebody gave it another name."""
    return replace(answer, model_id=model_id, info=answer.info.replace(answer.model_id, model_id))


@dataclass(frozen=True)
class Night:
    """What one night is asked for: answers by listed id, and rows of catalogs that are not ours."""

    answers: Mapping[str, Answer]
    catalogs: Mapping[str, Iterable[Cells]] = field(default_factory=dict)


def rows_of(catalog: str, *names: str, **changes: object) -> list[Cells]:
    """Rows of our catalog by the value of their first column, each with some cells of a test's own."""
    with (Path(catalogs.__file__).parent / f"{catalog}.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    first = next(iter(rows[0]))
    return [row | changes for name in names for row in rows if row[first] == name]


def night_file(place: Path, name: str, night: Night) -> Path:
    """The built database of a night, without a report and compared with nothing."""
    folder = place / f"{name}-catalogs"
    folder.mkdir()
    for catalog, rows in night.catalogs.items():
        found = list(rows)
        with (folder / f"{catalog}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=list(found[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(found)

    def source(model_ids: Iterable[str]) -> Iterator[tuple[str, Answer]]:
        for model_id in model_ids:
            yield model_id, night.answers[model_id]

    this = pipeline.begin(
        Settings(data=place / "data"),
        "snapshot",
        [],
        sorted(night.answers),
        folder if night.catalogs else None,
        fresh=True,
    )
    stages.fetch(this, 0, source)
    stages.extract(this, 0)
    for shard in range(stages.shapes(this)):
        stages.estimate(this, shard)
    night_plan.write(this, source)
    file_of_night = place / f"{name}.duckdb"
    warehouse.build(this, file_of_night)
    return file_of_night


def compared(place: Path, before: Night, after: Night, *changes: str) -> tuple[Path, Path]:
    """Both files; the second one knows what changed. `changes` are statements for the first one, once it is built."""
    files = night_file(place, "before", before), night_file(place, "after", after)
    with duckdb.connect(str(files[0])) as connection:
        for statement in changes:
            connection.execute(statement)
    compare(files[1], files[0])
    return files
