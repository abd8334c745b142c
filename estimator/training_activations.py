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

from estimator.bounds import larger, smaller

ADAPTED = ("lora", "dora", "qlora")
# Recipes of full training whose weights and arithmetic have 16 bits.
HALF_RECIPES = ("mixed", "pure", "deepspeed", "megatron")
# Bytes of a layer for each rank: outputs of the two first matrices, in 16 bits.
QV_RANK_BYTES = 2 * 2
# How logits become a loss: `plain` makes all of them at once, `fused` a chunk with the output head's matrix.
LOSSES = ("plain", "fused")
# Of a logit of a chunk, whose gradient takes its place: in fp32, and half of it in 16 bits (Liger-Kernel
# `ops/fused_linear_cross_entropy.py`).
CHUNK_LOGIT_BYTES = 4


def token_bytes(
    *,
    method: pl.Expr,
    recipe: pl.Expr,
    full: pl.Expr,
    autocast: pl.Expr,
    fp32: pl.Expr,
    adapted: pl.Expr,
) -> pl.Expr:
    """Bytes saved for one token in all layers, apart from what grows with the sequence; null for another recipe.

    `full` (in 16 bits), `autocast`, `fp32` and `adapted` (of `adapted_bytes`) in bytes a token.
    """
    return (
        pl.when((method == "full") & (recipe == "autocast"))
        .then(autocast)
        .when((method == "full") & (recipe == "fp32"))
        .then(fp32)
        .when((method == "full") & recipe.is_in(HALF_RECIPES))
        .then(full)
        .when(method.is_in(list(ADAPTED)))
        .then(adapted)
        .cast(pl.Float64)
    )


def adapted_bytes(
    *, targets: pl.Expr, adapters: pl.Expr, rank_bytes: pl.Expr, qv: pl.Expr, layers: pl.Expr, rank: pl.Expr
) -> pl.Expr:
    """Bytes saved for one token in all layers of a frozen base with adapters of `rank`.

    On all linear modules `adapters` and `rank_bytes` for each rank; on queries and values `qv` and, in each layer, 16
    bits for each rank of both. Null for targets that are not ours and where the layers were not counted so.
    """
    return (
        pl.when(targets == "all_linear")
        .then(adapters + rank_bytes * rank)
        .when(targets == "attention_qv")
        .then(qv + QV_RANK_BYTES * layers * rank)
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
    """Bytes of a token between two layers, all that checkpointing keeps: fp32 with weights in fp32, else 16 bits."""
    return pl.when((method == "full") & recipe.is_in(["autocast", "fp32"])).then(4 * hidden).otherwise(2 * hidden)


def norm_bytes(*, method: pl.Expr, recipe: pl.Expr, hidden: pl.Expr) -> pl.Expr:
    """Bytes of a token that the final norm keeps: its input in fp32, normed and scaled in 16 bits, or all in fp32."""
    return pl.when((method == "full") & (recipe == "fp32")).then(12 * hidden).otherwise(8 * hidden)


def logit_bytes(*, method: pl.Expr, recipe: pl.Expr, half: pl.Expr) -> pl.Expr:
    """Bytes of a logit at the loss with arithmetic in fp32, from those of 16 bits (`half`).

    12 are 12 in both: in fp32 the logits are their own copy, beside log-probabilities and their gradient. What 16 bits
    keep besides (Gemma 2's cap, 2 bytes) has twice as many.
    """
    return pl.when((method == "full") & (recipe == "fp32")).then(2 * half - 12).otherwise(half)


def cast_bytes(
    *, method: pl.Expr, recipe: pl.Expr, linears: pl.Expr, head: pl.Expr, is_checkpointed: pl.Expr
) -> pl.Expr:
    """Bytes of the 16-bit copies of weights that autocast keeps until the forward pass ends.

    Checkpointed layers cast again in the backward pass and leave only the output head's. 0 without autocast.
    """
    kept = pl.when(is_checkpointed).then(head).otherwise(linears + head)
    return pl.when((method == "full") & (recipe == "autocast")).then(2 * kept).otherwise(0)


def chunks(*, hidden: pl.Expr, vocabulary: pl.Expr) -> pl.Expr:
    """Into about how many chunks a fused loss cuts all tokens: ceil(V / h), for as many logits as hidden numbers."""
    return -(-vocabulary // hidden)


def chunk_tokens(*, tokens: pl.Expr, hidden: pl.Expr, vocabulary: pl.Expr) -> pl.Expr:
    """Tokens whose logits a fused loss has at once (Int64): Liger's chunk, of about as many logits as hidden numbers.

    The power of two from `tokens` / ceil(V / h) on, all of them at most (Liger-Kernel
    `ops/fused_linear_cross_entropy.py`). Null when an input is null or no width.
    """
    least = (-(-tokens // chunks(hidden=hidden, vocabulary=vocabulary))).cast(pl.Int64)
    power = pl.lit(2, dtype=pl.Int64).pow(64 - (least - 1).bitwise_leading_zeros())
    return pl.when(least > 0).then(smaller(power, tokens.cast(pl.Int64)))


def loss_token_bytes(
    *, loss: pl.Expr, vocabulary: pl.Expr, logit_bytes: pl.Expr, norm: pl.Expr, between: pl.Expr
) -> pl.Expr:
    """Bytes of a token from the final norm to the loss, without logits of a chunk; null for a loss that is not ours."""
    plain = norm + logit_bytes * vocabulary.cast(pl.Float64)
    return pl.when(loss == "fused").then(norm + between).when(loss == "plain").then(plain).cast(pl.Float64)


def loss_bytes(
    *,
    loss: pl.Expr,
    tokens: pl.Expr,
    hidden: pl.Expr,
    vocabulary: pl.Expr,
    logit_bytes: pl.Expr,
    norm: pl.Expr,
    between: pl.Expr,
    head_gradient: pl.Expr,
) -> pl.Expr:
    """Bytes of all tokens from the final norm (`norm` bytes a token) to the loss; null for a loss that is not ours.

    `plain`: all logits with their copy and gradient, `logit_bytes` each. `fused` (Liger's): logits of one chunk, the
    gradient of the hidden states (`between` bytes a token), and that of the head's matrix (`head_gradient` bytes, 0
    where it is frozen), which is made before the backward pass.
    """
    chunk = chunk_tokens(tokens=tokens, hidden=hidden, vocabulary=vocabulary)
    each = loss_token_bytes(loss=loss, vocabulary=vocabulary, logit_bytes=logit_bytes, norm=norm, between=between)
    of_all = tokens.cast(pl.Float64) * each
    fused = of_all + CHUNK_LOGIT_BYTES * vocabulary.cast(pl.Float64) * chunk + head_gradient
    return pl.when(loss == "fused").then(fused).when(loss == "plain").then(of_all)


def forward_peak_bytes(
    *,
    tokens: pl.Expr,
    saved: pl.Expr,
    layers: pl.Expr,
    between: pl.Expr,
    loss: pl.Expr,
    dequantised: pl.Expr,
    is_checkpointed: pl.Expr,
) -> pl.Expr:
    """At the loss: what all layers saved (`saved` bytes a token) and `loss`, that of `loss_bytes`, or before it the
    `dequantised` bytes of the matrix that the last layer works with.

    With checkpointing the inputs of all layers (`between` bytes a token), and the loss or the first layer recomputed.
    """
    many = tokens.cast(pl.Float64)
    checkpointed = many * between * layers + larger(loss, many * saved / layers + dequantised)
    return pl.when(is_checkpointed).then(checkpointed).otherwise(many * saved + larger(loss, dequantised))
