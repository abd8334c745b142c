"""Work of decoding and of prompts on each device: shapes x inference workloads x degrees.

An assembling module: it reads columns and calls the formulas of `speed`.
"""

from __future__ import annotations

import polars as pl

from estimator import cache, sharding, speed
from estimator.cache_plans import splits
from estimator.pairs import Frame
from estimator.read_shares import head_elements
from estimator.schema import WORK_PLANS

_KEYS = ["shape_ix", "workload_ix", "degree"]
# Kinds that write one token after the other.
DECODING_KINDS = ("decoder", "encoder_decoder")


def work_plans(shapes: Frame, workloads: Frame) -> pl.LazyFrame:
    """WORK_PLANS, sorted by its keys. Operations divide by the degree; null where a width or a count is unknown.

    Models that decode nothing have null steps. Where devices work one after another, a step is that of one device.
    """
    c = pl.col
    return (
        splits(
            shapes.lazy().select(
                "shape_ix",
                "kind",
                "tp_ok_mask",
                "layers",
                "hidden_size",
                "experts",
                "experts_per_token",
                "active_read_parameters",
                "max_context_tokens",
                "window_tokens",
                "attention_step_width",
                "attention_prompt_width",
                "attention_window_width",
                head=head_elements(),
            ),
            workloads.lazy()
            .filter(c("mode") == "inference")
            .select("workload_ix", "mode", "engine", "concurrent_sequences", asked="context_tokens"),
        )
        .with_columns(
            tokens=cache.context_tokens(asked=c("asked"), limit=c("max_context_tokens")),
            is_staged=c("engine").is_in(list(sharding.STAGED_ENGINES)),
            active=pl.when(c("kind").is_in(list(DECODING_KINDS))).then("active_read_parameters"),
        )
        .with_columns(at_once=pl.when("is_staged").then(1).otherwise("degree"))
        .select(
            *_KEYS,
            stages=pl.when("is_staged").then("degree").otherwise(1),
            expert_share=speed.expert_share(
                experts=c("experts"), per_token=c("experts_per_token"), sequences=c("concurrent_sequences")
            ),
            step_flops=speed.step_flops(
                active=c("active"),
                width=c("attention_step_width"),
                window_width=c("attention_window_width"),
                context=c("tokens"),
                window=c("window_tokens"),
                sequences=c("concurrent_sequences"),
            )
            / c("at_once"),
            prompt_linear_flops=speed.prompt_linear_flops(active=c("active"), head=c("head"), tokens=c("tokens"))
            / c("at_once"),
            prompt_attention_flops=speed.prompt_attention_flops(
                width=c("attention_prompt_width"),
                window_width=c("attention_window_width"),
                tokens=c("tokens"),
                window=c("window_tokens"),
            )
            / c("at_once"),
            reduced_bytes=speed.reduced_bytes(
                layers=c("layers"), hidden=c("hidden_size"), tokens=c("tokens"), degree=c("at_once")
            ),
        )
        .sort(_KEYS)
        .select(WORK_PLANS.names())
        .match_to_schema(WORK_PLANS)
    )
