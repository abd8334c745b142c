"""A night counts with the last snapshot, says so, and holds the history of prices."""

from __future__ import annotations

import csv
import re
import zipfile
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest
from price_rows import H100, price_rows
from snapshot_answers import keep

from flows import asked_night, inputs, pipeline, publication, report, warehouse
from flows.prices import snapshots
from flows.prices.naming import UNMAPPED
from flows.settings import Settings

TODAY = datetime.now(UTC).date()
Found = list[tuple[object, ...]]


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("night")
    data, folder = place / "data", place / "ours"
    folder.mkdir()
    keep(folder, "gpus", (H100, "nvidia-rtx-4090-24gb"))
    keep(folder, "precisions", ("bf16", "stored"))
    keep(folder, "workloads", ("min-8k", "chat-8k"))
    for days, usd in ((2, 3.0), (1, 2.5)):
        day = TODAY - timedelta(days=days)
        snapshots.write(data, "prices", "aws", day, price_rows({"usd_per_gpu_hour": usd, "as_of": day}))
        names = pl.DataFrame([("aws", f"Z{days}", None, 3, 9.0, day)], schema=UNMAPPED, orient="row")
        snapshots.write(data, "price_unmapped", "aws", day, names)
    snapshots.write(data, "prices", "aws", TODAY + timedelta(days=1), price_rows({"usd_per_gpu_hour": 9.0}))
    settings = Settings(data=data)
    this = pipeline.begin(settings, "snapshot", [], ["openai-community/gpt2"], folder, fresh=True)
    return pipeline.run(this, inputs.open_source("snapshot", settings)) / publication.DATABASE


def test_one_who_asks_counts_with_the_same_prices(tmp_path: Path) -> None:
    data, folder, place = (tmp_path / name for name in ("data", "ours", "place"))
    folder.mkdir()
    keep(folder, "gpus", (H100,))
    keep(folder, "precisions", ("stored",))
    keep(folder, "workloads", ("min-8k",))
    snapshots.write(data, "prices", "aws", TODAY, price_rows({"usd_per_gpu_hour": 2.5, "as_of": TODAY}))
    _, asked = asked_night.answer([("openai-community/gpt2", None)], Settings(data=data), "snapshot", place, folder)
    assert rows(asked, "SELECT usd_per_gpu_hour, origin FROM current_prices") == [(2.5, "snapshot")]
    assert [path.name for path in (data / "lake").iterdir()] == ["prices"]


def rows(database: Path, query: str) -> Found:
    with warehouse.connect(database) as connection:
        return connection.execute(query).fetchall()


def test_the_current_price_says_where_it_is_from_and_how_old(database: Path) -> None:
    columns = "usd_per_gpu_hour, provider, origin, as_of, age_days, is_stale"
    yesterday = TODAY - timedelta(days=1)
    assert rows(database, f"SELECT {columns} FROM current_prices WHERE gpu = '{H100}'") == [
        (2.5, "aws", "snapshot", yesterday, 1, False)
    ]
    assert rows(database, "SELECT DISTINCT origin FROM prices WHERE gpu = 'nvidia-rtx-4090-24gb'") == [("seed",)]


def test_plans_cost_what_the_snapshot_says(database: Path) -> None:
    """Eight devices come together, at 2.50 each: one of them cannot be had for less."""
    query = f"SELECT DISTINCT gpus_needed, usd_per_hour FROM fit WHERE gpu = '{H100}' AND verdict = 'fits'"
    assert rows(database, query) == [(1, 20.0)]


def test_the_history_of_a_price(database: Path) -> None:
    query = "SELECT provider, region, instance_type, kind, gpu, date, usd_per_gpu_hour FROM price_history"
    offer = ("aws", "us", "p5", "on_demand", H100)
    first, second = (TODAY - timedelta(days=days) for days in (2, 1))
    assert rows(database, query) == [(*offer, first, 3.0), (*offer, second, 2.5)]


def test_names_that_nobody_mapped(database: Path) -> None:
    [(name, offers, day)] = rows(database, "SELECT gpu_name, offers, as_of FROM price_unmapped")
    assert (name, offers) == ("Z1", 3)
    assert isinstance(day, date)


def test_the_report_says_where_prices_are_from(database: Path) -> None:
    page = (database.parent / "report" / "index.html").read_text(encoding="utf-8")
    assert "by the last refresh and the list that comes with hubfit; stale for 1 device." in page


def test_the_page_for_buyers_has_the_rows_of_its_files(database: Path) -> None:
    site = database.parent / "report"
    with (site / "procurement.csv").open(encoding="utf-8", newline="") as file:
        found = list(csv.DictReader(file))
    view = rows(database, "SELECT model_id, workload, gpu, usd_per_hour FROM cheapest_assured ORDER BY workload")
    assert sorted([tuple(row[name] for name in ("model_id", "workload", "gpu")) for row in found]) == [
        ("openai-community/gpt2", "chat-8k", "nvidia-rtx-4090-24gb"),
        ("openai-community/gpt2", "min-8k", "nvidia-rtx-4090-24gb"),
    ]
    assert [row[:3] for row in view] == sorted(
        tuple(row[name] for name in ("model_id", "workload", "gpu")) for row in found
    )
    assert {row["context_tokens"] for row in found} == {"1024"}  # GPT-2's own limit, of the 8k that are asked for
    assert {(row["origin"], row["is_stale"]) for row in found} == {("seed", "true")}
    assert zipfile.is_zipfile(site / "procurement.xlsx")
    script = (site / "procurement.js").read_text(encoding="utf-8")
    assert script.count('"openai-community/gpt2"') == 1
    page = (site / "procurement.html").read_text(encoding="utf-8")
    assert (
        "Of 1 model that writes text, 1 runs on devices with an on-demand price (one chat of 8k tokens, at the"
        " model&#39;s own context where that is shorter, as here)"
    ) in page
    assert "it is stale: ask for an offer, or run hubfit prices." in page


def test_the_page_for_buyers_is_made_anew_as_it_was_and_says_how_old_prices_are(database: Path, tmp_path: Path) -> None:
    report.write(database, tmp_path)
    page = (tmp_path / "procurement.html").read_text(encoding="utf-8")
    yesterday = TODAY - timedelta(days=1)
    assert re.search(rf">aws</th><td><code>on_demand</code></td>.*\s.*{yesterday}</td>.*>snapshot<", page)
    assert "hubfit plan DEMAND.csv" in page, "the folder of this night has no demand"
    for name in ("procurement.html", "procurement.xlsx", "procurement.csv", "procurement.js"):
        assert (tmp_path / name).read_bytes() == (database.parent / "report" / name).read_bytes()
