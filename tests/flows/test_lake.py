from __future__ import annotations

import os
from pathlib import Path

import polars as pl
import pytest
from small_disk import files_up_to

from flows import lake

SCHEMA = pl.Schema({"a": pl.Int64})


def part(tmp_path: Path) -> Path:
    return lake.part_path(tmp_path, "numbers", "2026-01-01T000000Z", 7)


def test_a_part_is_named_after_its_table_run_and_shard(tmp_path: Path) -> None:
    assert part(tmp_path) == tmp_path / "lake/numbers/run=2026-01-01T000000Z/part-0007.parquet"


def test_a_written_part_is_whole_and_reads_back(tmp_path: Path) -> None:
    frame = pl.DataFrame({"a": [1, 2]})
    path = lake.write(frame, part(tmp_path), SCHEMA)
    assert lake.is_whole(path)
    assert pl.read_parquet(path).equals(frame)
    assert lake.parts(tmp_path, "numbers", "2026-01-01T000000Z") == [path]


def test_an_empty_part_still_carries_its_schema(tmp_path: Path) -> None:
    path = lake.write(pl.DataFrame(schema=SCHEMA), part(tmp_path), SCHEMA)
    assert pl.read_parquet_schema(path) == SCHEMA


@pytest.mark.parametrize("columns", [{"b": [1]}, {"a": ["text"]}, {"a": [1], "b": [2]}])
def test_another_schema_is_refused_and_leaves_nothing(tmp_path: Path, columns: dict[str, list[object]]) -> None:
    with pytest.raises(pl.exceptions.PolarsError):
        lake.write(pl.DataFrame(columns), part(tmp_path), SCHEMA)
    assert not list(part(tmp_path).parent.iterdir())


def test_a_crash_while_writing_leaves_no_part(tmp_path: Path) -> None:
    broken = pl.LazyFrame({"a": ["1", "x"]}).select(pl.col("a").cast(pl.Int64))
    with pytest.raises(pl.exceptions.PolarsError):
        lake.write(broken, part(tmp_path))
    # Polars may still be closing its temporary file; what counts is that no part has appeared.
    assert lake.parts(tmp_path, "numbers", "2026-01-01T000000Z") == []
    assert not lake.is_whole(part(tmp_path))


def test_a_part_without_its_seal_does_not_count(tmp_path: Path) -> None:
    path = lake.write(pl.DataFrame({"a": [1]}), part(tmp_path))
    path.with_suffix(".blake2b").unlink()
    assert not lake.is_whole(path)


@pytest.mark.parametrize("damage", [lambda data: data[:-1], lambda data: data[:40] + b"\0" + data[41:], lambda _: b""])
def test_a_damaged_part_does_not_count_and_is_reported(tmp_path: Path, damage, caplog) -> None:  # type: ignore[no-untyped-def]
    path = lake.write(pl.DataFrame({"a": list(range(100))}), part(tmp_path))
    path.write_bytes(damage(path.read_bytes()))
    assert not lake.is_whole(path)
    assert "damaged" in caplog.text


def test_writing_again_replaces_a_damaged_part(tmp_path: Path) -> None:
    path = lake.write(pl.DataFrame({"a": [1]}), part(tmp_path))
    path.write_bytes(b"rubbish")
    lake.write(pl.DataFrame({"a": [2]}), path)
    assert lake.is_whole(path)
    assert pl.read_parquet(path)["a"].to_list() == [2]


def test_a_disk_that_is_full_at_any_byte_is_an_os_error(tmp_path: Path) -> None:
    """Polars names the system's error for some writes and not for others (a page header, the footer)."""
    frame = pl.DataFrame({"a": list(range(2000)), "b": [str(number * 7919) for number in range(2000)]})
    size = lake.write(frame, part(tmp_path)).stat().st_size
    part(tmp_path).unlink()
    for limit in (*range(0, size, size // 40), *range(size - 40, size)):
        with files_up_to(limit), pytest.raises(OSError, match="File too large"):
            lake.write(frame, part(tmp_path))
        assert not part(tmp_path).exists()


@pytest.mark.parametrize("message", ["parquet: underlying IO error: No space left on device (os error 28)"])
def test_polars_words_for_a_full_disk_are_an_os_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, message: str
) -> None:
    def full(*_: object, **__: object) -> None:
        raise pl.exceptions.ComputeError(message)

    monkeypatch.setattr(pl.LazyFrame, "sink_parquet", full)
    with pytest.raises(OSError, match="No space left on device") as refused:
        lake.write(pl.DataFrame({"a": [1]}), part(tmp_path))
    assert refused.value.errno == 28


def test_a_seal_that_is_not_text_is_damage(tmp_path: Path) -> None:
    path = lake.write(pl.DataFrame({"a": [1]}), part(tmp_path))
    path.with_suffix(".blake2b").write_bytes(b"\xff\xfe")
    assert not lake.is_whole(path)


def test_parts_in_passing_are_whole_but_nobody_waits_for_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    waited: list[int] = []
    monkeypatch.setattr(os, "fsync", waited.append)
    rows = pl.DataFrame({"model_id": ["a/b"]})
    with lake.in_passing():
        written = lake.write(rows, tmp_path / "part-0000.parquet")
    assert (lake.is_whole(written), waited) == (True, [])
    lake.write(rows, tmp_path / "part-0001.parquet")
    assert len(waited) == 2  # the part and its seal
