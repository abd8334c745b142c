"""Meters of the Azure Retail Prices API, by literals."""

from __future__ import annotations

from datetime import date

import pytest
from price_lists import azure as page
from price_lists import meter

from flows.prices import azure
from flows.prices.offers import OFFERS, BadList

DAY = date(2026, 11, 30)


def parsed(*pages: bytes) -> list[tuple[object, ...]]:
    found = azure.parse(pages, "azure", DAY, "a test")
    assert found.rows.schema == OFFERS
    return found.rows.select("region", "instance_type", "kind", "usd_per_instance_hour").rows()


def test_hours_of_linux_on_demand_and_spot() -> None:
    rows = parsed(
        page(meter(), meter(skuName="ND96isr H100 v5 Spot", retailPrice=20.0)), page(meter(armRegionName="x"))
    )
    name = "Standard_ND96isr_H100_v5"
    assert rows == [("eastus", name, "on_demand", 80.0), ("eastus", name, "spot", 20.0), ("x", name, "on_demand", 80.0)]


def test_devices_and_their_number_are_not_told() -> None:
    [row] = azure.parse([page(meter())], "azure", DAY, "a test").rows.iter_rows(named=True)
    assert (row["gpu_name"], row["gpu_count"], row["device_memory_gib"]) == ("Standard_ND96isr_H100_v5", None, None)
    assert row["usd_per_gpu_hour"] is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"type": "Reservation", "retailPrice": 300_000.0}, "another term"),
        ({"type": "DevTestConsumption"}, "another term"),
        ({"productName": "Virtual Machines X Series Windows"}, "Windows"),
        ({"skuName": "ND96isr H100 v5 Low Priority"}, "low priority or expired"),
        ({"isPrimaryMeterRegion": False}, "meter of another region"),
        ({"unitOfMeasure": "1 GB/Month"}, "not by the hour"),
        ({"unitOfMeasure": None}, "not by the hour"),
        ({"armSkuName": "Standard_F16s"}, "no GPU family"),
        ({"retailPrice": 0.0}, "no price"),
        ({"retailPrice": "80"}, "no price"),
        ({"retailPrice": 10**400}, "no price"),
        ({"retailPrice": float("inf")}, "no price"),
        ({"retailPrice": float("nan")}, "no price"),
        ({"armSkuName": "\ud800"}, "no GPU family"),
        ({"armSkuName": None}, "no GPU family"),
    ],
)
def test_what_is_no_price_by_the_hour(changes: dict[str, object], reason: str) -> None:
    found = azure.parse([page(meter(**changes), meter())], "azure", DAY, "a test")
    assert (found.rows.height, found.skipped) == (1, {reason: 1})


def test_a_meter_that_says_of_no_region_is_of_its_own() -> None:
    found = azure.parse([page(meter(isPrimaryMeterRegion=None))], "azure", DAY, "a test")
    assert (found.rows.height, found.skipped) == (1, {})


def test_another_currency_refuses_the_list() -> None:
    with pytest.raises(BadList, match=r"^prices are in EUR, not in USD$"):
        parsed(page(meter(), meter(currencyCode="EUR")))


def test_pages() -> None:
    assert azure.next_page(page(following="https://other/page")) == "https://other/page"
    assert azure.next_page(page(following="")) is None
    assert azure.next_page(page()) is None


@pytest.mark.parametrize("body", [b"<html>", b"[]", b"{}", b'{"Items": 1}', b"[" * 100_000, page("text"), b"\xff"])
def test_what_is_no_answer(body: bytes) -> None:
    with pytest.raises(BadList):
        parsed(body)


def test_a_link_that_is_no_text() -> None:
    with pytest.raises(BadList, match="NextPageLink"):
        azure.next_page(page(following=5))
