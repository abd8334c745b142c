"""What is said of a model that was read in both nights: one row for each column of `models` with another value."""

from __future__ import annotations

from flows.warehouse import Connection

# Names and revisions are changes of their own; popularity moves every night, and shapes and notes follow from the rest.
PASSED_OVER = (
    *("model_id", "resolved_id", "revision", "downloads", "likes", "last_modified_at", "shape_id", "notes"),
    "config_parameters",
)
PARAMETERS = ("parameters", "active_parameters")
# What the Hub says without a new revision. All else is read out of the files, by a method that may have changed.
OF_THE_HUB = ("library", "task", "license", "is_gated")


def fill(connection: Connection) -> None:
    """Add the changes `parameters` and `metadata` to model_changes. Only columns that both nights have are compared."""
    shared = [
        name
        for (name,) in connection.execute(
            """
            SELECT n.column_name
            FROM (FROM duckdb_columns() WHERE database_name = current_database() AND table_name = 'models') n
            SEMI JOIN (FROM duckdb_columns() WHERE database_name = 'previous' AND table_name = 'models') b
                USING (column_name)
            ORDER BY n.column_index
            """
        ).fetchall()
        if name not in PASSED_OVER
    ]
    connection.execute(
        " UNION ALL ".join(["INSERT INTO model_changes " + _column(shared[0]), *map(_column, shared[1:])])
    )


def _column(name: str) -> str:
    change = "parameters" if name in PARAMETERS else "metadata"
    # a new revision, or the old one read in the same way: then it is the model; else the reading may have changed
    of_model = "true" if name in OF_THE_HUB else "n.revision IS DISTINCT FROM b.revision OR NOT c.method_changed"
    is_method = "false" if name in OF_THE_HUB else "c.method_changed"
    return f"""
        SELECT s.model_id, '{change}', '{name}', b."{name}"::VARCHAR, n."{name}"::VARCHAR,
            internal.causes(CASE WHEN {of_model} THEN 'model' END, false, {is_method})
        FROM same_models s
        JOIN models n USING (model_id)
        JOIN previous.models b ON b.model_id = s.before_model_id
        CROSS JOIN comparison c
        WHERE n."{name}" IS DISTINCT FROM b."{name}"
    """
