"""The published DuckDB file: built from the lake's parts, commented, and checked. Its statements are in flows/sql."""

from __future__ import annotations

import errno
import logging
import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import duckdb

from estimator.schema import Verdict
from flows import dimensions, lake, run_history, trends, validation
from flows.failures import Stop
from flows.night import Night
from flows.prices import snapshots
from flows.prices.in_use import in_use

log = logging.getLogger(__name__)

Connection = duckdb.DuckDBPyConnection

MEMORY_LIMIT = "1GB"
# The oldest DuckDB that opens a published file: command lines, drivers of BI tools and R come later than Python's.
READERS = "v1.2.0"
# How a system refuses a write.
REFUSALS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.EACCES)

# Database table <- lake table. Internal tables have integer keys and are joined back by the views.
FROM_LAKE = {
    "models": "models",
    "attention_groups": "attention_groups",
    "artifacts": "artifacts",
    "tensor_types": "tensor_types",
    "model_errors": "model_errors",
    "internal.shapes": "shapes",
    "internal.weight_plans": "weight_plans",
    "internal.cache_plans": "cache_plans",
    "internal.overhead_plans": "overhead_plans",
    "internal.activation_slopes": "activation_slopes",
    "internal.training_slopes": "training_slopes",
    "internal.work_plans": "work_plans",
    "internal.calculators": "calculators",
    "internal.fit": "fit",
}
# Of a whole night; one who asks and leaves has none.
PLANNED = ("plans", "plan_hardware", "plan_served")
FROM_CATALOGS = (
    *("gpus", "precisions", "kv_precisions", "prices", "policy", "workloads", "engines", "reserves", "speeds", "links"),
    "scores",
)
FROM_DIMENSIONS = (
    *("internal.capacities", "internal.supports", "internal.memory_tiers", "internal.outcomes"),
    "internal.splits",
    *("internal.device_speeds", "internal.device_links", "internal.qualities"),
)


# What the answer for one model or a plan needs; making the views over all models takes a third of a second besides.
OF_ONE_ANSWER = ("formulas", "costs", "fit", "ranks")
OF_A_NIGHT = (*OF_ONE_ANSWER, "views")


@dataclass(frozen=True)
class Violation:
    """A check that returned rows: its name and up to three of them, as text."""

    check: str
    rows: tuple[str, ...]


class PublishBlocked(Stop):
    """A check failed: the night is not published and the previous one stays."""

    exit_status = 1

    def __init__(self, violations: list[Violation]) -> None:
        self.violations = violations
        lines = [f"  {v.check}: {'; '.join(v.rows)}" for v in violations]
        super().__init__("publication blocked, the previous night stays:\n" + "\n".join(lines))


def connect(path: Path, *, target: Path | None = None) -> Connection:
    """Open a published file for reading: no writes, no extensions, no other files but `target` to copy into.

    Moments are at UTC, whatever the machine. What memory does not hold is spilled to the system's folder for such
    things: a published folder is never written to.
    """
    connection = duckdb.connect(str(path), read_only=True)
    if connection.execute("SELECT current_setting('lock_configuration')").fetchone() == (True,):
        return connection  # of the same file, which this process has open: settings are the file's
    connection.execute("SET GLOBAL TimeZone = 'UTC'")
    connection.execute("SET enable_progress_bar = false")  # on stdout, where results go
    spill = Path(tempfile.gettempdir()) / f"hubfit-{os.getpid()}-{path.parent.name}"
    connection.execute(f"SET temp_directory = '{_quoted(spill)}'")
    if target is not None:
        connection.execute(f"SET allowed_paths = ['{_quoted(target)}']")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def settle(connection: Connection) -> None:
    """How a night works on a file: within its memory, by UTC, and without a bar on stdout, where results go."""
    connection.execute(f"SET memory_limit = '{MEMORY_LIMIT}'")
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute("SET enable_progress_bar = false")


@contextmanager
def disk_errors() -> Iterator[None]:
    """A full or unwritable disk in the words of everybody else: OSError, whatever DuckDB calls it.

    It depends on the moment: an IOException for a block, a TransactionException for the log, an
    OutOfMemoryException for what was to be spilled, a FatalException for what comes after any of them.
    """
    try:
        yield
    except duckdb.Error as error:
        for number in REFUSALS:
            if os.strerror(number) in str(error):
                raise OSError(number, os.strerror(number)) from error
        if isinstance(error, duckdb.IOException) or "max_temp_directory_size" in str(error):
            raise OSError(" ".join(str(error).split())) from error
        raise


@disk_errors()
def build(night: Night, file: Path) -> None:
    """Build the night's database at `file` from its parts, and record the run. No row is computed here.

    Raises OSError when the disk refuses.
    """
    validation.predict(night)
    with _answers(night, file, night.data) as connection:
        _create_table(connection, "validation", night.parts("validation"))
        _create_runs(connection, night)
        trends.record(connection, night, [query for _, query in named_queries(script("trends"))])
        trends.collect(connection, night)
        _create_price_history(connection, night)
        for table in PLANNED:
            _create_table(connection, table, night.parts(table))
        # in one transaction, for each statement by itself waits for the disk
        with _together(connection):
            for name in ("ledger", "changes", "comments"):
                connection.execute(script(name))
        connection.execute("ANALYZE")


@disk_errors()
def build_answers(
    night: Night, file: Path, prices_from: Path | None = None, scripts: Sequence[str] = OF_A_NIGHT
) -> None:
    """What `build` makes, without the ledger, the history and the words of the columns, for one who asks and leaves.

    `prices_from`: the data folder whose snapshots of prices count, where it is not the night's own. `scripts` make the
    views. Raises OSError when the disk refuses.
    """
    with _answers(night, file, prices_from or night.data, scripts):
        pass


@contextmanager
def _answers(night: Night, file: Path, prices_from: Path, scripts: Sequence[str] = OF_A_NIGHT) -> Iterator[Connection]:
    """A new database of the night's own tables with the views over them."""
    _write_catalogs(night, prices_from)
    with duckdb.connect(str(file), config={"storage_compatibility_version": READERS}) as connection:
        settle(connection)
        connection.execute("CREATE SCHEMA internal")
        words = ", ".join(f"'{word}'" for word in Verdict.categories)
        connection.execute(f"CREATE TYPE verdict AS ENUM ({words})")
        for table, source in FROM_LAKE.items():
            _create_table(connection, table, night.parts(source))
        for name in (*FROM_CATALOGS, *FROM_DIMENSIONS):
            _create_table(connection, name, night.parts(_catalog_table(name)))
        with _together(connection):
            connection.execute(views_script(scripts))
        yield connection


@contextmanager
def _together(connection: Connection) -> Iterator[None]:
    connection.execute("BEGIN")
    yield
    connection.execute("COMMIT")


@disk_errors()
def check(file: Path, previous: Path | None) -> list[Violation]:
    """Run every named query of checks.sql; a returned row is a violation. `previous` is last night's file.

    A previous file that cannot be read is reported and not compared with: it must not stop every night after it.
    Raises OSError when the disk refuses.
    """
    violations = []
    with duckdb.connect(str(file), read_only=True) as connection:
        settle(connection)
        is_compared = previous is not None and _is_attached(connection, previous)
        for name, query in named_queries(script("checks")):
            if "previous." in query and not is_compared:
                continue
            rows = connection.execute(query).fetchmany(3)
            if rows:
                violations.append(Violation(name, tuple(str(row) for row in rows)))
    return violations


def attach(connection: Connection, previous: Path) -> None:
    """Make last night's file known as `previous`. Raises duckdb.Error where it cannot be read."""
    connection.execute(f"ATTACH '{_quoted(previous)}' AS previous (READ_ONLY)")
    # what the checks read of it, so that a damaged block is found here
    connection.execute(
        "SELECT (SELECT count(model_id) FROM previous.models), count(model_id) FROM previous.model_errors"
    )


def _is_attached(connection: Connection, previous: Path) -> bool:
    try:
        attach(connection, previous)
    except duckdb.Error as error:
        log.warning("nothing is compared with the previous night: %s cannot be read (%s)", previous, error)
        return False
    return True


def named_queries(script: str) -> Iterator[tuple[str, str]]:
    """Split a script at its `-- name: …` lines into (name, query)."""
    for block in re.split(r"^-- name: ", script, flags=re.MULTILINE)[1:]:
        name, query = block.split("\n", 1)
        yield name.strip(), query.strip()


def _create_table(connection: Connection, table: str, files: list[Path]) -> None:
    if not files:
        raise FileNotFoundError(f"the lake has no parts for {table}")
    # Types come from the Parquet, hence from the one pl.Schema; hive partitioning would add a `run` column. Parquet has
    # no enumerations.
    columns = "* REPLACE (verdict::verdict AS verdict)" if table == "internal.outcomes" else "*"
    connection.execute(
        f"CREATE TABLE {table} AS SELECT {columns} FROM read_parquet([{_listed(files)}], hive_partitioning = false)"
    )


def _write_catalogs(night: Night, prices_from: Path) -> None:
    """Keep the catalogs as this run used them beside its other parts."""
    dims = dimensions.load(night.catalogs_folder)
    for name in (*FROM_CATALOGS, *FROM_DIMENSIONS):
        if name == "prices":
            frame = in_use(prices_from, night.catalogs_folder, night.started_at.date())
        else:
            frame = getattr(dims, name.removeprefix("internal."))
        lake.write(frame, night.part(_catalog_table(name), 0))


def _create_runs(connection: Connection, night: Night) -> None:
    """Record this run in the lake, then show it with every earlier one."""
    counted = connection.execute(
        """
        SELECT (SELECT count(*) FROM models), (SELECT count(*) FROM model_errors),
               (SELECT count(*) FROM internal.shapes),
               (SELECT count(*) FROM models) * (SELECT count(*) FROM precisions)
                   * (SELECT count(*) FROM workloads) * (SELECT count(*) FROM gpus)
        """
    ).fetchone()
    assert counted is not None
    read, failed, shapes, fit_rows = counted
    run_history.record(night, models_read=read, models_failed=failed, shapes=shapes, fit_rows=fit_rows)
    connection.execute(
        f"CREATE TABLE runs AS FROM read_parquet([{_listed(run_history.parts(night.data))}], union_by_name = true,"
        " hive_partitioning = false) ORDER BY run_id"
    )


def _create_price_history(connection: Connection, night: Night) -> None:
    """What price lists said on every day up to the run's, and the names of the last day that nobody mapped."""
    connection.execute(script("prices"))
    on = night.started_at.date()
    if days := [path for _, _, path in snapshots.files(night.data, snapshots.GOOD, on)]:
        connection.execute(
            "INSERT INTO price_history BY NAME SELECT * EXCLUDE (filename, confidence),"
            r" regexp_extract(filename, '/date=([0-9-]+)/[^/]*$', 1)::DATE AS date"
            f" FROM read_parquet([{_listed(days)}], filename = true, hive_partitioning = false)"
            " ORDER BY provider, region, instance_type, kind, gpu, date"
        )
    newest = {provider: path for _, provider, path in snapshots.files(night.data, snapshots.NAMES, on)}
    if newest:
        names = _listed(list(newest.values()))
        connection.execute(
            f"INSERT INTO price_unmapped BY NAME FROM read_parquet([{names}], hive_partitioning = false)"
            " ORDER BY provider, gpu_name, device_memory_gib"
        )


def _catalog_table(name: str) -> str:
    return f"catalog_{name.removeprefix('internal.')}"


def _listed(files: list[Path]) -> str:
    return ", ".join(f"'{_quoted(file)}'" for file in files)


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def views_script(scripts: Sequence[str] = OF_A_NIGHT) -> str:
    """Statements that make the macros and views of a database, in their order."""
    return "\n".join(map(script, scripts))


def script(name: str) -> str:
    """The text of a file of flows/sql, by its name without the suffix."""
    return resources.files("flows").joinpath("sql", f"{name}.sql").read_text(encoding="utf-8")
