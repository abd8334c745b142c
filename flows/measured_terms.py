"""What the estimator says of each component that was measured: terms, added up as a log or an allocator counts them.

Expressions over rows that carry the plans of their setting and the constants of their engine; no formula of its own.
"""

from __future__ import annotations

from collections.abc import Mapping

import polars as pl

from catalogs.versions import is_in_range
from estimator import capacity, overhead, speed, training

# vLLM counts its graphs against the pool from this version on (vLLM `v1/worker/gpu_worker.py`).
GRAPHS_COUNTED_FROM = "0.21-"


def predicted() -> pl.Expr:
    """Bytes of the row's component on one device (Float64); null for what has none."""
    c = pl.col
    counted = is_in_range(c("engine_version"), pl.lit(GRAPHS_COUNTED_FROM))
    taken = c("weights_bytes") + c("activation_bytes") + _outside()
    step = _step()
    return _of_component(
        {
            "visible": c("visible_bytes"),
            "driver_total": c("memory_mib_driver") * 2**20,
            "context": c("context_bytes"),
            "weights": c("weights_bytes"),
            "cache": _kept(),
            "prefill_peak": c("activation_bytes") + _kept(),
            "training_peak": step,
            "training_reserved": step * c("training_reserved_ratio"),
            "activation": c("activation_bytes"),
            "non_torch": _outside(),
            "kv_pool": _budget(c("context_bytes")) - taken - pl.when(counted).then("graph_bytes").otherwise(0),
            # vLLM divides its pool by the bytes of a token in all layers, those with a window included
            "kv_token": c("kv_bytes_per_token") + c("kv_window_bytes_per_token"),
        }
    )


def cautious() -> pl.Expr:
    """Bytes that a verdict `fits` counts on (Float64): the upper end of a need, the lower end of what is left.

    Null for components that no verdict looks at alone.
    """
    c = pl.col
    step = _step() + c("held_margin") + c("taken_margin")
    taken = c("weights_bytes") + c("held_margin") + c("activation_bytes") + c("overhead_bytes") + c("taken_margin")
    return _of_component(
        {
            "weights": c("weights_bytes") + c("held_margin"),
            "cache": _kept() + c("kept_margin"),
            "prefill_peak": c("activation_bytes") + c("taken_margin") + _kept() + c("kept_margin"),
            "training_peak": step,
            "training_reserved": step * c("training_reserved_ratio_high"),
            "kv_pool": _budget(c("context_bytes") + c("context_margin_bytes")) - taken,
        }
    )


def step_seconds() -> pl.Expr:
    """Seconds of one step of all sequences, without what a server's scheduler takes (Float64)."""
    c = pl.col
    return speed.step_seconds(
        weight_bytes=c("step_dense_bytes") + c("expert_share") * c("step_expert_bytes"),
        cache_bytes=c("step_cache_bytes"),
        flops=c("step_flops"),
        weight_bytes_per_second=c("weight_bytes_per_second"),
        cache_bytes_per_second=c("cache_bytes_per_second"),
        flops_per_second=speed.step_rate(
            experts=c("experts"), dense=c("step_flops_per_second"), mixed=c("expert_step_flops_per_second")
        ),
        layers=c("layers"),
        layer_seconds=c("layer_seconds"),
        reduce_seconds=c("reduce_seconds"),
        host_seconds=pl.lit(0.0),
    )


def _of_component(answers: Mapping[str, pl.Expr]) -> pl.Expr:
    return pl.coalesce(
        pl.when(pl.col("component") == name).then(bytes_.cast(pl.Float64)) for name, bytes_ in answers.items()
    )


def _kept() -> pl.Expr:
    return pl.col("kv_cache_bytes") + pl.col("state_bytes")


def _step() -> pl.Expr:
    """All that the allocator holds at the peak of a training step."""
    c = pl.col
    peak = training.step_peak_bytes(
        forward=c("activation_bytes"),
        gradients=c("gradient_bytes"),
        backward=c("backward_bytes"),
        update=c("update_bytes"),
    )
    return c("weights_bytes") + c("optimizer_bytes") + peak


def _outside() -> pl.Expr:
    c = pl.col
    return overhead.non_torch_bytes(
        one=c("non_torch_bytes_1"), two=c("non_torch_bytes_2"), more=c("non_torch_bytes_4"), degree=c("degree")
    )


def _budget(context: pl.Expr) -> pl.Expr:
    """What the engine may fill with the share of the device that it was given."""
    c = pl.col
    return capacity.usable_bytes(
        engine=c("engine"),
        visible=c("visible_bytes"),
        reserve=c("reserve_bytes"),
        utilization=c("given"),
        context=context,
        reserved_ratio=c("reserved_ratio"),
        left=c("left_bytes"),
        warmup=pl.lit(0),  # an engine whose log there is did start
    )
