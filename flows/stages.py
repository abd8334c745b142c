"""fetch, extract, shapes, estimate: parts in, parts out, nothing to do when the parts are whole.

No orchestration here: the same functions run in a plain loop and as Prefect tasks.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import polars as pl

import estimator
from estimator.plan_schema import CALCULATOR_ROWS
from estimator.schema import SHAPES, WEIGHT_OVERRIDES
from flows import dimensions, lake
from flows.extract.parts import extract_part
from flows.extract.tables import ARTIFACTS, ATTENTION_GROUPS, MODELS, TENSOR_TYPES
from flows.failures import MODEL_ERRORS, Failure
from flows.night import Night
from flows.raw import HUB, RawModel, Source

EXTRACTED = {
    "models": MODELS,
    "model_shapes": SHAPES,
    "model_overrides": WEIGHT_OVERRIDES,
    "attention_groups": ATTENTION_GROUPS,
    "artifacts": ARTIFACTS,
    "tensor_types": TENSOR_TYPES,
    "model_errors": MODEL_ERRORS,
}
ESTIMATED = (
    *("weight_plans", "cache_plans", "overhead_plans", "activation_slopes", "training_slopes", "work_plans"),
    *("calculators", "fit"),
)


def fetch(night: Night, shard: int, source: Source, on_model: Callable[[], None] = lambda: None) -> None:
    """Ask the source for one shard of the list: one raw row per listed id, failures included.

    Raises HubUnavailable, in which case the shard is asked for again as a whole.
    """
    part = night.part("hub", shard)
    if lake.is_whole(part):
        return
    rows = []
    wanted = []
    for text, reason in night.shard(shard):
        if reason is None:
            wanted.append(text)
        else:
            rows.append(_raw_row(text, Failure("invalid_id", reason)))
    for model_id, answer in source(wanted):
        rows.append(_raw_row(model_id, answer))
        on_model()
    lake.write(pl.DataFrame(rows, schema=HUB).sort("model_id"), part, HUB)


def extract(night: Night, shard: int) -> None:
    """Turn raw answers into rows; every listed id ends in `models` or in `model_errors`."""
    targets = {table: night.part(table, shard) for table in EXTRACTED}
    if lake.are_whole(*targets.values()):
        return
    found = extract_part(pl.read_parquet(night.part("hub", shard)))
    for table, schema in EXTRACTED.items():
        lake.write(getattr(found, table), targets[table], schema)


def shapes(night: Night) -> int:
    """Cut the night's distinct shapes into shards and return their number.

    Grain: shape. `shape_ix` numbers the shapes of this run, so a shard is a range of it.
    """
    every = (
        pl.scan_parquet(night.parts("model_shapes"))
        .unique("shape_id")
        .sort("shape_id")
        .collect()
        .with_row_index("shape_ix")
    )
    overrides = pl.scan_parquet(night.parts("model_overrides")).unique(["shape_id", "precision"]).collect()
    shards = max(1, -(-every.height // night.shapes_per_shard))
    for number in range(shards):
        targets = night.part("shapes", number), night.part("weight_overrides", number)
        if lake.are_whole(*targets):
            continue
        cut = every.slice(number * night.shapes_per_shard, night.shapes_per_shard)
        lake.write(cut, targets[0])
        lake.write(
            overrides.join(cut.select("shape_id"), on="shape_id", how="semi").sort("shape_id", "precision"),
            targets[1],
            WEIGHT_OVERRIDES,
        )
    return shards


def estimate(night: Night, shard: int) -> None:
    """What one shard of shapes needs, and on what it fits: the plans and the thin fit table."""
    targets = {table: night.part(table, shard) for table in ESTIMATED}
    if lake.are_whole(*targets.values()):
        return
    dims = dimensions.load(night.catalogs_folder)
    some_shapes = pl.read_parquet(night.part("shapes", shard))
    overrides = pl.read_parquet(night.part("weight_overrides", shard))
    plans = {
        "weight_plans": estimator.weight_plans(some_shapes, overrides, dims.precisions, dims.residencies),
        "cache_plans": estimator.cache_plans(some_shapes, dims.workloads, dims.kv_precisions),
        "overhead_plans": estimator.overhead_plans(some_shapes, dims.workloads, dims.profiles),
    }
    # a shard's plans are small, and wanted again below: whole frames are faster than streams of their rows
    made = {table: plan.collect(engine="in-memory") for table, plan in plans.items()}
    for table, rows in made.items():
        lake.write(rows, targets[table])
    slopes = estimator.activation_slopes(some_shapes, dims.workloads, dims.profiles)
    lake.write(slopes, targets["activation_slopes"])
    lake.write(estimator.training_slopes(some_shapes, dims.workloads), targets["training_slopes"])
    lake.write(estimator.work_plans(some_shapes, dims.workloads), targets["work_plans"])
    lake.write(estimator.calculator_rows(some_shapes), targets["calculators"], CALCULATOR_ROWS)
    fit = estimator.fit(
        shapes=some_shapes,
        precisions=dims.precisions,
        workloads=dims.workloads,
        gpus=dims.gpus,
        residencies=dims.residencies,
        **made,
        supports=dims.supports,
        capacities=dims.capacities,
    )
    lake.write(fit, targets["fit"])


def read(night: Night, table: str) -> pl.DataFrame:
    """All parts of one table of this run as one frame."""
    return pl.read_parquet(night.parts(table))


def _raw_row(model_id: str, answer: RawModel | Failure) -> dict[str, object]:
    row = dict.fromkeys(HUB.names())
    if isinstance(answer, Failure):
        return row | {
            "model_id": model_id,
            "fetched_at": datetime.now(UTC),
            "failure_kind": answer.kind,
            "failure_message": answer.message,
            "http_status": answer.http_status,
        }
    return row | vars(answer) | {"model_id": model_id}
