"""Which split each shape takes at each number of devices.

Explained in docs/method.md, section "Several devices".
"""

from __future__ import annotations

import polars as pl

from estimator import sharding
from estimator.plan_schema import LAYOUTS, UNSPLIT_KINDS
from estimator.splits import ALIGNMENTS, NODE_DEVICES, Frame, of_workloads, splits

# Kinds whose layers are a plain stack that can be cut anywhere.
STACKED_KINDS = ("decoder",)


def layouts(shapes: Frame) -> pl.LazyFrame:
    """LAYOUTS: which split each shape takes at each number of devices, under every scheme."""
    return pl.concat([_in_groups(shapes), *(_same_at_every_alignment(shapes, name) for name in _CHOICES)])


def _possible(shapes: Frame) -> pl.LazyFrame:
    """Splits with parts of every layer that a model's widths allow or may allow (`is_possible` is null)."""
    c = pl.col
    masks = [f"{kind}_ok_mask{suffix}" for kind in ("tp", "ep") for suffix in ("", "_32", "_64", "_128")]
    aligned = (
        shapes.lazy()
        .select("shape_ix", "kind", "layers", *masks)
        .join(pl.LazyFrame({"alignment": ALIGNMENTS}, schema={"alignment": pl.UInt8}), how="cross")
        .with_columns(
            **{
                f"{kind}_mask": sharding.alignment_mask(
                    alignment=c("alignment"),
                    any_width=c(f"{kind}_ok_mask"),
                    width_32=c(f"{kind}_ok_mask_32"),
                    width_64=c(f"{kind}_ok_mask_64"),
                    width_128=c(f"{kind}_ok_mask_128"),
                )
                for kind in ("tp", "ep")
            }
        )
        .drop(masks)
    )
    mask = pl.when("has_whole_experts").then("ep_mask").otherwise("tp_mask")
    is_cut = (c("stages") == 1) | (c("kind").is_in(list(STACKED_KINDS)) & (c("stages") <= c("layers")))
    # only one device is certain where nobody can say what divides
    is_possible = (
        pl.when(c("degree") == 1)
        .then(pl.lit(True))
        .when(c("kind").is_in(list(UNSPLIT_KINDS)))
        .then(pl.lit(False))
        .when(c("kind").is_not_null() & c("tp_mask").is_not_null())
        .then(sharding.is_valid_degree(mask=mask, degree=c("tensor")) & is_cut)
    )
    return (
        aligned.join(splits().lazy().filter(c("replicas") == 1), how="cross")
        .with_columns(is_possible=is_possible)
        .filter(c("is_possible").is_null() | c("is_possible"))
    )


def _in_groups(shapes: Frame) -> pl.LazyFrame:
    """The first of those splits in the order of SPLITS; null where that cannot be told. Both schemes in one pass."""
    c = pl.col
    # odd where nobody knows whether the split is possible
    place = c("split_ix").cast(pl.UInt16) * 2 + c("is_possible").is_null().cast(pl.UInt16)
    keys = ["shape_ix", "alignment", "degree"]
    return (
        _possible(shapes)
        .group_by(keys)
        .agg(tensor=place.min(), nodes=place.filter(c("tensor") <= NODE_DEVICES).min())
        .unpivot(on=["tensor", "nodes"], index=keys, variable_name="scheme", value_name="place")
        .filter(c("place").is_not_null())
        .select(*keys, "scheme", split_ix=pl.when(c("place") % 2 == 0).then(c("place") // 2).cast(pl.UInt8))
        .select(LAYOUTS.names())
        .match_to_schema(LAYOUTS)
    )


_ONE = pl.col("degree") == 1
_IS_FOR_SEQUENCES = (pl.col("replicas") == pl.col("degree")) & (_ONE | pl.col("has_whole_experts"))
_IS_FOR_EXAMPLES = (pl.col("replicas") == pl.col("degree")) & ~pl.col("has_whole_experts")
_IS_STAGED = (pl.col("stages") == pl.col("degree")) & ~pl.col("has_whole_experts")
# For each scheme that asks nothing of widths: the splits it has, and whether a model takes them.
_CHOICES = {
    "layers": (_IS_STAGED, sharding.may_stage(layers=pl.col("layers"), degree=pl.col("degree"))),
    "data": (_IS_FOR_SEQUENCES, _ONE | (pl.col("experts") > 0)),
    "replicas": (_IS_FOR_EXAMPLES, pl.col("degree") >= 1),
    "alone": (_ONE, _ONE),
}


def _same_at_every_alignment(shapes: Frame, name: str) -> pl.LazyFrame:
    c = pl.col
    wanted, is_taken = _CHOICES[name]
    is_split = ~c("kind").is_in(list(UNSPLIT_KINDS))
    is_possible = is_taken if name in ("replicas", "alone") else _ONE | (is_split & is_taken)
    return (
        shapes.lazy()
        .select("shape_ix", "kind", "layers", "experts")
        .join(splits().lazy().filter(wanted), how="cross")
        .with_columns(is_possible=is_possible)
        .filter(c("is_possible").is_null() | c("is_possible"))
        .join(pl.LazyFrame({"alignment": ALIGNMENTS}, schema={"alignment": pl.UInt8}), how="cross")
        .select(
            "shape_ix",
            "alignment",
            "degree",
            scheme=pl.lit(name),
            split_ix=pl.when("is_possible").then("split_ix"),
        )
        .select(LAYOUTS.names())
        .match_to_schema(LAYOUTS)
    )


def split_rows(shapes: Frame, workloads: Frame) -> pl.LazyFrame:
    """Grain: shape x workload x split that the shape takes for some format: shape_ix, workload_ix and SPLIT_TABLE."""
    c = pl.col
    taken = layouts(shapes).filter(c("split_ix").is_not_null()).select("shape_ix", "scheme", "split_ix").unique()
    return (
        workloads.lazy()
        .select("workload_ix", scheme=of_workloads())
        .join(taken, on="scheme")
        .join(splits().lazy(), on="split_ix")
    )
