"""Speculative decoding with blocks of the model's own: what a step checks and what it yields.

A step runs the blocks for `speculative_tokens` further tokens of every sequence, one after the other, and the model
over those and the last one at once; of the predicted tokens those before the first wrong one stay. Sources: arXiv
2211.17192, section 3.1; DeepSeek-V3 (arXiv 2412.19437) for the blocks. Explained in docs/method.md, section "Speed".
"""

from __future__ import annotations

import polars as pl

from estimator.bounds import larger, product_or_absent

# Kinds that write, of which the decoders alone have such blocks.
PREDICTING_KINDS = ("decoder",)


def predicted_tokens(*, speculative_tokens: pl.Expr) -> pl.Expr:
    """Tokens that a workload predicts in a step: 0 for null, which is none."""
    return speculative_tokens.fill_null(0)


def predicts(*, kind: pl.Expr, parameters: pl.Expr, speculative_tokens: pl.Expr) -> pl.Expr:
    """Whether a model has the blocks that a workload asks for; true for one that asks for none.

    `parameters` are those of the blocks: 0 without, null (the answer too) where nobody counted them.
    """
    has_blocks = pl.when(kind.is_in(list(PREDICTING_KINDS))).then(parameters > 0).otherwise(pl.lit(False))
    return pl.when(speculative_tokens.is_null()).then(pl.lit(True)).otherwise(has_blocks)


def checked_tokens(*, sequences: pl.Expr, predicted: pl.Expr) -> pl.Expr:
    """Tokens that one step of all sequences runs the model over: the last one of each and those predicted for it."""
    return sequences * (predicted + 1)


def tokens_of_step(*, speculative_tokens: pl.Expr, acceptance: pl.Expr) -> pl.Expr:
    """Tokens that a step yields for each sequence on average (Float64), each predicted one right with `acceptance`.

    1 + p + ... + p^m = (1 - p^(m + 1)) / (1 - p), m + 1 where p is 1. 1.0 without predictions; null when the acceptance
    is unknown. `internal.tokens_of_step` in flows/sql/formulas.sql says the same.
    """
    series = (1 - acceptance.pow(speculative_tokens + 1)) / (1 - acceptance)
    every = pl.when(acceptance == 1).then(speculative_tokens + 1.0).otherwise(series)
    return pl.when(speculative_tokens.is_null()).then(1.0).otherwise(every)


def draft_flops(*, active: pl.Expr, head: pl.Expr, sequences: pl.Expr, predicted: pl.Expr) -> pl.Expr:
    """Operations of a step's predictions: two for each active parameter of a block and of the head, for each token.

    Attention of the blocks is left out. 0 without predictions, else null when a count is null.
    """
    return product_or_absent(predicted * sequences, 2.0 * (active + head))


def draft_read_bytes(*, dense: pl.Expr, head: pl.Expr, predicted: pl.Expr) -> pl.Expr:
    """Bytes that a step reads for its predictions, one after the other: a block's dense weights and the head.

    0 without predictions, else null when a size is null. Routed experts of the blocks are among those of the model.
    """
    return product_or_absent(predicted, dense + head)


def wide_margin_bytes(*, elements: pl.Expr, held: pl.Expr) -> pl.Expr:
    """Bytes by which blocks of `elements` are larger than the `held` ones where a repository leaves them in 16 bits."""
    return larger(2.0 * elements - held, pl.lit(0.0))
