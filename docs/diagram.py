"""Write docs/er-diagram.md from a published file: its tables with their keys, and what each view reads.

python -m docs.diagram DATABASE    (default: the latest night in ./data)
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb

# What makes a row: a published file has no constraints, which would cost it an index each. A test holds every one
# of these against a whole night.
KEYS = {
    "accuracy": "engine component split",
    "artifacts": "model_id artifact",
    "assumptions": "workload subject",
    "attention_groups": "model_id position",
    "best_fit": "model_id workload gpu",
    "best_models": "gpu workload kind rank",
    "calculator_gpus": "model_id precision quantity gpu",
    "calculators": "model_id precision calculator quantity",
    "catalog_changes": "catalog entry field",
    "changes": "model_id change detail before after precision workload gpu cause",
    "cheapest_assured": "model_id workload",
    "comparison": "run_id",
    "coverage": "kind",
    "current_prices": "gpu",
    "current_purchases": "gpu",
    "device_changes": "model_id workload gpu",
    "engines": "engine version_range memory_tier",
    "error_summary": "stage kind",
    "fit": "model_id precision workload gpu",
    "fitting": "model_id precision workload gpu",
    "gpus": "gpu_id",
    "kv_precisions": "kv_precision",
    "largest_per_gpu": "gpu workload",
    "links": "link degree",
    "model_changes": "model_id change detail",
    "model_errors": "model_id",
    "models": "model_id",
    "models_per_gpu": "gpu workload",
    "option_prices": "gpu devices",
    "plan_hardware": "offer",
    "plan_served": "line offer",
    "plans": "",
    "policy": "parameter",
    "precision_ranks": "precision",
    "precision_reach": "precision workload",
    "precisions": "precision",
    "price_changes": "gpu kind",
    "price_history": "provider region instance_type kind gpu date",
    "price_unmapped": "provider gpu_name device_memory_gib",
    "prices": "gpu provider region kind instance_type basis as_of",
    "requirements": "model_id precision workload",
    "reserves": "engine version_range below_gib",
    "runs": "run_id",
    "scores": "model_id",
    "speeds": "engine memory_kind",
    "tensor_types": "model_id artifact dtype",
    "tight_splits": "model_id precision workload gpu",
    "trends": "run_id topic item",
    "unknowns": "model_id",
    "unused_scores": "model_id",
    "validation": "measurement",
    "verdict_changes": "model_id precision workload gpu",
    "workloads": "workload",
}
# A column of this name is the key of that table, wherever it stands.
NAMED = {
    "model_id": ("models", "model_id"),
    "gpu": ("gpus", "gpu_id"),
    "precision": ("precisions", "precision"),
    "workload": ("workloads", "workload"),
    "kv_precision": ("kv_precisions", "kv_precision"),
    "offer": ("plan_hardware", "offer"),
}
# But not there: what could not be read, what a site scores, what somebody measured and what there was before need not
# be in the night.
FREE = {
    ("changes", "model_id"),
    ("changes", "gpu"),
    ("changes", "precision"),
    ("changes", "workload"),
    ("model_changes", "model_id"),
    ("price_changes", "gpu"),
    ("model_errors", "model_id"),
    ("scores", "model_id"),
    ("unused_scores", "model_id"),
    ("validation", "model_id"),
    ("validation", "gpu"),
    ("validation", "precision"),
    ("validation", "kv_precision"),
    ("price_history", "gpu"),
    ("trends", "workload"),
}
HEADER = """# How tables hang together

Generated from a published `hubfit.duckdb` by `docs/diagram.py`; every column is in `docs/tables.md`. Shown are keys and
the columns by which tables are joined. A published file has no constraints; the tests hold keys and references against
a night.
"""


def document(database: Path) -> str:
    """Markdown: a Mermaid diagram of the public tables, then every view with its key, its joins and what it reads."""
    with duckdb.connect(str(database), read_only=True) as connection:
        connection.execute("PRAGMA disable_optimizer")  # it leaves out what this night has no rows of
        columns: dict[str, dict[str, str]] = {}
        for table, column, kind in connection.execute(
            "SELECT table_name, column_name, data_type FROM duckdb_columns()"
            " WHERE schema_name = 'main' AND NOT internal ORDER BY table_name, column_index"
        ).fetchall():
            columns.setdefault(table, {})[column] = "ENUM" if kind.startswith("ENUM") else kind
        views = [
            name for (name,) in connection.execute(
                "SELECT view_name FROM duckdb_views() WHERE schema_name = 'main' AND NOT internal ORDER BY view_name"
            ).fetchall()
        ]  # fmt: skip
        reads = {view: _reads(connection, view) for view in views}
    tables = {name: of for name, of in columns.items() if name not in views}
    return "\n".join([HEADER, *_diagram(tables), "", *_listing(views, columns, reads)]) + "\n"


def key(table: str) -> list[str]:
    """Columns that make a row of a public table or view; none where it has one row at most."""
    return KEYS[table].split()


def references(columns: dict[str, dict[str, str]]) -> Iterator[tuple[str, str, str, str]]:
    """Table, column, and the table and column that it names a row of."""
    for table, of in columns.items():
        for column in of:
            owner, named = NAMED.get(column, (table, ""))
            if owner != table and (table, column) not in FREE:
                yield table, column, owner, named


def _diagram(tables: dict[str, dict[str, str]]) -> Iterator[str]:
    yield "## Tables\n\n```mermaid\nerDiagram"
    joined = list(references(tables))
    for table, of in tables.items():
        foreign = {column for owner, column, _, _ in joined if owner == table}
        shown = [column for column in of if column in key(table) or column in foreign]
        if not shown:
            yield f"    {table}"
            continue
        yield f"    {table} {{"
        for column in shown:
            marks = [mark for mark, is_so in (("PK", column in key(table)), ("FK", column in foreign)) if is_so]
            yield f"        {of[column].split('(')[0]} {column} {', '.join(marks)}"
        yield "    }"
    for table, column, owner, _ in joined:
        yield f"    {owner} ||--o{{ {table} : {column}"
    yield "```"


def _listing(views: list[str], columns: dict[str, dict[str, str]], reads: dict[str, list[str]]) -> Iterator[str]:
    yield "## Views\n"
    yield "Reads: the tables behind a view, those with a dot in the schema `internal`.\n"
    yield "| view | key | joins | reads |\n|---|---|---|---|"
    joined = list(references({view: columns[view] for view in views}))
    for view in views:
        to = ", ".join(f"`{column}` → `{owner}`" for table, column, owner, _ in joined if table == view)
        made = ", ".join(f"`{table}`" for table in reads[view])
        yield f"| `{view}` | {', '.join(f'`{column}`' for column in key(view))} | {to} | {made} |"


def _reads(connection: duckdb.DuckDBPyConnection, view: str) -> list[str]:
    """Tables that the plan of a view scans, public ones first. Macros hide them from its text."""
    plan = connection.execute(f"EXPLAIN (FORMAT json) FROM {view}").fetchall()[0][1]
    found = {name.split(".", 1)[1].replace('"', "") for name in _scanned(json.loads(plan))}
    return sorted({name.removeprefix("main.") for name in found}, key=lambda name: ("." in name, name))


def _scanned(node: Any) -> Iterator[str]:
    if isinstance(node, list):
        for one in node:
            yield from _scanned(one)
    elif isinstance(node, dict):
        if isinstance(node.get("Table"), str):
            yield node["Table"]
        for one in node.values():
            yield from _scanned(one)


def main() -> None:
    """Rewrite docs/er-diagram.md."""
    database = Path(sys.argv[1] if len(sys.argv) > 1 else "data/published/latest/hubfit.duckdb")
    Path(__file__).with_name("er-diagram.md").write_text(document(database), encoding="utf-8")


if __name__ == "__main__":
    main()
