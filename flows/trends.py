"""Figures of every published night: one small part a night in the lake, and all of them in the published file."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl

from flows import lake, run_history
from flows.night import Night

if TYPE_CHECKING:
    from flows.warehouse import Connection  # which calls this module

# Grain: run x topic x item.
TRENDS = pl.Schema(
    {
        "run_id": pl.String(),
        "topic": pl.String(),
        "item": pl.String(),
        "workload": pl.String(),  # null of what is no answer for one
        "value": pl.Float64(),
        "unit": pl.String(),
    }
)
# What `runs` has of every night, those included that were published before there were trends.
_OF_RUNS = """
SELECT
    run_id, 'models' AS topic, UNNEST(['listed', 'read', 'failed']) AS item, NULL::VARCHAR AS workload,
    UNNEST([models_listed, models_read, models_failed])::DOUBLE AS value, 'models' AS unit
FROM runs
"""


def record(connection: Connection, night: Night, queries: list[str]) -> None:
    """Write the figures of a night that is being built; once more writes the same part. Raises OSError.

    `queries` are those of trends.sql, each with rows of some columns of TRENDS.
    """
    # the workload that pages are about where they show one, as report_rows.Rows.served: asking one of them stays cheap
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE served AS SELECT workload_ix, workload FROM workloads"
        " WHERE mode = 'inference' ORDER BY engine = 'none', workload_ix LIMIT 1"
    )
    # What a device holds, as models_on_one of models_per_gpu counts, for one workload. A bit a shape takes half the
    # time that distinct pairs do, where a workload has sixty million decisions; its numbers have to be literal.
    bounds = connection.execute(
        "SELECT (SELECT max(workload_ix) FROM served), (SELECT max(shape_ix) FROM internal.shapes)"
    ).fetchone()
    workload_ix, last_shape = bounds or (None, None)
    connection.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE held_shapes AS
        SELECT gpu_ix, bitstring_agg(shape_ix, 0, {int(last_shape or 0)}) AS bits
        FROM internal.fit
        WHERE workload_ix = {"NULL" if workload_ix is None else int(workload_ix)}
            AND outcome_ix IN (SELECT outcome_ix FROM internal.outcomes WHERE verdict IN ('fits', 'tight'))
            AND precision_ix IN (SELECT precision_ix FROM internal.precision_ranks)
        GROUP BY gpu_ix
        """
    )
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE figures"
        " (topic VARCHAR, item VARCHAR, workload VARCHAR, value DOUBLE, unit VARCHAR)"
    )
    for query in queries:
        connection.execute(f"INSERT INTO figures BY NAME {query}")
    rows = connection.execute("FROM figures ORDER BY ALL").fetchall()
    frame = pl.DataFrame([(night.run_id, *row) for row in rows], schema=TRENDS, orient="row")
    lake.write(frame, night.part("trends", 0), TRENDS)


def collect(connection: Connection, night: Night) -> None:
    """Make the table `trends` of a file that has its `runs`: every published night, and the one that is being built."""
    ended = run_history.ended(night.data) | {night.run_id}
    connection.execute("CREATE TEMP TABLE counted (run_id VARCHAR)")
    connection.execute("INSERT INTO counted SELECT UNNEST(?)", [sorted(ended)])
    parts = [str(path).replace("'", "''") for path in run_history.parts(night.data, "trends")]
    listed = ", ".join(f"'{path}'" for path in parts)
    connection.execute(
        f"""
        CREATE TABLE trends AS
        SELECT run_id, topic, item, workload, value, unit
        FROM (
            FROM read_parquet([{listed}], union_by_name = true, hive_partitioning = false)
            UNION ALL BY NAME
            {_OF_RUNS}
        )
        SEMI JOIN (FROM runs WHERE outcome = 'published') USING (run_id)
        SEMI JOIN counted USING (run_id)
        ORDER BY run_id, topic, item
        """
    )
