"""How much changed, counted in a built file: for the page, the feed and whoever is notified."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from reports.changes import Tally

Ask = Callable[[str], Sequence[Mapping[str, Any]]]


def tally(ask: Ask) -> Tally:
    """Counts of the tables of changes.sql; `ask` answers SQL with rows by column name."""
    [comparison] = ask("FROM comparison")
    if not comparison["is_compared"]:
        return Tally(None, reason=comparison["reason"])
    [counted] = ask(
        """
        SELECT
            (
                SELECT coalesce(sum(n * models), 0)::BIGINT
                FROM (SELECT pair_ix, count(*) AS n FROM internal.verdict_changes GROUP BY 1)
                JOIN (SELECT pair_ix, count(*) AS models FROM internal.model_pairs GROUP BY 1) USING (pair_ix)
            ) AS verdicts,
            (SELECT count(DISTINCT gpu) FROM price_changes) AS prices,
            (SELECT count(*) FROM (SELECT DISTINCT catalog, entry FROM catalog_changes)) AS catalogs
        """
    )
    models = ask("SELECT change, count(DISTINCT model_id) AS n FROM model_changes GROUP BY change")
    devices = ask(
        "SELECT change, count(*) AS n FROM (SELECT DISTINCT change, model_id, gpu FROM device_changes) GROUP BY change"
    )
    return Tally(
        previous=comparison["previous_started_at"],
        method_changed=comparison["method_changed"],
        models={row["change"]: row["n"] for row in models},
        devices={row["change"]: row["n"] for row in devices},
        **counted,
    )
