"""Fill the tables of flows/sql/changes.sql of a built file by comparing it with the previous published one."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import duckdb

from flows import warehouse
from flows.changes import catalog_rows, model_columns, verdicts
from flows.changes.tally import tally
from reports.changes import sentences

log = logging.getLogger(__name__)


@warehouse.disk_errors()
def compare(database: Path, previous: Path | None) -> str:
    """Write what changed into `database` and return it in words; `previous` is the last published file, None without.

    A previous file that cannot be read, or that another version wrote in a form of its own, is said to be so in the
    table `comparison`: it must not stop the nights after it. Raises OSError when the disk refuses.
    """
    with duckdb.connect(str(database)) as connection:
        warehouse.settle(connection)
        if previous is not None and (reason := _compared(connection, previous)) is not None:
            connection.execute("UPDATE comparison SET reason = ?", [reason])
        said = " ".join(sentences(tally(lambda query: _rows(connection, query))))
        connection.execute("UPDATE runs SET changes = ? WHERE run_id = (SELECT max(run_id) FROM runs)", [said])
        return said


def _rows(connection: duckdb.DuckDBPyConnection, query: str) -> list[dict[str, Any]]:
    result = connection.execute(query)
    names = [column[0] for column in result.description or []]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def _compared(connection: duckdb.DuckDBPyConnection, previous: Path) -> str | None:
    """Why the two cannot be compared; None where they were."""
    try:
        warehouse.attach(connection, previous)
    except duckdb.Error as error:
        return _reason(previous, error)
    connection.execute("BEGIN")
    try:
        _fill(connection)
    except duckdb.Error as error:
        connection.execute("ROLLBACK")
        return _reason(previous, error)
    connection.execute("COMMIT")
    return None


def _reason(previous: Path, error: Exception) -> str:
    said = " ".join(str(error).split())
    log.warning("%s cannot be compared with: %s", previous, said)
    return f"the previous night cannot be compared with: {said}"


def _fill(connection: duckdb.DuckDBPyConnection) -> None:
    catalog_rows.fill(connection)
    connection.execute(
        """
        UPDATE comparison
        SET previous_run_id = b.run_id, previous_started_at = b.started_at, is_compared = true, reason = NULL,
            method_changed = n.code_version <> b.code_version, catalogs_changed = EXISTS (FROM catalog_changes)
        FROM (FROM runs ORDER BY run_id DESC LIMIT 1) n, (FROM previous.runs ORDER BY run_id DESC LIMIT 1) b
        """
    )
    for _, query in warehouse.named_queries(warehouse.script("compare")):
        connection.execute(query)
    model_columns.fill(connection)
    verdicts.fill(connection)
