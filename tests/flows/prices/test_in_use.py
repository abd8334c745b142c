"""Whose price counts: the site's, the snapshot's while it is fresh, ours."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from price_rows import H100, price_rows

import catalogs
from flows.prices import snapshots
from flows.prices.in_use import IN_USE, in_use
from flows.prices.staleness import LIMIT_DAYS, age_days, is_stale

DAY = date(2026, 11, 30)
SITE = (
    "gpu,provider,region,kind,basis,instance_type,gpu_count,usd_per_gpu_hour,usd_purchase,usd_purchase_high,"
    "as_of,as_of_precision,confidence,source,notes\n"
    f"{H100},ours,here,on_demand,contract,,8,1.5,,,2026-10-01,day,exact,our contract,\n"
)


def snapshot(data: Path, *rows: dict[str, Any]) -> None:
    snapshots.write(data, "prices", "aws", DAY, price_rows(*rows))


def origins(prices: pl.DataFrame, gpu: str = H100, kind: str = "on_demand") -> set[tuple[str, str]]:
    return set(prices.filter(gpu=gpu, kind=kind).select("provider", "origin").unique().rows())


def test_ours_alone(tmp_path: Path) -> None:
    found = in_use(tmp_path, None, DAY)
    assert found.schema == IN_USE
    assert found.height == catalogs.prices().height
    assert set(found["origin"]) == {"seed"}
    azure = found.filter(provider="azure", gpu=H100).row(0, named=True)
    assert (azure["as_of"], azure["age_days"], azure["is_stale"]) == (date(2026, 6, 18), 165, True)


def test_a_fresh_snapshot_takes_the_place_of_ours(tmp_path: Path) -> None:
    snapshot(tmp_path, {"as_of": DAY - timedelta(days=30)})
    found = in_use(tmp_path, None, DAY)
    assert origins(found) == {("aws", "snapshot")}
    [row] = found.filter(gpu=H100, kind="on_demand").iter_rows(named=True)
    assert (row["age_days"], row["is_stale"], row["as_of_precision"], row["notes"]) == (30, False, "day", None)
    # of other kinds and devices ours stay
    assert {origin for _, origin in origins(found, kind="spot")} == {"seed"}
    assert {origin for _, origin in origins(found, gpu="nvidia-l4-24gb")} == {"seed"}
    assert found.filter(kind="purchase").height == catalogs.prices().filter(kind="purchase").height


@pytest.mark.parametrize(("kind", "days"), [("on_demand", 31), ("spot", 15)])
def test_a_stale_snapshot_does_not_count(tmp_path: Path, kind: str, days: int) -> None:
    snapshot(tmp_path, {"kind": kind, "as_of": DAY - timedelta(days=days)})
    assert {origin for _, origin in origins(in_use(tmp_path, None, DAY), kind=kind)} == {"seed"}


def test_a_snapshot_of_tomorrow_does_not_count(tmp_path: Path) -> None:
    """A run that is resumed counts with the prices of its day."""
    snapshot(tmp_path, {})
    assert set(in_use(tmp_path, None, DAY - timedelta(days=1))["origin"]) == {"seed"}


def test_a_site_counts_alone(tmp_path: Path) -> None:
    snapshot(tmp_path, {})
    ours = tmp_path / "ours"
    ours.mkdir()
    (ours / "prices.csv").write_text(SITE, encoding="utf-8")
    found = in_use(tmp_path, ours, DAY)
    assert found.select("provider", "origin", "age_days", "is_stale").rows() == [("ours", "site", 60, True)]


def test_devices_that_a_site_lacks_have_no_price(tmp_path: Path) -> None:
    snapshot(tmp_path, {}, {"gpu": "nvidia-l4-24gb"})
    rows = (Path(catalogs.__file__).parent / "gpus.csv").read_text(encoding="utf-8").splitlines()
    ours = tmp_path / "ours"
    ours.mkdir()
    kept = [rows[0], *(row for row in rows if row.startswith("nvidia-l4-24gb,"))]
    (ours / "gpus.csv").write_text("\n".join(kept) + "\n", encoding="utf-8")
    found = in_use(tmp_path, ours, DAY)
    assert set(found["gpu"]) == {"nvidia-l4-24gb"}
    assert origins(found, "nvidia-l4-24gb") == {("aws", "snapshot")}


@pytest.mark.parametrize(("kind", "limit"), [("spot", 14), ("on_demand", 30), ("reserved", 30), ("purchase", 90)])
def test_limits(kind: str, limit: int) -> None:
    assert LIMIT_DAYS[kind] == limit
    days = [DAY - timedelta(days=limit), DAY - timedelta(days=limit + 1), DAY + timedelta(days=3)]
    rows = pl.DataFrame({"kind": [kind] * 3, "as_of": days})
    found = rows.select(stale=is_stale(DAY), days=age_days(DAY))
    assert found.rows() == [(False, limit), (True, limit + 1), (False, 0)]
