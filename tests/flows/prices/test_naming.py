"""Names of providers become devices by the catalog, or stay names."""

from __future__ import annotations

from datetime import date
from typing import Any

import polars as pl
import pytest

import catalogs
from flows.prices.naming import PRICES, UNMAPPED, Named, named
from flows.prices.offers import OFFERS

NAMES = pl.DataFrame(
    [
        ("RTX 4090", "vast.ai", 24.0, None, "nvidia-rtx-4090-24gb"),
        ("RTX 4090", "vast.ai", 48.0, None, "nvidia-rtx-4090-48gb-modded"),
        ("gpu_1x_h100_pcie", "lambda", 80.0, None, "nvidia-h100-pcie-80gb"),
        ("H100", "lambda", 80.0, None, "nvidia-h100-sxm-80gb"),
        ("Standard_NV6ads_A10_v5", "azure", None, 0.1667, "nvidia-a10-24gb"),
        ("Standard_X", "azure", None, None, "nvidia-a10-24gb"),
        ("g6f.large", "aws", None, 1.0, "nvidia-l4-24gb-1of8"),
        ("L4", "aws", 24.0, None, "nvidia-l4-24gb"),
        ("twin", "vast.ai", 24.0, None, "nvidia-l4-24gb"),
        ("twin", "vast.ai", 25.0, None, "nvidia-a10-24gb"),
    ],
    schema=["name", "provider", "device_memory_gib", "gpu_count", "gpu"],
    orient="row",
)
OFFER = {
    "provider": "vast.ai", "region": "x", "instance_type": "1x", "gpu_name": "RTX 4090", "device_memory_gib": 24.0,
    "gpu_count": 1.0, "kind": "on_demand", "usd_per_instance_hour": 0.4, "usd_per_gpu_hour": 0.4,
    "as_of": date(2026, 11, 30), "source": "a test",
}  # fmt: skip


def of(*offers: dict[str, Any]) -> Named:
    found = named(pl.DataFrame([OFFER | offer for offer in offers], schema=OFFERS), NAMES, "list", "high")
    assert (found.prices.schema, found.unmapped.schema) == (PRICES, UNMAPPED)
    return found


@pytest.mark.parametrize(
    ("offer", "gpu"),
    [
        ({}, "nvidia-rtx-4090-24gb"),
        ({"gpu_name": "rtx_4090"}, "nvidia-rtx-4090-24gb"),
        ({"device_memory_gib": 24564 / 1024}, "nvidia-rtx-4090-24gb"),
        ({"device_memory_gib": 22888 / 1024}, "nvidia-rtx-4090-24gb"),  # 6.9 % below
        ({"device_memory_gib": 22.1}, "nvidia-rtx-4090-24gb"),  # 7.9 % below
        ({"device_memory_gib": 22.0}, None),  # 8.3 % below
        ({"device_memory_gib": 26.0}, None),
        ({"device_memory_gib": 48.0}, "nvidia-rtx-4090-48gb-modded"),
        ({"device_memory_gib": 32.0}, None),
        ({"device_memory_gib": None}, None),  # the name alone is not enough
        ({"gpu_name": "RTX 4090 Laptop"}, None),  # no part of a name
        ({"gpu_name": "4090"}, None),
        ({"provider": "lambda"}, None),  # a name is a provider's
        ({"gpu_name": "twin"}, None),  # within 8 % of two devices
    ],
)
def test_a_name_with_its_memory(offer: dict[str, Any], gpu: str | None) -> None:
    found = of(offer)
    assert found.prices["gpu"].to_list() == ([gpu] if gpu else [])
    assert found.unmapped.height == (gpu is None)


def test_the_instance_type_wins() -> None:
    h100 = {"provider": "lambda", "gpu_name": "H100", "device_memory_gib": 80.0}
    found = of(h100 | {"instance_type": "gpu_1x_h100_pcie"}, h100 | {"instance_type": "gpu_8x_h100_sxm5"})
    assert found.prices["gpu"].to_list() == ["nvidia-h100-pcie-80gb", "nvidia-h100-sxm-80gb"]


def test_a_count_that_the_list_does_not_tell() -> None:
    """A sixth of a device for 0.454 dollars: the price is of a whole one, and the count says that it is a slice."""
    azure = {"provider": "azure", "device_memory_gib": None, "gpu_count": None, "usd_per_instance_hour": 0.454}
    name = "Standard_NV6ads_A10_v5"
    [row] = of(azure | {"gpu_name": name, "instance_type": name}).prices.iter_rows(named=True)
    assert row["usd_per_gpu_hour"] == pytest.approx(2.7235, abs=1e-4)
    assert row["gpu_count"] == 0.1667
    assert of(azure | {"gpu_name": "Standard_X", "instance_type": "Standard_X"}).prices.is_empty()


def test_a_slice_is_a_device_of_its_own() -> None:
    """An eighth of an L4 for 0.202 dollars is no L4 at 1.616; lists tell the part of the board."""
    aws = {"provider": "aws", "gpu_name": "L4", "device_memory_gib": 24.0}
    slices = aws | {"instance_type": "g6f.large", "gpu_count": 0.125, "usd_per_instance_hour": 0.202}
    whole = aws | {"instance_type": "g6.xlarge", "usd_per_instance_hour": 0.805}
    found = of(slices, whole).prices.select("gpu", "gpu_count", "usd_per_gpu_hour")
    assert found.rows() == [("nvidia-l4-24gb", 1.0, 0.805), ("nvidia-l4-24gb-1of8", 1.0, 0.202)]


def test_what_nobody_mapped_is_reported() -> None:
    odd = {"gpu_name": "Z1", "device_memory_gib": None}
    found = of(
        odd | {"region": "a", "usd_per_instance_hour": 3.0}, odd | {"region": "b", "usd_per_instance_hour": 2.0}, {}
    )
    assert found.unmapped.rows() == [("vast.ai", "Z1", None, 2, 2.0, date(2026, 11, 30))]


def test_our_names() -> None:
    """No name of ours is within the tolerance of two devices; the providers are those that are asked."""
    ours = catalogs.price_names()
    assert set(ours["provider"]) == set(catalogs.price_sources()["provider"])
    offers = ours.select(
        "provider", "device_memory_gib", gpu_name="name", instance_type="name", region=pl.lit("x"),
        gpu_count=pl.lit(1.0), kind=pl.lit("spot"), usd_per_instance_hour=pl.lit(1.0), usd_per_gpu_hour=pl.lit(1.0),
        as_of=pl.lit(date(2026, 11, 30)), source=pl.lit("a test"),
    ).select(OFFERS.names())  # fmt: skip
    found = named(offers, ours, "list", "high")
    assert found.unmapped.is_empty()
    gpus = found.prices.select("provider", "gpu").unique()
    assert gpus.height == ours.select("provider", "gpu").unique().height
