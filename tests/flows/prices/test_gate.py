"""Which prices may replace the last good ones."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import pytest
from price_rows import price_rows

from flows.prices.gate import judged
from flows.prices.naming import PRICES

DAY = date(2026, 11, 30)
BEFORE = DAY - timedelta(days=3)
NOTHING = price_rows()


def regions(count: int, **changes: Any) -> list[dict[str, Any]]:
    return [{"region": f"r{number:02d}"} | changes for number in range(count)]


def test_first_prices_are_taken() -> None:
    found = judged(price_rows(*regions(3)), NOTHING, DAY)
    assert found.rows is not None
    assert found.rows.schema == PRICES
    assert (found.rows.height, found.refusal, found.left_out) == (3, None, {})


@pytest.mark.parametrize(("usd", "is_left_out"), [(0.019, True), (0.02, False), (30.0, False), (30.1, True)])
def test_no_offer_is_believed_beyond_what_devices_cost(usd: float, is_left_out: bool) -> None:
    found = judged(price_rows({}, {"region": "odd", "usd_per_gpu_hour": usd}), NOTHING, DAY)
    assert found.left_out == ({"implausible": 1} if is_left_out else {})


@pytest.mark.parametrize(
    ("usd", "expected"), [(0.8, 0.8), (0.79, 4.0), (20.0, 20.0), (20.1, 4.0)], ids=["fifth", "less", "five", "more"]
)
def test_a_price_that_jumps_steps_back_for_the_last_one(usd: float, expected: float) -> None:
    last = price_rows(*regions(10, as_of=BEFORE))
    rows = regions(10)
    rows[0] = rows[0] | {"usd_per_gpu_hour": usd}
    found = judged(price_rows(*rows), last, DAY)
    assert found.rows is not None
    first = found.rows.row(0, named=True)
    assert first["usd_per_gpu_hour"] == expected
    assert first["as_of"] == (DAY if expected == usd else BEFORE)
    assert found.rows.height == 10


@pytest.mark.parametrize(("usd", "expected"), [(0.79, 4.0), (0.8, 0.8)])
def test_an_offer_without_a_region_is_one_that_is_known(usd: float, expected: float) -> None:
    """What has no region before and now is the same offer."""
    nowhere = {"region": None, "usd_per_gpu_hour": usd}
    last = price_rows(*regions(10, as_of=BEFORE), {"region": None, "as_of": BEFORE})
    found = judged(price_rows(*regions(10), nowhere), last, DAY)
    assert found.rows is not None
    known = found.rows.filter(found.rows["region"].is_null())
    assert known["usd_per_gpu_hour"].to_list() == [expected]
    assert found.rows.height == 11


def test_a_jump_that_lasts_is_believed_when_the_last_price_is_stale() -> None:
    rows = [*regions(9), {"region": "odd", "usd_per_gpu_hour": 25.0}]
    old = price_rows(*regions(9, as_of=BEFORE), {"region": "odd", "as_of": DAY - timedelta(days=31)})
    found = judged(price_rows(*rows), old, DAY)
    assert found.rows is not None
    assert found.rows.filter(region="odd")["usd_per_gpu_hour"].to_list() == [25.0]


def test_many_jumps_refuse_the_provider() -> None:
    """Two of ten: dollars may have become cents."""
    rows = [*regions(8), *({"region": f"r{n:02d}", "usd_per_gpu_hour": 0.04} for n in (8, 9))]
    found = judged(price_rows(*rows), price_rows(*regions(10, as_of=BEFORE)), DAY)
    assert (found.rows, found.refusal) == (None, "2 of 10 known prices changed more than fivefold")


@pytest.mark.parametrize(
    ("count", "refusal"), [(4, "4 prices after 10"), (5, None), (15, None), (16, "16 prices after 10")]
)
def test_the_number_of_rows(count: int, refusal: str | None) -> None:
    found = judged(price_rows(*regions(count)), price_rows(*regions(10, as_of=BEFORE)), DAY)
    assert found.refusal == refusal


def test_nothing_is_no_price_list() -> None:
    assert judged(NOTHING, NOTHING, DAY).refusal == "no price of a known device"


def test_spot_prices_are_back_after_three_weeks() -> None:
    """Spot prices are stale after 14 days and those on demand after 30: rows of spot are no surplus."""
    past = {"as_of": DAY - timedelta(days=21)}
    both = [*regions(10), *regions(10, kind="spot", usd_per_gpu_hour=1.0)]
    found = judged(price_rows(*both), price_rows(*(row | past for row in both)), DAY)
    assert found.rows is not None
    assert found.rows.height == 20


def test_kinds_and_devices_are_judged_apart() -> None:
    last = price_rows({"as_of": BEFORE}, {"kind": "spot", "usd_per_gpu_hour": 0.5, "as_of": BEFORE})
    found = judged(price_rows({}, {"kind": "spot", "usd_per_gpu_hour": 0.4}), last, DAY)
    assert (found.refusal, found.left_out) == (None, {})
