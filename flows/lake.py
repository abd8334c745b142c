"""The lake: immutable Parquet parts, `lake/<table>/run=<run_id>/part-0007.parquet`.

A part is whole or absent. It is written under a temporary name, synced, renamed, and then sealed by a small
file beside it that holds its checksum; a part without a matching seal does not count and is written again.
So the file is the cache: a stage whose parts are sealed has nothing left to do.
"""

from __future__ import annotations

import hashlib
import logging
import os
from pathlib import Path

import polars as pl

log = logging.getLogger(__name__)

# Large row groups keep Parquet overhead small; a multiple of DuckDB's row group (122,880 rows).
ROW_GROUP_ROWS = 122_880 * 8


def part_path(data: Path, table: str, run_id: str, part: int) -> Path:
    """Where part `part` of `table` lives; the same number in every table means the same shard."""
    return data / "lake" / table / f"run={run_id}" / f"part-{part:04d}.parquet"


def parts(data: Path, table: str, run_id: str) -> list[Path]:
    """All parts of one table and run, in shard order."""
    return sorted((data / "lake" / table / f"run={run_id}").glob("part-*.parquet"))


def write(rows: pl.DataFrame | pl.LazyFrame, path: Path, schema: pl.Schema | None = None) -> Path:
    """Write one part, atomically and sealed. With `schema`, any other column or type is an error."""
    lazy = rows.lazy()
    if schema is not None:
        lazy = lazy.match_to_schema(schema)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        lazy.sink_parquet(temporary, compression="zstd", row_group_size=ROW_GROUP_ROWS, maintain_order=True)
        _sync(temporary)
        checksum = _checksum(temporary)
        temporary.replace(path)
        write_text(_seal(path), checksum)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def write_text(path: Path, text: str) -> None:
    """Write a small text file atomically."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        temporary.write_text(text, encoding="utf-8")
        _sync(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def is_whole(path: Path) -> bool:
    """True when the part exists and its bytes are those that were sealed; a damaged part is reported."""
    seal = _seal(path)
    if not path.exists() or not seal.exists():
        return False
    if _checksum(path) == seal.read_text(encoding="utf-8"):
        return True
    log.warning("part %s is damaged and will be written again", path)
    return False


def are_whole(*paths: Path) -> bool:
    """True when every part is whole."""
    return all(is_whole(path) for path in paths)


def _seal(path: Path) -> Path:
    return path.with_suffix(".blake2b")


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
