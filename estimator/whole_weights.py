"""All of a model's own weights at each precision: shapes x precisions, before anything divides them.

An assembling module: it reads columns and calls the formulas of `weights`.
"""

from __future__ import annotations

import polars as pl

from estimator import bands, components, weights
from estimator.pairs import pairs
from estimator.read_shares import read_shares


def whole_weights(shapes: pl.LazyFrame, overrides: pl.LazyFrame, precisions: pl.LazyFrame) -> pl.LazyFrame:
    """Grain: shape x precision. `whole`: bytes of the weights, null where a count or the format is unknown.

    Bytes that are known (`is_known`: an override, the repository itself) win over the formula. `scales` in bytes,
    `one_size` in bits where all parameters take the same (`is_uniform`); `end_bytes` of an element outside the layers,
    `padding_bytes` of an element of a padded vocabulary, `dense_bytes` and `routed_bytes` of the average element
    outside and inside routed experts; shares as `read_shares` has them.
    """
    c = pl.col
    numbers = ("bits_per_weight", "row_scale_bytes", "block_scale_bytes", "keep_bits", "whole_model_bits")
    formats = precisions.select(
        "precision_ix",
        "policy",
        *(c(name).cast(pl.Float64) for name in numbers),
        format_confidence="confidence",
    ).with_columns(
        is_uniform=weights.is_uniform(policy=c("policy"), bits=c("bits_per_weight"), keep_bits=c("keep_bits")),
        one_size=weights.uniform_bits(
            policy=c("policy"), bits=c("bits_per_weight"), whole_model_bits=c("whole_model_bits")
        ),
    )
    # `stored` has the ends of the format that it stands for
    of_ends = formats.select(format_ix="precision_ix", ends_bits="keep_bits", are_ends_alike="is_uniform")
    known = pl.coalesce("override_bytes", pl.when(c("policy") == "stored").then("stored_bytes"))
    return (
        pairs(shapes, precisions)
        .select(
            *("shape_ix", "precision_ix", "precision", "effective", "effective_bits", "alignment"),
            format_ix="effective_ix",
        )
        .join(formats, on="precision_ix", how="left")
        .join(of_ends, on="format_ix", how="left")
        .join(_counts(shapes), on="shape_ix")
        .join(
            overrides.select("shape_id", "precision", override_bytes="weights_bytes", override_basis="weights_basis"),
            on=["shape_id", "precision"],
            how="left",
        )
        .with_columns(scales=components.scales_bytes(), is_known=known.is_not_null())
        .join(read_shares(shapes, precisions), on=["shape_ix", "format_ix", "is_known"], how="left")
        .with_columns(
            whole=pl.coalesce(
                known,
                pl.when("is_uniform")
                .then(weights.uniform_weights_bytes(parameters=c("parameters_resident"), bits=c("one_size")))
                .otherwise(
                    weights.quantised_weights_bytes(
                        policy=c("policy"),
                        linears=c("dense_whole"),
                        feed_forward=c("feed_forward_whole"),
                        experts=c("p_expert"),
                        rest=c("rest_whole"),
                        scales_bytes=c("scales"),
                        bits=c("bits_per_weight"),
                        keep_bits=c("keep_bits"),
                    )
                ),
            ),
            format_confidence=bands.mixture_word(
                confidence=c("format_confidence"),
                is_ruled=c("override_bytes").is_not_null(),
                bits=c("bits_per_weight"),
                average_bits=c("whole_model_bits"),
                layers=c("layers"),
            ),
            weights_basis=pl.when(c("override_bytes").is_not_null())
            .then("override_basis")
            .when(c("policy") == "stored")
            .then(pl.lit("stored"))
            .otherwise(pl.lit("computed")),
            # padded rows take the bits of the embedding: the format's where it quantises everything
            # (repositories keep embeddings in 16 bit; at most 63 rows are at stake)
            padding_bytes=pl.when(c("policy") == "all")
            .then("one_size")
            .when(c("policy") == "stored")
            .then(16.0)
            .otherwise("keep_bits")
            / 8,
        )
        .select(
            *("shape_ix", "precision_ix", "alignment", "effective", "format_ix", "format_confidence", "weights_basis"),
            *("policy", "bits_per_weight", "keep_bits", "is_uniform", "one_size", "scales", "whole", "is_known"),
            *("dense_share", "expert_share", "padding_bytes", "effective_bits"),
            # blocks that predict take what the model's other elements take
            dense_bytes=c("whole") * (1 - c("expert_share")) / (c("dense_whole") + c("rest_whole")),
            routed_bytes=pl.when(c("p_expert") > 0).then(c("whole") * c("expert_share") / c("p_expert")),
            end_bytes=pl.when("are_ends_alike")
            .then(c("whole") / c("parameters_resident"))
            .otherwise(c("ends_bits") / 8),
        )
    )


def _counts(shapes: pl.LazyFrame) -> pl.LazyFrame:
    """Grain: shape. Elements by how formats treat them."""
    return shapes.select(
        *("shape_ix", "shape_id", "stored_bytes", "quant_rows", "fp8_block_scales"),
        *("parameters_resident", "p_expert", "layers"),
        dense_whole=components.dense_linears(),
        feed_forward_whole=components.dense_feed_forward(),
        rest_whole=components.outside_linears(),
    )
