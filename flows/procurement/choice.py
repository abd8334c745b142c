"""What is chosen from a night's answers: for each demand and device a placement, and what may share the device."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from catalogs.demand import ANY
from flows.procurement.options import Answers
from flows.procurement.problem import Member, Placement, Shared

# Rank of a precision that is taken only where it is asked for by name.
LAST = 10_000
ON = ["demand", "groups", "gpu"]
MEMBER = ("demand", "precision", "required_bytes_high", "step", "most")


@dataclass(frozen=True)
class Choice:
    """`options`: demand x groups x device, what a replica that has its devices to itself would be.

    `on_one_device`: demand x device x precision, what may share the device, the preferred precision first.
    """

    options: pl.DataFrame
    on_one_device: pl.DataFrame
    rooms: pl.DataFrame

    @cached_property
    def placements(self) -> list[Placement]:
        rows = self.options.select("precision", "parallelism", "gpu", "demand", "degree", "groups")
        return [
            Placement(f"{precision} {parallelism}", gpu, demand, degree, groups)
            for precision, parallelism, gpu, demand, degree, groups in rows.iter_rows()
        ]

    @cached_property
    def shared(self) -> dict[str, Shared]:
        """By device: precisions that need more and take longer than another of the same demand are left out."""
        c = pl.col
        smallest = self.on_one_device.with_columns(step_or_never=c("step").fill_null(float("inf")))
        smallest = smallest.sort("gpu", "demand", "required_bytes_high", "step_or_never", "rank", "precision")
        before = c("step_or_never").cum_min().shift(1).over("gpu", "demand")
        kept = smallest.filter((c("step_or_never") < before).fill_null(True))
        members: dict[str, list[Member]] = {}
        for gpu, *row in kept.select("gpu", *MEMBER).iter_rows():
            members.setdefault(gpu, []).append(Member(*row))
        rooms: dict[str, list[int]] = {}
        for gpu, room in self.rooms.sort("gpu", "processes").select("gpu", "assured_bytes").iter_rows():
            rooms.setdefault(gpu, []).append(room)
        return {gpu: Shared(there, rooms[gpu]) for gpu, there in members.items() if len(rooms.get(gpu, ())) > 1}

    def member_rows(self, gpu: str, demand: int) -> list[tuple[Member, dict[str, object]]]:
        """All that a demand may be on a device that it shares, with its row, the preferred precision first."""
        rows = self.on_one_device.filter(gpu=gpu, demand=demand)
        return [(Member(*(row[name] for name in MEMBER)), row) for row in rows.iter_rows(named=True)]

    def with_demands(self, other: Choice, demands: Collection[int]) -> Choice:
        """This choice, but for some demands that of another."""
        theirs = pl.col("demand").is_in(list(demands))

        def mixed(mine: pl.DataFrame, others: pl.DataFrame) -> pl.DataFrame:
            return pl.concat([mine.filter(~theirs), others.filter(theirs)])

        options = mixed(self.options, other.options).sort(*ON)
        return Choice(options, mixed(self.on_one_device, other.on_one_device), self.rooms)


def choose(
    demand: pl.DataFrame, answers: Answers, *, bits: tuple[float, float] | None = None, is_tight_enough: bool = False
) -> Choice:
    """What serves each demand as fast as it asks, in a precision that it asks for.

    `bits`: where any precision does, those of more than the first and at most the second number of bits alone.
    `is_tight_enough`: also what holds a demand at the middle of its need and not for certain.
    """
    fits = quick(asked(demand, answers))
    if bits is not None:
        named, within = pl.col("asked_precision") != ANY, (pl.col("bits") > bits[0]) & (pl.col("bits") <= bits[1])
        fits = fits.filter(named | within.fill_null(False))
    certain = fits.filter(~pl.col("is_tight"))
    return Choice(_options(fits if is_tight_enough else certain), _on_one_device(certain), answers.rooms)


def asked(demand: pl.DataFrame, answers: Answers) -> pl.DataFrame:
    """What holds a demand in a precision that it asks for, whatever its speed.

    Adds `rank`: the lowest is preferred, as in the view best_fit.
    """
    c = pl.col
    rows = demand.with_row_index("demand").select(
        "demand", "min_tokens_per_second", asked_precision="precision", line="line"
    )
    by_precision = answers.precisions.select("precision", "rank", "bits")
    return (
        answers.fits.join(rows, on="demand")
        .join(by_precision, on="precision")
        .filter(
            pl.when(c("asked_precision") == ANY)
            .then(c("rank").is_not_null())
            .otherwise(c("asked_precision") == c("precision"))
        )
        .with_columns(rank=pl.when("is_own_format").then(0).otherwise(c("rank").fill_null(LAST)))
    )


def quick(fits: pl.DataFrame) -> pl.DataFrame:
    """Those of `asked` that are as fast as their demand asks for; an unknown speed is not."""
    least = pl.col("min_tokens_per_second")
    return fits.filter(least.is_null() | (pl.col("tokens_per_second") >= least).fill_null(False))


def _options(fits: pl.DataFrame) -> pl.DataFrame:
    """Of the `quick`: the fewest devices of each kind, and on those the precision that a person would choose.

    Several groups are no option where fewer groups of no more devices do.
    """
    c = pl.col
    chosen = fits.sort(*ON, "degree", "rank", "precision").unique(ON, keep="first", maintain_order=True)
    fewest = c("degree").cum_min().shift(1).over("demand", "gpu", order_by="groups")
    return chosen.filter((c("degree") < fewest).fill_null(True)).sort(*ON)


def _on_one_device(fits: pl.DataFrame) -> pl.DataFrame:
    """What `quick` replicas may share a device with others."""
    c = pl.col
    return (
        fits.filter(c("degree") == 1, c("groups") == 1, c("required_bytes_high").is_not_null())
        .with_columns(step=1 / c("tokens_per_second"), most=1 / c("min_tokens_per_second"))
        .sort("demand", "gpu", "rank", "precision")
    )
