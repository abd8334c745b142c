"""How good a site finds its models: figures of its own, for we have none that would be fair to all."""

from __future__ import annotations

import polars as pl

from catalogs.rules import Rule
from catalogs.schema.table import Table

# Grain: model. Scores are compared with each other, so they should be of one benchmark, or of one mixture of several.
SCORES = Table(
    name="scores",
    columns=pl.Schema(
        {
            "model_id": pl.String,  # as it is listed
            "score": pl.Float64,  # higher is better, in any unit
            "benchmark": pl.String,
            "source": pl.String,
            "as_of": pl.Date,
        }
    ),
    key=("model_id",),
    optional=("benchmark", "source", "as_of"),
    rules=(
        Rule(
            "model_id",
            "must be owner/name as it is listed",
            pl.col("model_id").str.contains(r"^[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)?$"),
        ),
    ),
    may_be_empty=True,
)
