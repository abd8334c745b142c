"""The settings of the measurements as workloads, with the plans of the estimator and the constants of their engines.

A row's constants are those of the range that its version is in, whichever of them nights count with.
"""

from __future__ import annotations

import polars as pl

import catalogs
import estimator
from catalogs import architectures
from catalogs.versions import is_in_range
from estimator.weights import MXFP4_FFN, MXFP4_FFN_OF_TRITON
from flows import dimensions
from flows.measured_models import MeasuredModels
from flows.night import Night

# What the methods of the measurements are called in workloads, and what the weights are kept in where it is not the
# precision of the arithmetic.
METHODS = pl.DataFrame(
    {
        "method": ["full", "full_bf16", "lora", "qlora"],
        "trained": ["full", "full", "lora", "qlora"],
        "recipe": ["autocast", "pure", "mixed", "mixed"],
        "kept_in": ["fp32", None, None, None],
    }
)
SETTING = [
    "planned_as",
    "context_tokens",
    "concurrent_sequences",
    "kv_precision",
    "trained",
    "recipe",
    "gradient_checkpointing",
    "lora_rank",
]
# gpt-fast has no rows of its own in the catalogs: it holds the model alone, and the rates of vLLM were fitted to it.
# Versions whose MXFP4 kernels on Hopper are Triton's (logs of 0.11 and 0.19).
TRITON_ON_HOPPER = "-0.16"
PLANNED_AS, RATED_AS = {"gptfast": "none"}, {"gptfast": "vllm"}


def settings(night: Night) -> pl.DataFrame:
    """Grain: measurement, with the workload it was taken in (`workload_ix`, null for a device alone), its device and
    the constants of its engine."""
    dims = dimensions.load(night.catalogs_folder)
    # the engine's own constants have a column of this name
    rows = catalogs.measurements(night.catalogs_folder).rename({"memory_utilization": "given"})
    rows = rows.join(METHODS, on="method", how="left", maintain_order="left").with_columns(
        kept_in=pl.coalesce("kept_in", "precision"),
        asked_tokens="context_tokens",
        planned_as=pl.col("engine").replace(PLANNED_AS),
        rated_as=pl.col("engine").replace_strict(RATED_AS, default=None, return_dtype=pl.String),
        sized_as=pl.coalesce("dimensions_of", "model_id"),
    )
    of_models = rows.filter(pl.col("model_id").is_not_null())
    workloads = of_models.select(SETTING).unique(maintain_order=True).with_row_index("workload_ix")
    devices = dims.gpus.select(
        *("gpu_ix", "visible_bytes", "memory_mib_driver", "reserve_bytes", "memory_tier", "memory_tier_ix"),
        "compute_capability",
        gpu="gpu_id",
    )
    precisions = dims.precisions.select("precision_ix", kept_in="precision")
    reserved = estimator.reserved(dims.gpus, dims.reserves).collect()
    return (
        rows.join(
            workloads.with_columns(pl.col("workload_ix").cast(pl.UInt8)), on=SETTING, how="left", nulls_equal=True
        )
        .join(devices, on="gpu", how="left")
        .join(precisions, on="kept_in", how="left")
        .with_columns(degree=pl.col("devices").cast(pl.UInt8), mxfp4_ffn_columns=_mxfp4_ffn_columns())
        .pipe(with_constants, dims.engines.drop("memory_utilization", "source", "as_of"))
        .join(reserved, on=["gpu_ix", "engine", "version_range"], how="left", maintain_order="left")
    )


def _mxfp4_ffn_columns() -> pl.Expr:
    """What kernels for MXFP4 experts pad to in a version on a device. A night counts with the larger."""
    is_triton = (
        (pl.col("engine") == "vllm")
        & is_in_range(pl.col("engine_version"), pl.lit(TRITON_ON_HOPPER))
        & pl.col("compute_capability").str.starts_with("9.")
    )
    return pl.when(is_triton).then(pl.lit(MXFP4_FFN_OF_TRITON)).otherwise(pl.lit(MXFP4_FFN))


def with_constants(rows: pl.DataFrame, engines: pl.DataFrame) -> pl.DataFrame:
    """`rows` with the constants of the range that their version is in, and `is_calibrated`: whether there is one.

    Where there is none the default's stand beside it, for components that depend on none of them.
    """
    c = pl.col
    ranges = engines.select("engine", "memory_tier", "version_range", "is_default")
    own = (
        rows.join(ranges, on=["engine", "memory_tier"])
        .filter(is_in_range(c("engine_version"), c("version_range")))
        .select("measurement", own_range="version_range")
    )
    defaults = ranges.filter("is_default").select("engine", "memory_tier", default_range="version_range")
    return (
        rows.join(own, on="measurement", how="left", validate="1:1", maintain_order="left")
        .join(defaults, on=["engine", "memory_tier"], how="left", maintain_order="left")
        .with_columns(
            version_range=pl.coalesce("own_range", "default_range"), is_calibrated=c("own_range").is_not_null()
        )
        .drop("own_range", "default_range")
        .join(engines, on=["engine", "memory_tier", "version_range"], how="left", maintain_order="left")
    )


def planned(night: Night, measured: pl.DataFrame, found: MeasuredModels) -> pl.DataFrame:
    """The same rows with the plans of their settings beside them; null where there is none."""
    dims = dimensions.load(night.catalogs_folder)
    workloads = _workloads(measured)
    residencies = estimator.residencies(workloads)
    shapes = found.shapes
    # only the formats that were measured: all of them would be most of the work
    named = measured.select("precision_ix").unique()
    of_stored = shapes.select(precision="stored_precision").unique()
    formats = dims.precisions.join(named, on="precision_ix", how="semi")
    formats = pl.concat([formats, dims.precisions.join(of_stored, on="precision", how="semi")]).unique("precision_ix")
    weights = pl.concat(
        estimator.weight_plans(
            shapes, found.overrides, formats.sort("precision_ix"), residencies, mxfp4_ffn_columns=columns
        ).with_columns(mxfp4_ffn_columns=pl.lit(columns))
        # a site of whose devices nothing was measured has no row
        for columns in measured["mxfp4_ffn_columns"].unique().sort().to_list() or [MXFP4_FFN]
    )
    # only numbers of devices that were measured, for the same reason
    weights = weights.filter(pl.col("degree").is_in(measured["degree"].unique().drop_nulls().implode()))
    caches = estimator.cache_plans(shapes, workloads, dims.kv_precisions).rename({"context_tokens": "sized_tokens"})
    works = estimator.work_plans(shapes, workloads)
    engines = pl.LazyFrame({"mode": "inference", "engine": sorted(set(RATED_AS.values()))})
    rates = estimator.speeds(formats, dims.gpus, engines, dims.speeds).rename({"engine": "rated_as"})
    overheads = _overheads(measured, shapes, workloads, dims.engines)
    at = ["shape_ix", "workload_ix", "split_ix"]
    # what was measured on several devices had a part of every layer on each
    in_parts = estimator.splits().lazy().filter(pl.col("tensor") == pl.col("degree"), ~pl.col("has_whole_experts"))
    return (
        measured.lazy()
        .join(found.models.lazy().rename({"model_id": "sized_as"}), on="sized_as", how="left")
        .with_columns(layers_since=_first_release(pl.col("model_type")))
        .join(shapes.lazy().select("shape_id", "shape_ix", "layers", "experts"), on="shape_id", how="left")
        .join(residencies.select("workload_ix", "residency_ix"), on="workload_ix", how="left")
        .join(in_parts.select("degree", "split_ix"), on="degree", how="left")
        .join(
            weights.rename({"margin_bytes": "held_margin"}),
            on=["shape_ix", "precision_ix", "residency_ix", "degree", "split_ix", "mxfp4_ffn_columns"],
            how="left",
        )
        .join(caches.rename({"margin_bytes": "kept_margin"}), on=at, how="left")
        .join(works, on=at, how="left")
        .join(rates, on=["gpu_ix", "format_ix", "rated_as"], how="left")
        .join(dims.device_links.lazy(), on=["gpu_ix", "degree"], how="left")
        .join(
            overheads.rename({"margin_bytes": "taken_margin"}), on=[*at, "memory_tier_ix", "version_range"], how="left"
        )
        .collect(engine="in-memory")
    )


def _first_release(model_type: pl.Expr) -> pl.Expr:
    """Range of releases whose layers are those that were counted; null where no other release differs."""
    since = {name: row["since"] for name, row in architectures.activations().items() if "since" in row}
    return model_type.replace_strict(since, default=None, return_dtype=pl.String)


def _overheads(
    measured: pl.DataFrame, shapes: pl.DataFrame, workloads: pl.DataFrame, engines: pl.DataFrame
) -> pl.LazyFrame:
    """Plans of each version range that something was measured in, with `version_range`.

    The estimator takes one row of constants for an engine and tier, hence one call for each range.
    """

    def of_range(range_: str) -> pl.LazyFrame:
        profiles = engines.filter(version_range=range_)
        ran = workloads.join(profiles, on="engine", how="semi")
        return estimator.overhead_plans(shapes, ran, profiles).with_columns(version_range=pl.lit(range_))

    # without a measured device there is no range, and no plan
    ranges = measured["version_range"].drop_nulls().unique().sort().to_list() or [""]
    return pl.concat([of_range(range_) for range_ in ranges])


def _workloads(measured: pl.DataFrame) -> pl.DataFrame:
    """Grain: setting, as a row of the catalog of workloads has it. A start of an engine holds one sequence."""
    c = pl.col
    is_training = c("trained").is_not_null()

    def in_training(word: str) -> pl.Expr:
        return pl.when(is_training).then(pl.lit(word))

    return (
        measured.filter(c("workload_ix").is_not_null())
        .unique("workload_ix")
        .sort("workload_ix")
        .select(
            "workload_ix",
            "recipe",
            "gradient_checkpointing",
            "lora_rank",
            engine="planned_as",
            mode=pl.when(is_training).then(pl.lit("training")).otherwise(pl.lit("inference")),
            method="trained",
            # weights have no context; any will do
            context_tokens=c("context_tokens").fill_null(1),
            concurrent_sequences=c("concurrent_sequences").fill_null(1),
            kv_precision=pl.when(~is_training).then(pl.coalesce("kv_precision", pl.lit("bf16"))),
            objective=in_training("sft"),
            optimizer=in_training("adamw_foreach"),
            sharding=in_training("none"),
            loss=in_training("plain"),
            lora_targets=pl.when(c("lora_rank").is_not_null()).then(pl.lit("all_linear")),
            host_memory_gib=pl.lit(None, dtype=pl.Float64),
            host_gb_per_s=pl.lit(None, dtype=pl.Float64),
            host_link_gb_per_s=pl.lit(None, dtype=pl.Float64),
            gradient_accumulation=pl.lit(None, dtype=pl.Boolean),
            attention_parallelism=pl.lit(None, dtype=pl.String),
            engine_options=pl.lit(None, dtype=pl.String),
            context_parallel=pl.lit(None, dtype=pl.Int64),
            max_nodes=pl.lit(None, dtype=pl.Int64),
            speculative_tokens=pl.lit(None, dtype=pl.Int64),
            acceptance=pl.lit(None, dtype=pl.Float64),
        )
    )
