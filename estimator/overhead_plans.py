"""Plans of activations and engine overhead: shapes x workloads x memory tiers x splits.

An assembling module: it reads columns and calls the formulas of `activations` and `overhead`.
"""

from __future__ import annotations

import polars as pl

from estimator import activations, bands, cache, overhead, support
from estimator.activation_slopes import GROWING_ENGINES, activation_slopes, peak_bytes, tiers
from estimator.bounds import whole_bytes
from estimator.layouts import split_rows
from estimator.plan_schema import OVERHEAD_PLANS
from estimator.splits import Frame
from estimator.training_peaks import training_peaks

_KEYS = ["shape_ix", "workload_ix", "memory_tier_ix", "split_ix"]
_PROFILE = [
    "batched_tokens",
    "batches_in_flight",
    "max_sequences",
    "logit_bytes",
    "hidden_copies",
    "activation_margin",
    "non_torch_bytes_1",
    "non_torch_bytes_2",
    "non_torch_bytes_4",
    "graph_bytes",
    "margin_bytes_1",
    "margin_bytes_2",
    "vision_margin_bytes",
]


def overhead_plans(shapes: Frame, workloads: Frame, engines: Frame) -> pl.LazyFrame:
    """What an engine takes besides weights and cache: OVERHEAD_PLANS, sorted by its keys.

    Engine `none` is the architectural minimum and takes 0 on every tier; training keeps what its backward pass needs.
    Null for an engine without a row of that tier in the catalog, where a width or the vocabulary of the shape is
    unknown, and in training and transformers for layers that were not measured.
    """
    c = pl.col
    is_none = c("engine") == "none"
    sequences = (c("concurrent_sequences") / c("replicas")).ceil()
    context = cache.context_tokens(asked=c("context_tokens"), limit=c("max_context_tokens"))
    profile = engines.lazy().select("engine", "memory_tier", *_PROFILE)
    # a cache, and with it the mask over it, comes in whole blocks
    kept = cache.whole_blocks(tokens=context, block=cache.block_tokens(engine=c("engine")))
    workspaces = activations.experts_bytes(
        tokens=c("batched_tokens"),
        experts=c("experts"),
        experts_per_token=c("experts_per_token"),
        expert_ffn=c("expert_ffn_size"),
        hidden=c("hidden_size"),
        degree=pl.when("has_whole_experts").then(1).otherwise("tensor"),
    )
    is_counted = activations.has_workspaces(stored=c("stored_precision"))
    widths = {"tokens": c("batched_tokens"), "ffn": c("ffn_size"), "hidden": c("hidden_size"), "degree": c("tensor")}
    is_encoder = c("kind") == "encoder"
    of_batches = activations.peak_bytes(
        forward=pl.when(is_encoder)
        .then(activations.encoder_forward_bytes(**widths))
        .otherwise(activations.forward_bytes(**widths, hidden_copies=c("hidden_copies"))),
        sampler=pl.when(is_encoder)
        .then(0.0)
        .otherwise(
            activations.sampler_bytes(
                tokens=c("batched_tokens"),
                hidden=c("hidden_size"),
                sequences=c("max_sequences"),
                vocabulary=c("vocab_size"),
                logit_bytes=c("logit_bytes"),
            )
        ),
        experts=pl.when(is_counted).then(workspaces).otherwise(0.0),
    )
    # other kernels for the same experts, and other formats of the same model, have them
    grows = c("engine").is_in(list(GROWING_ENGINES))
    has_batches = (c("mode") == "inference") & ~grows
    uncounted = pl.when(is_counted | ~has_batches).then(0).otherwise(whole_bytes(workspaces))
    outside = overhead.overhead_bytes(
        non_torch=overhead.non_torch_bytes(
            one=c("non_torch_bytes_1"),
            two=c("non_torch_bytes_2"),
            more=c("non_torch_bytes_4"),
            degree=c("tensor") * c("replicas"),
        ),
        graphs=pl.when(support.has_option(options=c("engine_options"), name="eager")).then(0).otherwise("graph_bytes"),
    )
    return (
        split_rows(shapes, workloads)
        .join(
            shapes.lazy().select(
                "shape_ix",
                "kind",
                "hidden_size",
                "vocab_size",
                "ffn_size",
                "expert_ffn_size",
                "experts",
                "experts_per_token",
                "stored_precision",
                "p_vision",
                "prefill_shared_bytes",
                "max_context_tokens",
                "window_tokens",
            ),
            on="shape_ix",
        )
        .join(
            workloads.lazy().select(
                *("workload_ix", "mode", "engine", "engine_options", "context_tokens", "concurrent_sequences"),
                "speculative_tokens",
            ),
            on="workload_ix",
        )
        .join(training_peaks(shapes, workloads), on=["shape_ix", "workload_ix", "split_ix"], how="left")
        .join(tiers(), how="cross")
        .join(profile, on=["engine", "memory_tier"], how="left")
        .join(
            activation_slopes(shapes, workloads, engines),
            on=["shape_ix", "workload_ix", "memory_tier_ix"],
            how="left",
        )
        .with_columns(
            activation_bytes=pl.when(c("mode") == "training")
            .then("forward")
            .when(is_none)
            .then(pl.lit(0, dtype=pl.Int64))
            .when(grows)
            .then(peak_bytes(context=kept, sequences=sequences))
            # SGLang has no batches here: they live in what `capacity` leaves to them, whatever the widths
            .when(c("batched_tokens") == 0)
            .then(pl.lit(0, dtype=pl.Int64))
            .otherwise(of_batches),
            backward_bytes=pl.when(c("mode") == "training").then("backward").otherwise(pl.lit(0, dtype=pl.Int64)),
            overhead_bytes=pl.when(is_none).then(pl.lit(0, dtype=pl.Int64)).otherwise(outside),
            in_flight_tokens=pl.when(c("mode") == "training")
            .then(0.0)
            .otherwise(
                cache.in_flight_tokens(
                    engine=c("engine"),
                    batch=c("batched_tokens"),
                    batches=c("batches_in_flight"),
                    sequences=sequences,
                )
            ),
        )
        .select(
            *_KEYS,
            "activation_bytes",
            "backward_bytes",
            "overhead_bytes",
            "in_flight_tokens",
            margin_bytes=pl.when(is_none)
            .then(pl.lit(0, dtype=pl.Int64))
            .otherwise(
                bands.engine_margin_bytes(
                    activation=c("activation_bytes"),
                    relative=c("activation_margin"),
                    one=c("margin_bytes_1"),
                    several=c("margin_bytes_2"),
                    degree=c("degree"),
                )
                + pl.when((c("p_vision") > 0) & (c("mode") == "inference")).then("vision_margin_bytes").otherwise(0)
                + uncounted
                + pl.when((c("engine") == "transformers") & (c("mode") == "inference"))
                .then(whole_bytes(activations.shared_bytes(context=context, pair=c("prefill_shared_bytes"))))
                .otherwise(0)
                # logits of a token that is checked beside each sequence's own
                + pl.when(c("speculative_tokens").is_not_null() & has_batches)
                .then(whole_bytes(c("max_sequences") * c("vocab_size") * c("logit_bytes")))
                .otherwise(0)
            ),
        )
        .sort(_KEYS)
        .match_to_schema(OVERHEAD_PLANS)
    )
