"""The decision: what a device is to a model at a precision in a workload. Nothing else in the house decides.

In this order:

* `unsupported`: no kernel or no recipe, whatever the size;
* `unknown`: an input is missing that the outcome could depend on;
* `fits`: one device, and the upper end of the need fits into what is usable for certain;
* `tight`: one device, at the middle estimate only;
* `sharded`: the smallest degree of at least two devices in reach at which the upper end fits like that;
* `offload`: one device, with weights that it has no room for in its host's memory, where the workload has some;
* `too_big`: none of these.

The needs come as whole numbers without nulls, so that the widest join compares and never asks: a degree that does not
exist or whose need is not known carries `IMPOSSIBLE`, and `unknown_from` remembers from which degree on the needs are
not known. Explained in docs/method.md, section "Verdict".
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import polars as pl

from estimator.bounds import larger
from estimator.schema import DEGREES, OUTCOME, OUTCOMES

# More bytes than any device has: the need at a degree that does not exist or is not known.
IMPOSSIBLE = 1 << 62

# `unknown_from` when every need is known: more devices than any node has, fewer than an open `reach` (255). Also no
# outcome, when no split is large enough.
NEVER = 128


def outcomes() -> pl.DataFrame:
    """OUTCOME: one row per way in which a decision can come out; `gpus_needed` is null unless it fits somehow."""
    rows = [(place, *outcome) for place, outcome in enumerate(OUTCOMES)]
    return pl.DataFrame(rows, schema=OUTCOME, orient="row")


@cache
def small(number: int) -> pl.Expr:
    """A number of one byte, made once: the decisions of a night ask for a few of them a million times."""
    return pl.lit(number, dtype=pl.UInt8)


def _outcome(verdict: str, gpus: int | None = None) -> pl.Expr:
    return small(OUTCOMES.index((verdict, gpus)))


UNSUPPORTED = small(OUTCOMES.index(("unsupported", None)))


def _split(degree: int) -> pl.Expr:
    return _outcome("fits", 1) if degree == 1 else _outcome("sharded", degree)


def first_unknown(*, needs: Sequence[pl.Expr], valid: Sequence[pl.Expr]) -> pl.Expr:
    """The smallest degree whose existence or need is not known (UInt8), NEVER when all is known.

    `needs` and `valid` follow DEGREES. A degree known not to exist needs nothing known.
    """
    unclear = [is_valid.is_null() | (is_valid & need.is_null()) for need, is_valid in zip(needs, valid, strict=True)]
    result = small(NEVER)
    for degree, is_unclear in reversed(list(zip(DEGREES, unclear, strict=True))):
        result = pl.when(is_unclear).then(small(degree)).otherwise(result)
    return result


def comparable_need(*, need: pl.Expr, is_valid: pl.Expr, degree: int, unknown_from: pl.Expr) -> pl.Expr:
    """The need at a degree as the decision compares it (Int64, never null).

    IMPOSSIBLE where the degree does not exist, and from the first unknown degree on: a larger split that fits does
    not say that it is the smallest.
    """
    is_known = is_valid & (unknown_from > degree)
    return pl.when(is_known).then(need).otherwise(pl.lit(IMPOSSIBLE, dtype=pl.Int64))


def device(*, usable: pl.Expr, assured: pl.Expr, max_devices: pl.Expr) -> dict[str, pl.Expr]:
    """A device as the decision compares it, without nulls: usable, assured (Int64), most and reach (UInt8).

    `most` is the outcome of the largest split that it may be part of; `reach` the degrees up to which an unknown need
    leaves the decision open. Of a device whose memory is not known nothing fits and everything is open; one whose node
    is not known splits nothing, and what it cannot hold alone is open.
    """
    known = usable.is_not_null() & assured.is_not_null()
    largest = pl.when(max_devices > DEGREES[-1]).then(pl.lit(DEGREES[-1])).otherwise(max_devices).cast(pl.UInt8)
    is_open = ~known | max_devices.is_null()
    nothing = pl.lit(-1, dtype=pl.Int64)
    most = _split(1)
    for degree in DEGREES[1:]:
        most = pl.when(max_devices >= degree).then(_split(degree)).otherwise(most)
    return {
        "usable": pl.when(known).then(usable).otherwise(nothing),
        "assured": pl.when(known).then(assured).otherwise(nothing),
        "most": pl.when(is_open).then(_split(1)).otherwise(most),
        "reach": pl.when(is_open).then(small(255)).otherwise(largest),
    }


def smallest_split(*, needs: Sequence[pl.Expr], assured: pl.Expr) -> pl.Expr:
    """The outcome of the smallest split whose upper end fits for certain (UInt8); NEVER when none does."""
    result = small(NEVER)
    for degree, need in reversed(list(zip(DEGREES, needs, strict=True))):
        result = pl.when(need <= assured).then(_split(degree)).otherwise(result)
    return result


def outcome(
    *,
    is_unsupported: pl.Expr,
    is_undecided: pl.Expr,
    need: pl.Expr,
    usable: pl.Expr,
    smallest: pl.Expr,
    most: pl.Expr,
    unknown_from: pl.Expr,
    reach: pl.Expr,
    offloaded: tuple[pl.Expr, pl.Expr] | None = None,
) -> pl.Expr:
    """`outcome_ix` (UInt8). `need` is the middle one of one device, `smallest` the answer of `smallest_split`, `most`
    and `reach` those of `node`; `is_undecided` says that the catalogs leave the kernel open; `offloaded`, where there
    is host memory, is the need of one device that leaves weights there, and whether it is known or the least it can be.
    """
    decided = (
        pl.when(is_unsupported)
        .then(_outcome("unsupported"))
        .when(is_undecided)
        .then(_outcome("unknown"))
        .when(smallest == _split(1))
        .then(_split(1))
        .when(need <= usable)
        .then(_outcome("tight", 1))
        .when(smallest <= most)
        .then(smallest)
        .when(unknown_from <= reach)
        .then(_outcome("unknown"))
    )
    if offloaded is not None:
        left, is_known = offloaded
        decided = decided.when(left <= usable).then(
            pl.when(is_known).then(_outcome("offload")).otherwise(_outcome("unknown"))
        )
    return decided.otherwise(_outcome("too_big"))


# Share of a host's memory that weights may take; the rest is for everything else on it.
HOST_SHARE = 0.8


def offloaded_need(*, need: pl.Expr, floor: pl.Expr, host_bytes: int) -> pl.Expr:
    """Bytes of one device that leaves as much of its weights as it may in `host_bytes` of host memory (Int64).

    `need` is the middle estimate of all, `floor` what cannot leave: cache, activations, overhead and one layer, at the
    upper end. Null when either is null.
    """
    return larger(need - int(HOST_SHARE * host_bytes), floor)
