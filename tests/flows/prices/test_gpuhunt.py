"""Zips of gpuhunt, by literals."""

from __future__ import annotations

import io
import zipfile
from datetime import date

import pytest
from price_lists import gpuhunt as packed

from flows.prices import gpuhunt
from flows.prices.offers import OFFERS, BadList, Offers

DAY = date(2026, 11, 30)


def parsed(*rows: str) -> Offers:
    found = gpuhunt.parse(packed(*rows), "cloud", DAY, "a test")
    assert found.rows.schema == OFFERS
    return found


def test_the_price_is_of_the_whole_instance() -> None:
    found = parsed("i8,us,24.0,1,1,8,H100,80.0,False,,nvidia,", "i8,us,8.0,1,1,8,H100,80.0,True,,nvidia,")
    columns = ("instance_type", "device_memory_gib", "gpu_count", "kind", "usd_per_instance_hour", "usd_per_gpu_hour")
    assert found.rows.select(columns).rows() == [
        ("i8", 80.0, 8.0, "on_demand", 24.0, 3.0),
        ("i8", 80.0, 8.0, "spot", 8.0, 1.0),
    ]
    assert found.rows["as_of"].to_list() == [DAY, DAY]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("c1,us,0.5,30,240,0,,,False,,,", "no accelerator"),
        ("a3,us,43.0,1,1,8,H100,80.0,False,,nvidia,gcp-dws-calendar-mode", "reserved ahead"),
        ("a3-edgegpu-8g,us,43.0,1,1,8,H100,80.0,False,,nvidia,", "at the customer's"),
        ("i8,us,,1,1,8,H100,80.0,False,,nvidia,", "no price"),
        ("i8,us,1,1,1,8,H100,80.0,maybe,,nvidia,", "neither spot nor on demand"),
    ],
)
def test_what_is_no_offer_by_the_hour(row: str, reason: str) -> None:
    found = parsed(row)
    assert (found.rows.height, found.skipped) == (0, {reason: 1})


def test_memory_that_is_not_told() -> None:
    assert parsed("i,us,1,1,1,1,L4,0,False,,,").rows["device_memory_gib"].to_list() == [None]


def test_a_zip_that_is_none() -> None:
    whole = packed("i8,us,24.0,1,1,8,H100,80.0,False,,nvidia,")
    broken = bytearray(whole)
    broken[45] ^= 0xFF  # inside the compressed file
    for body in (b"", b"<html>", whole[: len(whole) // 2], bytes(broken)):
        with pytest.raises(BadList, match="the catalog is no whole zip"):
            gpuhunt.parse(body, "cloud", DAY, "a test")


@pytest.mark.parametrize("files", [(), ("a.csv", "b.csv"), ("readme.txt",)])
def test_a_zip_with_other_files(files: tuple[str, ...]) -> None:
    with pytest.raises(BadList, match="CSV files instead of one"):
        gpuhunt.parse(packed(files=files), "cloud", DAY, "a test")


def test_a_zip_that_unpacks_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpuhunt, "LARGEST_CSV_BYTES", 1000)
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.csv", "0" * 1_000_000)
    with pytest.raises(BadList, match="larger than"):
        gpuhunt.parse(body.getvalue(), "cloud", DAY, "a test")


def test_the_version_says_the_day() -> None:
    assert gpuhunt.version_date(b"20261122-17\n") == ("20261122-17", date(2026, 11, 22))
    for body in (b"", b"<html>", b"20261322-1", b"../../x", b"20261122", b"20261122-1/../y", b"\xff" * 500):
        with pytest.raises(BadList):
            gpuhunt.version_date(body)
