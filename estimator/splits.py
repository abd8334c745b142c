"""How several devices can share a model: the splits that are tried.

A number of devices is divided into groups that have a part of every layer (tensor parallelism), as large as the model's
widths allow, and those work on groups of layers one after another (pipeline parallelism); experts that no group can
divide are kept whole, some on each device (expert parallelism). Sources: vLLM `docs/serving/parallelism_scaling.md`,
`config/parallel.py`, `distributed/utils.py` (get_pp_indices). Explained in docs/method.md, section "Several devices".
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from estimator.bounds import smaller
from estimator.plan_schema import SPLIT_TABLE
from estimator.schema import DEGREES

Frame = pl.DataFrame | pl.LazyFrame

# Alignments of formats that extraction answers for; 0 stands for one that is not known.
ALIGNMENTS = (0, 1, 32, 64, 128)
# Engines that give each device some of the layers, whatever the widths are.
STAGED_ENGINES = ("llamacpp",)
# Engines that run a model on one device.
SINGLE_ENGINES = ("mlx",)
# Devices of a node that a group with parts of every layer stays within, where a workload has several nodes.
NODE_DEVICES = 8


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


def scheme(*, mode: pl.Expr, engine: pl.Expr, sharding_: pl.Expr, attention: pl.Expr, nodes: pl.Expr) -> pl.Expr:
    """What a workload does with several devices: one of SCHEMES. `sharding_`: ZeRO stage; `attention`: tensor, data.

    tensor: parts of every layer, in stages where the widths do not divide; nodes: the same in groups of at most
    NODE_DEVICES, for workloads of several `nodes` (null is one); layers: stages alone; data: attention for other
    sequences on every device and the experts between them; replicas: a ZeRO stage; alone: nothing divides.
    """
    return (
        pl.when(mode == "training")
        .then(pl.when(sharding_ == "none").then(pl.lit("alone")).otherwise(pl.lit("replicas")))
        .when(engine.is_in(list(STAGED_ENGINES)))
        .then(pl.lit("layers"))
        .when(engine.is_in(list(SINGLE_ENGINES)))
        .then(pl.lit("alone"))
        .when(attention.fill_null("tensor") == "data")
        .then(pl.lit("data"))
        .when(nodes.fill_null(1) > 1)
        .then(pl.lit("nodes"))
        .otherwise(pl.lit("tensor"))
    )


def of_workloads() -> pl.Expr:
    """`scheme` of the rows of a frame of workloads."""
    c = pl.col
    return scheme(
        mode=c("mode"),
        engine=c("engine"),
        sharding_=c("sharding"),
        attention=c("attention_parallelism"),
        nodes=c("max_nodes"),
    )


def max_devices(*, node: pl.Expr, nodes: pl.Expr, scheme: pl.Expr, most: pl.Expr) -> pl.Expr:
    """Devices that may share one model in a workload (Int64): of `nodes` nodes of `node` devices each, at most `most`.

    Null `nodes` is one, null `most` no limit. Groups of NODE_DEVICES have no place in smaller nodes, which a workload
    of scheme `nodes` then has one of. Null when it may use more than one device of an unknown number.
    """
    is_small = (scheme == "nodes") & (node < NODE_DEVICES)
    reached = pl.when(is_small).then(node).otherwise(node * nodes.fill_null(1))
    limited = pl.when(most.is_null()).then(reached).otherwise(smaller(reached, most))
    return pl.when(most == 1).then(1).otherwise(limited).cast(pl.Int64)
