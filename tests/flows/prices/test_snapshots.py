"""Dated parts of the lake: the newest whole one of a provider counts."""

from __future__ import annotations

import logging
from datetime import date
from pathlib import Path

import pytest
from price_rows import price_rows

from flows import lake
from flows.prices import snapshots

FIRST, SECOND, LAST = date(2026, 11, 1), date(2026, 11, 2), date(2026, 11, 30)


def test_the_newest_of_each_provider(tmp_path: Path) -> None:
    for day, provider, usd in ((FIRST, "aws", 1.0), (SECOND, "aws", 2.0), (FIRST, "vast.ai", 3.0)):
        rows = price_rows({"provider": provider, "usd_per_gpu_hour": usd})
        path = snapshots.write(tmp_path, "prices", provider, day, rows)
        assert path == tmp_path / f"lake/prices/date={day}/provider={provider}.parquet"
    columns = ("provider", "usd_per_gpu_hour")
    assert snapshots.latest(tmp_path, "prices", LAST).select(columns).rows() == [("aws", 2.0), ("vast.ai", 3.0)]
    assert snapshots.latest(tmp_path, "prices", FIRST).select(columns).rows() == [("aws", 1.0), ("vast.ai", 3.0)]
    assert [day for day, _, _ in snapshots.files(tmp_path, "prices", LAST)] == [FIRST, FIRST, SECOND]


def test_a_damaged_part_does_not_count(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    snapshots.write(tmp_path, "prices", "aws", FIRST, price_rows({"usd_per_gpu_hour": 1.0}))
    path = snapshots.write(tmp_path, "prices", "aws", SECOND, price_rows({"usd_per_gpu_hour": 2.0}))
    path.write_bytes(path.read_bytes()[:-7])
    with caplog.at_level(logging.WARNING, "flows"):
        assert snapshots.latest(tmp_path, "prices", LAST)["usd_per_gpu_hour"].to_list() == [1.0]
    assert f"price snapshot {path} is damaged" in caplog.text


@pytest.mark.parametrize("change", ["drop", "add"])
def test_a_part_of_another_version_does_not_count(
    change: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    snapshots.write(tmp_path, "prices", "aws", FIRST, price_rows({"usd_per_gpu_hour": 1.0}))
    path = snapshots.write(tmp_path, "prices", "aws", SECOND, price_rows({"usd_per_gpu_hour": 2.0}))
    rows = price_rows({"usd_per_gpu_hour": 2.0})
    lake.write(rows.drop("source") if change == "drop" else rows.with_columns(added=1), path)
    with caplog.at_level(logging.WARNING, "flows"):
        assert snapshots.latest(tmp_path, "prices", LAST)["usd_per_gpu_hour"].to_list() == [1.0]
    assert f"price snapshot {path} is of another version" in caplog.text


def test_no_snapshot_yet(tmp_path: Path) -> None:
    assert snapshots.latest(tmp_path, "prices", LAST).is_empty()
    stray = tmp_path / "lake/prices/date=yesterday/provider=aws.parquet"
    stray.parent.mkdir(parents=True)
    stray.write_bytes(b"")
    assert snapshots.files(tmp_path, "prices", LAST) == []
