"""How several devices share a model: the splits that are tried, and the one that a model takes.

A number of devices is divided into groups that have a part of every layer (tensor parallelism), as large as the model's
widths allow, and those work on groups of layers one after another (pipeline parallelism); experts that no group can
divide are kept whole, some on each device (expert parallelism). Sources: vLLM `docs/serving/parallelism_scaling.md`,
`config/parallel.py` and `distributed/utils.py` (get_pp_indices). Explained in docs/method.md, section "Sharding".
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from estimator import sharding
from estimator.schema import DEGREES, LAYOUTS, SPLIT_TABLE, UNSPLIT_KINDS

Frame = pl.DataFrame | pl.LazyFrame

# Alignments of formats that extraction answers for; 0 stands for one that is not known.
ALIGNMENTS = (0, 1, 32, 64, 128)
# Engines that give each device some of the layers, whatever the widths are.
STAGED_ENGINES = ("llamacpp",)
# Kinds whose layers are a plain stack that can be cut anywhere.
STACKED_KINDS = ("decoder",)


@dataclass(frozen=True)
class Split:
    """One way to use `degree` devices: tensor x stages x replicas."""

    degree: int
    tensor: int = 1
    stages: int = 1
    replicas: int = 1
    has_whole_experts: bool = False

    @property
    def parallelism(self) -> str:
        """As a person writes it: single, tp4, pp3, tp2+pp3, tp8+ep, dp8, dp8+ep."""
        parts = [
            *([f"tp{self.tensor}"] if self.tensor > 1 else []),
            *([f"pp{self.stages}"] if self.stages > 1 else []),
            *([f"dp{self.replicas}"] if self.replicas > 1 else []),
            *(["ep"] if self.has_whole_experts else []),
        ]
        return "+".join(parts) or "single"


def _every_split() -> tuple[Split, ...]:
    found = [Split(1)]
    for degree in DEGREES[1:]:
        for tensor in (n for n in range(degree, 0, -1) if degree % n == 0):
            found.append(Split(degree, tensor, degree // tensor))
            if tensor > 1:
                found.append(Split(degree, tensor, degree // tensor, has_whole_experts=True))
        found += [Split(degree, replicas=degree), Split(degree, replicas=degree, has_whole_experts=True)]
    return tuple(found)


# Within a degree the better earlier: more tensor parallelism, and experts divided before experts kept whole.
SPLITS = _every_split()


def splits() -> pl.DataFrame:
    """SPLIT_TABLE: one row for each of SPLITS."""
    rows = [
        (place, one.degree, one.tensor, one.stages, one.replicas, one.has_whole_experts, one.parallelism)
        for place, one in enumerate(SPLITS)
    ]
    return pl.DataFrame(rows, schema=SPLIT_TABLE, orient="row")


def scheme(*, mode: pl.Expr, engine: pl.Expr, sharding_: pl.Expr, attention: pl.Expr) -> pl.Expr:
    """What a workload does with several devices: one of SCHEMES. `sharding_`: ZeRO stage; `attention`: tensor, data.

    tensor: parts of every layer, in stages where the widths do not divide; layers: stages alone; data: attention for
    other sequences on every device and the experts between them; replicas: a ZeRO stage; alone: nothing divides.
    """
    return (
        pl.when(mode == "training")
        .then(pl.when(sharding_ == "none").then(pl.lit("alone")).otherwise(pl.lit("replicas")))
        .when(engine.is_in(list(STAGED_ENGINES)))
        .then(pl.lit("layers"))
        .when(attention.fill_null("tensor") == "data")
        .then(pl.lit("data"))
        .otherwise(pl.lit("tensor"))
    )


def layouts(shapes: Frame) -> pl.LazyFrame:
    """LAYOUTS: which split each shape takes at each number of devices, under every scheme."""
    return pl.concat([_tensor(shapes), *(_same_at_every_alignment(shapes, name) for name in _CHOICES)])


def _tensor(shapes: Frame) -> pl.LazyFrame:
    """The first split in the order of SPLITS that the model's widths allow; null where that cannot be told."""
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
        .sort("shape_ix", "alignment", "split_ix")
        .unique(["shape_ix", "alignment", "degree"], keep="first", maintain_order=True)
        .select(
            "shape_ix",
            "alignment",
            "degree",
            scheme=pl.lit("tensor"),
            split_ix=pl.when("is_possible").then("split_ix"),
        )
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


def of_workloads() -> pl.Expr:
    """`scheme` of the rows of a frame of workloads."""
    c = pl.col
    return scheme(mode=c("mode"), engine=c("engine"), sharding_=c("sharding"), attention=c("attention_parallelism"))
