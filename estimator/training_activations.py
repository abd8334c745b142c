"""Bytes that one device keeps for the backward pass of a training step, and at its loss (Float64).

What PyTorch saves for each token and layer of a gated dense decoder with RMSNorm, 16-bit compute and flash attention,
as counted by following the allocations of transformers 5.23: the published 34·h of GPT layers (arXiv 2205.05198) is not
a property of today's modules. Other layers have other constants: their activations are unknown, never these.

The peak of a step is one of three (`Requirements`): the loss, before there are gradients; the last layer of the
backward pass beside all gradients; the optimizer's step. A device holds its own micro-batch, so nothing here divides.
Measured: tests/flows/test_validation.py. Explained in docs/method.md, section "Training".
"""

from __future__ import annotations

import polars as pl

from estimator.bounds import larger

MATRICES = 7  # linear layers of a block, all of them adapted by LoRA
ADAPTED = ("lora", "dora", "qlora")


def attention_width(*, p_attn: pl.Expr, layers: pl.Expr, hidden: pl.Expr) -> pl.Expr:
    """Outputs of the query and of one of the key and value projections, heads and widths together: a·d + kv·d."""
    return p_attn / (2 * hidden * layers)


def query_key_norm_bytes(
    *, method: pl.Expr, norm: pl.Expr, layers: pl.Expr, hidden: pl.Expr, width: pl.Expr, heads: pl.Expr
) -> pl.Expr:
    """Bytes a token and layer that norms of queries and keys save; `heads` are those of both, `norm` all norm weights.

    A frozen norm saves less. 0 where the norms are two a layer and a final one; null where they are something else.
    """
    extra = norm - (2 * layers + 1) * hidden
    head_dim = width / heads
    each = pl.when(method.is_in(list(ADAPTED))).then(4.0 * width).otherwise(6.0 * width) + 4 * heads
    return pl.when(extra == 0).then(0.0).when(extra == 2 * layers * head_dim).then(each)


def layer_bytes(
    *,
    method: pl.Expr,
    recipe: pl.Expr,
    hidden: pl.Expr,
    width: pl.Expr,
    ffn: pl.Expr,
    heads: pl.Expr,
    kv_heads: pl.Expr,
    rank: pl.Expr,
) -> pl.Expr:
    """Bytes saved for one token in one layer, without norms of queries and keys; null for another method or recipe.

    Full: 16·h + 4·width + 8·f + 4·a + 8, and 10·h more under autocast, whose residual stream is fp32. Adapters on all
    linears over a frozen base: each keeps a 16-bit copy of its own input, 18·h + 2·a·d instead of 16·h, and 2·rank.
    """
    common = 4 * width + 8 * ffn + 4 * heads + 8
    outputs = width * heads / (heads + kv_heads)
    return (
        pl.when((method == "full") & (recipe == "autocast"))
        .then(26 * hidden + common)
        .when((method == "full") & recipe.is_in(["mixed", "pure"]))
        .then(16 * hidden + common)
        .when(method.is_in(list(ADAPTED)))
        .then(18 * hidden + common + 2 * outputs + 2 * MATRICES * rank)
    )


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
    layer: pl.Expr,
    layers: pl.Expr,
    between: pl.Expr,
    hidden: pl.Expr,
    vocabulary: pl.Expr,
    is_checkpointed: pl.Expr,
) -> pl.Expr:
    """At the loss: all layers, the final norm, logits with their copy and gradient.

    With checkpointing the inputs of all layers (`between` bytes a token), and the loss or the first layer recomputed.
    """
    loss = 8 * hidden + 12 * vocabulary
    checkpointed = between * layers + larger(loss.cast(pl.Float64), layer)
    return tokens * pl.when(is_checkpointed).then(checkpointed).otherwise(layer * layers + loss)


def is_known(
    *,
    kind: pl.Expr,
    experts: pl.Expr,
    p_ssm: pl.Expr,
    latent: pl.Expr,
    p_mlp: pl.Expr,
    layers: pl.Expr,
    hidden: pl.Expr,
    ffn: pl.Expr,
    p_embed: pl.Expr,
    vocabulary: pl.Expr,
) -> pl.Expr:
    """Whether a shape is a gated dense decoder with ordinary attention in every layer; null when a part is unknown.

    One with more embeddings than its vocabulary has (Gemma 3n) brings other streams into every layer.
    """
    is_gated = (p_mlp == 3 * hidden * ffn * layers) & (p_embed == vocabulary * hidden)
    return (kind == "decoder") & (experts == 0) & (p_ssm == 0) & (latent == 0) & is_gated
