"""Bytes that one device keeps for the backward pass of a training step, and at its loss (Float64).

What PyTorch saves for each token in the layers of a class is measured, not derived: the published 34·h of GPT layers
(arXiv 2205.05198) is not a property of today's modules. A shape carries the sums over its layers by recipe, null where
its layers were not measured (catalogs/architectures/activations.toml), and then its activations are unknown.

The peak of a step is one of three (`Requirements`): the loss, before there are gradients; the last layer of the
backward pass beside all gradients; the optimizer's step. A device holds its own micro-batch, so nothing here divides.
Measured: tests/golden/activations.csv, tests/flows/test_validation.py. Explained in docs/method.md, section "Training".
"""

from __future__ import annotations

import polars as pl

from estimator.bounds import larger

ADAPTED = ("lora", "dora", "qlora")
# Recipes of full training whose weights and arithmetic have 16 bits.
HALF_RECIPES = ("mixed", "pure", "deepspeed", "megatron")


def token_bytes(
    *,
    method: pl.Expr,
    recipe: pl.Expr,
    full: pl.Expr,
    autocast: pl.Expr,
    adapters: pl.Expr,
    rank_bytes: pl.Expr,
    rank: pl.Expr,
) -> pl.Expr:
    """Bytes saved for one token in all layers, apart from what grows with the sequence; null for another recipe.

    `full`, `autocast`, `adapters` in bytes a token; `rank_bytes` for each rank of the adapters.
    """
    return (
        pl.when((method == "full") & (recipe == "autocast"))
        .then(autocast)
        .when((method == "full") & recipe.is_in(HALF_RECIPES))
        .then(full)
        .when(method.is_in(list(ADAPTED)))
        .then(adapters + rank_bytes * rank)
        .cast(pl.Float64)
    )


def sequence_bytes(
    *, context: pl.Expr, window: pl.Expr, pair: pl.Expr, masked: pl.Expr, masked_pair: pl.Expr
) -> pl.Expr:
    """Bytes of one token in all layers that depend on the length of its sequence (`context`, in tokens).

    `pair` for each token of the sequence where attention keeps its scores; `masked` and `masked_pair` in layers whose
    window (0: none) the sequence fills: PyTorch's kernels take windows as masks, one a layer, and then keys and values
    for every head. Null when an input is null.
    """
    beyond = pl.when((window > 0) & (context >= window)).then(masked + masked_pair * context)
    return context * pair + beyond.when((window == 0) | (context < window)).then(0)


def input_bytes(*, method: pl.Expr, recipe: pl.Expr, hidden: pl.Expr) -> pl.Expr:
    """Bytes of a token between two layers, all that checkpointing keeps: fp32 under autocast, else 16 bits."""
    return pl.when((method == "full") & (recipe == "autocast")).then(4 * hidden).otherwise(2 * hidden)


def cast_bytes(
    *, method: pl.Expr, recipe: pl.Expr, linears: pl.Expr, head: pl.Expr, is_checkpointed: pl.Expr
) -> pl.Expr:
    """Bytes of the 16-bit copies of weights that autocast keeps until the forward pass ends.

    Checkpointed layers cast again in the backward pass and leave only the output head's. 0 without autocast.
    """
    kept = pl.when(is_checkpointed).then(head).otherwise(linears + head)
    return pl.when((method == "full") & (recipe == "autocast")).then(2 * kept).otherwise(0)


def forward_peak_bytes(
    *,
    tokens: pl.Expr,
    saved: pl.Expr,
    layers: pl.Expr,
    between: pl.Expr,
    hidden: pl.Expr,
    vocabulary: pl.Expr,
    logit_bytes: pl.Expr,
    is_checkpointed: pl.Expr,
) -> pl.Expr:
    """At the loss: what all layers saved (`saved` bytes a token), the final norm, logits with their copy and gradient.

    With checkpointing the inputs of all layers (`between` bytes a token), and the loss or the first layer recomputed.
    """
    loss = 8 * hidden + logit_bytes * vocabulary
    checkpointed = between * layers + larger(loss.cast(pl.Float64), saved / layers)
    return tokens * pl.when(is_checkpointed).then(checkpointed).otherwise(saved + loss)
