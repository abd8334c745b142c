"""How tensor parallelism of some degree divides a model: elements on the fullest device.

Sources: Megatron-LM (arXiv 1909.08053) column- and row-parallel linears; vLLM `model_executor/layers/linear.py`
(QKVParallelLinear replicates key and value heads once the degree exceeds them) and `vocab_parallel_embedding.py`
(vocabulary padded to a multiple of 64, then split). Explained in docs/method.md, section "Sharding".
"""

from __future__ import annotations

import polars as pl

from estimator.bounds import larger

# Engines that give each device some of the layers instead of a part of every layer.
STAGED_ENGINES = ("llamacpp",)

# vLLM `DEFAULT_VOCAB_PADDING_SIZE` in vocab_parallel_embedding.py
VOCABULARY_PADDING = 64


def is_valid_degree(*, mask: pl.Expr, degree: pl.Expr) -> pl.Expr:
    """Whether a model divides over `degree` devices. Degree 1 always does; null when the mask is null.

    `degree` is a power of two and therefore is itself the bit of the mask that answers for it.
    """
    return (degree == 1) | ((mask & degree.cast(pl.Int64)) != 0)


def may_stage(*, layers: pl.Expr, degree: pl.Expr) -> pl.Expr:
    """Whether `degree` devices can each have a layer. One device always can; null when the layers are not known."""
    is_alone = degree == 1
    # as long as the column of layers, whatever the degree is: a literal condition would answer with one row
    return pl.when(layers.is_null()).then(pl.when(is_alone).then(True)).otherwise(degree <= layers.clip(1))


def stage_share(*, layers: pl.Expr, degree: pl.Expr) -> pl.Expr:
    """Share of the layers on the device that has most of them: ceil(layers / degree) / layers. Null without layers."""
    most = (layers / degree).ceil()
    return pl.when(degree == 1).then(1.0).when(layers > 0).then(most / layers)


def staged_bytes(*, whole: pl.Expr, ends_share: pl.Expr, layers: pl.Expr, degree: pl.Expr) -> pl.Expr:
    """Of bytes of weights, those on the fullest device: its share of the layers, and all that is no layer.

    `ends_share` is the embeddings' and the head's share of the whole. Null when an input is null.
    """
    share = stage_share(layers=layers, degree=degree)
    return pl.when(degree == 1).then(whole).otherwise(whole * (ends_share + (1 - ends_share) * share))


def alignment_mask(
    *, alignment: pl.Expr, any_width: pl.Expr, width_32: pl.Expr, width_64: pl.Expr, width_128: pl.Expr
) -> pl.Expr:
    """The mask of degrees for a format whose blocks of `alignment` input columns must not be cut.

    Null when the alignment is null or its mask is; an alignment that nobody asked extraction about is null too.
    """
    return (
        pl.when(alignment == 1)
        .then(any_width)
        .when(alignment == 32)
        .then(width_32)
        .when(alignment == 64)
        .then(width_64)
        .when(alignment == 128)
        .then(width_128)
    )


def kv_part(*, elements: pl.Expr, kv_heads: pl.Expr, degree: pl.Expr) -> pl.Expr:
    """Of elements that belong to key and value heads, those on one device (Float64).

    elements * max(1, kv_heads // degree) / kv_heads: past the number of heads each device still keeps one.
    Degree 1 keeps all and needs no head count. Null when the elements are null, or the heads are where they matter.
    """
    heads = larger(kv_heads // degree.cast(pl.Int64), pl.lit(1, dtype=pl.Int64))
    return (
        pl.when((degree == 1) | (elements == 0)).then(elements.cast(pl.Float64)).otherwise(elements * heads / kv_heads)
    )


def sharded_linears(
    *, linears: pl.Expr, kv_projections: pl.Expr, replicated: pl.Expr, kv_heads: pl.Expr, degree: pl.Expr
) -> pl.Expr:
    """Elements of the dense linear layers on one device (Float64).

    `linears` counts all of them, `kv_projections` and `replicated` (latent down-projections) are parts of it.
    Null when any count is null.
    """
    kv = kv_part(elements=kv_projections, kv_heads=kv_heads, degree=degree)
    return (linears - kv_projections - replicated) / degree + kv + replicated


def sharded_rest(*, rest: pl.Expr, split: pl.Expr, degree: pl.Expr) -> pl.Expr:
    """Elements outside the linear layers on one device (Float64): `split` of them divide, the others are copied.

    Embedding, output head and biases divide; norms, router, positions, towers and small tensors are on every device.
    Towers may divide too in an engine; copying them is the upper end. Null when a count is null.
    """
    return (rest - split) + split / degree


def padded_vocabulary_elements(*, vocabulary: pl.Expr, hidden: pl.Expr, matrices: pl.Expr) -> pl.Expr:
    """Elements that vLLM adds by padding `matrices` embeddings of `vocabulary` rows (before they are split).

    Null when an input is null.
    """
    return (-vocabulary % VOCABULARY_PADDING) * hidden * matrices
