"""A night plans for the demand of its folder; what is wrong with a plan stops no night."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from price_rows import H100
from snapshot_answers import built, keep

from catalogs import demand as files
from flows import lake, night, night_plan, report, stages, warehouse
from flows.failures import HubUnavailable
from flows.procurement import conditions, options
from flows.raw import RawModel
from reports import plan_tables, plans
from reports.format import STALE

GPT2, QWEN = "openai-community/gpt2", "Qwen/Qwen3-8B"
HEADER = "model_id,context_tokens,concurrent_sequences,replicas"
L4 = "nvidia-l4-24gb"


def folder(place: Path, *lines: str) -> Path:
    place.mkdir()
    keep(place, "gpus", (H100, L4))
    keep(place, "precisions", ("bf16", "stored"))
    keep(place, "workloads", ("min-8k",))
    (place / "demand.csv").write_text("\n".join([HEADER, *lines]) + "\n", encoding="utf-8")
    (place / "inventory.csv").write_text(f"gpu,devices\n{L4},1\n", encoding="utf-8")
    return place


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """GPT-2 is of the night; Qwen3-8B is not, and is read for the plan."""
    place = tmp_path_factory.mktemp("planned")
    ours = folder(place / "ours", f"{GPT2},1024,2,1", f"{QWEN},8192,4,1")
    return built(place, [GPT2], ours, warehouse.build)


def asked(database: Path, query: str) -> list[tuple[Any, ...]]:
    with warehouse.connect(database) as connection:
        return connection.execute(query).fetchall()


def test_the_plan_of_a_night_is_in_its_file(database: Path) -> None:
    """GPT-2 has an L4, four chats of 8k with an 8B in bf16 (16.4 + 4.8 GB) two; one of them is owned."""
    [(demands, months, usd, devices, reason, facts)] = asked(
        database, "SELECT demands, months, usd, devices, reason, facts FROM plans"
    )
    assert (demands, months, devices, reason) == (2, 12, 3, None)
    told = json.loads(facts)
    assert told["usd"] == usd
    hardware = asked(database, "SELECT gpu, units, devices, usd FROM plan_hardware")
    assert hardware == [(row["gpu"], row["units"], row["devices"], row["usd"]) for row in told["hardware"]]
    assert sum(row[3] for row in hardware) == pytest.approx(usd, abs=0.02)
    # 72 W x 8,760 h x 0.6 x 1.4 at 0.13 USD
    assert asked(database, "SELECT units, usd FROM plan_hardware WHERE starts_with(offer, 'owned')") == [(1, 68.87)]
    assert asked(database, "SELECT line, model_id, replicas FROM plan_served ORDER BY line") == [
        (2, GPT2, 1),
        (3, QWEN, 1),
    ]


def test_the_report_shows_the_plan_of_the_night(database: Path, tmp_path: Path) -> None:
    report.write(database, tmp_path)
    page = (tmp_path / "procurement.html").read_text(encoding="utf-8")
    [(usd,)] = asked(database, "SELECT usd FROM plans")
    assert f"${usd:,.2f} for 12 months serves 2 lines of the demand: 3 devices" in page
    assert f'data-title="Model"><span>{QWEN}</span></th>' in page
    assert "hubfit plan DEMAND.csv" not in page


def test_every_column_of_the_plan_has_a_title_that_a_buyer_reads(database: Path) -> None:
    """No key of the facts is told in the words of the code, which what nobody named here would be."""
    told = json.loads(asked(database, "SELECT facts FROM plans")[0][0])
    assert told["next_best"]
    assert told["binding"]
    assert told["sensitivity"]["prices"]
    for key, (_, known) in plan_tables.TABLES.items():
        rows = [] if key in ("sensitivity", "left_out") else told[key]
        assert {name for row in rows for name in row} <= set(known)
    for key, (_, known) in plan_tables.HOLDS.items():
        assert {name for row in told["sensitivity"][key] for name in row} <= set(known)
    assert {row["what"] for row in told["binding"]} <= set(plan_tables.LIFTED)
    titles = {column.title for table in plans.from_facts(told).tables() for column in table.columns}
    assert {"Cost for 12 months", "More than the plan", "Its price may change by"} <= titles
    assert [title for title in titles if "_" in title or "usd" in title or title[:1].islower()] == []


def test_every_condition_that_can_be_lifted_has_words() -> None:
    words = {value for name, value in vars(conditions).items() if name.isupper() and isinstance(value, str)}
    assert words - {conditions.BUDGET, conditions.CONTEXT} == set(plan_tables.LIFTED)


def test_stale_prices_are_marked_wherever_a_plan_takes_them(database: Path) -> None:
    """Names of offers have the device and the day of their price, and the table of prices knows how old that is."""
    told = plans.from_facts(json.loads(asked(database, "SELECT facts FROM plans")[0][0]))
    prices = asked(database, "SELECT gpu, as_of::VARCHAR, bool_or(is_stale) FROM prices GROUP BY ALL")
    lists = [cell for table in told.tables()[2:] for row in table.rows for cell in row if isinstance(cell, tuple)]
    taken = [part for cell in lists for part in cell]
    assert len(taken) > 5
    for part in taken:
        known = [is_stale for gpu, day, is_stale in prices if f" {gpu} " in part and day in part]
        assert part.endswith(STALE) == any(known)
        assert bool(known) == ("owned" not in part)


def test_a_plan_adds_no_model_to_the_night(database: Path) -> None:
    assert asked(database, "SELECT model_id FROM models") == [(GPT2,)]
    assert asked(database, "SELECT workload FROM workloads") == [("min-8k",)]


def nobody(model_ids: Iterable[str]) -> Iterator[tuple[str, RawModel]]:
    for _ in model_ids:
        raise HubUnavailable("the Hub does not answer")
    yield from ()


def started(tmp_path: Path, *lines: str) -> night.Night:
    this = night.start(tmp_path / "data", "snapshot", [("not an id", "has a blank")], folder(tmp_path / "ours", *lines))
    stages.fetch(this, 0, nobody)
    return this


def written(this: night.Night) -> tuple[dict[str, Any], int]:
    [plan] = pl.read_parquet(this.parts("plans")).to_dicts()
    return plan, pl.read_parquet(this.parts("plan_hardware")).height + pl.read_parquet(this.parts("plan_served")).height


def test_a_hub_that_is_away_is_the_reason(tmp_path: Path) -> None:
    this = started(tmp_path, f"{GPT2},1024,2,1")
    night_plan.write(this, nobody)
    plan, rows = written(this)
    assert plan == dict.fromkeys(plan) | {"demands": 1, "reason": "the Hub does not answer"}
    assert rows == 0


def test_a_fault_of_ours_is_the_reason_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("by nothing")

    this = started(tmp_path, f"{GPT2},1024,2,1")
    monkeypatch.setattr(options, "find", broken)
    night_plan.write(this, nobody)
    assert written(this)[0]["reason"] == "ZeroDivisionError: by nothing"


@pytest.mark.parametrize("error", [OSError("no temporary folder"), MemoryError("too much")])
def test_what_the_machine_refuses_is_the_reason_too(
    error: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object) -> None:
        raise error

    this = started(tmp_path, f"{GPT2},1024,2,1")
    monkeypatch.setattr(options, "find", refused)
    night_plan.write(this, nobody)
    assert written(this)[0]["reason"] == f"{type(error).__name__}: {error}"


def test_a_disk_that_refuses_the_tables_stops_the_night(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise OSError("no space left")

    this = started(tmp_path, f"{GPT2},1024,2,1")
    monkeypatch.setattr(lake, "write", refused)
    with pytest.raises(OSError, match="no space left"):
        night_plan.write(this, nobody)


def test_a_demand_that_was_spoiled_meanwhile_is_the_reason(tmp_path: Path) -> None:
    this = started(tmp_path, f"{GPT2},1024,2,1")
    (tmp_path / "ours" / "demand.csv").write_text(f"{HEADER}\n{GPT2},-1,2,1\n", encoding="utf-8")
    night_plan.write(this, nobody)
    plan, rows = written(this)
    assert "demand.csv line 2: context_tokens must be > 0" in plan["reason"]
    assert (plan["demands"], rows) == (None, 0)


def test_a_demand_that_is_too_long_is_the_reason(tmp_path: Path) -> None:
    this = started(tmp_path, *(f"{GPT2},{tokens},2,1" for tokens in range(1, 202)))
    night_plan.write(this, nobody)
    assert written(this)[0]["reason"] == ("the demand has 201 lines, and one plan has room for 200; split the file")


def test_the_day_of_the_night_is_that_of_its_prices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def found(*arguments: object) -> None:
        asked.append(arguments[-1])
        raise HubUnavailable("enough")

    this = started(tmp_path, f"{GPT2},1024,2,1")
    monkeypatch.setattr(options, "find", found)
    night_plan.write(this, nobody)
    assert asked == [this.started_at]


def test_without_a_demand_the_tables_are_empty(tmp_path: Path) -> None:
    this = night.start(tmp_path / "data", "snapshot", [("not an id", "has a blank")])
    night_plan.write(this, nobody)
    for table, schema in night_plan.TABLES.items():
        frame = pl.read_parquet(this.parts(table))
        assert (frame.height, frame.schema) == (0, schema)


def test_every_column_of_a_demand_is_told(database: Path) -> None:
    """What the file asks for, the table of what is served repeats."""
    told = {name for (name,) in asked(database, "SELECT column_name FROM (DESCRIBE plan_served)")}
    assert told >= set(files.DEMAND.columns) - {"min_tokens_per_second"}
