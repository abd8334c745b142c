"""Bytes of weights, gradients and optimizer states of a training run, without activations (Float64).

Recipes in bytes per trained parameter:

* 16-bit weights: weight 2, gradient 2, fp32 master copy 4 and the optimizer's moments (ZeRO, arXiv 1910.02054,
  section 3.1: 16 with Adam);
* fp32: weight 4, gradient 4 and the moments;
* adapters (LoRA, arXiv 2106.09685; QLoRA, arXiv 2305.14314): kept in fp32 by PEFT's autocast, over a frozen base.

Explained in docs/method.md, section "Training".
"""

from __future__ import annotations

import polars as pl

# Bytes of optimizer moments per trained parameter. AdamW keeps two fp32 moments; its 8-bit form two bytes and one
# fp32 scale for each block of 256 in both (bitsandbytes `optim/optimizer.py`, functional block size 256).
MOMENT_BYTES = {"adamw": 8.0, "adamw_8bit": 2 + 2 * 4 / 256, "lion": 4.0, "sgd_momentum": 4.0, "sgd": 0.0}

HALF = ("bf16", "fp16")
FULL = ("fp32",)
FOUR_BIT = ("nf4", "nf4_dq", "fp4_bnb")

# Engines whose memory of a training step is known; `none` counts the step alone.
ENGINES = ("none", "transformers")

# ZeRO stages that divide states; `none` divides nothing.
ZERO_STAGES = {"zero1": 1, "zero2": 2, "zero3": 3}


def is_trainable(*, method: pl.Expr, precision: pl.Expr) -> pl.Expr:
    """Whether a method trains on weights of a precision; null when either is null or the method is not ours."""
    floating = precision.is_in([*HALF, *FULL])
    return (
        pl.when(method.is_in(["full", "lora"]))
        .then(floating)
        .when(method == "qlora")
        .then(precision.is_in(list(FOUR_BIT)))
    )


def weight_bytes_each(*, precision: pl.Expr) -> pl.Expr:
    """Bytes of one trained weight, and of its gradient; null for a precision that is not trained."""
    return pl.when(precision.is_in(list(HALF))).then(2.0).when(precision.is_in(list(FULL))).then(4.0)


def moment_bytes_each(*, optimizer: pl.Expr) -> pl.Expr:
    """Bytes of optimizer moments per trained parameter; null for an optimizer without a recipe."""
    return optimizer.replace_strict(MOMENT_BYTES, default=None, return_dtype=pl.Float64)


def master_bytes_each(*, precision: pl.Expr) -> pl.Expr:
    """Bytes of the fp32 master copy per trained parameter: 4 beside 16-bit weights, 0 when they are fp32."""
    return pl.when(precision.is_in(list(HALF))).then(4.0).when(precision.is_in(list(FULL))).then(0.0)


def adapter_parameters(*, rank: pl.Expr, io: pl.Expr) -> pl.Expr:
    """Parameters of low-rank adapters on layers whose inputs and outputs add up to `io`; null when either is null."""
    return rank * io


def zero_share(*, sharding: pl.Expr, divided_from: int, degree: pl.Expr) -> pl.Expr:
    """Share of a state that one device keeps under ZeRO of some stage: 1 / degree from stage `divided_from` on.

    Optimizer states divide from stage 1, gradients from 2, weights from 3 (arXiv 1910.02054, figure 1).
    No sharding keeps all of it; null for a sharding that is not ours.
    """
    stage = sharding.replace_strict({"none": 0, **ZERO_STAGES}, default=None, return_dtype=pl.Int64)
    return pl.when(stage >= divided_from).then(1.0 / degree).when(stage < divided_from).then(1.0)
