"""One run: its name, its inputs written down before the first request, and who may resume it."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib import metadata, resources
from pathlib import Path

import catalogs
from flows import lake, locks

log = logging.getLogger(__name__)

# An unfinished night older than this is history: the next one starts afresh.
RESUME_WITHIN = timedelta(hours=20)
PACKAGES = ("catalogs", "estimator", "flows", "reports")


@dataclass(frozen=True)
class Night:
    """A run's identity and inputs; small enough to hand to every task. Paths only, never frames."""

    data: Path
    run_id: str
    source: str  # hub | snapshot
    started_at: datetime
    catalogs_folder: Path | None
    code_version: str
    catalog_digest: str
    entries: tuple[tuple[str, str | None], ...]  # (listed id, why it was rejected or None), sorted
    models_per_shard: int = 250
    shapes_per_shard: int = 2000

    @property
    def shards(self) -> int:
        """Number of crawl shards; an empty list still has one, so that every table has a part."""
        return max(1, -(-len(self.entries) // self.models_per_shard))

    def shard(self, number: int) -> tuple[tuple[str, str | None], ...]:
        start = number * self.models_per_shard
        return self.entries[start : start + self.models_per_shard]

    def part(self, table: str, number: int) -> Path:
        return lake.part_path(self.data, table, self.run_id, number)

    def parts(self, table: str) -> list[Path]:
        return lake.parts(self.data, table, self.run_id)

    @property
    def folder(self) -> Path:
        return self.data / "lake" / "runs" / f"run={self.run_id}"


def start(
    data: Path,
    source: str,
    entries: Sequence[tuple[str, str | None]],
    catalogs_folder: Path | None = None,
    *,
    fresh: bool = False,
    now: datetime | None = None,
    **shard_sizes: int,
) -> Night:
    """Begin a run, or resume the newest unfinished one with the very same inputs.

    A run never mixes two methods: other ids, catalogs or code mean another run.
    """
    now = now or datetime.now(UTC)
    night = Night(
        data=data.resolve(),
        run_id=_free_run_id(data, now),
        source=source,
        started_at=now,
        catalogs_folder=catalogs_folder.resolve() if catalogs_folder else None,
        code_version=code_version(),
        catalog_digest=catalogs.digest(catalogs_folder),
        entries=tuple(sorted(set(entries))),
        **shard_sizes,
    )
    unfinished = None if fresh else _newest_unfinished(night, now)
    if unfinished:
        return unfinished
    lake.write_text(night.folder / "manifest.json", _to_json(night))
    return night


def finish(night: Night) -> None:
    """Mark the run as ended, published or blocked: it is not resumed again."""
    lake.write_text(night.folder / "finished", night.run_id)


def exclusive(data: Path) -> AbstractContextManager[None]:
    """Hold the data folder for one writer. Entering it raises locks.Refused."""
    return locks.held(data / ".writer", f"another night is writing to {data}", "wait for it to end")


@cache
def code_version() -> str:
    """Package version and a fingerprint of every source file that can change a number."""
    fingerprint = hashlib.sha256()
    for package in PACKAGES:
        for path in sorted(_source_files(Path(str(resources.files(package))))):
            fingerprint.update(path.name.encode())
            fingerprint.update(path.read_bytes())
    return f"{metadata.version('hubfit')}+{fingerprint.hexdigest()[:12]}"


def _source_files(folder: Path) -> Iterator[Path]:
    for suffix in ("*.py", "*.sql", "*.html", "*.css", "*.js", "*.toml", "*.json", "*.jsonl"):
        yield from folder.rglob(suffix)


def _free_run_id(data: Path, now: datetime) -> str:
    while (data / "lake" / "runs" / f"run={now:%Y-%m-%dT%H%M%SZ}").exists():
        now += timedelta(seconds=1)
    return f"{now:%Y-%m-%dT%H%M%SZ}"


def _newest_unfinished(night: Night, now: datetime) -> Night | None:
    oldest = f"run={now - RESUME_WITHIN:%Y-%m-%dT%H%M%SZ}"
    folders = sorted((night.data / "lake" / "runs").glob("run=*"), reverse=True)
    for folder in folders:
        # Older ones cannot be resumed: not read, so that a damaged one is not reported for ever.
        if folder.name < oldest or (folder / "finished").exists() or not (folder / "manifest.json").exists():
            continue
        earlier = _manifest(folder, night.data)
        if earlier and _inputs(earlier) == _inputs(night) and now - earlier.started_at < RESUME_WITHIN:
            return earlier
    return None


def _manifest(folder: Path, data: Path) -> Night | None:
    """What a run wrote down at its start; None, with a warning, where that cannot be read any more."""
    path = folder / "manifest.json"
    try:
        night = _from_json(path.read_text(encoding="utf-8"), data)
        if night.folder.name != folder.name or night.started_at.tzinfo is None:
            raise ValueError("it is of another run")
    except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
        log.warning("%s is damaged, so its run is not resumed (%s)", path, error)
        return None
    return night


def _inputs(night: Night) -> tuple[object, ...]:
    return (
        night.source,
        night.code_version,
        night.catalog_digest,
        night.entries,
        night.models_per_shard,
        night.shapes_per_shard,
        night.catalogs_folder,
    )


def _to_json(night: Night) -> str:
    record = {
        "run_id": night.run_id,
        "source": night.source,
        "started_at": night.started_at.isoformat(),
        "catalogs_folder": str(night.catalogs_folder) if night.catalogs_folder else None,
        "code_version": night.code_version,
        "catalog_digest": night.catalog_digest,
        "models_per_shard": night.models_per_shard,
        "shapes_per_shard": night.shapes_per_shard,
        "entries": night.entries,
    }
    return json.dumps(record, ensure_ascii=False)


def _from_json(text: str, data: Path) -> Night:
    record = json.loads(text)
    folder = record["catalogs_folder"]
    return Night(
        data=data,
        run_id=record["run_id"],
        source=record["source"],
        started_at=datetime.fromisoformat(record["started_at"]),
        catalogs_folder=Path(folder) if folder else None,
        code_version=record["code_version"],
        catalog_digest=record["catalog_digest"],
        entries=tuple((model_id, reason) for model_id, reason in record["entries"]),
        models_per_shard=record["models_per_shard"],
        shapes_per_shard=record["shapes_per_shard"],
    )
