"""Bytes that an engine takes from its budget besides weights, cache and activations.

vLLM charges what is allocated outside PyTorch (NCCL, cuBLAS, attention workspaces) and its CUDA graphs to
`gpu_memory_utilization`, but not the driver's context, which was there before it measured: that one limits the
usable bytes instead (see `capacity`). Source: vLLM `utils/mem_utils.py`, `v1/worker/gpu_worker.py`; the sizes are
logged values in the engine catalog. Explained in docs/method.md, section "Overhead".
"""

from __future__ import annotations

import polars as pl


def non_torch_bytes(*, one: pl.Expr, two: pl.Expr, more: pl.Expr, degree: pl.Expr) -> pl.Expr:
    """Bytes outside the caching allocator for 1, 2 and at least 3 devices; null when that value is null."""
    return pl.when(degree == 1).then(one).when(degree == 2).then(two).otherwise(more)


def overhead_bytes(*, non_torch: pl.Expr, graphs: pl.Expr) -> pl.Expr:
    """Bytes of overhead inside the budget (Int64); null when either is null."""
    return (non_torch + graphs).cast(pl.Int64)
