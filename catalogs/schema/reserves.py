"""What an engine leaves free beside weights and cache, by the size of the device."""

from __future__ import annotations

import polars as pl

from catalogs.rules import Rule, at_most, not_negative, one_of, positive, version_range
from catalogs.schema.table import CONFIDENCES, Table

# Engines that size what they leave by the device: each of their rows in engines.csv needs rows here.
RESERVING = ("sglang",)

_sizes = ("prefill_tokens", "graph_sequences", "constant_mib", "token_mib", "sequence_mib", "device_mib")

# Grain: engine x version range x device with less than so many GiB. The lowest bound above a device holds for it.
RESERVES = Table(
    name="reserves",
    columns=pl.Schema(
        {
            "engine": pl.String,
            "version_range": pl.String,  # that of the engine's rows in engines.csv
            "below_gib": pl.Float64,  # visible memory; empty: any larger device
            "prefill_tokens": pl.Int64,  # tokens of a chunk of prefill
            "graph_sequences": pl.Int64,  # sequences of the largest graph
            "constant_mib": pl.Float64,
            "token_mib": pl.Float64,  # for each token of a chunk
            "sequence_mib": pl.Float64,  # for each sequence of a graph
            "device_mib": pl.Float64,  # for the device itself
            "confidence": pl.String,
            "residual": pl.String,  # what the constants were off by, and on which rows
            "source": pl.String,
            "as_of": pl.Date,
            "notes": pl.String,
        }
    ),
    key=("engine", "version_range", "below_gib"),
    optional=("below_gib", "residual", "notes"),
    rules=(
        one_of("engine", RESERVING),
        *version_range("version_range"),
        *positive("below_gib"),
        *not_negative(*_sizes),
        *at_most(1_000_000, *_sizes),
        one_of("confidence", CONFIDENCES),
        Rule(
            "below_gib",
            "must be empty in one row of an engine and version_range",
            pl.col("below_gib").is_null().any().over("engine", "version_range"),
        ),
    ),
)
