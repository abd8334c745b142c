"""Every shape at every precision and workload against every device: the widest join of the house, kept thin.

An assembling module. `requirements` puts side by side what a device must hold; here each workload decides with one
chain of comparisons (`verdict`) what every device is to every pair of shape and precision. Devices of different memory
tiers meet different requirements, so they come in runs. Within a run a device's bytes matter only by their place among
those of the run: a need has the place of the first capacity that holds it, and pairs keep places (mostly one byte) for
bytes (eight). Devices that look the same to a decision share it, so that nothing is decided twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, cached_property, reduce
from operator import or_

import polars as pl

from estimator import verdict as decide
from estimator.device_classes import support_classes
from estimator.pairs import Frame
from estimator.plan_schema import FIT, MEMORY_TIERS
from estimator.requirements import Requirements
from estimator.schema import DEGREES


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
    devices = (
        gpus.lazy()
        .select("gpu_ix", "memory_tier", has_own_memory=~pl.col("is_unified_memory"))
        .sort("gpu_ix")
        .collect()
    )
    engines = workloads.lazy().select("workload_ix", "engine").sort("workload_ix").collect()
    runs: list[_Run] = []
    for workload_ix, engine in engines.iter_rows():
        classes, masks = support_classes(kernels.filter(pl.col("workload_ix") == workload_ix))
        rows = (
            devices.join(classes, on="gpu_ix", how="left", maintain_order="left")
            .join(usable.filter(pl.col("workload_ix") == workload_ix), on="gpu_ix", how="left", maintain_order="left")
            .with_columns(
                **decide.device(
                    usable=pl.col("usable_bytes"),
                    assured=pl.col("assured_bytes"),
                    max_devices=pl.col("max_devices"),
                )
            )
        )
        blocks = {
            block: requirements.of(workload_ix=workload_ix, masks=masks.filter(pl.col("block") == block))
            for block in masks["block"].unique()
        }
        runs += [
            _Run(
                workload_ix,
                neighbours,
                blocks[block].pairs.select("shape_ix", "precision_ix"),
                blocks[block].on(tier_ix, reduce(or_, neighbours["class_bit"])),
                is_decided=blocks[block].is_decided,
                has_host=blocks[block].host_bytes > 0,
            )
            for tier_ix, block, neighbours in _neighbours(rows, is_tiered=engine != "none")
        ]
    # polars works while Python writes the next run's expressions
    with ThreadPoolExecutor(max_workers=2) as runners:
        decided = list(runners.map(_Run.decided, runs))
    return pl.concat([pl.LazyFrame(schema=FIT), *decided])


def _neighbours(devices: pl.DataFrame, *, is_tiered: bool) -> Iterator[tuple[int, int, pl.DataFrame]]:
    """Devices in order, cut where the memory tier or the block of support classes changes: (tier, block, devices)."""
    tier = pl.col("memory_tier") if is_tiered else pl.lit(MEMORY_TIERS[-1])
    keyed = devices.with_columns(tier=tier).with_columns(run=pl.struct("tier", "block").rle_id())
    for run in keyed.partition_by("run", maintain_order=True):
        yield MEMORY_TIERS.index(run["tier"][0]), run["block"][0], run


@dataclass(frozen=True)
class _Run:
    """Neighbouring devices and what the pairs need of them, those that any of the devices may run.

    `is_decided`: the catalogs leave no kernel open. `has_host`: weights may stay in host memory.
    """

    workload_ix: int
    devices: pl.DataFrame
    pairs: pl.DataFrame
    requirements: pl.LazyFrame
    is_decided: bool
    has_host: bool

    @cached_property
    def capacities(self) -> dict[str, pl.Series]:
        """Different numbers of bytes in ascending order, those usable and those usable for certain."""
        return {name: self.devices[name].unique().sort() for name in ("usable", "assured")}

    def _place(self, column: str, capacity: str) -> pl.Expr:
        """How many of the run's different capacities are below a number of bytes: places compare as the bytes do."""
        capacities = self.capacities[capacity]
        places = pl.UInt8 if len(capacities) < 256 else pl.UInt16
        return pl.lit(capacities).search_sorted(pl.col(column), side="left").cast(places)

    def placed_pairs(self) -> pl.DataFrame:
        """Grain: that of the requirements. They have places for bytes."""
        return self.requirements.select(
            *("row", "unknown_from", "no_kernel", "undecided"),
            *(self._place(f"need_{degree}", "assured").alias(f"place_{degree}") for degree in DEGREES),
            middle_place=self._place("need_middle", "usable"),
            **(
                {"offloaded_place": self._place("need_offloaded", "usable"), "has_layers": pl.col("has_layers")}
                if self.has_host
                else {}
            ),
        ).collect(engine="in-memory")

    def decided(self) -> pl.LazyFrame:
        """Grain: gpu x shape x precision, in this order: FIT of the run."""
        devices = self.devices.with_columns(
            assured=self._place("assured", "assured"), usable=self._place("usable", "usable")
        )
        alike = devices.select(_SEEN).unique(maintain_order=True)
        placed, pairs = self.placed_pairs(), self.pairs
        decided = (
            placed.lazy()
            .with_columns(_smallest(place) for place in alike["assured"].unique())
            .select(
                _outcome(*device, is_decided=self.is_decided, has_host=self.has_host).alias(str(place))
                for place, device in enumerate(alike.iter_rows())
            )
            # what is common is taken out already
            .collect(engine="in-memory", optimizations=pl.QueryOptFlags(comm_subexpr_elim=False))
        )
        lines = pl.Series([None], dtype=pl.UInt32).new_from_index(0, pairs.height)
        lines = lines.scatter(placed["row"], pl.int_range(placed.height, dtype=pl.UInt32, eager=True))
        everywhere = decided.select(pl.all().gather(lines).fill_null(decide.UNSUPPORTED))
        place_of = {row: str(place) for place, row in enumerate(alike.iter_rows())}
        columns = [everywhere[place_of[row]] for row in devices.select(_SEEN).iter_rows()]
        ids = devices["gpu_ix"]
        # chunks without copies: one device after the other has all pairs
        return (
            pl.DataFrame(
                {
                    "gpu_ix": _chunks([ids.new_from_index(at, pairs.height) for at in range(len(ids))]),
                    "shape_ix": _chunks([pairs["shape_ix"]] * devices.height),
                    "precision_ix": _chunks([pairs["precision_ix"]] * devices.height),
                    "outcome_ix": _chunks([column.rename("outcome_ix") for column in columns]),
                }
            )
            .lazy()
            .select(pl.lit(self.workload_ix, dtype=pl.UInt8).alias("workload_ix"), pl.all())
        )


# All that a decision sees of a device.
_SEEN = ("class_bit", "assured", "usable", "most", "reach", "has_own_memory")


def _chunks(series: list[pl.Series]) -> pl.Series:
    return pl.concat(series, rechunk=False)


def _number(place: int) -> pl.Expr:
    return decide.small(place) if place < 256 else pl.lit(place, dtype=pl.UInt16)


# Decisions that look the same have the same expression, which is written once for all shards of a night.
@cache
def _smallest(assured: int) -> pl.Expr:
    places = [pl.col(f"place_{degree}") for degree in DEGREES]
    return decide.smallest_split(needs=places, assured=_number(assured)).alias(f"smallest_{assured}")


@cache
def _outcome(
    class_bit: int,
    assured: int,
    usable: int,
    most: int,
    reach: int,
    has_own_memory: bool,
    *,
    is_decided: bool,
    has_host: bool,
) -> pl.Expr:
    """What one device is to every pair that knows its smallest splits."""
    c = pl.col
    bit = _bit(class_bit)
    return decide.outcome(
        is_unsupported=(c("no_kernel") & bit) != 0,
        is_undecided=_DECIDED if is_decided else (c("undecided") & bit) != 0,
        need=c("middle_place"),
        usable=_number(usable),
        smallest=c(f"smallest_{assured}"),
        most=decide.small(most),
        unknown_from=c("unknown_from"),
        reach=decide.small(reach),
        # the memory of a device that shares its host's is counted once
        offloaded=(c("offloaded_place"), c("has_layers")) if has_host and has_own_memory else None,
    )


_DECIDED = pl.lit(False)


@cache
def _bit(number: int) -> pl.Expr:
    return pl.lit(number, dtype=pl.UInt32)
