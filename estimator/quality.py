"""What a format of weights loses: published perplexities where there are any, else what declared rules make of them.

Explained in docs/method.md, section "Which precision, which model".
"""

from __future__ import annotations

import polars as pl

from estimator.pairs import Frame

# Other figures (scores, divergences) are shown and not ranked by: they are no multiples of a perplexity.
TO_SIXTEEN_BITS = "^perplexity ratio to (16 bit|bf16)"
TO_ANOTHER = "^perplexity ratio"
# Fewer bits than any figure of a family: how many fewer its lowest figure still speaks for. Our choice.
NEAR_BITS = 1.5


def compared_bits(*, policy: pl.Expr, bits_per_weight: pl.Expr, whole_model_bits: pl.Expr) -> pl.Expr:
    """Bits a weight by which formats compare: of a mixture the whole model's average, else of what is quantised."""
    return pl.when(policy == "all").then(whole_model_bits.fill_null(bits_per_weight)).otherwise(bits_per_weight)


def loss(*, ratio: pl.Expr, reference_loss: pl.Expr) -> pl.Expr:
    """Increase of perplexity over 16 bits, a fraction, of a ratio to a format that itself loses. Null if one is."""
    return (1 + reference_loss) * ratio - 1


def loss_between(*, bits: pl.Expr, below: pl.Expr, above: pl.Expr, loss_below: pl.Expr, loss_above: pl.Expr) -> pl.Expr:
    """Loss at `bits` on the line between figures at `below` and `above`; where those are one, the lower loss.

    Losses rise faster the fewer the bits, so the line lies above what would be measured. Null if one is.
    """
    share = (bits - below) / (above - below)
    return pl.when(above == below).then(loss_below).otherwise(loss_below + share * (loss_above - loss_below))


def qualities(precisions: Frame) -> pl.LazyFrame:
    """Grain: format, sorted by precision_ix. Its compared bits, its loss and the basis of that; null is unknown.

    A format without a figure loses what lies between the next figures of its family by bits (`interpolated`); with more
    bits than any of these, at most what those with fewer bits do, and at most the worst figure of any family with as
    many bits (`bounded`), as does a family without figures; with fewer bits than any, at least what the next does
    (`nearest`), if that is at most NEAR_BITS away.
    """
    c = pl.col
    formats = _measured(precisions)
    figures = formats.filter(c("loss").is_not_null()).select("family", figure_bits="bits", figure="loss")
    pairs = formats.filter(c("loss").is_null()).select("precision_ix", "family", "bits").join(figures, on="family")
    next_below, next_above = c("figure_bits") == c("figure_bits").max(), c("figure_bits") == c("figure_bits").min()
    below = (
        pairs.filter(c("figure_bits") <= c("bits"))
        .group_by("precision_ix")
        .agg(below=c("figure_bits").max(), loss_below=c("figure").filter(next_below).min(), least=c("figure").min())
    )
    above = (
        pairs.filter(c("figure_bits") >= c("bits"))
        .group_by("precision_ix")
        .agg(above=c("figure_bits").min(), loss_above=c("figure").filter(next_above).max())
    )
    numbers = {name: c(name) for name in ("bits", "below", "above", "loss_below", "loss_above")}
    ruled = (
        pl.when(c("below").is_not_null() & c("above").is_not_null())
        .then(pl.struct(loss=loss_between(**numbers), basis=pl.lit("interpolated")))
        .when(c("above") - c("bits") <= NEAR_BITS)
        .then(pl.struct(loss=c("loss_above"), basis=pl.lit("nearest")))
        .otherwise(pl.struct(loss=pl.min_horizontal("least", "bound"), basis=pl.lit("bounded")))
    )
    found = pl.when(c("loss").is_not_null()).then(pl.struct("loss", "basis")).otherwise(ruled).struct
    return (
        formats.join(below, on="precision_ix", how="left")
        .join(above, on="precision_ix", how="left")
        .with_columns(quality_loss=found.field("loss"), quality_basis=found.field("basis"))
        .select(
            "precision_ix",
            quality_bits="bits",
            quality_loss=c("quality_loss").round(6),
            quality_basis=pl.when(c("policy") == "stored")
            .then(pl.lit("stored"))
            .when(c("quality_loss").is_null())
            .then(pl.lit("unknown"))
            .otherwise("quality_basis"),
        )
        .sort("precision_ix")
    )


def _measured(precisions: Frame) -> pl.LazyFrame:
    """Formats with `loss` and `basis` where a figure says so, and with `bound`: the worst to 16 bits with as many bits.

    A format that others are measured against and that has no figure to 16 bits loses what bounds it.
    """
    c = pl.col
    to, metric = c("quality_reference"), c("quality_metric")
    is_ranked = metric.str.contains(TO_SIXTEEN_BITS) | (to.is_not_null() & metric.str.contains(TO_ANOTHER))
    numbers = {name: c(name) for name in ("policy", "bits_per_weight", "whole_model_bits")}
    formats = precisions.lazy().select(
        *("precision_ix", "precision", "family", "policy", "quality_reference"),
        bits=compared_bits(**numbers),
        ratio=pl.when(is_ranked).then("quality_value"),
    )
    is_wide = (c("family") == "float") & (c("bits") >= 16) & c("ratio").is_null()
    direct = formats.with_columns(
        own=pl.when(is_wide).then(0.0).when(to.is_null()).then(loss(ratio=c("ratio"), reference_loss=pl.lit(0.0))),
        own_basis=pl.when(is_wide).then(pl.lit("sixteen_bits")).otherwise(pl.lit("published")),
    )
    figures = direct.filter(c("own").is_not_null()).select(figure_bits="bits", figure="own")
    bounds = (
        direct.join_where(figures, c("figure_bits") >= c("bits")).group_by("precision_ix").agg(bound=c("figure").max())
    )
    bounded = direct.join(bounds, on="precision_ix", how="left")
    references = bounded.select(quality_reference="precision", reference_loss=pl.coalesce("own", "bound"))
    is_own = to == c("precision")
    return (
        bounded.join(references, on="quality_reference", how="left")
        .with_columns(to_another=loss(ratio=c("ratio"), reference_loss=c("reference_loss")))
        .with_columns(
            loss=pl.coalesce("own", pl.when(is_own).then("bound").otherwise("to_another")),
            basis=pl.when(c("own").is_not_null())
            .then("own_basis")
            .when(is_own)
            .then(pl.lit("bounded"))
            .otherwise(pl.lit("published_to_another")),
        )
    )
