"""Publish by swapping one pointer: `published/latest` -> the night's folder. A published folder is never touched."""

from __future__ import annotations

import json
import os
import re
import shutil
from datetime import UTC, datetime
from pathlib import Path

from flows import lake, run_history
from flows.failures import Stop

KEEP_NIGHTS = 30
RUN_ID = re.compile(r"\d{4}-\d\d-\d\dT\d{6}Z")
DATABASE = "hubfit.duckdb"


class NothingPublished(Stop):
    """There is no published night in this data folder yet."""


def workplace(data: Path, run_id: str) -> Path:
    """An empty folder to build a night in, beside the published ones so that a rename publishes it."""
    folder = data / "published" / f".building-{run_id}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def publish(data: Path, run_id: str, built: Path) -> Path:
    """Give the finished folder its name and point `latest` (last) and `latest.json` at it.

    A crash before the last step leaves the previous night as it was; the same run can publish again.
    """
    published = data / "published"
    target = published / run_id
    if _is_latest(published, run_id):
        raise FileExistsError(f"{run_id} is already published")
    shutil.rmtree(target, ignore_errors=True)  # left by a crash between the rename and the swap: never pointed at
    built.rename(target)
    pointer = {
        "run_id": run_id,
        "path": run_id,
        "published_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    lake.write_text(published / "latest.json", json.dumps(pointer))
    swap = published / f".latest-{os.getpid()}"
    swap.unlink(missing_ok=True)
    swap.symlink_to(run_id, target_is_directory=True)
    swap.replace(published / "latest")
    return target


def latest(data: Path) -> Path:
    """The folder of the newest published night. Raises NothingPublished."""
    pointer = data / "published" / "latest"
    if not pointer.exists():
        raise NothingPublished(f"nothing is published in {data} yet; run `hubfit nightly` or `make audit` first")
    return pointer.resolve()


def latest_database(data: Path) -> Path:
    """The database file of the newest published night, to be opened read-only. Raises NothingPublished."""
    return latest(data) / DATABASE


def retire(data: Path, keep: int = KEEP_NIGHTS) -> list[str]:
    """Delete published nights beyond the newest `keep`, and the lake partitions of nights that are gone.

    Never the night that `latest` points at. What is history (run_history.HISTORY) stays.
    """
    published = data / "published"
    nights = sorted(path for path in published.glob("*") if RUN_ID.fullmatch(path.name) and not path.is_symlink())
    gone = [path for path in nights[:-keep] if not _is_latest(published, path.name)]
    for path in gone:
        shutil.rmtree(path)
    for leftover in published.glob(".building-*"):
        shutil.rmtree(leftover, ignore_errors=True)
    _retire_lake(data, {path.name for path in nights} - {path.name for path in gone})
    return [path.name for path in gone]


def _retire_lake(data: Path, kept: set[str]) -> None:
    oldest = min(kept, default=None)
    for partition in (data / "lake").glob("*/run=*"):
        run_id = partition.name.removeprefix("run=")
        # Newer unpublished runs may still be resumed or looked into.
        if oldest and run_id < oldest and partition.parent.name not in run_history.HISTORY:
            shutil.rmtree(partition)


def _is_latest(published: Path, run_id: str) -> bool:
    pointer = published / "latest"
    return pointer.is_symlink() and pointer.readlink().name == run_id
