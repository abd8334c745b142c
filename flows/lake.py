"""The lake: immutable Parquet parts, `lake/<table>/run=<run_id>/part-0007.parquet`.

A part is whole or absent. It is written under a temporary name, synced, renamed, and then sealed by a small
file beside it that holds its checksum; a part without a matching seal does not count and is written again.
So the file is the cache: a stage whose parts are sealed has nothing left to do.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

import polars as pl

log = logging.getLogger(__name__)

# Large row groups keep Parquet overhead small; a multiple of DuckDB's row group (122,880 rows).
ROW_GROUP_ROWS = 122_880 * 8
# As much as any buffer that polars could not write: a disk that takes this did not refuse the part.
PROBE_BYTES = 128 * 1024


_is_waited_for = ContextVar("is_waited_for", default=True)


@contextmanager
def in_passing() -> Iterator[None]:
    """Parts that this thread writes in here are not waited for: they are thrown away before anything can fail.

    A whole night syncs each of its parts; that of one question would wait for the disk a hundred times.
    """
    token = _is_waited_for.set(False)
    try:
        yield
    finally:
        _is_waited_for.reset(token)


def part_path(data: Path, table: str, run_id: str, part: int) -> Path:
    """Where part `part` of `table` lives; the same number in every table means the same shard."""
    return data / "lake" / table / f"run={run_id}" / f"part-{part:04d}.parquet"


def parts(data: Path, table: str, run_id: str) -> list[Path]:
    """All parts of one table and run, in shard order."""
    return sorted((data / "lake" / table / f"run={run_id}").glob("part-*.parquet"))


def write(rows: pl.DataFrame | pl.LazyFrame, path: Path, schema: pl.Schema | None = None) -> Path:
    """Write one part, atomically and sealed. With `schema`, any other column or type is an error.

    Raises OSError when the disk refuses, whatever polars calls it.
    """
    lazy = rows.lazy()
    if schema is not None:
        lazy = lazy.match_to_schema(schema)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with _disk_errors(temporary):
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
    if not path.exists() or not _seal(path).exists():
        return False
    if is_sealed(path):
        return True
    log.warning("part %s is damaged and will be written again", path)
    return False


def is_sealed(path: Path) -> bool:
    """The same without a word, for parts that nobody will write again; what cannot be read is not sealed."""
    try:
        return _checksum(path).encode() == _seal(path).read_bytes()
    except OSError:
        return False


def are_whole(*paths: Path) -> bool:
    """True when every part is whole."""
    return all(is_whole(path) for path in paths)


@contextmanager
def _disk_errors(temporary: Path) -> Iterator[None]:
    """Polars reports a refused write as a ComputeError, with the number of the system's error or without one.

    Where it names none, a few more bytes at the end of the same file tell whether it was the disk.
    """
    try:
        yield
    except pl.exceptions.PolarsError as error:
        if named := re.search(r"\(os error (\d+)\)", str(error)):
            number = int(named.group(1))
            raise OSError(number, os.strerror(number), str(temporary.parent)) from error
        with temporary.open("ab") as file:
            file.write(b"\0" * PROBE_BYTES)
            file.flush()
            os.fsync(file.fileno())
        raise


def _seal(path: Path) -> Path:
    return path.with_suffix(".blake2b")


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()


def _sync(path: Path) -> None:
    if not _is_waited_for.get():
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
