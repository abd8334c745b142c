"""The page of what changed overnight, and the same for other programs: changes.json and a feed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from flows.changes.tally import tally
from flows.report_rows import Row, Rows
from reports import feed, render
from reports.changes import ChangesPage, sentences
from reports.model import Column, Night, Table
from reports.paths import device_path, model_path

# Rows of a page; a change of the method may have millions, and the view has them all.
MOST_ROWS = 1000
NIGHTS = 30  # of the feed: as many as are kept

# Of most downloaded models first, and what was lost before what was won.
DEVICES = f"""
SELECT c.*, g.name
FROM device_changes c
JOIN gpus g ON g.gpu_id = c.gpu
LEFT JOIN models m USING (model_id)
ORDER BY list_position(['runs no longer', 'runs now', 'runs worse', 'runs better'], change) NULLS LAST,
    m.downloads DESC NULLS LAST, model_id, g.name, workload
LIMIT {MOST_ROWS}
"""


def files(rows: Rows, night: Night) -> Iterator[tuple[str, str | bytes]]:
    """changes.html, changes.json and changes.atom, by path below the report."""
    page = _page(rows, night)
    yield "changes.html", render.changes(page)
    yield "changes.json", _json(rows, page)
    yield "changes.atom", feed.atom(list(_entries(rows, night)))


def _page(rows: Rows, night: Night) -> ChangesPage:
    counted = tally(rows.all)
    return ChangesPage(
        night=night,
        tally=counted,
        causes=[
            (row["cause"], row["verdicts"], row["models"], row["devices"])
            for row in rows.all(
                "SELECT cause, count(*) AS verdicts, count(DISTINCT model_id) AS models, count(DISTINCT gpu) AS devices"
                " FROM verdict_changes GROUP BY cause ORDER BY verdicts DESC, cause"
            )
        ],
        devices=_devices(rows),
        devices_in_all=rows.one("SELECT count(*) AS n FROM device_changes")["n"],
        models=_models(rows),
        prices=_prices(rows),
        catalogs=_catalogs(rows),
    )


def _devices(rows: Rows) -> Table:
    columns = (
        Column("model_id", "Model", "link"),
        Column("change", "What happened", is_filter=True),
        Column("gpu", "Device", "link"),
        Column("workload", "Workload", is_filter=True),
        Column("cause", "Cause", is_filter=True),
        Column("before", "Before"),
        Column("after", "Now"),
    )
    cells = [
        [
            _model(row["model_id"]),
            row["change"],
            [row["name"], device_path(row["gpu"])],
            row["workload"],
            row["cause"],
            _way(row, "before"),
            _way(row, "after"),
        ]
        for row in rows.all(DEVICES)
    ]
    return Table(
        "devices", "What devices run otherwise", "device_changes", columns, cells,
        empty="Every device runs what it ran, in the same way.",
    )  # fmt: skip


def _way(row: Row, when: str) -> str:
    if row[f"precision_{when}"] is None:
        return "does not run"
    gpus = row[f"gpus_{when}"]
    return f"{row[f'verdict_{when}']} at {row[f'precision_{when}']}" + (f" over {gpus}" if gpus > 1 else "")


def _models(rows: Rows) -> Table:
    columns = (
        Column("model_id", "Model", "link"),
        Column("change", "What happened", is_filter=True),
        Column("detail", "What of it"),
        Column("before", "Before"),
        Column("after", "Now"),
        Column("cause", "Cause", is_filter=True),
    )
    read = {
        row["model_id"]
        for row in rows.all("SELECT DISTINCT model_id FROM model_changes SEMI JOIN models USING (model_id)")
    }
    cells = [
        [
            _model(row["model_id"]) if row["model_id"] in read else [row["model_id"], "quality.html"],
            *(_said(row[column.name]) for column in columns[1:]),
        ]
        for row in rows.all(f"FROM model_changes ORDER BY change, model_id, detail LIMIT {MOST_ROWS}")
    ]
    return Table("models", "Models", "model_changes", columns, cells, empty="No model came, went or changed.")


def _prices(rows: Rows) -> Table:
    columns = (
        Column("gpu", "Device", "link"),
        Column("kind", "Kind", is_filter=True),
        Column("usd_before", "Before", "usd"),
        Column("usd_after", "Now", "usd"),
        Column("change", "Change, per cent", "count"),
        Column("provider_before", "By"),
        Column("provider_after", "Now by"),
        Column("as_of_after", "Price of"),
    )
    found = rows.all(
        """
        SELECT c.*, g.name, round(100 * (usd_after / usd_before - 1), 1) AS change
        FROM price_changes c LEFT JOIN gpus g ON g.gpu_id = c.gpu
        ORDER BY abs(ln(usd_after / usd_before)) DESC NULLS LAST, gpu, kind
        """
    )
    cells = [
        [
            [row["name"] or row["gpu"], device_path(row["gpu"]) if row["name"] else "devices/index.html"],
            *(_said(row[column.name]) if column.kind == "text" else row[column.name] for column in columns[1:]),
        ]
        for row in found
    ]
    return Table("prices", "Cheapest prices, of one device", "price_changes", columns, cells, empty="No price moved.")


def _catalogs(rows: Rows) -> Table:
    columns = (
        Column("catalog", "Catalog", is_filter=True),
        Column("entry", "Row"),
        Column("field", "Column"),
        Column("before", "Before"),
        Column("after", "Now"),
    )
    found = rows.all(f"FROM catalog_changes ORDER BY catalog, entry, field LIMIT {MOST_ROWS}")
    cells = [[_said(row[column.name]) for column in columns] for row in found]
    return Table(
        "catalogs", "Other catalogs", "catalog_changes", columns, cells, empty="No other row of a catalog changed."
    )


def _model(model_id: str) -> list[str]:
    return [model_id, model_path(model_id)]


def _said(value: object) -> str:
    """A value that was or is not there is no unknown one."""
    return "\N{EN DASH}" if value is None else str(value)


def _json(rows: Rows, page: ChangesPage) -> str:
    [comparison] = rows.all("FROM comparison")
    told: dict[str, Any] = {
        **comparison,
        "summary": list(sentences(page.tally)),
        "models": rows.all(f"FROM model_changes ORDER BY model_id, change, detail LIMIT {MOST_ROWS}"),
        "devices": [{k: v for k, v in row.items() if k != "name"} for row in rows.all(DEVICES)],
        "devices_in_all": page.devices_in_all,
        "verdicts_by_cause": [
            dict(zip(("cause", "verdicts", "models", "devices"), row, strict=True)) for row in page.causes
        ],
        "prices": rows.all("FROM price_changes ORDER BY gpu, kind"),
        "catalogs": rows.all(f"FROM catalog_changes ORDER BY catalog, entry, field LIMIT {MOST_ROWS}"),
    }
    return json.dumps(told, indent=1, default=str) + "\n"


def _entries(rows: Rows, night: Night) -> Iterator[feed.Entry]:
    """Published nights, the newest NIGHTS; their pages lie beside this one as long as they are kept."""
    found = rows.all(
        f"SELECT run_id, started_at, changes FROM runs WHERE outcome = 'published' ORDER BY run_id DESC LIMIT {NIGHTS}"
    )
    for row in found:
        own = row["run_id"] == night.run_id
        href = "changes.html" if own else f"../../{row['run_id']}/report/changes.html"
        yield feed.Entry(row["run_id"], row["started_at"], href, row["changes"])
