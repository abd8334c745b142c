"""Bytes of one device that an engine may fill, at the middle estimate and for certain.

vLLM takes `gpu_memory_utilization` of all visible memory and fails to start when less than that is free, so the
driver's context must fit beside it (vLLM `v1/worker/gpu_worker.py`, `utils/mem_utils.py`). Whatever else runs in
PyTorch shares the device with its context, and its caching allocator reserves more than it allocates: `reserved_ratio`
of PEFT's published runs. SGLang leaves room for activations and graphs beside weights and cache, by the size of the
device (`catalogs/reserves.csv`; SGLang `srt/server_args.py`, the default of `mem_fraction_static`). TensorRT-LLM gives
its cache a share of what everything else leaves, which is counted with the cache (`cache.room_bytes`), and MLX wires no
more than the system lets it, which is what unified memory shows. Visible bytes are
what the runtime reports, already reduced to the usable part where memory is shared with the host; the reserve is what
a display takes. Explained in docs/method.md, section "Usable memory".
"""

from __future__ import annotations

import polars as pl

from estimator.bounds import smaller

MIB, GIB = 2**20, 2**30


def is_below(*, visible: pl.Expr, below_gib: pl.Expr) -> pl.Expr:
    """Whether a device has less memory than a row of reserves.csv is bounded by; null when `visible` is null.

    A null bound has any device below it. Of the rows that a device is below, the one with the lowest bound holds.
    """
    return pl.when(visible.is_not_null()).then((visible < below_gib * GIB).fill_null(True))


def left_bytes(
    *,
    prefill_tokens: pl.Expr,
    graph_sequences: pl.Expr,
    constant_mib: pl.Expr,
    token_mib: pl.Expr,
    sequence_mib: pl.Expr,
    device_mib: pl.Expr,
) -> pl.Expr:
    """Bytes that an engine leaves to activations and graphs on one device (Int64); null when an input is null.

    SGLang's floor of 10 GiB on devices beyond 60 GiB is not here: it is below what chunks of 8,192 tokens take there.
    """
    left = constant_mib + token_mib * prefill_tokens + sequence_mib * graph_sequences + device_mib
    return (left * MIB).cast(pl.Int64)


def usable_bytes(
    *,
    engine: pl.Expr,
    visible: pl.Expr,
    reserve: pl.Expr,
    utilization: pl.Expr,
    context: pl.Expr,
    reserved_ratio: pl.Expr,
    left: pl.Expr,
) -> pl.Expr:
    """Usable bytes of one device (Int64); null for an engine without a profile and when a needed input is null.

    `left` is what `left_bytes` says of the engine on the device; SGLang alone needs it.
    With the upper ends of `context` and `reserved_ratio` the answer is what is usable for certain.
    """
    # a fraction of three digits, of what is free at the start
    fraction = ((visible - left) / visible).round(3)
    static = (fraction * (visible - context)).floor().cast(pl.Int64)
    budget = smaller((utilization * visible).floor().cast(pl.Int64), visible - context)
    shared = ((visible - reserve - context) / reserved_ratio).floor().cast(pl.Int64)
    return (
        pl.when(engine == "none")
        .then(visible - reserve)
        .when(engine == "vllm")
        .then(budget - reserve)
        .when(engine == "sglang")
        .then(static - reserve)
        .when(engine.is_in(["transformers", "llamacpp", "trtllm", "mlx"]))
        .then(shared)
    )
