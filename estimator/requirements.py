"""What a device must hold for every pair of shape and precision, all degrees side by side, before any device.

An assembling module: it reads the plans of one shard and calls the rules of `verdict`, `support` and `training`.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from estimator import cache, speculation, support, training
from estimator import verdict as decide
from estimator.bounds import GIB
from estimator.device_classes import CLASSES_IN_A_BLOCK
from estimator.pairs import Frame, pairs
from estimator.schema import DEGREES
from estimator.side_by_side import Layouts, places_of, spread
from estimator.splits import of_workloads

_PAIR = ["shape_ix", "precision_ix"]
_EVERY_CLASS = pl.lit((1 << CLASSES_IN_A_BLOCK) - 1, dtype=pl.UInt32)
_NO_CLASS = pl.lit(0, dtype=pl.UInt32)
# What is read of plans: of the model by pair, of an engine and its sequences by split of a shape.
_HELD = ("held", "gradients", "update")
_BESIDE = ("beside", "forward", "backward")


class Requirements:
    """The plans of one shard, brought together once however often they are asked for."""

    def __init__(
        self,
        *,
        shapes: Frame,
        precisions: Frame,
        workloads: Frame,
        residencies: Frame,
        weight_plans: Frame,
        cache_plans: Frame,
        overhead_plans: Frame,
    ) -> None:
        c = pl.col
        self._pairs = pairs(shapes, precisions).sort(_PAIR).with_row_index("row").collect(engine="in-memory")
        self._workloads = {
            row["workload_ix"]: row
            for row in workloads.lazy()
            .select(
                *("workload_ix", "engine", "mode", "method", "recipe", "host_memory_gib", "speculative_tokens"),
                scheme=of_workloads(),
            )
            .join(residencies.lazy().select("workload_ix", "residency_ix"), on="workload_ix")
            .collect()
            .iter_rows(named=True)
        }
        self._layouts = Layouts(shapes, {row["scheme"] for row in self._workloads.values()})
        rows = self._pairs.lazy().select("row", *_PAIR)
        self._held = (
            weight_plans.lazy()
            .join(rows, on=_PAIR)
            .select(
                *("residency_ix", "row", "degree"),
                # pages may all be on the device, or none of them
                margin_bytes=c("margin_bytes") + c("paged_bytes"),
                held=c("weights_bytes") + c("optimizer_bytes"),
                gradients="gradient_bytes",
                update="update_bytes",
            )
            .collect(engine="in-memory")
            .partition_by("residency_ix", as_dict=True, include_key=False)
        )
        kept = cache_plans.lazy().select(
            *("shape_ix", "workload_ix", "split_ix", "window_tokens", "kv_window_bytes_per_token"),
            tokens=cache.whole_blocks(tokens=c("context_tokens"), block=c("block_tokens")),
            kept=c("kv_cache_bytes") + c("state_bytes"),
            kept_margin="margin_bytes",
        )
        in_flight = cache.in_flight_bytes(
            tokens=c("tokens"),
            window=c("window_tokens"),
            in_flight=c("in_flight_tokens"),
            token_bytes=c("kv_window_bytes_per_token"),
        )
        self._beside = (
            overhead_plans.lazy()
            .join(kept, on=["shape_ix", "workload_ix", "split_ix"])
            .select(
                *("workload_ix", "memory_tier_ix", "shape_ix", "split_ix"),
                margin_bytes=c("margin_bytes") + c("kept_margin"),
                beside=c("kept") + in_flight + c("overhead_bytes"),
                forward="activation_bytes",
                backward="backward_bytes",
            )
            .collect(engine="in-memory")
            .partition_by("workload_ix", "memory_tier_ix", as_dict=True, include_key=False)
        )

    def of(self, *, workload_ix: int, masks: pl.DataFrame) -> WorkloadRequirements:
        """The requirements of one workload: all that does not depend on the memory tier is put together now.

        `masks` are those of `device_classes.support_classes`, one row a precision.
        """
        c = pl.col
        workload = self._workloads[workload_ix]
        is_training = workload["mode"] == "training"
        runs = support.serves_kind(engine=pl.lit(workload["engine"]), kind=c("kind"))
        if workload["speculative_tokens"] is not None:
            runs = runs & speculation.predicts(
                kind=c("kind"),
                parameters=c("mtp_parameters"),
                speculative_tokens=pl.lit(workload["speculative_tokens"]),
            )
        if is_training:
            recipe = {name: pl.lit(workload[name], dtype=pl.String) for name in ("method", "recipe")}
            runs = runs & training.is_trainable(**recipe, precision=c("effective"))
        # the kernel is that of the format which `stored` stands for
        kernels = masks.select("no_kernel", "undecided", effective_ix="precision_ix")
        is_open = runs.is_null() | c("no_kernel").is_null()
        known = (
            self._pairs.join(kernels, on="effective_ix", how="left", maintain_order="left")
            .join(
                self._layouts.of_scheme(workload["scheme"]),
                on=["shape_ix", "alignment"],
                how="left",
                maintain_order="left",
            )
            .select(
                *_PAIR,
                "layout_ix",
                "layers",
                is_open=is_open,
                no_kernel=pl.when(~runs).then(_EVERY_CLASS).when(is_open).then(_NO_CLASS).otherwise("no_kernel"),
                undecided=pl.when(is_open).then(_NO_CLASS).otherwise("undecided"),
            )
        )
        plans = self._held.get((workload["residency_ix"],))
        rows = None if plans is None else plans.select("degree", pair="row").with_row_index("row")
        held = spread(plans, places_of(rows, "pair", known.height), names=_HELD if is_training else _HELD[:1])

        def beside(tier_ix: int) -> pl.DataFrame:
            plans = self._beside.get((workload_ix, tier_ix))
            names = _BESIDE if is_training else _BESIDE[:2]
            return self._layouts.spread(plans, scheme=workload["scheme"], names=names).hstack(self._layouts.valid)

        return WorkloadRequirements(
            pairs=known.hstack(held).with_row_index("row"),
            beside=beside,
            is_decided=(masks["undecided"] == 0).all(),
            is_training=is_training,
            # in training states leave a device, not weights, and plans know that already
            host_bytes=0 if is_training else int((workload["host_memory_gib"] or 0) * GIB),
        )


@dataclass(frozen=True)
class WorkloadRequirements:
    """`pairs`: shape x precision with what stays resident. `beside`: of a memory tier, what else each layout needs.

    `is_decided`: the catalogs leave no kernel open, so `undecided` is 0 throughout. `is_training`: there are gradients.
    `host_bytes`: memory of the host for weights, 0 without.
    """

    pairs: pl.DataFrame
    beside: Callable[[int], pl.DataFrame]
    is_decided: bool
    is_training: bool
    host_bytes: int

    def on(self, memory_tier_ix: int, classes: int) -> pl.LazyFrame:
        """Grain: shape x precision that one of the support `classes` may run, sorted: row (its place in `pairs`),
        need_middle, need_1 ... need_16, unknown_from, no_kernel, undecided.

        `need_middle` is the middle estimate for one device, the numbered ones are upper ends; `need_offloaded` is there
        when the host has memory, the least that it can be where `has_layers` is false. No nulls.
        """
        # most formats have no kernel in most engines, and then nothing has to be known of their needs
        bits = pl.lit(classes, dtype=pl.UInt32)
        pairs_ = self.pairs.filter((pl.col("no_kernel") & bits) != bits)
        beside = self.beside(memory_tier_ix).select(pl.all().gather(pairs_["layout_ix"]))
        return (
            pairs_.lazy()
            .with_columns(beside.get_columns())
            .with_columns(_first_unknown(is_training=self.is_training))
            .select(_comparable(is_training=self.is_training, host_bytes=self.host_bytes))
        )


# Written once for all shards of a night.
@functools.cache
def _first_unknown(*, is_training: bool) -> pl.Expr:
    is_unknown = decide.first_unknown(needs=_needs(is_training), valid=_VALID)
    return pl.when("is_open").then(decide.small(DEGREES[0])).otherwise(is_unknown).alias("unknown_from")


@functools.cache
def _comparable(*, is_training: bool, host_bytes: int) -> tuple[pl.Expr, ...]:
    """The columns of `WorkloadRequirements.on`."""
    c = pl.col
    needs = _needs(is_training)
    middle = c("held_1") + c("beside_1") + _peak(1, is_training)
    # of unknown layers one may be as small as you like
    floor = needs[0] - c("held_1") + (c("held_1") // c("layers")).fill_null(0)
    offloaded = decide.comparable_need(
        need=decide.offloaded_need(need=middle, floor=floor, host_bytes=host_bytes),
        is_valid=(c("layers") > 0).fill_null(True),
        degree=DEGREES[0],
        unknown_from=c("unknown_from"),
    )
    return (
        c("row"),
        decide.comparable_need(
            need=middle, is_valid=pl.lit(True), degree=DEGREES[0], unknown_from=c("unknown_from")
        ).alias("need_middle"),
        *(
            decide.comparable_need(need=need, is_valid=is_valid, degree=degree, unknown_from=c("unknown_from")).alias(
                f"need_{degree}"
            )
            for degree, need, is_valid in zip(DEGREES, needs, _VALID, strict=True)
        ),
        *([offloaded.alias("need_offloaded"), c("layers").is_not_null().alias("has_layers")] if host_bytes else []),
        *(c("unknown_from"), c("no_kernel"), c("undecided")),
    )


_VALID = [pl.col(f"valid_{degree}") for degree in DEGREES]


def _needs(is_training: bool) -> list[pl.Expr]:
    """Upper ends at each of DEGREES."""
    c = pl.col
    return [
        c(f"held_{at}") + c(f"held_margin_{at}") + c(f"beside_{at}") + c(f"beside_margin_{at}") + _peak(at, is_training)
        for at in DEGREES
    ]


def _peak(at: int, is_training: bool) -> pl.Expr:
    """What comes and goes within a step: the forward pass, or gradients with a backward pass or an update."""
    c = pl.col
    forward = c(f"forward_{at}")
    if not is_training:
        return forward
    return training.step_peak_bytes(
        forward=forward,
        gradients=c(f"gradients_{at}"),
        backward=c(f"backward_{at}"),
        update=c(f"update_{at}"),
    )
