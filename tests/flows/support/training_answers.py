"""Inverse answers of training workloads for random shapes and made-up devices, from the view's own macro."""

from __future__ import annotations

import csv
import dataclasses
from collections.abc import Iterable
from datetime import date
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import polars as pl
import random_shapes
from scalar import training
from scalar.known import Facts, up
from scalar.split import Split

import catalogs
import estimator
from estimator.plan_schema import CAPACITIES
from estimator.schema import DEGREES, OUTCOMES, SHAPES, WEIGHT_OVERRIDES
from flows import dimensions, warehouse
from flows.prices.in_use import in_use

GPUS = 8
PRECISIONS = ("bf16", "fp32", "nf4")
PLANS = ("weight_plans", "cache_plans", "overhead_plans", "activation_slopes", "training_slopes", "work_plans")
COSTS = ("current_prices", "option_prices", "current_purchases", "internal.device_costs")
FULL = {
    "context_tokens": 2048, "concurrent_sequences": 2, "method": "full", "recipe": "mixed", "objective": "sft",
    "optimizer": "adamw", "gradient_checkpointing": "false", "sharding": "none", "loss": "plain",
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Answer:
    """One row of fit, with all that its need depends on."""

    shape: Facts
    workload: Facts
    over: Split
    held: Facts  # of the weight plans
    usable: int
    context_tokens: int
    max_context_tokens: int | None
    max_sequences: int | None

    def need(self, tokens: int, examples: int) -> int:
        """Bytes at any context and micro-batch, by the scalar's formulas. Unknown where they are."""
        shape = Facts(self.shape | {"max_context_tokens": None})
        run = Facts(self.workload | {"context_tokens": tokens, "concurrent_sequences": examples})
        forward, backward = (up(of(shape, run, self.over)) for of in (training.forward, training.backward))
        gradients = self.held["gradient_bytes"]
        resident = sum(self.held[f"{part}_bytes"] for part in ("weights", "optimizer", "overhead"))
        return int(resident + max(forward, gradients + max(backward, self.held["update_bytes"])))


def workload_rows(changes: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of workloads.csv: fully fine-tuned but for what changes."""
    [row] = [row for row in catalogs.workloads().to_dicts() if row["workload"] == "train-full-2k"]
    adapted = {"lora_targets": "all_linear", "lora_rank": 8}
    return [
        row | FULL | {"workload": f"t{at}"} | (adapted if change.get("method") else {}) | change
        for at, change in enumerate(changes)
    ]


def answers(place: Path, seed: int, shapes: int, changes: list[dict[str, Any]], rows: int) -> list[Answer]:
    """At most `rows` of them, of decisions that their devices have room for."""
    random = Random(seed)
    with (place / "workloads.csv").open("w", encoding="utf-8", newline="") as file:
        of_training = workload_rows(changes)
        writer = csv.DictWriter(file, fieldnames=list(of_training[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(of_training)
    dims = dimensions.load(place)
    dims = dataclasses.replace(
        dims,
        gpus=dims.gpus.sample(GPUS, seed=seed),
        precisions=dims.precisions.filter(pl.col("precision").is_in(list(PRECISIONS))),
    )
    frames = _plans(dims, _shapes(seed, shapes))
    needs = _needs(dims, frames)
    devices = needs.partition_by("gpu_ix", "workload_ix", as_dict=True, maintain_order=True)
    capacities = [
        (gpu, workload, usable, usable, max(DEGREES))
        for (gpu, workload), of in devices.items()
        for usable in [int(random.choice(of["need"]) * random.choice([1, 1.0001, 1.001, 1.02, 1.3]))]
    ]
    frames["capacities"] = pl.DataFrame(capacities, schema=CAPACITIES, orient="row")
    decided = needs.join(frames["capacities"], on=["gpu_ix", "workload_ix"]).filter(
        pl.col("need") <= pl.col("usable_bytes")
    )
    decided = decided.sample(min(rows, decided.height), seed=seed)
    places = {gpus: place for place, (verdict, gpus) in enumerate(OUTCOMES) if verdict in ("tight", "sharded")}
    frames["decisions"] = decided.select(
        *("shape_ix", "precision_ix", "workload_ix", "gpu_ix"),
        outcome_ix=pl.col("degree").replace_strict(places, return_dtype=pl.UInt8),
    )
    return _read(place, dims, frames, decided)


def _shapes(seed: int, count: int) -> pl.DataFrame:
    """Such as are trained, two of three with a window that most workloads are shorter than."""
    trained = pl.DataFrame(random_shapes.shapes(seed, 8 * count), schema=SHAPES).drop_nulls("train_full_bytes")
    windows = trained.filter(pl.col("window_tokens") > 0).head(2 * count // 3)
    chosen = pl.concat([windows, trained.filter(pl.col("window_tokens") == 0).head(count - windows.height)])
    # of one in four nobody knows what it brings
    is_known = pl.int_range(pl.len()) % 4 > 0
    return chosen.with_columns(
        pl.col("window_tokens") * 8, pl.when(is_known).then("train_masked_bytes").name.keep()
    ).with_row_index("shape_ix")


def _plans(dims: dimensions.Dimensions, shapes: pl.DataFrame) -> dict[str, pl.DataFrame]:
    none = pl.DataFrame(schema=WEIGHT_OVERRIDES)
    made = {
        "weight_plans": estimator.weight_plans(shapes, none, dims.precisions, dims.residencies),
        "cache_plans": estimator.cache_plans(shapes, dims.workloads, dims.kv_precisions),
        "overhead_plans": estimator.overhead_plans(shapes, dims.workloads, dims.profiles),
        "activation_slopes": estimator.activation_slopes(shapes, dims.workloads, dims.profiles),
        "training_slopes": estimator.training_slopes(shapes, dims.workloads),
        "work_plans": estimator.work_plans(shapes, dims.workloads),
    }
    return {"shapes": shapes} | {name: plan.collect() for name, plan in made.items()}


def _needs(dims: dimensions.Dimensions, frames: dict[str, pl.DataFrame]) -> pl.DataFrame:
    """Grain: shape x precision x workload x gpu x degree whose middle need is known."""
    c = pl.col
    beside = (
        frames["overhead_plans"]
        .drop("margin_bytes")
        .join(dims.gpus.select("gpu_ix", "memory_tier_ix"), on="memory_tier_ix")
    )
    peak = pl.max_horizontal(
        c("activation_bytes"), c("gradient_bytes") + pl.max_horizontal("backward_bytes", "update_bytes")
    )
    known = ("weights_bytes", "optimizer_bytes", "gradient_bytes", "update_bytes", "activation_bytes", "backward_bytes")
    resident = c("weights_bytes") + c("optimizer_bytes") + c("overhead_bytes")
    return (
        frames["weight_plans"]
        .join(dims.workloads.select("workload_ix", "residency_ix"), on="residency_ix")
        .join(beside, on=["shape_ix", "workload_ix", "split_ix"])
        .drop_nulls(list(known))
        .with_columns(need=resident + peak)
        .sort("workload_ix", "gpu_ix", "shape_ix", "precision_ix", "degree")
    )


def _read(
    place: Path, dims: dimensions.Dimensions, frames: dict[str, pl.DataFrame], decided: pl.DataFrame
) -> list[Answer]:
    models = frames["shapes"].select(
        "shape_id", "max_context_tokens", "confidence", model_id=pl.col("shape_ix").cast(pl.String)
    )
    tables = {"models": models, "decisions": frames["decisions"]}
    tables |= {name: getattr(dims, name) for name in ("precisions", "workloads", "gpus", "engines", "policy")}
    tables["prices"] = in_use(place, None, date(2026, 11, 30))
    tables |= {f"internal.{name}": frames[name] for name in ("shapes", "capacities", *PLANS)}
    tables |= {
        f"internal.{name}": getattr(dims, name) for name in ("outcomes", "splits", "device_speeds", "device_links")
    }
    tables["internal.memory_tiers"] = dims.memory_tiers
    with duckdb.connect() as connection:
        connection.execute("CREATE SCHEMA internal")
        for name, frame in tables.items():
            file = place / f"{name}.parquet"
            frame.write_parquet(file)
            connection.execute(f"CREATE TABLE {name} AS FROM read_parquet('{file}')")
        for statement in connection.extract_statements(warehouse.views_script()):
            if "CREATE MACRO" in statement.query or any(name in statement.query for name in COSTS):
                connection.execute(statement)
        found = connection.execute(
            """SELECT model_id::UINTEGER, precision, workload, gpu, gpus_needed, context_tokens, max_context_tokens,
               max_sequences FROM internal.fit_of('decisions')"""
        ).fetchall()
    names = {
        "precision": dict(dims.precisions.select("precision_ix", "precision").iter_rows()),
        "gpu": dict(dims.gpus.select("gpu_ix", "gpu_id").iter_rows()),
        "workload": dict(dims.workloads.select("workload_ix", "workload").iter_rows()),
    }
    rows = {
        (
            row["shape_ix"],
            *(names[name][row[f"{name}_ix"]] for name in ("precision", "workload", "gpu")),
            row["degree"],
        ): row
        for row in decided.iter_rows(named=True)
    }
    shapes = [Facts(row) for row in frames["shapes"].iter_rows(named=True)]
    workloads = {row["workload"]: Facts(row) for row in dims.workloads.iter_rows(named=True)}
    fields = ("degree", "tensor", "stages", "replicas", "has_whole_experts")
    splits = {row["split_ix"]: Split(*(row[name] for name in fields)) for row in dims.splits.iter_rows(named=True)}
    return [
        Answer(
            shape=shapes[shape],
            workload=workloads[workload],
            over=splits[row["split_ix"]],
            held=Facts(row),
            usable=row["usable_bytes"],
            context_tokens=context,
            max_context_tokens=longest,
            max_sequences=most,
        )
        for shape, precision, workload, gpu, degree, context, longest, most in found
        for row in [rows[shape, precision, workload, gpu, degree]]
    ]
