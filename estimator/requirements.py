"""What a device must hold for every pair of shape and precision, all degrees side by side, before any device.

An assembling module: it reads the plans of one shard and calls the rules of `verdict`, `support` and `training`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import polars as pl

from estimator import sharding, support, training
from estimator import verdict as decide
from estimator.device_classes import CLASSES_IN_A_BLOCK
from estimator.pairs import Frame, pairs
from estimator.schema import DEGREES, MEMORY_TIERS

_PAIR = ["shape_ix", "precision_ix"]
_PLACES = ("middle", *DEGREES)
_EVERY_CLASS = pl.lit((1 << CLASSES_IN_A_BLOCK) - 1, dtype=pl.UInt32)
_NO_CLASS = pl.lit(0, dtype=pl.UInt32)


class Requirements:
    """The plans of one shard with their degrees side by side, reshaped once however often they are asked for."""

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
        self._pairs = pairs(shapes, precisions).sort(_PAIR).collect(engine="in-memory")
        self._workloads = {
            row["workload_ix"]: row
            for row in workloads.lazy()
            .select("workload_ix", "engine", "mode", "method", "recipe", "sharding")
            .join(residencies.lazy().select("workload_ix", "residency_ix"), on="workload_ix")
            .collect()
            .iter_rows(named=True)
        }
        learning = [row["residency_ix"] for row in self._workloads.values() if row["mode"] == "training"]
        learned = weight_plans.lazy().filter(c("residency_ix").is_in(learning))
        margin, of_shape = c("margin_bytes"), (["shape_ix"], ["workload_ix", "memory_tier_ix"])
        held, kept = c("weights_bytes") + c("optimizer_bytes"), c("kv_cache_bytes") + c("state_bytes")
        self._held = _wide(weight_plans, "held", held, _PAIR, ["residency_ix"], margin)
        self._gradients = _wide(learned, "gradients", c("gradient_bytes"), _PAIR, ["residency_ix"])
        self._updates = _wide(learned, "update", c("update_bytes"), _PAIR, ["residency_ix"])
        self._kept = _wide(cache_plans, "kept", kept, ["shape_ix"], ["workload_ix"], margin)
        self._taken = _wide(overhead_plans, "taken", c("overhead_bytes"), *of_shape, margin)
        self._forward = _wide(overhead_plans, "forward", c("activation_bytes"), *of_shape)
        self._backward = _wide(overhead_plans, "backward", c("backward_bytes"), *of_shape)

    def of(self, *, workload_ix: int, masks: pl.DataFrame) -> WorkloadRequirements:
        """The requirements of one workload: all that does not depend on the memory tier is put together now.

        `masks` are those of `device_classes.support_classes`, one row a precision.
        """
        c = pl.col
        workload = self._workloads[workload_ix]
        runs = support.serves_kind(engine=pl.lit(workload["engine"]), kind=c("kind"))
        held = _part(self._held, "held", _PAIR, workload["residency_ix"])
        if is_training := workload["mode"] == "training":
            recipe = {name: pl.lit(workload[name], dtype=pl.String) for name in ("method", "recipe")}
            runs = runs & training.is_trainable(**recipe, precision=c("effective"))
            for parts, name in ((self._gradients, "gradients"), (self._updates, "update")):
                held = held.join(_part(parts, name, _PAIR, workload["residency_ix"]), on=_PAIR)
        kept = _part(self._kept, "kept", ["shape_ix"], workload_ix)
        # the kernel is that of the format which `stored` stands for
        kernels = masks.select("no_kernel", "undecided", effective_ix="precision_ix")
        is_open = runs.is_null() | c("no_kernel").is_null()
        pairs_ = (
            self._pairs.join(held, on=_PAIR, how="left", maintain_order="left")
            .join(kernels, on="effective_ix", how="left", maintain_order="left")
            .with_columns(
                is_open=is_open,
                no_kernel=pl.when(~runs).then(_EVERY_CLASS).when(is_open).then(_NO_CLASS).otherwise("no_kernel"),
                undecided=pl.when(is_open).then(_NO_CLASS).otherwise("undecided"),
                **{f"valid_{degree}": _is_valid(workload, degree) for degree in DEGREES},
            )
        )
        return WorkloadRequirements(
            pairs=pairs_,
            is_decided=(masks["undecided"] == 0).all(),
            is_training=is_training,
            beside={
                tier_ix: self._beside(kept.lazy(), workload_ix, tier_ix, is_training=is_training)
                for tier_ix in range(len(MEMORY_TIERS))
            },
        )

    def _beside(self, kept: pl.LazyFrame, workload_ix: int, tier_ix: int, *, is_training: bool) -> pl.LazyFrame:
        """Grain: shape. What else must be held, and the peaks of the forward and, in training, the backward pass."""
        c = pl.col
        parts = [(self._taken, "taken"), (self._forward, "forward")]
        if is_training:
            parts.append((self._backward, "backward"))
        for wide, name in parts:
            kept = kept.join(_part(wide, name, ["shape_ix"], workload_ix, tier_ix).lazy(), on="shape_ix")
        return kept.with_columns((c(f"kept_{at}") + c(f"taken_{at}")).alias(f"beside_{at}") for at in _PLACES)


@dataclass(frozen=True)
class WorkloadRequirements:
    """`pairs`: shape x precision with what stays resident. `beside`: what else a shape needs, by memory tier.

    `is_decided`: the catalogs leave no kernel open, so `undecided` is 0 throughout. `is_training`: there are gradients.
    """

    pairs: pl.DataFrame
    beside: dict[int, pl.LazyFrame]
    is_decided: bool
    is_training: bool

    def on(self, memory_tier_ix: int) -> pl.LazyFrame:
        """Grain: shape x precision, sorted: need_middle, need_1 ... need_16, unknown_from, no_kernel, undecided.

        `need_middle` is the middle estimate for one device, the numbered ones are upper ends. No nulls.
        """
        c = pl.col
        middle, *needs = (c(f"held_{at}") + c(f"beside_{at}") + self._peak(at) for at in _PLACES)
        valid = [c(f"valid_{degree}") for degree in DEGREES]
        return (
            self.pairs.lazy()
            .join(self.beside[memory_tier_ix], on="shape_ix", how="left", maintain_order="left")
            .with_columns(
                unknown_from=pl.when("is_open")
                .then(pl.lit(DEGREES[0], dtype=pl.UInt8))
                .otherwise(decide.first_unknown(needs=needs, valid=valid))
            )
            .select(
                *_PAIR,
                decide.comparable_need(
                    need=middle,
                    is_valid=pl.lit(True),
                    degree=DEGREES[0],
                    unknown_from=c("unknown_from"),
                ).alias("need_middle"),
                *(
                    decide.comparable_need(
                        need=need, is_valid=is_valid, degree=degree, unknown_from=c("unknown_from")
                    ).alias(f"need_{degree}")
                    for degree, need, is_valid in zip(DEGREES, needs, valid, strict=True)
                ),
                "unknown_from",
                "no_kernel",
                "undecided",
            )
        )

    def _peak(self, at: str | int) -> pl.Expr:
        """What comes and goes within a step: the forward pass, or gradients with a backward pass or an update."""
        c = pl.col
        forward = c(f"forward_{at}")
        if not self.is_training:
            return forward
        return training.step_peak_bytes(
            forward=forward,
            gradients=c(f"gradients_{at}"),
            backward=c(f"backward_{at}"),
            update=c(f"update_{at}"),
        )


def _is_valid(workload: dict[str, str], degree: int) -> pl.Expr:
    """Whether a workload may use so many devices: by widths or layers in inference, by the ZeRO stage in training."""
    if workload["mode"] == "training":
        return pl.lit(degree == 1 or workload["sharding"] in training.ZERO_STAGES)
    if workload["engine"] in sharding.STAGED_ENGINES:
        return sharding.may_stage(layers=pl.col("layers"), degree=pl.lit(degree))
    return sharding.is_valid_degree(mask=pl.col("split_mask"), degree=pl.lit(degree))


Parts = dict[tuple[Any, ...], pl.DataFrame]


def _wide(
    plans: Frame, name: str, bytes_: pl.Expr, keys: list[str], parts: list[str], margin: pl.Expr | None = None
) -> Parts:
    """Plans with their upper end at each degree and their middle at one device, a frame for each value of `parts`.

    Degrees without a row are null.
    """
    rows = (
        plans.lazy()
        .select(*keys, *parts, "degree", middle=bytes_, high=bytes_ if margin is None else bytes_ + margin)
        .collect(engine="in-memory")
    )

    def at(degree: int, column: str) -> pl.Expr:
        return pl.col(column).filter(pl.col("degree") == degree).first()

    return (
        rows.group_by(*parts, *keys)
        .agg(
            at(DEGREES[0], "middle").alias(f"{name}_middle"),
            *(at(degree, "high").alias(f"{name}_{degree}") for degree in DEGREES),
        )
        .partition_by(parts, as_dict=True, include_key=False)
    )


def _part(parts: Parts, name: str, keys: list[str], *at: int) -> pl.DataFrame:
    """One of the frames of `_wide`; without rows when the plans have none there (an empty shard)."""
    if at in parts:
        return parts[at]
    integers = {"shape_ix": pl.UInt32, "precision_ix": pl.UInt16}
    return pl.DataFrame(schema={**{key: integers[key] for key in keys}, **{f"{name}_{at}": pl.Int64 for at in _PLACES}})
