"""Bytes of one device that an engine may fill, at the middle estimate and for certain.

vLLM takes `gpu_memory_utilization` of all visible memory and fails to start when less than that is free, so the
driver's context must fit beside it (vLLM `v1/worker/gpu_worker.py`, `utils/mem_utils.py`). Whatever else runs in
PyTorch shares the device with its context, and its caching allocator reserves more than it allocates: `reserved_ratio`
of PEFT's published runs. SGLang leaves room for activations and graphs beside weights and cache, by the size of the
device (SGLang `srt/server_args.py`, the default of `mem_fraction_static`). Visible bytes are what the runtime reports,
already reduced to the usable part where memory is shared with the host; the reserve is what a display takes. Explained
in docs/method.md, section "Usable memory".
"""

from __future__ import annotations

import polars as pl

from estimator.bounds import smaller

MIB = 2**20

# SGLang by the device's memory in GiB: tokens of a chunk of prefill, sequences of the largest graph on one device.
SGLANG_SIZES = ((20, 2048, 8), (35, 2048, 24), (60, 4096, 32), (160, 8192, 256))
SGLANG_LARGEST = (16384, 512)
# MiB that it leaves: constants, for each token of a chunk, for each sequence of a graph, for each device.
SGLANG_CONSTANT, SGLANG_TOKEN, SGLANG_SEQUENCE, SGLANG_DEVICE = 512, 1.5, 2, 128


def sglang_reserve_bytes(*, visible: pl.Expr) -> pl.Expr:
    """Bytes that SGLang leaves to activations and graphs on one device (Int64); null when `visible` is null.

    Its floor of 10 GiB on devices beyond 60 GiB is below what chunks of 8,192 tokens take there.
    """
    by_size = [pl.when(visible < gib * 2**30).then(_left_mib(chunk, graph)) for gib, chunk, graph in SGLANG_SIZES]
    largest = pl.when(visible.is_not_null()).then(_left_mib(*SGLANG_LARGEST))
    return (pl.coalesce(*by_size, largest) * MIB).cast(pl.Int64)


def _left_mib(chunk: int, graph: int) -> pl.Expr:
    return pl.lit(SGLANG_CONSTANT + SGLANG_TOKEN * chunk + SGLANG_SEQUENCE * graph + SGLANG_DEVICE)


def usable_bytes(
    *,
    engine: pl.Expr,
    visible: pl.Expr,
    reserve: pl.Expr,
    utilization: pl.Expr,
    context: pl.Expr,
    reserved_ratio: pl.Expr,
) -> pl.Expr:
    """Usable bytes of one device (Int64); null for an engine without a profile and when a needed input is null.

    With the upper ends of `context` and `reserved_ratio` the answer is what is usable for certain.
    """
    # a fraction of three digits, of what is free at the start
    fraction = ((visible - sglang_reserve_bytes(visible=visible)) / visible).round(3)
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
        .when(engine.is_in(["transformers", "llamacpp"]))
        .then(shared)
    )
