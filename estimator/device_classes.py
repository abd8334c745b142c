"""What the catalogs alone say about devices: kernels for precisions, usable bytes, and the classes they form.

An assembling module: it reads columns and calls the formulas of `support` and `capacity`.
"""

from __future__ import annotations

import polars as pl

from estimator import capacity, support, training
from estimator.pairs import Frame
from estimator.plan_schema import CAPACITIES, SUPPORTS
from estimator.splits import max_devices, of_workloads


def supports(precisions: Frame, gpus: Frame, workloads: Frame, engines: Frame, kv_precisions: Frame) -> pl.LazyFrame:
    """Which precision runs on which device in which workload: SUPPORTS, sorted by its keys.

    Asks for a kernel of the weights on the device, for an engine that keeps them as they are and runs there, and for
    the cache's number format in that engine. Null where a device's catalog row lacks what the answer depends on.
    """
    c = pl.col
    devices = gpus.lazy().select("gpu_ix", "vendor", "compute_capability", "native_formats", "is_unified_memory")
    # a device that shares its host's memory has no other to leave states in
    has_no_host = c("sharding").is_in(list(training.OFFLOADED)).fill_null(False) & c("is_unified_memory")
    runs_on = (
        engines.lazy()
        .select("engine", engine_vendors="vendors", engine_capability="min_compute_capability")
        .unique("engine", maintain_order=True)
    )
    caches = kv_precisions.lazy().select(
        "kv_precision", "bytes_per_element", kv_engines="engines", kv_capability="min_compute_capability"
    )
    hosts = (
        workloads.lazy()
        .select("workload_ix", "engine", "engine_options", "kv_precision", "sharding")
        .join(runs_on, on="engine", how="left")
        .join(caches, on="kv_precision", how="left")
        .join(devices, how="cross")
        .select(
            "workload_ix",
            "gpu_ix",
            "engine",
            "vendor",
            "compute_capability",
            runs=support.engine_runs(
                engine=c("engine"),
                vendor=c("vendor"),
                vendors=c("engine_vendors"),
                capability=c("compute_capability"),
                min_capability=c("engine_capability"),
            )
            & support.caches(
                engine=c("engine"),
                options=c("engine_options"),
                kv_precision=c("kv_precision"),
                bytes_per_element=c("bytes_per_element"),
                engines=c("kv_engines"),
                vendor=c("vendor"),
                capability=c("compute_capability"),
                min_capability=c("kv_capability"),
            )
            & ~has_no_host,
        )
    )
    kernels = (
        precisions.lazy()
        .select(
            "precision_ix",
            "engines",
            "vendors",
            "min_compute_capability",
            "requires_native",
            "requires_native_off_nvidia",
            "widening_engines",
            "widening_below",
        )
        .join(devices, how="cross")
        .select(
            "precision_ix",
            "gpu_ix",
            "engines",
            "widening_engines",
            "widening_below",
            kernel=support.has_kernel(
                vendor=c("vendor"),
                vendors=c("vendors"),
                capability=c("compute_capability"),
                min_capability=c("min_compute_capability"),
                native_formats=c("native_formats"),
                requires_native=c("requires_native"),
                requires_native_elsewhere=c("requires_native_off_nvidia"),
            ),
        )
    )
    return (
        kernels.join(hosts, on="gpu_ix")
        .select(
            "workload_ix",
            "precision_ix",
            "gpu_ix",
            is_supported=c("kernel")
            & c("runs")
            & support.engine_loads(engine=c("engine"), engines=c("engines"))
            & support.keeps_format(
                engine=c("engine"),
                widening=c("widening_engines"),
                vendor=c("vendor"),
                capability=c("compute_capability"),
                below=c("widening_below"),
            ),
        )
        .sort("workload_ix", "precision_ix", "gpu_ix")
        .match_to_schema(SUPPORTS)
    )


# Grain: gpu x engine x version range. Engines without rows in reserves.csv have none here.
RESERVED = pl.Schema({"gpu_ix": pl.UInt16, "engine": pl.String, "version_range": pl.String, "left_bytes": pl.Int64})


def reserved(gpus: Frame, reserves: Frame) -> pl.LazyFrame:
    """What engines leave to their forward passes on each device: RESERVED. `reserves` are the rows of reserves.csv."""
    c = pl.col
    key = ["gpu_ix", "engine", "version_range"]
    sizes = ("prefill_tokens", "graph_sequences", "constant_mib", "token_mib", "sequence_mib", "device_mib")
    return (
        gpus.lazy()
        .select("gpu_ix", "visible_bytes")
        .join(reserves.lazy().select("engine", "version_range", "below_gib", *sizes), how="cross")
        .filter(capacity.is_below(visible=c("visible_bytes"), below_gib=c("below_gib")))
        .sort(*key, "below_gib", nulls_last=True)
        .unique(key, keep="first", maintain_order=True)
        .select(*key, left_bytes=capacity.left_bytes(**{size: c(size) for size in sizes}))
        .match_to_schema(RESERVED)
    )


def capacities(gpus: Frame, workloads: Frame, engines: Frame, reserves: Frame, *, processes: int = 1) -> pl.LazyFrame:
    """Usable bytes of every device in every workload, those usable for certain, and how many share a model: CAPACITIES.

    `reserves` are the rows of reserves.csv; those of an engine's version range hold for it. Of several `processes` of
    an engine on one device each has a context, a warm-up and what it leaves to its forward passes; the bytes are those
    that all of them may fill together.
    """
    c = pl.col
    ratios = ["reserved_ratio", "reserved_ratio_high", "training_reserved_ratio", "training_reserved_ratio_high"]
    profile = engines.lazy().select(
        *("engine", "version_range", "memory_tier", "memory_utilization", "max_sequences"),
        *("context_bytes", "context_margin_bytes", *ratios),
    )

    def usable(context: pl.Expr, suffix: str, vocabulary: int) -> pl.Expr:
        return capacity.usable_bytes(
            engine=c("engine"),
            visible=c("visible_bytes"),
            reserve=c("reserve_bytes"),
            utilization=c("memory_utilization"),
            context=context * processes,
            reserved_ratio=pl.when(c("mode") == "training")
            .then(f"training_reserved_ratio{suffix}")
            .otherwise(f"reserved_ratio{suffix}"),
            left=c("left_bytes") * processes,
            warmup=capacity.warmup_bytes(sequences=c("max_sequences"), vocabulary=pl.lit(vocabulary)) * processes,
        )

    return (
        gpus.lazy()
        .select("gpu_ix", "visible_bytes", "reserve_bytes", "memory_tier", "max_gpus_per_node")
        .join(
            workloads.lazy().select(
                *("workload_ix", "engine", "mode", "max_nodes"), most="max_gpus", scheme=of_workloads()
            ),
            how="cross",
        )
        .join(profile, on=["engine", "memory_tier"], how="left")
        .join(reserved(gpus, reserves), on=["gpu_ix", "engine", "version_range"], how="left")
        .select(
            "gpu_ix",
            "workload_ix",
            usable_bytes=usable(c("context_bytes"), "", capacity.WARMUP_VOCABULARY),
            assured_bytes=usable(
                c("context_bytes") + c("context_margin_bytes"), "_high", capacity.WARMUP_VOCABULARY_HIGH
            ),
            max_devices=max_devices(
                node=c("max_gpus_per_node"), nodes=c("max_nodes"), scheme=c("scheme"), most=c("most")
            ),
        )
        .sort("gpu_ix", "workload_ix")
        .match_to_schema(CAPACITIES)
    )


# Devices of one class share a bit, and one mask has so many.
CLASSES_IN_A_BLOCK = 32


def support_classes(supports: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Devices that run the same precisions in one workload, as bits: (devices, masks).

    `devices`: gpu_ix, class_bit (UInt32), block (classes come in blocks of 32). `masks`: precision_ix, block,
    no_kernel and undecided (UInt32): the classes that have no kernel, and those of which nothing is known. So the
    widest join tests one bit instead of joining a matrix.
    """
    bits = pl.Series([1 << bit for bit in range(CLASSES_IN_A_BLOCK)], dtype=pl.UInt32)
    rank = pl.col("answers").rank("dense").cast(pl.UInt32) - 1
    devices = (
        supports.sort("precision_ix")
        .group_by("gpu_ix", maintain_order=True)
        .agg(answers=pl.col("is_supported").cast(pl.String).fill_null("?").str.join("|"))
        .select(
            "gpu_ix",
            class_bit=pl.lit(bits).gather(rank % CLASSES_IN_A_BLOCK),
            block=rank // CLASSES_IN_A_BLOCK,
        )
        .sort("gpu_ix")
    )
    answered = pl.col("is_supported")
    masks = (
        supports.join(devices, on="gpu_ix")
        .unique(["precision_ix", "block", "class_bit"])
        .group_by("precision_ix", "block")
        .agg(
            no_kernel=pl.col("class_bit").filter(~answered).sum(),
            undecided=pl.col("class_bit").filter(answered.is_null()).sum(),
        )
        .sort("precision_ix", "block")
    )
    return devices, masks
