"""What devices cost over a horizon."""

from __future__ import annotations

import datetime
from typing import Any

import polars as pl
import pytest

from flows.procurement.offers import Terms, cheapest, every
from flows.procurement.problem import Offer

POLICY = {
    "hours_per_month": 730.0, "amortisation_years": 4.0, "usd_per_kwh": 0.10, "power_usage_effectiveness": 1.5,
    "power_share": 0.5,
}  # fmt: skip
GPUS = pl.DataFrame(
    {"gpu_id": ["a", "b"], "vendor": ["nvidia", "amd"], "max_gpus_per_node": [8, None], "watts": [400, 300]}
)
NOTHING = pl.DataFrame(schema={"gpu": pl.String, "devices": pl.Int64})


def price(gpu: str, kind: str, usd: float, count: float = 1.0, **more: Any) -> dict[str, Any]:
    return {
        "gpu": gpu, "kind": kind, "gpu_count": count, "provider": "one" if kind == "on_demand" else None,
        "region": None, "basis": "street", "source": "s", "as_of": datetime.date(2026, 11, 1),
        "age_days": 30, "is_stale": False, "origin": "seed",
        "usd_per_gpu_hour": usd if kind != "purchase" else None, "usd_purchase": usd if kind == "purchase" else None,
        **more,
    }  # fmt: skip


def offers(*of: Any) -> list[Offer]:
    return cheapest(every(*of))


def prices(*rows: dict[str, Any]) -> pl.DataFrame:
    return pl.DataFrame(list(rows), infer_schema_length=None, schema_overrides={"usd_purchase": pl.Float64})


def test_rented_hours_of_a_whole_unit() -> None:
    """8 devices at 2 USD for 730 hours and 3 months: 35,040 USD; of two providers the cheaper, and slices are none."""
    table = prices(
        price("a", "on_demand", 2.0, 8.0), price("a", "on_demand", 2.5, 8.0, provider="two"),
        price("a", "on_demand", 0.1, 0.125), price("a", "spot", 0.5, 8.0),
    )  # fmt: skip
    [offer] = offers(table, GPUS, NOTHING, POLICY, Terms(3.0))
    assert (offer.gpu, offer.devices, offer.node, offer.usd, offer.watts) == ("a", 8, 8, 35_040.0, 3200.0)
    [dearer] = offers(table, GPUS, NOTHING, POLICY, Terms(3.0, providers=["two"]))
    assert dearer.usd == 43_800.0


def test_a_purchase_costs_its_share_of_four_years_and_its_power() -> None:
    """8,000 USD x 12/48, and 400 W x 0.5 x 1.5 for 8,760 hours at 10 cents: 2,000 + 262.80."""
    table = prices(price("a", "purchase", 9000.0), price("a", "purchase", 8000.0))
    [offer] = offers(table, GPUS, NOTHING, POLICY, Terms(12.0))
    assert offer.usd == pytest.approx(2262.8)
    assert (offer.devices, offer.node, offer.limit) == (1, 8, None)
    [longer] = offers(table, GPUS, NOTHING, POLICY, Terms(60.0))
    assert longer.usd == pytest.approx(8000 + 5 * 262.8)


def test_boards_are_bought_whole() -> None:
    """Two devices of 500 USD each are one board; its devices work with those of other boards."""
    [offer] = offers(prices(price("a", "purchase", 500.0, 2.0)), GPUS, NOTHING, POLICY, Terms(12.0))
    assert (offer.name.partition(" (")[0], offer.devices, offer.node, offer.watts) == ("buy board of 2 a", 2, 8, 800.0)
    assert offer.usd == pytest.approx(2 * (125 + 262.8))
    assert (offer.is_machine, offer.reach, offer.share(3)) == (False, 8, 3)
    rented = Offer("r", "a", 8, 8, 1.0, None)
    assert (rented.is_machine, rented.reach, rented.share(3)) == (True, 8, 4)


def test_who_rents_single_devices_gets_no_node() -> None:
    """A group of two needs an instance of two, however many single ones there are."""
    [offer] = offers(prices(price("a", "on_demand", 2.0)), GPUS, NOTHING, POLICY, Terms(1.0))
    assert (offer.devices, offer.reach) == (1, 1)


def test_what_is_owned_costs_its_power_and_is_no_more_than_there_is() -> None:
    owned = pl.DataFrame({"gpu": ["b", "a"], "devices": [3, 0]})
    [offer] = offers(prices(price("c", "spot", 1.0)), GPUS, owned, POLICY, Terms(12.0))
    assert (offer.gpu, offer.limit, offer.node) == ("b", 3, 1)
    assert offer.usd == pytest.approx(0.3 * 0.5 * 1.5 * 8760 * 0.10)


def test_what_unknown_power_costs_is_not_known() -> None:
    """Rented it is in the price; bought or owned there is no cost to tell, and no zero."""
    dark = pl.DataFrame({"gpu_id": ["a"], "vendor": ["nvidia"], "max_gpus_per_node": [8], "watts": [None]})
    owned = pl.DataFrame({"gpu": ["a"], "devices": [2]})
    table = prices(price("a", "on_demand", 2.0), price("a", "purchase", 900.0))
    [offer] = offers(table, dark.cast({"watts": pl.Int64}), owned, POLICY, Terms(1.0))
    assert (offer.name.split()[0], offer.watts) == ("rent", None)


def test_only_what_the_terms_allow() -> None:
    table = prices(price("a", "on_demand", 2.0), price("a", "purchase", 900.0), price("b", "purchase", 100.0))
    named = {(offer.gpu, offer.name.split()[0]) for offer in offers(table, GPUS, NOTHING, POLICY, Terms(1.0))}
    assert named == {("a", "rent"), ("a", "buy"), ("b", "buy")}
    assert not offers(table, GPUS, NOTHING, POLICY, Terms(1.0, rents=False, buys=False))
    assert [o.gpu for o in offers(table, GPUS, NOTHING, POLICY, Terms(1.0, rents=False, vendors=["amd"]))] == ["b"]


def test_the_next_price_of_the_same_is_kept() -> None:
    table = prices(
        price("a", "on_demand", 2.5, provider="two"), price("a", "on_demand", 2.0), price("a", "on_demand", 1.0, 8.0),
        price("a", "purchase", 900.0), price("a", "purchase", 800.0),
    )  # fmt: skip
    found = every(table, GPUS, NOTHING, POLICY, Terms(1.0))
    assert [(one.kind, one.devices, round(one.price_usd, 2)) for one in found] == [
        ("rent", 1, 1460.0), ("rent", 1, 1825.0), ("rent", 8, 5840.0), ("buy", 1, 16.67), ("buy", 1, 18.75),
    ]  # fmt: skip
    assert cheapest(found) == [found[0], found[2], found[3]]
    assert found[0].listed == {
        "as_of": datetime.date(2026, 11, 1), "age_days": 30, "is_stale": False, "origin": "seed", "provider": "one",
    }  # fmt: skip
