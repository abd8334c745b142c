"""Every shape at every precision and workload against every device: the widest join of the house, kept thin.

An assembling module. `requirements` puts side by side what a device must hold; here each workload crosses its devices
with its requirements and decides with one chain of comparisons (`verdict`). Devices of different memory tiers meet
different requirements, so they come in runs. Within a run a device's bytes matter only by their place among those of
the run: a need has the place of the first capacity that holds it, and the join carries places (mostly one byte) for
bytes (eight).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from estimator import verdict as decide
from estimator.device_classes import support_classes
from estimator.pairs import Frame
from estimator.requirements import Requirements
from estimator.schema import DEGREES, FIT, MEMORY_TIERS


def fit(
    *,
    shapes: Frame,
    precisions: Frame,
    workloads: Frame,
    gpus: Frame,
    residencies: Frame,
    weight_plans: Frame,
    cache_plans: Frame,
    overhead_plans: Frame,
    supports: Frame,
    capacities: Frame,
) -> pl.LazyFrame:
    """FIT: shapes x precisions x workloads x gpus, one row each, sorted by workload, gpu, shape and precision.

    The catalogs and the plans are read now, the cross join runs when the caller sinks the answer. Fastest with
    `gpus` numbered so that devices of one memory tier are neighbours; right with any numbering.
    """
    requirements = Requirements(
        shapes=shapes,
        precisions=precisions,
        workloads=workloads,
        residencies=residencies,
        weight_plans=weight_plans,
        cache_plans=cache_plans,
        overhead_plans=overhead_plans,
    )
    kernels, usable = supports.lazy().collect(), capacities.lazy().collect()
    devices = gpus.lazy().select("gpu_ix", "memory_tier", "max_gpus_per_node").sort("gpu_ix").collect()
    engines = workloads.lazy().select("workload_ix", "engine").sort("workload_ix").collect()
    runs: list[_Run] = []
    for workload_ix, engine in engines.iter_rows():
        classes, masks = support_classes(kernels.filter(pl.col("workload_ix") == workload_ix))
        rows = (
            devices.join(classes, on="gpu_ix", how="left", maintain_order="left")
            .join(usable.filter(pl.col("workload_ix") == workload_ix), on="gpu_ix", how="left", maintain_order="left")
            .with_columns(
                **decide.node(
                    usable=pl.col("usable_bytes"),
                    assured=pl.col("assured_bytes"),
                    max_gpus=pl.col("max_gpus_per_node"),
                )
            )
        )
        blocks = {
            block: requirements.of(workload_ix=workload_ix, masks=masks.filter(pl.col("block") == block))
            for block in masks["block"].unique()
        }
        runs += [
            _Run(workload_ix, neighbours, blocks[block].on(tier_ix), blocks[block].is_decided)
            for tier_ix, block, neighbours in _neighbours(rows, is_tiered=engine != "none")
        ]
    placed = pl.collect_all([run.placed_pairs() for run in runs], engine="in-memory")
    decided = [run.decided(pairs) for run, pairs in zip(runs, placed, strict=True)]
    return pl.concat([pl.LazyFrame(schema=FIT), *decided])


def _neighbours(devices: pl.DataFrame, *, is_tiered: bool) -> Iterator[tuple[int, int, pl.DataFrame]]:
    """Devices in order, cut where the memory tier or the block of support classes changes: (tier, block, devices)."""
    tier = pl.col("memory_tier") if is_tiered else pl.lit(MEMORY_TIERS[-1])
    keyed = devices.with_columns(tier=tier).with_columns(run=pl.struct("tier", "block").rle_id())
    for run in keyed.partition_by("run", maintain_order=True):
        yield MEMORY_TIERS.index(run["tier"][0]), run["block"][0], run


@dataclass(frozen=True)
class _Run:
    """Neighbouring devices and what the pairs need of them. `is_decided`: the catalogs leave no kernel open."""

    workload_ix: int
    devices: pl.DataFrame
    requirements: pl.LazyFrame
    is_decided: bool

    @cached_property
    def capacities(self) -> dict[str, pl.Series]:
        """Different numbers of bytes in ascending order, those usable and those usable for certain."""
        return {name: self.devices[name].unique().sort() for name in ("usable", "assured")}

    def _place(self, column: str, capacity: str) -> pl.Expr:
        """How many of the run's different capacities are below a number of bytes: places compare as the bytes do."""
        capacities = self.capacities[capacity]
        places = pl.UInt8 if len(capacities) < 256 else pl.UInt16
        return pl.lit(capacities).search_sorted(pl.col(column), side="left").cast(places)

    def placed_pairs(self) -> pl.LazyFrame:
        """Grain: shape x precision. The requirements with places for bytes."""
        return self.requirements.select(
            *("shape_ix", "precision_ix", "unknown_from", "no_kernel"),
            # a mask that is empty throughout is not carried through the join
            *(() if self.is_decided else ("undecided",)),
            *(self._place(f"need_{degree}", "assured").alias(f"place_{degree}") for degree in DEGREES),
            middle_place=self._place("need_middle", "usable"),
        )

    def decided(self, placed_pairs: pl.DataFrame) -> pl.LazyFrame:
        """Grain: gpu x shape x precision, in this order: FIT of the run."""
        return (
            self.devices.select(
                *("gpu_ix", "class_bit", "most", "reach"),
                assured_place=self._place("assured", "assured"),
                usable_place=self._place("usable", "usable"),
            )
            .lazy()
            .join(placed_pairs.lazy(), how="cross", maintain_order="left_right")
            .with_columns(_SMALLEST)
            .select(
                pl.lit(self.workload_ix, dtype=pl.UInt8).alias("workload_ix"),
                *("gpu_ix", "shape_ix", "precision_ix"),
                _OUTCOME if self.is_decided else _OUTCOME_WITH_OPEN_KERNELS,
            )
        )


def _outcome(is_undecided: pl.Expr) -> pl.Expr:
    c = pl.col
    return decide.outcome(
        is_unsupported=(c("no_kernel") & c("class_bit")) != 0,
        is_undecided=is_undecided,
        need=c("middle_place"),
        usable=c("usable_place"),
        smallest=c("smallest"),
        most=c("most"),
        unknown_from=c("unknown_from"),
        reach=c("reach"),
    ).alias("outcome_ix")


_SMALLEST = decide.smallest_split(
    needs=[pl.col(f"place_{degree}") for degree in DEGREES], assured=pl.col("assured_place")
).alias("smallest")
_OUTCOME = _outcome(pl.lit(False))
_OUTCOME_WITH_OPEN_KERNELS = _outcome((pl.col("undecided") & pl.col("class_bit")) != 0)
