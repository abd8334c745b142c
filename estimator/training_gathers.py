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
OF_ZERO3 = ("zero3", "zero3_offload", "zero3_param_offload")
DIVIDED = (*OF_ZERO3, "fsdp")
# Shardings whose weights are on the host: even one device gathers them.
FROM_HOST = ("zero3_param_offload",)
# Shardings that gather gradients into buckets before they are reduced.
BUCKETED = ("zero1", "zero2", "zero2_offload")
# FSDP: the unit that runs and the one that is fetched ahead.
UNITS = 2
# DeepSpeed: weights and gradients of the largest module in 16 bits.
ZERO3_BYTES = 4
# DeepSpeed: elements of the buffer that gradients are reduced from (`reduce_bucket_size` of `runtime/zero/config.py`),
# made whole as a backward pass begins (`runtime/zero/stage_1_and_2.py`). `allgather_bucket_size` limits weights that
# are gathered where they stay: no bytes of their own.
BUCKET_ELEMENTS = 500_000_000
# Copies of weights that are quantised in 4 bits, in 16 bits as a product needs them (bitsandbytes
# `autograd/_functions.py`).
DEQUANTISED_BYTES = 2


def unit_parameters(*, layer: pl.Expr, vocabulary: pl.Expr, hidden: pl.Expr) -> pl.Expr:
    """Parameters of the largest part that is gathered at once: a layer, or the words. Null with its inputs."""
    return larger(layer.cast(pl.Float64), (vocabulary * hidden).cast(pl.Float64))


def gathered_bytes(*, sharding: pl.Expr, degree: pl.Expr, unit: pl.Expr, each: pl.Expr) -> pl.Expr:
    """Bytes of gathered weights, `each` bytes a parameter as they are gathered; 0 where a device has all of them."""
    is_whole = (degree == 1) & ~sharding.is_in(list(FROM_HOST))
    return (
        pl.when(is_whole | ~sharding.is_in(list(DIVIDED)))
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


def bucket_bytes(*, sharding: pl.Expr, degree: pl.Expr, recipe: pl.Expr, each: pl.Expr) -> pl.Expr:
    """Bytes of the buffer that ZeRO 1 and 2 reduce gradients from in a backward pass, `each` bytes an element; else 0.

    Null when an input is null. Megatron's gradients are reduced where they are.
    """
    has_bucket = sharding.is_in(list(BUCKETED)) & (degree > 1) & (recipe != "megatron")
    return pl.when(has_bucket).then(BUCKET_ELEMENTS * each).when(~has_bucket).then(0.0)


def dequantised_bytes(*, method: pl.Expr, ffn: pl.Expr, expert_ffn: pl.Expr, hidden: pl.Expr) -> pl.Expr:
    """Bytes of the largest matrix of a layer as QLoRA computes with it, in 16 bits; 0 for other methods.

    Widths in elements: the widest feed-forward, routed or not. Null when one of them is null.
    """
    largest = larger(ffn, expert_ffn) * hidden
    return pl.when(method == "qlora").then(DEQUANTISED_BYTES * largest.cast(pl.Float64)).otherwise(0.0)
