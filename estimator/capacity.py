"""Bytes of one device that an engine may fill, at the middle estimate and for certain.

vLLM takes `gpu_memory_utilization` of all visible memory and fails to start when less than that is free, so the
driver's context must fit beside it (vLLM `v1/worker/gpu_worker.py`, `utils/mem_utils.py`), and with it the logits that
its sampler is warmed up with once the cache is there: a small device has to be given less. Whatever else runs in
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


# vLLM warms its sampler up with logits in fp32 (`v1/worker/gpu_worker.py`, compile_or_warm_up_model).
WARMUP_LOGIT_BYTES = 4
# Words of a model that is not looked at: half of the embedded snapshot's 200 vocabularies have no more than Llama 3's,
# and none has more than Gemma 3n's.
WARMUP_VOCABULARY, WARMUP_VOCABULARY_HIGH = 128_256, 262_400


def warmup_bytes(*, sequences: pl.Expr, vocabulary: pl.Expr) -> pl.Expr:
    """Bytes (Int64) that vLLM's sampler is warmed up with beside all that `memory_utilization` gave; null for a null.

    `sequences` is the most that the engine runs at once. gpt-oss-20b on an H100, 1,024 and 201,088: 785.5 MiB, and a
    log of a start that failed says 786 with 552 left.
    """
    return sequences * vocabulary * WARMUP_LOGIT_BYTES


def usable_bytes(
    *,
    engine: pl.Expr,
    visible: pl.Expr,
    reserve: pl.Expr,
    utilization: pl.Expr,
    context: pl.Expr,
    reserved_ratio: pl.Expr,
    left: pl.Expr,
    warmup: pl.Expr,
) -> pl.Expr:
    """Usable bytes of one device (Int64); null for an engine without a profile and when a needed input is null.

    `left` is what `left_bytes` says of the engine on the device, which SGLang alone needs, `warmup` what `warmup_bytes`
    says, which vLLM alone needs. With the upper ends of `context`, `warmup` and `reserved_ratio` the answer is what is
    usable for certain.
    """
    # a fraction of three digits, of what is free at the start
    fraction = ((visible - left) / visible).round(3)
    static = (fraction * (visible - context)).floor().cast(pl.Int64)
    budget = smaller((utilization * visible).floor().cast(pl.Int64), visible - context - warmup)
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
