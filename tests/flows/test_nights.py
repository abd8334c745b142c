"""Published nights from Python: frames with the types of the database, read-only, and one clear error."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import polars as pl
import pytest

from flows import nights
from flows.publication import DATABASE, NothingPublished
from flows.sql_shell import BadQuery

RUN, EARLIER = "2026-01-02T030000Z", "2026-01-01T030000Z"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for run, rows in ((EARLIER, 1), (RUN, 3)):
        folder = tmp_path / "published" / run
        folder.mkdir(parents=True)
        with duckdb.connect(str(folder / DATABASE)) as connection:
            connection.execute("CREATE TYPE verdict AS ENUM ('fits', 'tight')")
            connection.execute(
                "CREATE TABLE t AS SELECT i AS bytes, 'fits'::verdict AS verdict, NULL::DOUBLE AS never,"
                f" TIMESTAMPTZ '2026-01-02 03:00:00+00' AS at, DATE '2026-01-02' AS day FROM range({rows}) r(i)"
            )
            connection.execute("CREATE VIEW \"a view\" AS SELECT bytes FROM t; COMMENT ON TABLE t IS 'Ours.'")
    (tmp_path / "published" / "latest").symlink_to(RUN)
    return tmp_path


def test_the_latest_night_is_frames_with_the_types_of_the_database(data: Path) -> None:
    with nights.latest(data) as night:
        frame = night.table("t")
        assert night.run_id == RUN
    assert frame.schema == {
        "bytes": pl.Int64(),
        "verdict": pl.Categorical(),
        "never": pl.Float64(),
        "at": pl.Datetime("us", "UTC"),
        "day": pl.Date(),
    }
    assert frame.row(0) == (0, "fits", None, datetime(2026, 1, 2, 3, tzinfo=UTC), datetime(2026, 1, 2).date())  # noqa: DTZ001


def test_parameters_are_values_and_never_text_of_the_query(data: Path) -> None:
    with nights.latest(data) as night:
        assert night.sql("FROM t WHERE bytes >= $least ORDER BY bytes", least=1)["bytes"].to_list() == [1, 2]
        assert night.sql("FROM t WHERE verdict::VARCHAR = $v", v="fits' OR 'a' = 'a").height == 0


def test_views_and_names_that_need_quotes(data: Path) -> None:
    with nights.latest(str(data)) as night:
        assert night.table("a view")["bytes"].to_list() == [0, 1, 2]
        assert night.tables().rows() == [("a view", "view", None), ("t", "table", "Ours.")]


def test_several_nights_are_open_at_once(data: Path) -> None:
    with nights.latest(data) as night, nights.latest(data) as again, nights.of(EARLIER, data) as earlier:
        assert [one.table("t").height for one in (night, again, earlier, night)] == [3, 3, 1, 3]


@pytest.mark.parametrize(
    "query", ["DROP TABLE t", "CREATE TEMP TABLE x AS SELECT 1", "SELECT 1; SELECT 2", "", "FROM nothing",
              "FROM read_text('/etc/hostname')", "SELECT $missing"],
)  # fmt: skip
def test_nothing_but_one_question_is_answered(data: Path, query: str) -> None:
    with nights.latest(data) as night, pytest.raises(BadQuery):
        night.sql(query)


def test_frames_of_the_caller_are_no_tables(data: Path) -> None:
    mine = pl.DataFrame({"a": [1]})
    with nights.latest(data) as night, pytest.raises(BadQuery, match="mine"):
        night.sql("FROM mine")
    assert mine.height == 1


def test_no_night_is_one_error(tmp_path: Path, data: Path) -> None:
    with pytest.raises(NothingPublished, match="make audit"):
        nights.latest(tmp_path / "nothing")
    for run in ("2026-01-03T030000Z", "latest", ".."):
        with pytest.raises(NothingPublished, match="no night"):
            nights.of(run, data)


def test_a_closed_night_says_so(data: Path) -> None:
    night = nights.latest(data)
    night.close()
    with pytest.raises(BadQuery, match="closed"):
        night.table("t")


def test_the_environment_names_the_folder_and_pyarrow_is_not_needed(data: Path) -> None:
    program = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "from flows import nights; print(nights.latest().sql('SELECT sum(bytes)::BIGINT AS n FROM t').item())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env={"HUBFIT_DATA": str(data)}
    )
    assert done.stdout == "3\n"
