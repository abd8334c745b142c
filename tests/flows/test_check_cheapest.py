"""The cheapest ways to run a model: which come first, which are left out, and what is said of their prices."""

from __future__ import annotations

import datetime
import io
from typing import Any

import pytest
from rich.console import Console

from flows import check_cheapest


def fit(gpu: str, precision: str = "bf16", usd: float | None = 1.0, **facts: Any) -> dict[str, Any]:
    return {
        "gpu": gpu, "name": gpu.upper(), "precision": precision, "verdict": "fits", "gpus_needed": 1,
        "parallelism": "tp1", "usd_per_hour": usd, "usd_per_million_tokens": 2.0,
        "usd_per_million_input_tokens": 0.1, "decode_tokens_per_second": 40.0,
        "total_tokens_per_second": 160.0, "headroom_bytes": 5, **facts,
    }  # fmt: skip


def price(gpu: str, **facts: Any) -> dict[str, Any]:
    return {
        "gpu": gpu, "devices": 1, "instances": 1, "devices_per_instance": 1, "provider": "cloud", "region": "north",
        "as_of": datetime.date(2026, 7, 9), "age_days": 145, "is_stale": True, "origin": "seed", **facts,
    }  # fmt: skip


def ways(*rows: dict[str, Any]) -> list[tuple[str, str]]:
    prices = [price(gpu, devices=devices) for gpu, devices in {(row["gpu"], row["gpus_needed"]) for row in rows}]
    found = check_cheapest.cheapest(rows, prices)
    return [(way["gpu"], way["precision"]) for way in found]


def printed(found: list[dict[str, Any]]) -> str:
    out = Console(file=io.StringIO(), width=200)
    out.print(check_cheapest.table(found, 200))
    assert isinstance(out.file, io.StringIO)
    return out.file.getvalue()


def test_by_price_of_all_devices_then_tokens_then_devices_then_headroom() -> None:
    assert ways(
        fit("f", usd=3.0, gpus_needed=1),
        fit("e", usd=2.0, usd_per_million_tokens=None),  # of the same price as those that say what tokens cost
        fit("d", usd=2.0, usd_per_million_tokens=9.0, gpus_needed=2, headroom_bytes=8),
        fit("c", usd=2.0, usd_per_million_tokens=9.0, headroom_bytes=7),
        fit("b", usd=2.0, usd_per_million_tokens=9.0, headroom_bytes=8),
        fit("a", usd=2.0, usd_per_million_tokens=8.0, gpus_needed=4),
    ) == [("a", "bf16"), ("b", "bf16"), ("c", "bf16"), ("d", "bf16"), ("e", "bf16")]


def test_a_device_stands_once_and_every_precision_has_its_cheapest_way() -> None:
    small = [fit(gpu, "int4", usd) for gpu, usd in (("a", 1.0), ("b", 2.0), ("c", 3.0), ("d", 4.0), ("e", 5.0))]
    again = fit("a", "int8", 1.5)  # dearer than a's first, but the cheapest of its precision
    assert ways(*small, fit("b", "int8", 2.5), again, fit("f", "bf16", 9.0), fit("g", "bf16", 8.0)) == [
        ("a", "int4"), ("a", "int8"), ("b", "int4"), ("c", "int4"), ("d", "int4"), ("e", "int4"), ("g", "bf16"),
    ]  # fmt: skip


def test_what_has_no_price_or_does_not_run_is_no_way() -> None:
    rows = [
        fit("a", usd=None), fit("b", "int4", usd=None), fit("b", usd=2.0), fit("c", usd=None, verdict="too_big"),
        fit("d", usd=None, verdict="sharded", gpus_needed=2), fit("e", usd=None, verdict="offload"),
    ]  # fmt: skip
    assert ways(*rows) == [("b", "bf16")]
    assert check_cheapest.without_price(rows) == ["a", "d"]  # b has one in another precision
    assert check_cheapest.remark(["a", "d"]) == "no price known for 2 devices that run it"
    assert check_cheapest.remark(["a"]) == "no price known for 1 device that runs it"
    assert check_cheapest.remark([]) is None
    assert "no way with a known price" in printed([])


def test_a_way_says_whose_price_it_is_how_old_and_whether_it_comes_in_larger_numbers() -> None:
    rows = [fit("a", verdict="sharded", gpus_needed=2, parallelism="tp2", usd=2.0)]
    offers = [price("a"), price("a", devices=2, devices_per_instance=8)]
    [way] = check_cheapest.cheapest(rows, offers)
    assert way == {
        "gpu": "a", "name": "A", "gpus_needed": 2, "precision": "bf16", "parallelism": "tp2", "verdict": "sharded",
        "usd_per_hour": 2.0, "usd_per_million_tokens": 2.0,
        "usd_per_million_input_tokens": 0.1, "decode_tokens_per_second": 40.0,
        "total_tokens_per_second": 160.0, "headroom_bytes": 5, "provider": "cloud",
        "region": "north", "instances": 1, "devices_per_instance": 8,
        "price_as_of": datetime.date(2026, 7, 9), "price_age_days": 145, "price_is_stale": True, "price_origin": "seed",
    }  # fmt: skip
    assert "cloud, north, for 8, 2026-07-09, seed stale (145 days)" in printed([way])


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"is_stale": False}, "cloud, north, 2026-07-09, seed"),
        ({"region": None, "is_stale": False}, "cloud, 2026-07-09, seed"),
        ({"provider": "[red]\x1b", "is_stale": False}, "[red]\\x1b, north, 2026-07-09, seed"),
        ({"region": "eu\\[/]", "is_stale": False}, "cloud, eu\\[/], 2026-07-09, seed"),
        ({"region": "\\[link=file:///x]eu\\", "is_stale": False}, "cloud, \\[link=file:///x]eu\\, 2026-07-09, seed"),
    ],
)
def test_a_fresh_price_is_not_marked_and_a_strange_name_stays_text(facts: dict[str, Any], words: str) -> None:
    shown = printed(check_cheapest.cheapest([fit("a")], [price("a", **facts)]))
    assert words in shown
    assert "stale" not in shown
