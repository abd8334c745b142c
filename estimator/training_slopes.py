"""How a training step grows with its sequences: shapes x training workloads x splits.

An assembling module: one row of numbers from which the database has how long sequences and how large a micro-batch
would still have room. They are the terms of `training_activations.forward_peak_bytes` and of the backward pass, taken
apart by what they depend on. Explained in docs/method.md, section "Training".
"""

from __future__ import annotations

import polars as pl

from estimator import training_activations as saved
from estimator.bounds import product_or_absent
from estimator.plan_schema import TRAINING_SLOPES
from estimator.splits import Frame
from estimator.training_terms import KEYS, training_terms


def training_slopes(shapes: Frame, workloads: Frame) -> pl.LazyFrame:
    """TRAINING_SLOPES, sorted by its keys.

    `chunk_bytes` are those of a fused loss, whose chunk is a power of two of tokens, `chunk_ratio` tokens for each of
    it: 0 for a plain one, and where the chunk is all tokens. Null where a term is not known; what only sequences beyond
    a window need is 0 without one.
    """
    c = pl.col
    answers = c("answers")
    is_fused, is_checkpointed = c("loss") == "fused", c("is_checkpointed")
    in_a_layer = 1 / c("layers")
    chunks = saved.chunks(hidden=c("hidden_size"), vocabulary=c("vocab_size"))
    logits = saved.CHUNK_LOGIT_BYTES * c("vocab_size").cast(pl.Float64)
    of_forward = c("cast") + c("gathered")
    between = pl.when(is_checkpointed).then(c("between") * c("layers")).otherwise(0.0)
    at_loss = saved.loss_token_bytes(
        loss=c("loss"),
        vocabulary=c("vocab_size"),
        logit_bytes=c("logit"),
        norm=c("norm"),
        between=c("between"),
    )
    return (
        training_terms(shapes, workloads)
        .with_columns(
            chunk_logits=pl.when(is_fused).then(logits).when(c("loss") == "plain").then(0.0),
            chunks=chunks,
        )
        .select(
            *KEYS,
            keeps_gradients="keeps",
            saved_bytes=answers * c("saved"),
            saved_pair_bytes=answers * c("pair"),
            **{
                f"{name}_bytes": answers * product_or_absent(c("window_tokens").clip(0, 1), c(name))
                for name in ("masked", "masked_pair")
            },
            context_saved_bytes=answers
            * (
                c("saved")
                + saved.sequence_bytes(
                    context=c("context"),
                    window=c("window_tokens"),
                    pair=c("pair"),
                    masked=c("masked"),
                    masked_pair=c("masked_pair"),
                )
            ),
            loss_fixed_bytes=of_forward + pl.when(is_fused).then("head_gradient").otherwise(0.0),
            # all tokens are one chunk where words are no more than hidden numbers
            loss_token_bytes=answers
            * (between + at_loss + pl.when(c("chunks") > 1).then(0.0).when(c("chunks") == 1).then("chunk_logits")),
            loss_share=pl.when(is_checkpointed).then(0.0).otherwise(1.0),
            layer_fixed_bytes=of_forward + c("dequantised"),
            layer_token_bytes=answers * between,
            layer_share=pl.when(is_checkpointed).then(in_a_layer).otherwise(1.0),
            backward_fixed_bytes=c("gathered") + c("scattered") + c("bucket") + c("dequantised"),
            backward_share=in_a_layer,
            chunk_bytes=pl.when(c("chunks") > 1).then("chunk_logits").when(c("chunks") == 1).then(0.0),
            chunk_ratio=c("chunks") / answers,
        )
        .cast({name: type_ for name, type_ in TRAINING_SLOPES.items() if type_ == pl.Float64})
        .sort(KEYS)
        .match_to_schema(TRAINING_SLOPES)
    )
