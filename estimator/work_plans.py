"""Work of decoding and of prompts on each device: shapes x inference workloads x splits.

An assembling module: it reads columns and calls the formulas of `speed`.
"""

from __future__ import annotations

import polars as pl

from estimator import cache, speculation, speed
from estimator.bounds import product_or_absent
from estimator.layouts import split_rows
from estimator.plan_schema import WORK_PLANS
from estimator.read_shares import head_elements
from estimator.splits import Frame

_KEYS = ["shape_ix", "workload_ix", "split_ix"]
# Kinds that write one token after the other.
DECODING_KINDS = ("decoder", "encoder_decoder")


def work_plans(shapes: Frame, workloads: Frame) -> pl.LazyFrame:
    """WORK_PLANS, sorted by its keys. Operations divide by tensor parallelism; null where a count is unknown.

    Models that decode nothing have null steps. Stages work one after another, so that a step is that of all of them.
    Where groups have sequences of their own, how much they exchange is not known, and with it the work.
    """
    c = pl.col
    is_together = c("replicas") == 1
    served = workloads.lazy().filter(c("mode") == "inference")
    return (
        split_rows(shapes, served)
        .join(
            shapes.lazy().select(
                "shape_ix",
                "kind",
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
                mtp_active=c("mtp_parameters")
                - product_or_absent(c("mtp_expert_parameters"), 1 - c("experts_per_token") / c("experts")),
            ),
            on="shape_ix",
        )
        .join(
            served.select("workload_ix", "concurrent_sequences", "speculative_tokens", asked="context_tokens"),
            on="workload_ix",
        )
        .with_columns(
            tokens=cache.context_tokens(asked=c("asked"), limit=c("max_context_tokens")),
            predicted=speculation.predicted_tokens(speculative_tokens=c("speculative_tokens")),
            active=pl.when(c("kind").is_in(list(DECODING_KINDS)) & is_together).then("active_read_parameters"),
        )
        .with_columns(checked=speculation.checked_tokens(sequences=c("concurrent_sequences"), predicted=c("predicted")))
        .select(
            *_KEYS,
            expert_share=speed.expert_share(
                experts=c("experts"), per_token=c("experts_per_token"), sequences=c("checked")
            ),
            step_flops=(
                speed.step_flops(
                    active=c("active"),
                    width=c("attention_step_width"),
                    window_width=c("attention_window_width"),
                    context=c("tokens"),
                    window=c("window_tokens"),
                    sequences=c("checked"),
                )
                + speculation.draft_flops(
                    active=c("mtp_active"),
                    head=c("head"),
                    sequences=c("concurrent_sequences"),
                    predicted=c("predicted"),
                )
            )
            / c("tensor"),
            prompt_linear_flops=speed.prompt_linear_flops(active=c("active"), head=c("head"), tokens=c("tokens"))
            / c("tensor"),
            prompt_attention_flops=speed.prompt_attention_flops(
                width=pl.when(is_together).then("attention_prompt_width"),
                window_width=c("attention_window_width"),
                tokens=c("tokens"),
                window=c("window_tokens"),
            )
            / c("tensor"),
            reduced_bytes=speed.reduced_bytes(
                layers=c("layers"),
                hidden=c("hidden_size"),
                tokens=c("tokens"),
                # null where what is exchanged is not known
                degree=pl.when(is_together).then("tensor"),
            ),
        )
        .sort(_KEYS)
        .select(WORK_PLANS.names())
        .match_to_schema(WORK_PLANS)
    )
