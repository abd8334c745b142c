"""CSV of skypilot-catalog, by literals."""

from __future__ import annotations

from datetime import date

import pytest
from price_lists import info
from price_lists import skypilot as csv

from flows.prices import skypilot
from flows.prices.offers import OFFERS, BadList, Offers


def parsed(*rows: str) -> Offers:
    found = skypilot.parse(csv(*rows), "cloud", date(2026, 11, 30), "a test")
    assert found.rows.schema == OFFERS
    return found


def test_the_cheapest_zone_of_a_region() -> None:
    machine, told = "p5.48xlarge,H100,8,192,2048", info("H100", 8, 81920, 655360)
    found = parsed(f"{machine},{told},40.0,16.0,us-east-1,a", f"{machine},{told},40.0,12.0,us-east-1,b")
    columns = (
        "region",
        "gpu_name",
        "device_memory_gib",
        "gpu_count",
        "kind",
        "usd_per_instance_hour",
        "usd_per_gpu_hour",
    )
    assert found.rows.select(columns).rows() == [
        ("us-east-1", "H100", 80.0, 8.0, "on_demand", 40.0, 5.0),
        ("us-east-1", "H100", 80.0, 8.0, "spot", 12.0, 1.5),
    ]


@pytest.mark.parametrize(
    ("count", "told", "gib"),
    [
        (8, info("A100", 8, 40960, 327680), 40.0),
        (1, info("A100 PCIe", 1, 80, 80), 80.0),  # GB in a field for MiB
        (1, info("B", 1, None, 24), 24.0),
        (1, info("B", 1, None, 24564), 24564 / 1024),
        (8, info("A100", 8, None, 40960), None),  # a total that may not be multiplied
        (8, info("RTX 4090", 8, 196608, 196608), None),  # a total in the field of one device
        (8, info("H100", 8, 0, 0), None),
        (8, info("H100", 8, float("nan"), 655360), None),
        (8, info("H100", 8, float("inf"), 655360), None),
        (8, info("H100", 8, 81920, float("nan")), 80.0),
        (1, info("H100", 1, float("nan"), 81920), 80.0),
        (1, info("H100", 1, float("nan"), float("nan")), None),
        (1, "", None),
    ],
)
def test_memory_of_one_device(count: int, told: str, gib: float | None) -> None:
    found = parsed(f"machine,GPU,{count},1,1,{told},8.0,,somewhere,")
    assert found.rows["device_memory_gib"].to_list() == [gib]


def test_rows_without_the_price_of_a_gpu() -> None:
    """GCP: machines cost their processors only, and the device is in a row without a machine."""
    found = parsed("a2-highgpu-1g,,,12,85,,0.9,0.3,us,us-a", ",A100,1.0,,,,2.9,1.1,us,us-a")
    assert found.rows.is_empty()
    assert found.skipped == {"an accelerator without a machine": 2, "no accelerator": 1}


def test_spot_prices_that_are_none() -> None:
    found = parsed('1x-L40S,L40S,1,32,64,,0.60,0.00,"Sofia, BG",')
    assert found.rows.select("region", "kind").rows() == [("Sofia, BG", "on_demand")]
    assert found.skipped == {"no price": 1}
    found = parsed("a,L40S,1,32,64,,1.09,1.09,CA,", "b,H100,1,32,64,,2.5,2.5,CA,")
    assert found.rows["kind"].to_list() == ["on_demand", "on_demand"]
    assert found.skipped == {"spot repeats on demand": 2}


@pytest.mark.parametrize(("others", "counted"), [(1, 0), (2, 11)])
def test_a_few_other_spot_prices_do_not_save_a_column_of_copies(others: int, counted: int) -> None:
    """Nine copies among ten are nine tenths and mean nothing, nine among eleven are spot prices; 0.00 is no price."""
    copies = [f"copy{at},L40S,1,32,64,,1.09,1.09,CA," for at in range(9)]
    real = [f"real{at},L40S,1,32,64,,1.09,0.50,CA," for at in range(others)]
    none = [f"none{at},L40S,1,32,64,,1.09,{'0.00' if at else ''},CA," for at in range(4)]
    found = parsed(*copies, *real, *none)
    assert found.rows.filter(kind="spot").height == counted
    assert found.rows.filter(kind="on_demand").height == 9 + others + 4
    assert found.skipped == {"no price": 3} | ({} if counted else {"spot repeats on demand": 10})


def test_the_full_name_where_there_is_one() -> None:
    """Names of accelerators are folded: RTX4070 may be a 4070 Ti Super."""
    assert (
        parsed(f"m,RTX4070,1,1,1,{info('RTX 4070S Ti', 1, 16376, 16376)},1.0,,x,").rows["gpu_name"][0] == "RTX 4070S Ti"
    )
    assert parsed("m,RTX4070,1,1,1,,1.0,,x,").rows["gpu_name"][0] == "RTX4070"


@pytest.mark.parametrize("price", ["", "free", "nan", "inf", "-1", "0"])
def test_a_price_that_is_none(price: str) -> None:
    assert parsed(f"m,L4,1,1,1,,{price},,x,").skipped == {"no price": 1}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"<!doctype html><p>Not found", "has no column InstanceType"),
        (b"", "is not CSV"),
        (b"\xff\xfe", "is not UTF-8"),
        (b'InstanceType\n"open', "column AcceleratorName|is not CSV"),
    ],
)
def test_what_is_no_price_list(body: bytes, message: str) -> None:
    with pytest.raises(BadList, match=message):
        skypilot.parse(body, "cloud", date(2026, 11, 30), "a test")
