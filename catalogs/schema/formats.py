"""Formats of weights and of the cache."""

from __future__ import annotations

import polars as pl

from catalogs.rules import Rule, absent, at_most, identifier, needs, not_negative, one_of, positive, set_of, version
from catalogs.schema.table import CONFIDENCES, ENGINES, FORMATS, VENDORS, Table

FAMILIES = (
    *("float", "fp8", "int8", "microscaling", "int4", "int3", "bnb4", "hqq"),
    *("gguf", "mlx", "exl2", "exl3", "vector", "ternary", "stored"),
)
SHARD_ALIGNMENTS = (1, 32, 64, 128)

# Grain: one weight format. `stored` is whatever the repository holds.
PRECISIONS = Table(
    name="precisions",
    columns=pl.Schema(
        {
            "precision": pl.String,
            "title": pl.String,
            "family": pl.String,
            "bits_per_weight": pl.Float64,  # on quantised weights, group scales included
            "row_scale_bytes": pl.Float64,  # per output row, on top of the bits
            "block_scale_bytes": pl.Float64,  # per block of 128x128, on top of the bits
            "keep_bits": pl.Float64,  # of weights that stay unquantised
            "policy": pl.String,
            "whole_model_bits": pl.Float64,  # average over a whole model, for mixtures
            "shard_alignment": pl.Int64,  # a rank's input width must be a multiple of this
            "engines": pl.String,
            "vendors": pl.String,
            "min_compute_capability": pl.String,  # CUDA devices below have no kernel
            "requires_native": pl.String,  # a format that every device must have in native_formats
            "requires_native_off_nvidia": pl.String,  # the same for devices without compute capability
            "widening_engines": pl.String,  # that hold it in 16 bits on CUDA devices below widening_below
            "widening_below": pl.String,
            "compute_format": pl.String,  # arithmetic of the kernel where the device has it, else 16 bit
            "compute_requires_native": pl.String,  # a format without which the arithmetic is 16 bit all the same
            "quality_metric": pl.String,
            "quality_value": pl.Float64,
            "quality_reference": pl.String,  # the format that a ratio is to, where it is not 16 bits
            "quality_source": pl.String,
            "confidence": pl.String,
            "source": pl.String,
            "as_of": pl.Date,
            "notes": pl.String,
        }
    ),
    key=("precision",),
    optional=(
        *("bits_per_weight", "row_scale_bytes", "block_scale_bytes", "keep_bits", "whole_model_bits"),
        *("min_compute_capability", "requires_native", "requires_native_off_nvidia", "compute_requires_native"),
        *("widening_engines", "widening_below", "quality_metric", "quality_value", "quality_reference"),
        *("quality_source", "notes"),
    ),
    rules=(
        identifier("precision"),
        one_of("family", FAMILIES),
        one_of("policy", ("linears", "experts_only", "experts_and_mlp", "all", "stored")),
        *(
            needs(column, pl.col("policy") != "stored", "unless policy is stored")
            for column in ("bits_per_weight", "row_scale_bytes", "block_scale_bytes", "keep_bits")
        ),
        absent("bits_per_weight", pl.col("policy") == "stored", "when policy is stored"),
        needs(
            "whole_model_bits",
            (pl.col("family") == "gguf") & (pl.col("policy") == "all"),
            "for a GGUF mixture",
        ),
        *positive("bits_per_weight", "keep_bits", "whole_model_bits"),
        *not_negative("row_scale_bytes", "block_scale_bytes"),
        *(
            Rule(
                column,
                "must be 0 for a policy that leaves linears out",
                ~pl.col("policy").is_in(["experts_only", "experts_and_mlp"]) | (pl.col(column) == 0),
            )
            for column in ("row_scale_bytes", "block_scale_bytes")
        ),
        *at_most(32, "bits_per_weight", "keep_bits", "whole_model_bits"),
        one_of("shard_alignment", SHARD_ALIGNMENTS),
        set_of("engines", ENGINES),
        set_of("vendors", VENDORS),
        version("min_compute_capability"),
        one_of("requires_native", FORMATS),
        one_of("requires_native_off_nvidia", FORMATS),
        set_of("widening_engines", ENGINES),
        version("widening_below"),
        needs("widening_below", pl.col("widening_engines").is_not_null(), "when widening_engines is given"),
        one_of("compute_format", FORMATS),
        one_of("compute_requires_native", FORMATS),
        *positive("quality_value"),
        absent("quality_reference", pl.col("quality_value").is_null(), "without a quality_value"),
        needs("quality_metric", pl.col("quality_value").is_not_null(), "when quality_value is given"),
        needs("quality_source", pl.col("quality_value").is_not_null(), "when quality_value is given"),
        one_of("confidence", CONFIDENCES),
    ),
)

# Grain: one element type of the cache.
KV_PRECISIONS = Table(
    name="kv_precisions",
    columns=pl.Schema(
        {
            "kv_precision": pl.String,
            "title": pl.String,
            "bytes_per_element": pl.Float64,
            "engines": pl.String,
            "min_compute_capability": pl.String,
            "confidence": pl.String,
            "source": pl.String,
            "as_of": pl.Date,
            "notes": pl.String,
        }
    ),
    key=("kv_precision",),
    optional=("min_compute_capability", "notes"),
    rules=(
        identifier("kv_precision"),
        *positive("bytes_per_element"),
        *at_most(8, "bytes_per_element"),
        set_of("engines", ENGINES),
        version("min_compute_capability"),
        one_of("confidence", CONFIDENCES),
    ),
)
