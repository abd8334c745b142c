"""What may replace the last good prices of a provider: plausible rows, in a number like the last one.

Prices that jump step back for the last known ones, which keep their date; so a jump that lasts is believed when they
have become stale. A provider with many jumps, or with far more or fewer rows, keeps all that it had.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import polars as pl

from flows.prices.naming import PRICE_KEY
from flows.prices.staleness import is_stale

# US dollars for a device and hour, outside of which no offer by the hour is believed.
LEAST_USD, MOST_USD = 0.02, 30.0
LEAST_CHANGE, MOST_CHANGE = 0.2, 5.0
MOST_JUMPS = 0.1  # share of the known offers
MOST_ROWS_CHANGE = 0.5


@dataclass(frozen=True)
class Judged:
    """The rows that count from now on; null, with the reason in `refusal`, where the last good ones stay."""

    rows: pl.DataFrame | None
    refusal: str | None
    left_out: Mapping[str, int]


def judged(rows: pl.DataFrame, last: pl.DataFrame, on: date) -> Judged:
    """What of `rows` to believe after the `last` good ones, both in PRICES."""
    plausible = rows.filter(pl.col("usd_per_gpu_hour").is_between(LEAST_USD, MOST_USD))
    reference = last.filter(~is_stale(on))
    both = plausible.join(reference.select(*PRICE_KEY, last="usd_per_gpu_hour"), on=PRICE_KEY, nulls_equal=True)
    change = pl.col("usd_per_gpu_hour") / pl.col("last")
    jumped = both.filter(~change.is_between(LEAST_CHANGE, MOST_CHANGE))
    left_out = {"implausible": rows.height - plausible.height, "jumped": jumped.height}
    left_out = {reason: count for reason, count in left_out.items() if count}
    # kinds become stale at different times: only those that are still known are counted against the last time
    known = plausible.filter(pl.col("kind").is_in(reference["kind"].unique().to_list()))
    rows_now = known.height if reference.height else plausible.height
    refusal = _refusal(rows_now, reference.height, both.height, jumped.height)
    if refusal:
        return Judged(None, refusal, left_out)
    kept = reference.join(jumped, on=PRICE_KEY, how="semi", nulls_equal=True)
    calm = plausible.join(jumped, on=PRICE_KEY, how="anti", nulls_equal=True)
    return Judged(pl.concat([calm, kept]).sort(PRICE_KEY), None, left_out)


def _refusal(rows: int, before: int, both: int, jumped: int) -> str | None:
    if not rows:
        return "no price of a known device"
    if before and abs(rows - before) > MOST_ROWS_CHANGE * before:
        return f"{rows} prices after {before}"
    if jumped > MOST_JUMPS * both:
        return f"{jumped} of {both} known prices changed more than fivefold"
    return None
