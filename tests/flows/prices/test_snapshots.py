"""Dated parts of the lake: the newest whole one of a provider counts."""

from __future__ import annotations

import logging
import signal
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import polars as pl
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


WRITER = """
import sys
from datetime import date
from pathlib import Path
import polars as pl
from flows.prices import snapshots
data, day = Path(sys.argv[1]), date.fromisoformat(sys.argv[2])
rows = snapshots.latest(data, "prices", day)
for number in range(100, 10**6):
    snapshots.write(data, "prices", "aws", day, rows.with_columns(usd_per_gpu_hour=pl.lit(float(number))))
    print(number, flush=True)
"""


@pytest.mark.parametrize("milliseconds", [0, 7, 19])
def test_a_writer_that_is_killed_leaves_a_whole_part_or_the_one_before(tmp_path: Path, milliseconds: int) -> None:
    """Wherever it was: what is read is of one write, the newest or that of the day before, and all of it."""
    last = pl.concat([price_rows({"usd_per_gpu_hour": 4.5})] * 50_000)
    snapshots.write(tmp_path, "prices", "aws", date(2026, 11, 29), last)
    command = [sys.executable, "-c", WRITER, str(tmp_path), "2026-11-30"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "100\n"
        time.sleep(milliseconds / 1000)
        process.kill()
        written = [100.0, *map(float, process.stdout.read().split())]
    assert process.returncode == -signal.SIGKILL
    found = snapshots.latest(tmp_path, "prices", date(2026, 11, 30))
    assert found.height == 50_000
    [usd] = found["usd_per_gpu_hour"].unique()
    # one more may be there that the writer did not come to tell of
    assert usd in {4.5, written[-1], written[-1] + 1}
    again = price_rows({"usd_per_gpu_hour": 3.0})
    snapshots.write(tmp_path, "prices", "aws", date(2026, 11, 30), again)
    assert snapshots.latest(tmp_path, "prices", date(2026, 11, 30)).equals(again)
