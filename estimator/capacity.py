"""Bytes of one device that an engine may fill.

vLLM takes `gpu_memory_utilization` of all visible memory and fails to start when less than that is free, so the
driver's context must fit beside it (vLLM `v1/worker/gpu_worker.py`, `utils/mem_utils.py`). Visible bytes are what the
runtime reports, already reduced to the usable part where memory is shared with the host; the reserve is what a
display takes. Explained in docs/method.md, section "Usable memory".
"""

from __future__ import annotations

import polars as pl

from estimator.bounds import smaller


def usable_bytes(
    *, engine: pl.Expr, visible: pl.Expr, reserve: pl.Expr, utilization: pl.Expr, context: pl.Expr
) -> pl.Expr:
    """Usable bytes of one device (Int64); null for an engine without a profile and when a needed input is null."""
    budget = smaller((utilization * visible).floor().cast(pl.Int64), visible - context)
    return pl.when(engine == "none").then(visible - reserve).when(engine == "vllm").then(budget - reserve)


def comfortable_bytes(*, usable: pl.Expr) -> pl.Expr:
    """The most bytes that still leave a tenth of themselves free: need * 1.1 <= usable, in whole numbers."""
    return usable * 10 // 11
