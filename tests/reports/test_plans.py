"""Plans of whichever version: what every plan has, and what is missing."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from bought import FACTS, procurement_page

from reports import plans, render
from reports.format import STALE
from reports.plan_tables import Told


def test_a_plan_in_words() -> None:
    plan = plans.from_facts(FACTS)
    said = "$35,040.00 for 12 months serves 1 line of the demand: 3 devices, power unknown."
    unproven = "It is not proven to be the cheapest: no plan costs less than $35,000.00."
    stale = "Its one price is stale: ask for an offer, or run hubfit prices."
    assert plans.sentence(plan) == f"{said} {unproven} {stale}"
    assert plans.sentence(plans.from_facts({**FACTS, "is_proven": True})) == f"{said} {stale}"
    bought = plans.sentence(plans.from_facts({**FACTS, "is_proven": True, "usd_outlay": 120_000.0}))
    paid = "$120,000.00 are paid for what is bought; of it only the share of these months counts."
    assert bought == f"{said} {paid} {stale}"
    one = replace(plan, months=1.0, devices=1, watts=1400.0, served=[], hardware=[], usd_at_least=None)
    assert plans.sentence(one) == "$35,040.00 for a month serves 0 lines of the demand: 1 device, 1.4 kW rated."


@pytest.mark.parametrize(
    ("stale", "said"),
    [
        ([False], None),
        ([None, None], None),
        ([True, True], "All of its 2 prices are stale"),
        ([True, False], "1 of its 2 prices is stale"),
        ([True, True, False], "2 of its 3 prices are stale"),
    ],
)
def test_how_many_prices_of_a_plan_are_stale(stale: list[bool | None], said: str | None) -> None:
    """What is owned has no price and is not counted."""
    owned = {"offer": "owned", "units": 1}
    hardware = [{**FACTS["hardware"][0], "price_is_stale": one} for one in stale]
    told = plans.sentence(plans.from_facts({**FACTS, "is_proven": True, "hardware": [owned, *hardware]}))
    assert told.endswith("unknown." if said is None else f"{said}: ask for an offer, or run hubfit prices.")


def test_a_line_on_two_offers_is_one_line() -> None:
    twice = plans.from_facts({**FACTS, "served": FACTS["served"] * 2, "is_proven": True})
    assert "serves 1 line of the demand" in plans.sentence(twice)


def tables(**changes: Any) -> dict[str, Told]:
    return {told.title: told for told in plans.from_facts({**FACTS, **changes}).tables()}


def titles(told: Told) -> list[str]:
    return [column.title for column in told.columns]


def test_what_every_plan_has() -> None:
    found = tables()
    assert list(found)[:3] == ["What to take", "What runs on it", "What else would do"]
    assert titles(found["What to take"]) == [
        "Offer", "Units", "Devices", "Cost for 12 months", "Rated power, W", "Price of",
    ]  # fmt: skip
    assert found["What to take"].rows == [
        ["rent 1 x device-a of acme", "3", "3", "$35,040.00", "unknown", f"2026-01-01, 1 day old {STALE}"]
    ]
    assert found["What runs on it"].rows == [
        ["owner/name", "device-a", "bf16", "pp3", "1", "8,192", "16", "unknown", "20.00 GiB", "22.00 GiB", "medium"]
    ]
    assert titles(found["What else would do"]) == ["Without", "Cost for 12 months", "Then take"]
    assert found["What else would do"].rows == [
        ["rent 1 x device-a of acme", "no other plan", "nothing"],
        ["owned device-b", "$40,000.00", (f"2 x buy device-b {STALE}", "1 x owned device-c")],
    ]
    owned = {"offer": "owned device-b", "units": 1}
    assert tables(hardware=[owned])["What to take"].rows == [
        ["owned device-b", "1", "unknown", "unknown", "unknown", "\N{EN DASH}"]
    ]
    assert "Cost for a month" in titles(tables(months=1)["What to take"])


@pytest.mark.parametrize(
    ("changes", "split"),
    [
        ({"devices_per_group": 1, "parallelism": "single"}, "one"),
        ({"groups": 2}, "2 x pp3"),
        ({"groups": 4, "devices_per_group": 1}, "4 x one"),
        ({"shared": 0, "devices_per_group": 1}, "shared 1"),
    ],
)
def test_how_a_model_is_split(changes: dict[str, object], split: str) -> None:
    [row] = tables(served=[{**FACTS["served"][0], **changes}])["What runs on it"].rows
    assert row[3] == split


def test_a_plan_with_the_least_that_there_can_be_is_a_page() -> None:
    least = plans.from_facts({"months": 1, "usd": 0, "devices": 0})
    html = render.procurement(replace(procurement_page(), plan=least))
    assert "$0.00 for a month serves 0 lines of the demand: 0 devices, power unknown." in html
    assert "What else would do" not in html
    with pytest.raises(KeyError):
        plans.from_facts({"months": 1})
