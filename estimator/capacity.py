"""Bytes of one device that an engine may fill, at the middle estimate and for certain.

vLLM takes `gpu_memory_utilization` of all visible memory and fails to start when less than that is free, so the
driver's context must fit beside it (vLLM `v1/worker/gpu_worker.py`, `utils/mem_utils.py`). Whatever else runs in
PyTorch shares the device with its context, and its caching allocator reserves more than it allocates: `reserved_ratio`
of PEFT's published runs. Visible bytes are what the runtime reports, already reduced to the usable part where memory
is shared with the host; the reserve is what a display takes. Explained in docs/method.md, section "Usable memory".
"""

from __future__ import annotations

import polars as pl

from estimator.bounds import smaller


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
    budget = smaller((utilization * visible).floor().cast(pl.Int64), visible - context)
    shared = ((visible - reserve - context) / reserved_ratio).floor().cast(pl.Int64)
    return (
        pl.when(engine == "none")
        .then(visible - reserve)
        .when(engine.is_in(["vllm", "sglang"]))
        .then(budget - reserve)
        .when(engine.is_in(["transformers", "llamacpp"]))
        .then(shared)
    )
