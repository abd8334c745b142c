"""The pages about the night itself: what is missing, and how it was computed."""

from __future__ import annotations

from flows.report_rows import Rows
from reports.model import Column, MethodPage, Night, QualityPage, Table
from reports.paths import model_path


def quality_page(rows: Rows, night: Night) -> QualityPage:
    """What could not be read, what is unknown, what contradicts, and scores that rank nothing."""

    def link(model_id: str) -> list[str]:
        return [model_id, model_path(model_id)]

    errors = rows.all("FROM model_errors ORDER BY model_id")
    unknowns = rows.all("FROM unknowns ORDER BY model_id")
    conflicts = rows.all(
        "SELECT model_id, parameters, config_parameters, notes FROM models WHERE parameters_conflict ORDER BY model_id"
    )
    return QualityPage(
        night=night,
        errors_by_kind=[
            (row["stage"], row["kind"], row["models"])
            for row in rows.all("FROM error_summary ORDER BY models DESC, kind")
        ],
        errors=Table(
            "errors",
            "Models that could not be read",
            "model_errors",
            (
                Column("model_id", "Listed as"),
                Column("stage", "Stage", is_filter=True),
                Column("kind", "Kind", is_filter=True),
                Column("message", "What was wrong"),
            ),
            [[row["model_id"], row["stage"], row["kind"], row["message"]] for row in errors],
            empty="Every listed model could be read.",
        ),
        unknowns=Table(
            "unknowns",
            "Models of which something is unknown",
            "unknowns",
            (
                Column("model_id", "Model", "link"),
                Column("model_type", "Type"),
                Column("unknown", "Unknown", is_filter=True),
                Column("notes", "Why"),
            ),
            [[link(row["model_id"]), row["model_type"], row["unknown"], row["notes"]] for row in unknowns],
            empty="Everything is known of every model.",
        ),
        conflicts=Table(
            "conflicts",
            "Counts that contradict each other",
            "models",
            (
                Column("model_id", "Model", "link"),
                Column("parameters", "Used", "count"),
                Column("config_parameters", "From the configuration", "count"),
                Column("notes", "Note"),
            ),
            [[link(r["model_id"]), r["parameters"], r["config_parameters"], r["notes"]] for r in conflicts],
            empty="No counts contradict each other.",
        ),
        confidence=[
            (row["level"], row["models"])
            for row in rows.all(
                "SELECT coalesce(confidence, 'unknown') AS level, count(*) AS models"
                " FROM models GROUP BY 1 ORDER BY 2 DESC"
            )
        ],
        scores=_unused_scores(rows),
    )


def _unused_scores(rows: Rows) -> Table | None:
    unused = rows.all("FROM unused_scores ORDER BY model_id")
    columns = (
        Column("model_id", "Scored as"),
        Column("score", "Score", "count"),
        Column("benchmark", "Benchmark"),
        Column("reason", "Why", is_filter=True),
    )
    cells = [[row[column.name] for column in columns] for row in unused]
    return Table("scores", "Scores that rank nothing", "unused_scores", columns, cells) if unused else None


def _precisions(rows: Rows) -> Table:
    columns = (
        Column("rank", "Rank", "count"),
        Column("precision", "Precision"),
        Column("quality_loss", "Quality lost", "share"),
        Column("quality_basis", "Loss is", is_filter=True),
        Column("quality_bits", "Bits", "count"),
        Column("quality_metric", "Published figure"),
        Column("quality_value", "Value", "count"),
        Column("quality_source", "Source"),
    )
    found = rows.all("FROM precision_ranks ORDER BY rank NULLS LAST, quality_loss, precision")
    cells = [[row[column.name] for column in columns] for row in found]
    return Table("precisions", "In which order precisions are chosen", "precision_ranks", columns, cells, sort="rank")


def method_page(rows: Rows, night: Night) -> MethodPage:
    """The rules as they were used: workloads, views and the order of precisions."""
    workloads = rows.all("FROM workloads ORDER BY workload_ix")
    views = rows.all(
        "SELECT view_name, comment FROM duckdb_views() WHERE NOT internal AND schema_name = 'main' ORDER BY view_name"
    )
    return MethodPage(
        night,
        [
            (
                row["workload"],
                row["title"],
                row["engine"],
                f"{row['context_tokens']:,} tokens x {row['concurrent_sequences']}",
            )
            for row in workloads
        ],
        [(row["view_name"], row["comment"]) for row in views],
        _precisions(rows),
    )
