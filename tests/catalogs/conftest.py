"""What-if folders with one changed row."""

from __future__ import annotations

import csv
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

import catalogs

OURS = Path(catalogs.__file__).parent

# A row of files that come from us with a header alone.
SAMPLES = {"scores": {"model_id": "a/b", "score": "71.5", "benchmark": "", "source": "", "as_of": ""}}

Rows = Callable[..., Path]


def written_rows(table: str) -> list[dict[str, str]]:
    """The rows of our file as text, a sample where it has none."""
    with (OURS / f"{table}.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file)) or [SAMPLES[table]]


@pytest.fixture
def what_if(tmp_path: Path) -> Rows:
    """Write `table.csv` with our rows of the given keys, each changed as told; returns the folder."""

    def write(table: str, *rows: tuple[str, Mapping[str, str]]) -> Path:
        ours = {next(iter(row.values())): row for row in reversed(written_rows(table))}
        with (tmp_path / f"{table}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, fieldnames=list(written_rows(table)[0]), lineterminator="\n")
            writer.writeheader()
            for key, changes in rows:
                writer.writerow({**ours[key], **changes})
        return tmp_path

    return write
