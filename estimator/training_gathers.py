"""Bytes of the parts of a divided model that each device puts together while it runs through them (Float64).

A layer whose weights are divided is gathered whole before it runs. Sources: DeepSpeed `runtime/zero/stage3.py`, whose
own estimate counts four bytes for each parameter of the largest module; PyTorch FSDP, which gathers the next unit
beside the present one and, in the backward pass, holds a unit's gradients until they are scattered. Explained in
docs/method.md, section "Training".
"""

from __future__ import annotations

import polars as pl

from estimator.bounds import larger

# Shardings that divide weights.
OF_ZERO3 = ("zero3", "zero3_offload")
DIVIDED = (*OF_ZERO3, "fsdp")
# FSDP: the unit that runs and the one that is fetched ahead.
UNITS = 2
# DeepSpeed: weights and gradients of the largest module in 16 bits.
ZERO3_BYTES = 4


def unit_parameters(*, layer: pl.Expr, vocabulary: pl.Expr, hidden: pl.Expr) -> pl.Expr:
    """Parameters of the largest part that is gathered at once: a layer, or the words. Null with its inputs."""
    return larger(layer.cast(pl.Float64), (vocabulary * hidden).cast(pl.Float64))


def gathered_bytes(*, sharding: pl.Expr, degree: pl.Expr, unit: pl.Expr, each: pl.Expr) -> pl.Expr:
    """Bytes of gathered weights, `each` bytes a parameter as they are gathered; 0 where a device has all of them."""
    return (
        pl.when((degree == 1) | ~sharding.is_in(list(DIVIDED)))
        .then(0.0)
        .when(sharding.is_in(list(OF_ZERO3)))
        .then(ZERO3_BYTES * unit)
        .when(sharding == "fsdp")
        .then(UNITS * unit * each)
    )


def scattered_bytes(*, sharding: pl.Expr, degree: pl.Expr, unit: pl.Expr, each: pl.Expr) -> pl.Expr:
    """Bytes of a unit's gradients before FSDP scatters them, `each` bytes a parameter that is trained; else 0."""
    is_scattered = (sharding == "fsdp") & (degree > 1)
    return pl.when(is_scattered).then(unit * each).when(~is_scattered).then(0.0)
