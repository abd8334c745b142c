"""Write docs/tables.md from the COMMENTs of a published file: the dictionary cannot drift from the database.

python -m docs.generate DATABASE    (default: the latest night in ./data)
"""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb

HEADER = """# Tables

Every table and view of a published `hubfit.duckdb`, generated from the comments in the file itself
(`SELECT comment FROM duckdb_columns()`). Units are in the names; null means unknown or not applicable, never zero.
"""


def dictionary(database: Path) -> str:
    """Markdown: one section per table or view, one row per column, public ones first."""
    with duckdb.connect(str(database), read_only=True) as connection:
        tables = connection.execute(
            """
            SELECT schema_name, table_name AS name, comment, 'table' AS type FROM duckdb_tables() WHERE NOT internal
            UNION ALL
            SELECT schema_name, view_name, comment, 'view' FROM duckdb_views() WHERE NOT internal
            ORDER BY schema_name = 'internal', name
            """
        ).fetchall()
        columns = connection.execute(
            "SELECT schema_name, table_name, column_name, data_type, comment FROM duckdb_columns()"
            " WHERE NOT internal ORDER BY column_index"
        ).fetchall()
    sections = [HEADER]
    for schema, name, comment, kind in tables:
        title = name if schema == "main" else f"{schema}.{name}"
        rows = [
            f"| `{column}` | {_type(data_type)} | {_cell(text)} |"
            for owner, table, column, data_type, text in columns
            if (owner, table) == (schema, name)
        ]
        sections.append(
            f"## {title}\n\n{comment} *({kind})*\n\n| column | type | meaning |\n|---|---|---|\n"
            + "\n".join(rows)
            + "\n"
        )
    return "\n".join(sections)


def _type(data_type: str) -> str:
    return "ENUM" if data_type.startswith("ENUM") else data_type


def _cell(text: str | None) -> str:
    return (text or "").replace("|", "\\|")


def main() -> None:
    """Rewrite docs/tables.md."""
    database = Path(sys.argv[1] if len(sys.argv) > 1 else "data/published/latest/hubfit.duckdb")
    Path(__file__).with_name("tables.md").write_text(dictionary(database), encoding="utf-8")


if __name__ == "__main__":
    main()
