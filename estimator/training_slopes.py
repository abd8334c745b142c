"""How a training step grows with its sequences: shapes x training workloads x splits.

An assembling module: one row of numbers from which the database has how long sequences and how large a micro-batch
would still have room. They are the terms of `training_activations.forward_peak_bytes` and of the backward pass, taken
apart by what they depend on. Explained in docs/method.md, section "Training".
"""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

from estimator import training_activations as saved
from estimator.bounds import product_or_absent
from estimator.plan_schema import TRAINING_SLOPES
from estimator.splits import Frame
from estimator.training_peaks import with_peaks
from estimator.training_terms import KEYS, grown_bytes, training_terms


def training_slopes(shapes: Frame, workloads: Frame) -> pl.LazyFrame:
    """TRAINING_SLOPES, sorted by its keys. Null where a term is not known.

    A fused loss has logits of a chunk, a power of two of tokens: of all of them, and so of none besides, where words
    are no more than hidden numbers.
    """
    c = pl.col
    # the peaks at the window, beyond which sequences may be where these have room
    terms = training_terms(shapes, workloads).with_columns(asked="context", context="window_tokens")
    return (
        with_peaks(terms)
        .with_columns(
            many=c("concurrent_sequences") * c("answers"),
            has_window=(c("window_tokens") > 0).cast(pl.Int8),
            chunks=saved.chunks(hidden=c("hidden_size"), vocabulary=c("vocab_size")),
            is_fused=c("loss") == "fused",
            in_context=grown_bytes(c("asked")),
            inputs=pl.when("is_checkpointed").then(c("between") * c("layers")).otherwise(0.0),
            at_loss=saved.loss_token_bytes(
                loss=c("loss"),
                vocabulary=c("vocab_size"),
                logit_bytes=c("logit"),
                norm=c("norm"),
                between=c("between"),
            ),
        )
        .with_columns(
            filled=c("saved") + product_or_absent(c("has_window"), c("masked")),
            filled_pair=c("pair") + product_or_absent(c("has_window"), c("masked_pair")),
            in_context=c("saved") + c("in_context"),
            logits=pl.when("is_fused")
            .then(saved.CHUNK_LOGIT_BYTES * c("vocab_size").cast(pl.Float64))
            .when(~c("is_fused"))
            .then(0.0),
            is_whole=c("chunks") == 1,
        )
        .select(
            *KEYS,
            keeps_gradients="keeps",
            loss_fixed_bytes=c("cast") + c("gathered") + pl.when("is_fused").then("head_gradient").otherwise(0.0),
            **_of_peak(
                "loss",
                token=c("inputs") + c("at_loss") + pl.when("is_whole").then("logits").when(~c("is_whole")).then(0.0),
                kept=lambda bytes_: pl.when("is_checkpointed").then(0.0).otherwise(bytes_),
            ),
            layer_fixed_bytes=c("cast") + c("gathered") + c("dequantised"),
            **_of_peak(
                "layer",
                token=c("inputs"),
                kept=lambda bytes_: pl.when("is_checkpointed").then(bytes_ / c("layers")).otherwise(bytes_),
            ),
            backward_fixed_bytes=c("gathered") + c("scattered") + c("bucket") + c("dequantised"),
            **_of_peak("backward", token=pl.lit(0.0), kept=lambda bytes_: bytes_ / c("layers")),
            **{
                f"window_{pass_}_bytes": product_or_absent(c("has_window"), c(pass_))
                for pass_ in ("forward", "backward")
            },
            chunk_bytes=pl.when("is_whole").then(0.0).when(~c("is_whole")).then("logits"),
            chunk_context=c("chunks") / c("many"),
            chunk_examples=c("chunks") / (c("answers") * c("asked")),
        )
        .cast({name: type_ for name, type_ in TRAINING_SLOPES.items() if type_ == pl.Float64})
        .sort(KEYS)
        .match_to_schema(TRAINING_SLOPES)
    )


def _of_peak(peak: str, *, token: pl.Expr, kept: Callable[[pl.Expr], pl.Expr]) -> dict[str, pl.Expr]:
    """What a peak takes beside its fixed bytes: `token` bytes of a token, and what is there of all that layers save."""
    c = pl.col
    return {
        f"{peak}_token_bytes": c("many") * (token + kept(c("saved"))),
        f"{peak}_pair_bytes": c("many") * kept(c("pair").cast(pl.Float64)),
        f"{peak}_filled_token_bytes": c("many") * (token + kept(c("filled"))),
        f"{peak}_filled_pair_bytes": c("many") * kept(c("filled_pair").cast(pl.Float64)),
        f"{peak}_example_bytes": c("answers") * c("asked") * (token + kept(c("in_context"))),
    }
