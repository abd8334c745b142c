"""The published DuckDB file: built from the lake's parts, commented, and checked. The only module with DDL."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path

import duckdb
import polars as pl

from estimator.schema import Verdict
from flows import dimensions, lake
from flows.failures import Stop
from flows.night import Night

MEMORY_LIMIT = "1GB"

# Grain: run. The only table with history: one row for every night that reached the build.
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
    }
)

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
    "internal.fit": "fit",
}
FROM_CATALOGS = ("gpus", "precisions", "kv_precisions", "prices", "workloads", "engines")
FROM_DIMENSIONS = ("internal.capacities", "internal.supports", "internal.memory_tiers")


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


def connect(path: Path, *, target: Path | None = None) -> duckdb.DuckDBPyConnection:
    """Open a published file for reading: no writes, no extensions, no other files but `target` to copy into."""
    connection = duckdb.connect(str(path), read_only=True)
    if target is not None:
        connection.execute(f"SET allowed_paths = ['{_quoted(target)}']")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def build(night: Night, file: Path) -> None:
    """Build the night's database at `file` from its parts, and record the run. No row is computed here.

    Raises OSError when the disk refuses.
    """
    _write_catalogs(night)
    try:
        _build(night, file)
    except duckdb.IOException as error:
        # a full or unwritable disk, in the words of everybody else
        raise OSError(str(error)) from error


def _build(night: Night, file: Path) -> None:
    with duckdb.connect(str(file)) as connection:
        connection.execute(f"SET memory_limit = '{MEMORY_LIMIT}'")
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("CREATE SCHEMA internal")
        words = ", ".join(f"'{word}'" for word in Verdict.categories)
        connection.execute(f"CREATE TYPE verdict AS ENUM ({words})")
        for table, source in FROM_LAKE.items():
            _create_table(connection, table, night.parts(source))
        for name in (*FROM_CATALOGS, *FROM_DIMENSIONS):
            _create_table(connection, name, night.parts(_catalog_table(name)))
        _record_run(connection, night)
        for script in ("views.sql", "comments.sql"):
            connection.execute(_sql(script))
        connection.execute("ANALYZE")


def check(file: Path, previous: Path | None) -> list[Violation]:
    """Run every named query of checks.sql; a returned row is a violation. `previous` is last night's file."""
    violations = []
    with duckdb.connect(str(file), read_only=True) as connection:
        connection.execute(f"SET memory_limit = '{MEMORY_LIMIT}'")
        if previous is not None:
            connection.execute(f"ATTACH '{_quoted(previous)}' AS previous (READ_ONLY)")
        for name, query in named_queries(_sql("checks.sql")):
            if "previous." in query and previous is None:
                continue
            rows = connection.execute(query).fetchmany(3)
            if rows:
                violations.append(Violation(name, tuple(str(row) for row in rows)))
    return violations


def named_queries(script: str) -> Iterator[tuple[str, str]]:
    """Split a script at its `-- name: …` lines into (name, query)."""
    for block in re.split(r"^-- name: ", script, flags=re.MULTILINE)[1:]:
        name, query = block.split("\n", 1)
        yield name.strip(), query.strip()


def record_outcome(night: Night, outcome: str) -> None:
    """Correct what the lake remembers of a run whose publication was blocked."""
    [part] = night.parts("runs")
    lake.write(pl.read_parquet(part).with_columns(outcome=pl.lit(outcome)), part, RUNS)


def _create_table(connection: duckdb.DuckDBPyConnection, table: str, files: list[Path]) -> None:
    if not files:
        raise FileNotFoundError(f"the lake has no parts for {table}")
    listed = ", ".join(f"'{_quoted(file)}'" for file in files)
    # Types come from the Parquet, hence from the one pl.Schema; hive partitioning would add a `run` column. Parquet has
    # no enumerations, and words in hundreds of millions of rows are slow to write and to filter.
    columns = "* REPLACE (verdict::verdict AS verdict)" if table == "internal.fit" else "*"
    connection.execute(
        f"CREATE TABLE {table} AS SELECT {columns} FROM read_parquet([{listed}], hive_partitioning = false)"
    )


def _write_catalogs(night: Night) -> None:
    """Keep the catalogs as this run used them beside its other parts."""
    dims = dimensions.load(night.catalogs_folder)
    for name in (*FROM_CATALOGS, *FROM_DIMENSIONS):
        lake.write(getattr(dims, name.removeprefix("internal.")), night.part(_catalog_table(name), 0))


def _record_run(connection: duckdb.DuckDBPyConnection, night: Night) -> None:
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
    row = {
        "run_id": night.run_id,
        "started_at": night.started_at,
        "finished_at": datetime.now(UTC),
        "source": night.source,
        "code_version": night.code_version,
        "catalog_digest": night.catalog_digest,
        "models_listed": len(night.entries),
        "models_read": read,
        "models_failed": failed,
        "shapes": shapes,
        "fit_rows": fit_rows,
        "outcome": "published",
    }
    lake.write(pl.DataFrame([row], schema=RUNS), night.part("runs", 0), RUNS)
    history = night.data / "lake" / "runs" / "*" / "part-*.parquet"
    connection.execute(
        f"CREATE TABLE runs AS FROM read_parquet('{_quoted(history)}', union_by_name = true,"
        " hive_partitioning = false) ORDER BY run_id"
    )


def _catalog_table(name: str) -> str:
    return f"catalog_{name.removeprefix('internal.')}"


def _quoted(path: Path) -> str:
    return str(path).replace("'", "''")


def _sql(name: str) -> str:
    return resources.files("flows").joinpath("sql", name).read_text(encoding="utf-8")
