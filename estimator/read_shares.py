"""Which share of a model's bytes one step of decoding reads: shapes x formats.

An assembling module: it reads columns and calls the formulas of `weights`. What is looked up (embeddings), what
listens or sees (towers, encoders) and the experts that nobody visits rest. Shares are those of one device; split
models keep them but for what every device has a copy of.
"""

from __future__ import annotations

import polars as pl

from estimator import components, weights
from estimator.bounds import larger, smaller
from estimator.pairs import STORED, Frame


def read_shares(shapes: Frame, precisions: Frame) -> pl.LazyFrame:
    """Grain: shape x format x is_known. `is_known`: the bytes are those of files rather than of the formula. Columns
    dense_share and expert_share, each of all bytes of the weights.

    `dense_share` is read by every step, of `expert_share` what the tokens of a step visit. Null when a count or the
    format is unknown, and for models of which nothing is decoded. A repository may quantise its experts alone whatever
    the format does elsewhere (gpt-oss in MXFP4, Kimi-K2 in INT4): files whose size says so are read that way. Of what
    sees and hears llama.cpp makes a file of its own, so that a known GGUF file has none of it.
    """
    c = pl.col
    counts = _counts(shapes.lazy())
    numbers = ("bits_per_weight", "row_scale_bytes", "block_scale_bytes", "keep_bits", "whole_model_bits")
    formats = (
        precisions.lazy()
        .filter(c("precision") != STORED)
        .select("precision", "policy", *(c(name).cast(pl.Float64) for name in numbers), format_ix="precision_ix")
    )
    scales = components.scales_bytes()
    one_size = weights.uniform_bits(
        policy=c("policy"), bits=c("bits_per_weight"), whole_model_bits=c("whole_model_bits")
    )
    is_uniform = weights.is_uniform(policy=c("policy"), bits=c("bits_per_weight"), keep_bits=c("keep_bits"))

    def whole(policy: pl.Expr) -> pl.Expr:
        return weights.quantised_weights_bytes(
            policy=policy,
            linears=c("linears"),
            feed_forward=c("feed_forward"),
            experts=c("p_expert"),
            rest=c("rest"),
            scales_bytes=scales,
            bits=c("bits_per_weight"),
            keep_bits=c("keep_bits"),
        )

    def is_off(policy: str) -> pl.Expr:
        return (c("stored_bytes") - whole(pl.lit(policy))).abs()

    of_experts_alone = (
        c("is_known")
        & (c("precision") == c("stored_precision"))
        & (c("policy") == "linears")
        & (c("p_expert") > 0)
        & (is_off("experts_only") < is_off("linears"))
    ).fill_null(False)
    # scales lie beside the matrices that they belong to
    of_experts = pl.when(c("linears") + c("p_expert") > 0).then(c("p_expert") / (c("linears") + c("p_expert")))
    experts = c("p_expert") * c("bits_per_weight") / 8 + pl.when(scales == 0).then(0.0).otherwise(scales * of_experts)
    resting = c("unread") * c("keep_bits") / 8
    return (
        counts.join(formats, how="cross")
        .join(pl.LazyFrame({"is_known": [False, True]}), how="cross")
        .with_columns(_without_towers(c("is_known") & c("precision").str.starts_with("gguf_")))
        .with_columns(policy=pl.when(of_experts_alone).then(pl.lit("experts_only")).otherwise("policy"))
        .with_columns(
            whole=pl.when(is_uniform).then(c("parameters_resident") * one_size / 8).otherwise(whole(c("policy"))),
            experts=pl.when(is_uniform).then(c("p_expert") * one_size / 8).otherwise(experts),
            resting=pl.when(is_uniform).then(c("unread") * one_size / 8).otherwise(resting),
        )
        .select(
            "shape_ix",
            "format_ix",
            "is_known",
            dense_share=larger(c("whole") - c("experts") - c("resting"), pl.lit(0.0)) / c("whole"),
            expert_share=c("experts") / c("whole"),
        )
    )


def unread_elements() -> pl.Expr:
    """Parameters outside routed experts that a step does not read, from the columns of SHAPES."""
    c = pl.col
    routed = c("p_expert") + c("p_expert_bias")
    visited = pl.when(c("experts") == 0).then(0).otherwise(routed * c("experts_per_token") // c("experts"))
    unread = c("parameters_resident") - c("active_read_parameters") - (routed - visited)
    return smaller(larger(unread, pl.lit(0, dtype=pl.Int64)), c("parameters_resident"))


def towers() -> pl.Expr:
    """Elements of what sees and hears, from the columns of SHAPES; null when a count is."""
    c = pl.col
    return c("p_vision") + c("p_audio") + c("p_speech") + c("p_projector")


def head_elements() -> pl.Expr:
    """Elements of the matrix that makes logits, from the columns of SHAPES: the output head, or the embedding with it.

    An embedding that every step reads is a head as well; one that is only looked up is among what is not read. 0 for a
    class without a head; null when a count is null.
    """
    c = pl.col
    no_own = c("p_lm_head") == 0
    looked_up = c("p_embed") + c("p_pos_embed") + towers()
    return (
        pl.when(c("p_lm_head") > 0)
        .then("p_lm_head")
        .when(no_own & (unread_elements() < looked_up))
        .then("p_embed")
        .when(no_own & (unread_elements() >= looked_up))
        .then(0)
    )


def _counts(shapes: pl.LazyFrame) -> pl.LazyFrame:
    """Grain: shape. `unread`: parameters outside experts that a step does not read."""
    return shapes.select(
        "shape_ix",
        "parameters_resident",
        "p_expert",
        "quant_rows",
        "fp8_block_scales",
        "stored_bytes",
        "stored_precision",
        linears=components.dense_linears(),
        feed_forward=components.dense_feed_forward(),
        rest=components.outside_linears(),
        unread=unread_elements(),
        towers=towers(),
    )


def _without_towers(is_without: pl.Expr) -> list[pl.Expr]:
    """Columns of `_counts` less the towers, where files have none."""
    c = pl.col
    taken = pl.when(is_without).then(c("towers").fill_null(0)).otherwise(0)
    return [larger(c(name) - taken, pl.lit(0)).alias(name) for name in ("parameters_resident", "rest", "unread")]
