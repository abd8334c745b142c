"""The decision: what a device is to a model at a precision in a workload. Nothing else in the house decides.

In this order:

* `unsupported`: no kernel or no recipe, whatever the size;
* `unknown`: an input is missing that the outcome could depend on;
* `fits`: one device, and a tenth of the need is still free (need * 1.1 <= usable);
* `tight`: one device, need <= usable;
* `sharded`: the smallest degree of at least two devices in one node whose need leaves that tenth free;
* `too_big`: none of these. `offload` waits for host memory in the device catalog and is not given yet.

The needs come as whole numbers without nulls, so that the widest join compares and never asks: a degree that does not
exist or whose need is not known carries `IMPOSSIBLE`, and `unknown_from` remembers from which degree on the needs are
not known. Explained in docs/method.md, section "Verdict".
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from estimator.capacity import comfortable_bytes
from estimator.schema import DEGREES, Verdict

# More bytes than any device has: the need at a degree that does not exist or is not known.
IMPOSSIBLE = 1 << 62

# `unknown_from` when every need is known: more devices than any node has, fewer than an open `reach` (255).
NEVER = 128


def first_unknown(*, needs: Sequence[pl.Expr], valid: Sequence[pl.Expr]) -> pl.Expr:
    """The smallest degree whose existence or need is not known (UInt8), NEVER when all is known.

    `needs` and `valid` follow DEGREES. A degree known not to exist needs nothing known.
    """
    unclear = [is_valid.is_null() | (is_valid & need.is_null()) for need, is_valid in zip(needs, valid, strict=True)]
    result = pl.lit(NEVER, dtype=pl.UInt8)
    for degree, is_unclear in reversed(list(zip(DEGREES, unclear, strict=True))):
        result = pl.when(is_unclear).then(pl.lit(degree, dtype=pl.UInt8)).otherwise(result)
    return result


def comparable_need(*, need: pl.Expr, is_valid: pl.Expr, degree: int, unknown_from: pl.Expr) -> pl.Expr:
    """The need at a degree as the decision compares it (Int64, never null).

    IMPOSSIBLE where the degree does not exist, and from the first unknown degree on: a larger split that fits does
    not say that it is the smallest.
    """
    is_known = is_valid & (unknown_from > degree)
    return pl.when(is_known).then(need).otherwise(pl.lit(IMPOSSIBLE, dtype=pl.Int64))


def node(*, usable: pl.Expr, max_gpus: pl.Expr) -> dict[str, pl.Expr]:
    """A device as the decision compares it, without nulls: usable, comfortable (Int64), most and reach (UInt8).

    `most` are the devices of a node that a split may use; `reach` the degrees up to which an unknown need leaves the
    outcome open. Of a device whose memory is not known nothing fits and everything is open; one whose node is not
    known splits nothing, and what it cannot hold alone is open.
    """
    known = usable.is_not_null()
    largest = pl.when(max_gpus > DEGREES[-1]).then(pl.lit(DEGREES[-1])).otherwise(max_gpus).cast(pl.UInt8)
    is_open = usable.is_null() | max_gpus.is_null()
    nothing = pl.lit(-1, dtype=pl.Int64)
    return {
        "usable": pl.when(known).then(usable).otherwise(nothing),
        "comfortable": pl.when(known).then(comfortable_bytes(usable=usable)).otherwise(nothing),
        "most": pl.when(is_open).then(pl.lit(1, dtype=pl.UInt8)).otherwise(largest),
        "reach": pl.when(is_open).then(pl.lit(255, dtype=pl.UInt8)).otherwise(largest),
    }


def smallest_degree(*, needs: Sequence[pl.Expr], comfortable: pl.Expr) -> pl.Expr:
    """Devices of the smallest split whose need leaves a tenth free (UInt8); NEVER when no degree does."""
    result = pl.lit(NEVER, dtype=pl.UInt8)
    for degree, need in reversed(list(zip(DEGREES, needs, strict=True))):
        result = pl.when(need <= comfortable).then(pl.lit(degree, dtype=pl.UInt8)).otherwise(result)
    return result


def verdict(
    *,
    is_unsupported: pl.Expr,
    is_undecided: pl.Expr,
    need: pl.Expr,
    usable: pl.Expr,
    smallest: pl.Expr,
    most: pl.Expr,
    unknown_from: pl.Expr,
    reach: pl.Expr,
) -> pl.Expr:
    """The verdict. `need` is that of one device, `smallest` the answer of `smallest_degree`, `most` and `reach` those
    of `node`; `is_undecided` says that the catalogs leave the kernel open.
    """

    def word(value: str) -> pl.Expr:
        return pl.lit(value, dtype=Verdict)

    return (
        pl.when(is_unsupported)
        .then(word("unsupported"))
        .when(is_undecided)
        .then(word("unknown"))
        .when(smallest == 1)
        .then(word("fits"))
        .when(need <= usable)
        .then(word("tight"))
        .when(smallest <= most)
        .then(word("sharded"))
        .when(unknown_from <= reach)
        .then(word("unknown"))
        .otherwise(word("too_big"))
    )


def gpus_needed(*, verdict: pl.Expr, smallest: pl.Expr) -> pl.Expr:
    """Devices of the verdict (UInt8): 1 for `fits` and `tight`, the degree for `sharded`, null for the others.

    The verdicts compare in the order of `VERDICTS`, of which these two are the first.
    """
    return (
        pl.when(verdict == pl.lit("sharded", dtype=Verdict))
        .then(smallest)
        .when(verdict <= pl.lit("tight", dtype=Verdict))
        .then(pl.lit(1, dtype=pl.UInt8))
    )
