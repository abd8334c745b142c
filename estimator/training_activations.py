"""Bytes that one device keeps for the backward pass of a training step, and the peak of its loss (Float64).

What PyTorch saves for each token and layer of a gated dense decoder with RMSNorm, 16-bit compute and flash attention,
as counted by following the allocations of transformers 5.23: the published 34·h of GPT layers (arXiv 2205.05198) is not
a property of today's modules. Other layers have other constants: their activations are unknown, never these.

A device holds its own micro-batch, so nothing here divides. Explained in docs/method.md, section "Training".
"""

from __future__ import annotations

import polars as pl

MATRICES = 7  # linear layers of a block, all of them adapted by LoRA
ADAPTED = ("lora", "qlora")


def attention_width(*, p_attn: pl.Expr, layers: pl.Expr, hidden: pl.Expr) -> pl.Expr:
    """Outputs of the query and of one of the key and value projections, heads and widths together: a·d + kv·d."""
    return p_attn / (2 * hidden * layers)


def query_key_norm_bytes(*, norm: pl.Expr, layers: pl.Expr, hidden: pl.Expr, width: pl.Expr, heads: pl.Expr) -> pl.Expr:
    """Bytes a token and layer that norms of queries and keys save; `heads` are those of both, `norm` all norm weights.

    0 where the norms are two a layer and a final one; null where they are something else.
    """
    extra = norm - (2 * layers + 1) * hidden
    head_dim = width / heads
    return pl.when(extra == 0).then(0.0).when(extra == 2 * layers * head_dim).then(6.0 * width + 4 * heads)


def layer_bytes(
    *, method: pl.Expr, hidden: pl.Expr, width: pl.Expr, ffn: pl.Expr, heads: pl.Expr, rank: pl.Expr
) -> pl.Expr:
    """Bytes saved for one token in one layer, without norms of queries and keys; null for another method.

    Full: 16·h + 4·width + 8·f + 4·a + 8. Adapters on all linears over a frozen base: 12·h instead, and 2·rank a matrix.
    """
    common = 4 * width + 8 * ffn + 4 * heads + 8
    adapted = 12 * hidden + common + 2 * MATRICES * rank
    return pl.when(method == "full").then(16 * hidden + common).when(method.is_in(list(ADAPTED))).then(adapted)


def step_bytes(
    *,
    tokens: pl.Expr,
    layer: pl.Expr,
    layers: pl.Expr,
    hidden: pl.Expr,
    vocabulary: pl.Expr,
    is_checkpointed: pl.Expr,
) -> pl.Expr:
    """All layers, or with checkpointing their inputs and one layer; the final norm; logits, their copy and gradient."""
    kept = pl.when(is_checkpointed).then(2 * hidden * layers + layer).otherwise(layer * layers)
    return tokens * (kept + 8 * hidden + 12 * vocabulary)


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
