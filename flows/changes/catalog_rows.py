"""Cells of the catalogs that are others than in the previous night, and which of them verdicts depend on."""

from __future__ import annotations

from catalogs.schema import TABLES
from flows.warehouse import Connection

# Prices have a table of their own, and what measured or sells nothing decides nothing.
COMPARED = ("gpus", "precisions", "kv_precisions", "workloads", "engines", "reserves", "speeds", "links", "policy")

# Words, dates, sources, rates and money: another value of these moves no verdict.
INDIFFERENT = (
    *("name", "title", "source", "as_of", "notes", "launch_date", "launch_price_usd", "rates_basis", "tdp_watts"),
    *("drawn_watts", "bandwidth_gb_per_s", "link_gb_per_s", "fp32_tflops", "bf16_tflops", "fp16_tflops", "fp8_tflops"),
    *("int8_tops", "fp4_tflops", "quality_metric", "quality_value", "quality_reference", "quality_source"),
)
LISTED = "listed"


def fill(connection: Connection) -> None:
    """Fill catalog_changes, and the temporary table `decisive`: catalog and entry of what verdicts depend on.

    Only columns that both nights have are compared. A row that only one of them has says so with LISTED.
    """
    keys = {table.name: table.key for table in TABLES}
    for catalog in COMPARED:
        _compare(connection, catalog, keys[catalog])
    indifferent = ", ".join(f"'{name}'" for name in INDIFFERENT)
    connection.execute(
        f"""
        CREATE TEMP TABLE decisive AS SELECT DISTINCT catalog, entry FROM catalog_changes
        WHERE field IS NULL OR field NOT IN ({indifferent})
        """
    )


def _compare(connection: Connection, catalog: str, key: tuple[str, ...]) -> None:
    shared = [
        name
        for (name,) in connection.execute(
            """
            SELECT n.column_name
            FROM (FROM duckdb_columns() WHERE database_name = current_database() AND table_name = $table) n
            SEMI JOIN (FROM duckdb_columns() WHERE database_name = 'previous' AND table_name = $table) b
                USING (column_name)
            WHERE n.schema_name = 'main' AND NOT n.column_name.ends_with('_ix')
            ORDER BY n.column_index
            """,
            {"table": catalog},
        ).fetchall()
    ]
    entry = f"concat_ws(' ', {', '.join(key)}) AS entry"
    cells = ", ".join(f'"{name}"::VARCHAR AS "{name}"' for name in shared if name not in key)
    names = ", ".join(f'"{name}"' for name in shared if name not in key)
    connection.execute(
        f"""
        INSERT INTO catalog_changes BY NAME
        WITH n AS (SELECT {entry}, {cells} FROM {catalog}),
        b AS (SELECT {entry}, {cells} FROM previous.{catalog}),
        now AS (UNPIVOT n ON {names} INTO NAME field VALUE said),
        before AS (UNPIVOT b ON {names} INTO NAME field VALUE said)
        SELECT '{catalog}' AS catalog, entry, field, o.said AS before, w.said AS after
        FROM now w FULL JOIN before o USING (entry, field)
        WHERE o.said IS DISTINCT FROM w.said AND entry IN (SELECT entry FROM n) AND entry IN (SELECT entry FROM b)
        UNION ALL
        SELECT '{catalog}', entry, NULL, NULL, '{LISTED}' FROM n ANTI JOIN b USING (entry)
        UNION ALL
        SELECT '{catalog}', entry, NULL, '{LISTED}', NULL FROM b ANTI JOIN n USING (entry)
        ORDER BY entry, field
        """
    )
