"""Plans of activations and engine overhead: shapes x workloads x memory tiers x degrees.

An assembling module: it reads columns and calls the formulas of `activations` and `overhead`.
"""

from __future__ import annotations

import polars as pl

from estimator import activations, overhead
from estimator.cache_plans import splits
from estimator.pairs import Frame
from estimator.schema import MEMORY_TIERS, OVERHEAD_PLANS

_KEYS = ["shape_ix", "workload_ix", "memory_tier_ix", "degree"]
_PROFILE = [
    "batched_tokens",
    "max_sequences",
    "logit_bytes",
    "hidden_copies",
    "non_torch_bytes_1",
    "non_torch_bytes_2",
    "non_torch_bytes_4",
    "graph_bytes",
]


def tiers() -> pl.LazyFrame:
    """The memory tiers and their positions."""
    return pl.LazyFrame(
        {"memory_tier": MEMORY_TIERS, "memory_tier_ix": range(len(MEMORY_TIERS))},
        schema={"memory_tier": pl.String, "memory_tier_ix": pl.UInt8},
    )


def overhead_plans(shapes: Frame, workloads: Frame, engines: Frame) -> pl.LazyFrame:
    """What an engine takes besides weights and cache: OVERHEAD_PLANS, sorted by its keys.

    Engine `none` is the architectural minimum and takes 0 on every tier. Null for an engine without a row of that
    tier in the catalog and where a width or the vocabulary of the shape is unknown.
    """
    c = pl.col
    is_none = c("engine") == "none"
    profile = engines.lazy().select("engine", "memory_tier", *_PROFILE)
    peak = activations.peak_bytes(
        forward=activations.forward_bytes(
            tokens=c("batched_tokens"),
            ffn=c("ffn_size"),
            hidden=c("hidden_size"),
            hidden_copies=c("hidden_copies"),
            degree=c("degree"),
        ),
        sampler=activations.sampler_bytes(
            tokens=c("batched_tokens"),
            hidden=c("hidden_size"),
            sequences=c("max_sequences"),
            vocabulary=c("vocab_size"),
            logit_bytes=c("logit_bytes"),
        ),
        experts=activations.experts_bytes(
            tokens=c("batched_tokens"),
            experts=c("experts"),
            experts_per_token=c("experts_per_token"),
            expert_ffn=c("expert_ffn_size"),
            hidden=c("hidden_size"),
            degree=c("degree"),
        ),
    )
    outside = overhead.overhead_bytes(
        non_torch=overhead.non_torch_bytes(
            one=c("non_torch_bytes_1"),
            two=c("non_torch_bytes_2"),
            more=c("non_torch_bytes_4"),
            degree=c("degree"),
        ),
        graphs=c("graph_bytes"),
    )
    return (
        splits(
            shapes.lazy().select(
                "shape_ix",
                "kind",
                "tp_ok_mask",
                "hidden_size",
                "vocab_size",
                "ffn_size",
                "expert_ffn_size",
                "experts",
                "experts_per_token",
            ),
            workloads.lazy().select("workload_ix", "mode", "engine"),
        )
        .join(tiers(), how="cross")
        .join(profile, on=["engine", "memory_tier"], how="left")
        .select(
            *_KEYS,
            activation_bytes=pl.when(is_none).then(pl.lit(0, dtype=pl.Int64)).otherwise(peak),
            overhead_bytes=pl.when(is_none).then(pl.lit(0, dtype=pl.Int64)).otherwise(outside),
        )
        .sort(_KEYS)
        .match_to_schema(OVERHEAD_PLANS)
    )
