from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import duckdb
import pytest

from flows import publication

RUNS = [f"2026-01-{day:02d}T030000Z" for day in range(1, 32)]


def build(data: Path, run_id: str, value: int = 1) -> Path:
    """A built night whose database says which night it is, in two places that must agree."""
    place = publication.workplace(data, run_id)
    (place / "report").mkdir()
    (place / "report" / "index.html").write_text(str(value))
    with duckdb.connect(str(place / publication.DATABASE)) as connection:
        connection.execute(f"CREATE TABLE night AS SELECT {value} AS number FROM range(1000)")
    return place


def test_publishing_points_latest_at_the_night(tmp_path: Path) -> None:
    target = publication.publish(tmp_path, RUNS[0], build(tmp_path, RUNS[0]))
    assert target == tmp_path / "published" / RUNS[0]
    assert (tmp_path / "published" / "latest").readlink() == Path(RUNS[0])
    assert publication.latest(tmp_path) == target
    assert json.loads((tmp_path / "published" / "latest.json").read_text())["run_id"] == RUNS[0]


def test_nothing_published_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(publication.NothingPublished, match="make audit"):
        publication.latest(tmp_path)


def test_a_published_night_is_never_published_over(tmp_path: Path) -> None:
    publication.publish(tmp_path, RUNS[0], build(tmp_path, RUNS[0]))
    with pytest.raises(FileExistsError):
        publication.publish(tmp_path, RUNS[0], build(tmp_path, RUNS[0], 2))
    assert (publication.latest(tmp_path) / "report" / "index.html").read_text() == "1"


def test_a_crash_between_rename_and_swap_can_be_repeated(tmp_path: Path) -> None:
    publication.publish(tmp_path, RUNS[0], build(tmp_path, RUNS[0]))
    build(tmp_path, RUNS[1], 2).rename(tmp_path / "published" / RUNS[1])  # and then the machine died
    assert publication.latest(tmp_path).name == RUNS[0]
    publication.publish(tmp_path, RUNS[1], build(tmp_path, RUNS[1], 3))
    assert (publication.latest(tmp_path) / "report" / "index.html").read_text() == "3"


def test_old_nights_are_retired_but_never_the_latest(tmp_path: Path) -> None:
    for run_id in RUNS[:4]:
        publication.publish(tmp_path, run_id, build(tmp_path, run_id))
        (tmp_path / "lake" / "fit" / f"run={run_id}").mkdir(parents=True)
        (tmp_path / "lake" / "runs" / f"run={run_id}").mkdir(parents=True)
    (tmp_path / "published" / "latest").unlink()
    (tmp_path / "published" / "latest").symlink_to(RUNS[0])
    assert publication.retire(tmp_path, keep=2) == [RUNS[1]]
    assert sorted(path.name for path in (tmp_path / "published").glob("2026*")) == [RUNS[0], *RUNS[2:4]]
    assert (tmp_path / "lake" / "runs" / f"run={RUNS[1]}").exists()
    publication.publish(tmp_path, RUNS[4], build(tmp_path, RUNS[4]))
    assert publication.retire(tmp_path, keep=2) == [RUNS[0], RUNS[2]]
    assert not (tmp_path / "lake" / "fit" / f"run={RUNS[2]}").exists()
    assert (tmp_path / "lake" / "runs" / f"run={RUNS[2]}").exists()


READER = textwrap.dedent(
    """
    import sys, time, duckdb, pathlib
    latest = pathlib.Path(sys.argv[1]) / "published" / "latest"
    print("ready", flush=True)
    seen, last = 0, 0
    while not (latest.parent / "stop").exists():
        folder = latest.resolve()
        page = int((folder / "report" / "index.html").read_text())
        with duckdb.connect(str(folder / "hubfit.duckdb"), read_only=True) as connection:
            low, high, rows = connection.execute("SELECT min(number), max(number), count(*) FROM night").fetchone()
        assert low == high == page and rows == 1000, (low, high, page, rows)
        assert page >= last
        seen, last = seen + 1, page
    print(seen, flush=True)
    """
)


def test_readers_never_see_a_torn_or_missing_night(tmp_path: Path) -> None:
    publication.publish(tmp_path, RUNS[0], build(tmp_path, RUNS[0], 1))
    readers = [
        subprocess.Popen([sys.executable, "-c", READER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    try:
        for reader in readers:
            assert reader.stdout is not None
            assert reader.stdout.readline() == "ready\n"
        for number, run_id in enumerate(RUNS[1:], start=2):
            publication.publish(tmp_path, run_id, build(tmp_path, run_id, number))
    finally:
        (tmp_path / "published" / "stop").touch()
    for reader in readers:
        output, _ = reader.communicate(timeout=30)
        assert reader.returncode == 0
        assert int(output) > 0
