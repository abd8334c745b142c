"""Rates of devices: how fast each reads and multiplies weights of a format under an engine, and reduces over several.

An assembling module: catalog rows in, SPEEDS and LINKS out. Explained in docs/method.md, section "Speed".
"""

from __future__ import annotations

import polars as pl

from estimator import speed
from estimator.bounds import smaller
from estimator.pairs import STORED, Frame
from estimator.plan_schema import LINKS, SPEEDS
from estimator.schema import DEGREES

# How sure a number is whose factors are not equally sure; `bound` is no estimate but the nominal rates.
CONFIDENCES = pl.Enum(["low", "medium", "high", "exact"])
RATES = {
    **{name: f"{name}_tflops" for name in ("fp32", "bf16", "fp16", "fp8", "fp4")},
    "int8": "int8_tops",
}


def memory_kind(*, memory_type: pl.Expr) -> pl.Expr:
    """Which rows of speeds.csv hold for a device's memory: hbm, gddr, lpddr or dram; null for any other."""
    kinds = ("HBM", "GDDR", "LPDDR", "DRAM")
    return pl.coalesce(pl.when(memory_type.str.starts_with(kind)).then(pl.lit(kind.lower())) for kind in kinds)


def link_kind(*, interconnect: pl.Expr) -> pl.Expr:
    """Which rows of links.csv hold: nvlink, nvlink_bridge (two devices, more over PCIe) or pcie; null for others."""
    is_nvlink = interconnect.str.starts_with("nvlink")
    return (
        pl.when(is_nvlink & interconnect.str.contains("bridge"))
        .then(pl.lit("nvlink_bridge"))
        .when(is_nvlink)
        .then(pl.lit("nvlink"))
        .when(interconnect == "none")
        .then(pl.lit("pcie"))
    )


def speeds(precisions: Frame, gpus: Frame, workloads: Frame, rates: Frame) -> pl.LazyFrame:
    """SPEEDS, sorted by its keys. `rates` are the rows of speeds.csv; null where a device's row lacks a rate."""
    c = pl.col
    tflops = speed.matrix_tflops(
        compute_format=c("compute_format"),
        requires_native=c("compute_requires_native"),
        native_formats=c("native_formats"),
        rates={name: c(column) for name, column in RATES.items()},
    )
    wide = pl.coalesce(*(c(RATES[name]) for name in ("bf16", "fp16", "fp32")))
    bandwidth = c("bandwidth_gb_per_s") * 1e9
    return (
        gpus.lazy()
        .select(
            "gpu_ix",
            "bandwidth_gb_per_s",
            "native_formats",
            *RATES.values(),
            memory_kind=memory_kind(memory_type=c("memory_type")),
            device_confidence="confidence",
        )
        .join(
            precisions.lazy()
            .filter(c("precision") != STORED)
            .select("compute_format", "compute_requires_native", "bits_per_weight", format_ix="precision_ix"),
            how="cross",
        )
        .join(
            workloads.lazy().filter(c("mode") == "inference").select("engine").unique(),
            how="cross",
        )
        .join(rates.lazy().drop("source", "as_of", "notes"), on=["engine", "memory_kind"], how="left")
        .select(
            *("gpu_ix", "format_ix", "engine", "layer_seconds", "host_seconds"),
            weight_bytes_per_second=bandwidth
            * speed.share_of_bits(
                bits=c("bits_per_weight"), wide=c("weight_share_16"), half=c("weight_share_8"),
                quarter=c("weight_share_4"),
            ),
            cache_bytes_per_second=bandwidth * c("cache_share"),
            linear_flops_per_second=tflops * 1e12 * c("prompt_share"),
            attention_flops_per_second=wide * 1e12 * c("prompt_share"),
            step_flops_per_second=tflops * 1e12 * c("step_share"),
            expert_step_flops_per_second=tflops * 1e12 * c("expert_step_share"),
            nominal_bytes_per_second=bandwidth,
            nominal_flops_per_second=tflops * 1e12,
            speed_confidence=pl.when(c("engine") == "none")
            .then(pl.lit("bound"))
            .otherwise(
                smaller(c("confidence").cast(CONFIDENCES), c("device_confidence").cast(CONFIDENCES)).cast(pl.String)
            ),
        )
        .sort("gpu_ix", "format_ix", "engine")
        .select(SPEEDS.names())
        .match_to_schema(SPEEDS, integer_cast="upcast")
    )  # fmt: skip


def links(gpus: Frame, rates: Frame) -> pl.LazyFrame:
    """LINKS, sorted by its keys; `rates` are the rows of links.csv. One device has nothing to reduce."""
    c = pl.col
    degrees = pl.LazyFrame({"degree": DEGREES}, schema={"degree": pl.UInt8})
    return (
        gpus.lazy()
        .select("gpu_ix", "link_gb_per_s", link=link_kind(interconnect=c("interconnect")))
        .join(degrees, how="cross")
        .join(
            rates.lazy().select("link", c("degree").cast(pl.UInt8), "reduce_seconds", "link_share", "reduced_gb_per_s"),
            on=["link", "degree"],
            how="left",
        )
        .select(
            "gpu_ix",
            "degree",
            reduce_seconds=pl.when(c("degree") == 1).then(0.0).otherwise("reduce_seconds"),
            reduced_bytes_per_second=1e9 * pl.coalesce("reduced_gb_per_s", c("link_share") * c("link_gb_per_s")),
        )
        .sort("gpu_ix", "degree")
        .select(LINKS.names())
        .match_to_schema(LINKS)
    )
