"""The page, the feed and the JSON of what changed, read from a built file."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import duckdb
import pytest
from eventful import LARGE, SMALL

from flows import report
from reports.paths import model_path


@pytest.fixture(scope="session")
def folder(files: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("report")
    report.write(files[1], place)
    return place


def table_of(page: str, name: str) -> list[list[Any]]:
    found = re.search(rf'id="{name}".*?<script type="application/json">(.*?)</script>', page, re.DOTALL)
    assert found
    rows: list[list[Any]] = json.loads(found.group(1))["rows"]
    return rows


def test_the_page_says_what_happened(files: tuple[Path, Path], folder: Path) -> None:
    page = (folder / "changes.html").read_text(encoding="utf-8")
    assert "1 was added, 1 is gone, 1 cannot be read any more, 1 can be read again, 1 has another name" in page
    rows = table_of(page, "devices")
    with duckdb.connect(str(files[1]), read_only=True) as connection:
        [(count,)] = connection.execute("SELECT count(*) FROM device_changes").fetchall()
    assert len(rows) == count
    first = next(row for row in rows if row[0][0] == SMALL and row[3] == "chat-8k")
    assert first[1:3] == ["runs no longer", ["NVIDIA L4 24GB", "devices/nvidia-l4-24gb.html"]]
    assert first[4] == "catalog"
    assert first[6] == "does not run"
    assert [LARGE, model_path(LARGE)] in [row[0] for row in rows]


def test_links_lead_to_pages_that_are_there(folder: Path) -> None:
    page = (folder / "changes.html").read_text(encoding="utf-8")
    cells = [cell for name in ("devices", "models", "prices") for row in table_of(page, name) for cell in row]
    links = {cell[1] for cell in cells if isinstance(cell, list)}
    assert len(links) > 5
    assert [link for link in links if not (folder / link).exists()] == []


def test_the_same_for_other_programs(files: tuple[Path, Path], folder: Path) -> None:
    told = json.loads((folder / "changes.json").read_text(encoding="utf-8"))
    assert told["is_compared"] is True
    assert {row["change"] for row in told["models"]} > {"added", "removed", "failed", "renamed"}
    assert {row["catalog"] for row in told["catalogs"]} == {"gpus", "precisions"}
    assert sum(row["verdicts"] for row in told["verdicts_by_cause"]) > 0
    with duckdb.connect(str(files[1]), read_only=True) as connection:
        [(summary,)] = connection.execute("SELECT changes FROM runs ORDER BY run_id DESC LIMIT 1").fetchall()
    assert " ".join(told["summary"]) == summary
    assert summary in (folder / "changes.atom").read_text(encoding="utf-8")
