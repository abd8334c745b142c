"""Devices and what they cost."""

from __future__ import annotations

import polars as pl

from catalogs import gpu_memory
from catalogs.rules import (
    Rule,
    absent,
    at_most,
    fraction,
    identifier,
    needs,
    one_of,
    positive,
    set_of,
    version,
)
from catalogs.schema.table import CONFIDENCES, FORMATS, VENDORS, Table

SEGMENTS = ("datacenter", "hpc", "cloud", "workstation", "consumer", "laptop", "edge", "unified", "slice")

# Grain: one device as software sees it. A board that drivers list as two devices is two of these.
GPUS = Table(
    name="gpus",
    columns=pl.Schema(
        {
            "gpu_id": pl.String,
            "name": pl.String,
            "vendor": pl.String,
            "architecture": pl.String,
            "compute_capability": pl.String,  # CUDA only
            "segment": pl.String,
            "form_factor": pl.String,
            "devices_per_board": pl.Int64,  # power and launch price are of the whole board
            "memory_gib_nominal": pl.Float64,  # as marketed
            "memory_mib_driver": pl.Int64,  # total of nvidia-smi, rocm-smi, hl-smi
            "memory_gib_runtime": pl.Float64,  # total that a process sees
            "is_unified_memory": pl.Boolean,
            "unified_usable_fraction": pl.Float64,  # share of the nominal memory that the GPU may use
            "memory_type": pl.String,
            "bandwidth_gb_per_s": pl.Float64,
            "fp32_tflops": pl.Float64,  # vector rate; all other rates are dense matrix rates
            "bf16_tflops": pl.Float64,
            "fp16_tflops": pl.Float64,
            "fp8_tflops": pl.Float64,
            "int8_tops": pl.Float64,
            "fp4_tflops": pl.Float64,
            "rates_basis": pl.String,
            "native_formats": pl.String,
            "interconnect": pl.String,
            "link_gb_per_s": pl.Float64,
            "max_gpus_per_node": pl.Int64,
            "tdp_watts": pl.Float64,
            "launch_date": pl.Date,
            "launch_price_usd": pl.Float64,
            "confidence": pl.String,
            "source": pl.String,
            "as_of": pl.Date,
            "notes": pl.String,
        }
    ),
    key=("gpu_id",),
    optional=(
        *("compute_capability", "memory_mib_driver", "memory_gib_runtime", "unified_usable_fraction"),
        *("memory_type", "bandwidth_gb_per_s", "fp32_tflops", "bf16_tflops", "fp16_tflops", "fp8_tflops"),
        *("int8_tops", "fp4_tflops", "rates_basis", "interconnect", "link_gb_per_s", "max_gpus_per_node"),
        *("tdp_watts", "launch_date", "launch_price_usd", "notes"),
    ),
    rules=(
        identifier("gpu_id"),
        one_of("vendor", VENDORS),
        version("compute_capability"),
        needs(
            "compute_capability",
            pl.col("vendor").eq("nvidia") & pl.col("launch_date").is_not_null(),
            "for a launched nvidia device",
        ),
        absent("compute_capability", pl.col("vendor") != "nvidia", "unless vendor is nvidia"),
        one_of("segment", SEGMENTS),
        *positive("devices_per_board", "memory_gib_nominal", "memory_mib_driver", "memory_gib_runtime"),
        *at_most(65_536, "memory_gib_nominal"),
        Rule("memory_mib_driver", "must be >= 1024", pl.col("memory_mib_driver") >= 1024),
        Rule(
            "memory_mib_driver",
            "must not exceed memory_gib_nominal",
            pl.col("memory_mib_driver") <= pl.col("memory_gib_nominal") * 1024,
        ),
        Rule(
            "memory_gib_runtime",
            "must not exceed memory_gib_nominal",
            pl.col("memory_gib_runtime") <= pl.col("memory_gib_nominal"),
        ),
        fraction("unified_usable_fraction"),
        needs("unified_usable_fraction", pl.col("is_unified_memory"), "when is_unified_memory"),
        absent("unified_usable_fraction", ~pl.col("is_unified_memory"), "unless is_unified_memory"),
        *positive("bandwidth_gb_per_s", "fp32_tflops", "bf16_tflops", "fp16_tflops", "fp8_tflops"),
        *positive("int8_tops", "fp4_tflops", "link_gb_per_s", "max_gpus_per_node", "tdp_watts"),
        *positive("launch_price_usd"),
        one_of("rates_basis", ("vendor", "derived", "vendor and derived", "assumed")),
        set_of("native_formats", FORMATS),
        one_of("confidence", CONFIDENCES),
    ),
    derived=gpu_memory.COLUMNS,
    derive=gpu_memory.EXPRESSIONS,
)

_bought = pl.col("kind") == "purchase"

# Grain: one offer of one kind. `usd_*` are per device, whatever the size of the instance.
PRICES = Table(
    name="prices",
    columns=pl.Schema(
        {
            "gpu": pl.String,
            "provider": pl.String,
            "region": pl.String,
            "kind": pl.String,
            "basis": pl.String,
            "instance_type": pl.String,
            "gpu_count": pl.Float64,  # devices that come together; clouds also sell fractions of one
            "usd_per_gpu_hour": pl.Float64,
            "usd_purchase": pl.Float64,  # lower end where a range is known
            "usd_purchase_high": pl.Float64,  # upper end, null when there is one price
            "as_of": pl.Date,
            "as_of_precision": pl.String,  # a coarse date is the earliest possible one
            "confidence": pl.String,
            "source": pl.String,
            "notes": pl.String,
        }
    ),
    key=("gpu", "kind", "provider", "region", "instance_type", "basis", "as_of", "source"),
    optional=(
        *("provider", "region", "instance_type"),
        *("usd_per_gpu_hour", "usd_purchase", "usd_purchase_high", "notes"),
    ),
    rules=(
        one_of("kind", ("on_demand", "spot", "reserved", "purchase")),
        one_of("basis", ("list", "marketplace", "contract", "launch", "street", "used", "estimate", "system")),
        *positive("gpu_count", "usd_per_gpu_hour", "usd_purchase", "usd_purchase_high"),
        needs("usd_per_gpu_hour", ~_bought, "unless kind is purchase"),
        absent("usd_per_gpu_hour", _bought, "when kind is purchase"),
        needs("usd_purchase", _bought, "when kind is purchase"),
        absent("usd_purchase", ~_bought, "unless kind is purchase"),
        needs("provider", ~_bought, "unless kind is purchase"),
        Rule(
            "usd_purchase_high",
            "must be > usd_purchase",
            pl.col("usd_purchase_high") > pl.col("usd_purchase"),
        ),
        absent("usd_purchase_high", ~_bought, "unless kind is purchase"),
        one_of("as_of_precision", ("day", "month", "quarter", "year")),
        one_of("confidence", CONFIDENCES),
    ),
    remedies=(
        ("column currency", "convert to US dollars and leave the column out"),
        ("column price", "convert to US dollars of one device, in usd_per_gpu_hour or usd_purchase"),
        ("column eur", "convert to US dollars of one device, in usd_per_gpu_hour or usd_purchase"),
        *(
            (f"{column} must be a finite number", "convert to US dollars and write the number alone, such as 2.1")
            for column in ("usd_per_gpu_hour", "usd_purchase", "usd_purchase_high")
        ),
    ),
)
