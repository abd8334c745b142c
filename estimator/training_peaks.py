"""Peaks of a training step beside what stays resident: shapes x training workloads x splits.

An assembling module: it reads the terms of `training_terms` and calls the formulas of `training_activations`.
"""

from __future__ import annotations

import polars as pl

from estimator import training_activations as saved
from estimator.bounds import larger, whole_bytes
from estimator.splits import Frame
from estimator.training_terms import KEYS, grown_bytes, training_terms


def training_peaks(shapes: Frame, workloads: Frame) -> pl.LazyFrame:
    """Bytes (Int64) of each device: `forward` before there are gradients, `backward` beside all of them.

    Grain: shape x training workload x split. Null where a width or the layers of the shape are not known.
    """
    return with_peaks(training_terms(shapes, workloads)).select(*KEYS, "forward", "backward")


def with_peaks(terms: pl.LazyFrame) -> pl.LazyFrame:
    """`terms` of `training_terms` with both peaks for sequences of `context` tokens. Null when a term is null."""
    c = pl.col
    return (
        terms.with_columns(
            tokens=c("context") * (c("concurrent_sequences") * c("answers")),
            kept=c("saved") + grown_bytes(c("context")),
        )
        .with_columns(
            loss_bytes=saved.loss_bytes(
                loss=c("loss"),
                tokens=c("tokens"),
                hidden=c("hidden_size"),
                vocabulary=c("vocab_size"),
                logit_bytes=c("logit"),
                norm=c("norm"),
                between=c("between"),
                head_gradient=c("head_gradient"),
            )
        )
        .with_columns(
            forward=saved.forward_peak_bytes(
                tokens=c("tokens"),
                saved=c("kept"),
                layers=c("layers"),
                between=c("between"),
                loss=c("loss_bytes"),
                dequantised=c("dequantised"),
                is_checkpointed=c("is_checkpointed"),
            )
            + c("cast")
            + c("gathered"),
            backward=c("kept") / c("layers") * c("tokens")
            + c("gathered")
            + c("scattered")
            + c("bucket")
            + c("dequantised"),
        )
        .with_columns(
            forward=whole_bytes(c("forward")),
            backward=whole_bytes(pl.when("keeps").then(larger(c("forward"), c("backward"))).otherwise("backward")),
        )
    )
