"""How much of its nominal rates a device reaches, and what it waits for besides."""

from __future__ import annotations

import polars as pl

from catalogs.rules import fraction, needs, not_negative, one_of, positive
from catalogs.schema.table import CONFIDENCES, PROFILES, Table

MEMORY_KINDS = ("hbm", "gddr", "lpddr", "dram")
LINK_KINDS = ("nvlink", "nvlink_bridge", "pcie")

# Grain: engine x kind of memory. Shares are those of the nominal bandwidth or of the dense rate.
SPEEDS = Table(
    name="speeds",
    columns=pl.Schema(
        {
            "engine": pl.String,
            "memory_kind": pl.String,
            "weight_share_16": pl.Float64,  # reached while weights of 16 bits are read
            "weight_share_8": pl.Float64,  # of about 8
            "weight_share_4": pl.Float64,  # of about 4 or fewer
            "cache_share": pl.Float64,  # reached while keys and values are read
            "prompt_share": pl.Float64,  # of the dense rate, over long prompts
            "step_share": pl.Float64,  # of the dense rate, in steps of many sequences
            "expert_step_share": pl.Float64,  # the same of models with routed experts
            "layer_seconds": pl.Float64,  # latency of every layer in a step
            "host_seconds": pl.Float64,  # scheduling, once a step
            "confidence": pl.String,
            "residual": pl.String,  # what the constants were off by, and on which rows
            "source": pl.String,
            "as_of": pl.Date,
            "notes": pl.String,
        }
    ),
    key=("engine", "memory_kind"),
    optional=("residual", "notes"),
    rules=(
        one_of("engine", PROFILES),
        one_of("memory_kind", MEMORY_KINDS),
        *(fraction(f"{name}_share") for name in ("cache", "prompt", "step", "expert_step")),
        *(fraction(f"weight_share_{bits}") for bits in (16, 8, 4)),
        *not_negative("layer_seconds", "host_seconds"),
        one_of("confidence", CONFIDENCES),
    ),
)

# Grain: kind of link x number of devices. Rates count the bytes that a device sends.
LINKS = Table(
    name="links",
    columns=pl.Schema(
        {
            "link": pl.String,
            "degree": pl.Int64,
            "reduce_seconds": pl.Float64,  # latency of one small reduction
            "link_share": pl.Float64,  # of gpus.link_gb_per_s, over large ones
            "reduced_gb_per_s": pl.Float64,  # of links whose rate gpus.csv does not have
            "confidence": pl.String,
            "residual": pl.String,  # what the constants were off by, and on which rows
            "source": pl.String,
            "as_of": pl.Date,
            "notes": pl.String,
        }
    ),
    key=("link", "degree"),
    optional=("link_share", "reduced_gb_per_s", "residual", "notes"),
    rules=(
        one_of("link", LINK_KINDS),
        *positive("degree", "reduce_seconds", "reduced_gb_per_s"),
        fraction("link_share"),
        needs("reduced_gb_per_s", pl.col("link_share").is_null(), "without link_share"),
        one_of("confidence", CONFIDENCES),
    ),
)
