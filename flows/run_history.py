"""What the lake remembers of every night that reached the build: one row each, kept for ever as HISTORY is."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from flows import lake
from flows.night import Night

log = logging.getLogger(__name__)

# Tables of the lake that outlive the nights that wrote them: a small part each.
HISTORY = ("runs", "trends")

# Grain: run.
RUNS = pl.Schema(
    {
        "run_id": pl.String(),
        "started_at": pl.Datetime("us", "UTC"),
        "finished_at": pl.Datetime("us", "UTC"),
        "source": pl.String(),
        "code_version": pl.String(),
        "catalog_digest": pl.String(),
        "models_listed": pl.Int64(),
        "models_read": pl.Int64(),
        "models_failed": pl.Int64(),
        "shapes": pl.Int64(),
        "fit_rows": pl.Int64(),
        "outcome": pl.String(),  # published | blocked
        "changes": pl.String(),  # in words; null of runs that were never compared
    }
)


def record(night: Night, *, models_read: int, models_failed: int, shapes: int, fit_rows: int) -> None:
    """Write the row of a run that was built. Raises OSError when the disk refuses."""
    row = {
        "run_id": night.run_id,
        "started_at": night.started_at,
        "finished_at": datetime.now(UTC),
        "source": night.source,
        "code_version": night.code_version,
        "catalog_digest": night.catalog_digest,
        "models_listed": len(night.entries),
        "models_read": models_read,
        "models_failed": models_failed,
        "shapes": shapes,
        "fit_rows": fit_rows,
        "outcome": "published",
        "changes": None,
    }
    lake.write(pl.DataFrame([row], schema=RUNS), night.part("runs", 0), RUNS)


def correct(night: Night, **words: str) -> None:
    """Say something else of a run that was recorded: its `outcome` where publication was blocked, its `changes`."""
    [part] = night.parts("runs")
    lake.write(pl.read_parquet(part).with_columns(**{name: pl.lit(value) for name, value in words.items()}), part, RUNS)


def parts(data: Path, table: str = "runs") -> list[Path]:
    """The parts of all nights that are whole, of a table of HISTORY.

    The others are reported: one damaged file must not stop every night.
    """
    whole = []
    for path in sorted((data / "lake" / table).glob("run=*/part-*.parquet")):
        if lake.is_sealed(path):
            whole.append(path)
        else:
            log.warning("%s is damaged: that night is left out of the history; delete the file to forget it", path)
    return whole


def ended(data: Path) -> set[str]:
    """Runs that came to their end. One that died behind its build is recorded, but nobody has seen it published."""
    return {path.parent.name.removeprefix("run=") for path in (data / "lake" / "runs").glob("run=*/finished")}
