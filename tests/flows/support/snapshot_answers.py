"""The requirements of some models of the snapshot for workloads of a test's own, by a night without Prefect."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable
from pathlib import Path

import catalogs
from flows import inputs, night_plan, pipeline, stages, warehouse
from flows.night import Night
from flows.settings import Settings

Sizes = tuple[int, int, str]  # tokens, sequences, element type of the cache
Answer = tuple[int, int, int, int, int]  # bytes of weights, cache, state, activations and all


def workload(tokens: int, sequences: int, cache: str) -> str:
    return f"c{tokens}-s{sequences}-{cache}"


def requirements(
    place: Path, models: Iterable[str], sizes: Iterable[Sizes], engine: str = "none"
) -> dict[tuple[str, str, str], Answer]:
    """(model, precision, workload) -> its answer with an engine."""
    changes = [
        {
            "workload": workload(tokens, sequences, cache),
            "engine": engine,
            "context_tokens": tokens,
            "concurrent_sequences": sequences,
            "kv_precision": cache,
        }
        for tokens, sequences, cache in sorted(set(sizes))
    ]
    return night_of(place, models, "min-8k", changes)


def night_of(
    place: Path, models: Iterable[str], like: str, changes: Iterable[dict[str, object]]
) -> dict[tuple[str, str, str], Answer]:
    """The same for workloads that are like one of the catalog's but for some columns."""
    database = night_database(place, models, like, changes, build=warehouse.build_answers)
    with warehouse.connect(database) as connection:
        rows = connection.execute(
            "SELECT model_id, precision, workload, weights_bytes, kv_cache_bytes, state_bytes, activation_bytes,"
            " total_bytes"
            " FROM requirements"
        ).fetchall()
    return {(model, precision, workload): tuple(numbers) for model, precision, workload, *numbers in rows}


def night_database(
    place: Path,
    models: Iterable[str],
    like: str,
    changes: Iterable[dict[str, object]],
    gpus: Iterable[str] = ("nvidia-h100-sxm-80gb",),
    build: Callable[[Night, Path], None] = warehouse.build,
    precisions: Iterable[str] | None = None,
) -> Path:
    """The database of such a night, for some devices and formats of the catalog; all formats unless some are named."""
    what_if = place / "what-if"
    what_if.mkdir()
    [row] = [row for row in catalogs.workloads().to_dicts() if row["workload"] == like]
    with (what_if / "workloads.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(row), lineterminator="\n")
        writer.writeheader()
        writer.writerows(row | changed for changed in changes)
    keep(what_if, "gpus", gpus)
    if precisions is not None:
        keep(what_if, "precisions", precisions)
    return built(place, models, what_if, build)


def keep(folder: Path, catalog: str, names: Iterable[str]) -> None:
    """Write a what-if file of some rows of our catalog."""
    head, *known = (Path(catalogs.__file__).parent / f"{catalog}.csv").read_text(encoding="utf-8").splitlines()
    chosen = set(names)
    rows = [row for row in known if row.split(",")[0] in chosen]
    (folder / f"{catalog}.csv").write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")


def built(
    place: Path,
    models: Iterable[str],
    catalogs_folder: Path | None = None,
    build: Callable[[Night, Path], None] = warehouse.build_answers,
) -> Path:
    """The database of a night of some models of the snapshot, without a report."""
    settings = Settings(data=place / "data")
    this = pipeline.begin(settings, "snapshot", [], sorted(set(models)), catalogs_folder, fresh=True)
    source = inputs.open_source("snapshot", settings)
    stages.fetch(this, 0, source)
    stages.extract(this, 0)
    for shard in range(stages.shapes(this)):
        stages.estimate(this, shard)
    night_plan.write(this, source)
    build(this, place / "some.duckdb")
    return place / "some.duckdb"
