"""The page of trends: the figures of every published night, as the file has them."""

from __future__ import annotations

from flows.report_rows import Rows
from reports.model import Night, Workload
from reports.trends import Then, TrendsPage


def trends_page(rows: Rows, night: Night) -> TrendsPage:
    """trends.html. What devices held is of nights that asked the workload that this one serves."""
    served = rows.served if rows.workloads else None
    found = rows.all(
        "SELECT * FROM trends WHERE workload IS NULL OR workload = ? ORDER BY topic, item, run_id",
        None if served is None else served["workload"],
    )
    figures: dict[tuple[str, str], dict[str, float]] = {}
    for row in found:
        figures.setdefault((row["topic"], row["item"]), {})[row["run_id"]] = row["value"]
    [elsewhere] = rows.all(
        "SELECT count(DISTINCT run_id) AS n FROM trends WHERE workload IS DISTINCT FROM ? AND workload IS NOT NULL",
        None if served is None else served["workload"],
    )
    nights = rows.all(
        "SELECT run_id, started_at, source, code_version, models_listed FROM runs"
        " SEMI JOIN trends USING (run_id) ORDER BY run_id"
    )
    return TrendsPage(
        night,
        None if served is None else Workload(served["workload"], served["title"]),
        [Then(**row) for row in nights],
        figures,
        elsewhere["n"],
    )
