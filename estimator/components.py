"""Columns of SHAPES added up by how formats and splits treat them."""

from __future__ import annotations

import polars as pl

from estimator import weights


def dense_linears() -> pl.Expr:
    """Elements of the linear layers that every token passes through; null when one of their counts is."""
    c = pl.col
    return c("p_attn") + c("p_mlp") + c("p_shared") + c("p_ssm")


def dense_feed_forward() -> pl.Expr:
    """Elements of the feed-forward that every token passes through, beside routed experts; null when a count is."""
    return pl.col("p_mlp") + pl.col("p_shared")


def outside_linears() -> pl.Expr:
    """Elements of everything that is neither a dense linear layer nor a routed expert; null when a count is."""
    return pl.col("parameters_resident") - dense_linears() - pl.col("p_expert")


def scales_bytes() -> pl.Expr:
    """Bytes of a format's scales apart from its bits, from columns of shape and format; null when one needed is."""
    c = pl.col
    of_rows = weights.scale_bytes(scales=c("quant_rows"), bytes_each=c("row_scale_bytes"))
    return of_rows + weights.scale_bytes(scales=c("fp8_block_scales"), bytes_each=c("block_scale_bytes"))
