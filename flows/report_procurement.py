"""The page for a buyer, and its rows as a script, CSV and Excel: the cheapest sure way to run each model."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence

from flows.extract.heads import CLASSIFIERS
from flows.prices.staleness import LIMIT_DAYS
from flows.report_rows import Row, Rows
from reports import downloads, plans, render
from reports.format import price_sentence
from reports.model import Column, Night, Table, Workload
from reports.paths import device_path, model_path
from reports.procurement import Cheapest, Offer, PriceAge, ProcurementPage

# The page and its downloads have so many models at most, the most downloaded ones; the view has all.
SHOWN_MODELS = 1500
BESIDE = "procurement.js"
VIEW = "cheapest_assured"

# Tasks of the Hub that a chat is: a decoder with another task embeds, ranks, classifies or speaks. Many models name
# none; then the class must not be one without a matrix back to the vocabulary.
CHATS = (
    "text-generation", "image-text-to-text", "audio-text-to-text", "video-text-to-text", "any-to-any",
)  # fmt: skip
WRITES_TEXT = f"""
kind = 'decoder'
AND NOT regexp_matches(coalesce(architecture, ''), '({"|".join(CLASSIFIERS)})$')
AND CASE
    WHEN task IS NULL THEN
        NOT ends_with(coalesce(architecture, ''), 'Model') OR regexp_matches(architecture, 'LMHead|Chat')
    ELSE task IN ({", ".join(f"'{task}'" for task in CHATS)})
END
"""
# What a spreadsheet gets of a row, by the names of the view.
DOWNLOADED = (
    "model_id", "workload", "context_tokens", "gpu", "gpus_needed", "precision", "parallelism", "usd_per_hour",
    "usd_per_hour_owned", "usd_per_million_tokens", "total_tokens_per_second", "speed_confidence", "confidence",
    "instances", "devices_per_instance", "provider", "region", "instance_type", "as_of", "age_days", "origin",
    "is_stale",
)  # fmt: skip
# What is asked for first stands in sight, on a phone too; what it rests on follows.
COLUMNS = (
    Column("model_id", "Model", "link"),
    Column("usd_per_hour", "Per hour", "usd"),
    Column("is_stale", "Stale", is_filter=True),
    Column("gpu", "Device", "link"),
    Column("gpus_needed", "Devices", "count"),
    Column("usd_per_million_tokens", "Per million tokens", "cost"),
    Column("total_tokens_per_second", "Tokens/s", "count"),
    Column("precision", "Precision", is_filter=True),
    Column("parallelism", "Split"),
    Column("context_tokens", "Context", "count"),
    Column("workload", "Workload", is_filter=True),
    Column("confidence", "Confidence", is_filter=True),
    Column("devices_per_instance", "in instances of", "count"),
    Column("provider", "Provider", is_filter=True),
    Column("as_of", "Price of"),
    Column("age_days", "Age, days", "count"),
    Column("origin", "Origin", is_filter=True),
)


def files(rows: Rows, night: Night) -> Iterator[tuple[str, str | bytes]]:
    """Paths below the report with their contents."""
    page, found = _page(rows, night)
    yield "procurement.html", render.procurement(page)
    yield BESIDE, render.rows_beside(page.options)
    told = [[row[name] for name in DOWNLOADED] for row in found]
    yield "procurement.csv", downloads.comma_separated(DOWNLOADED, told)
    yield "procurement.xlsx", downloads.workbook(DOWNLOADED, told, _about(rows, night), night.started_at)


def _page(rows: Rows, night: Night) -> tuple[ProcurementPage, list[Row]]:
    rows.assured()
    planned = next(iter(rows.all("SELECT facts, reason FROM plans")), {})
    served: Row = rows.served if rows.workloads else {"workload": "none", "title": "No inference workload"}
    workload = Workload(served["workload"], served["title"])
    found = rows.all(
        f"""
        SELECT o.*, g.name FROM memory.main.cheapest_assured o
        JOIN (
            SELECT model_id, row_number() OVER (ORDER BY downloads DESC NULLS LAST, model_id) AS position FROM models
            QUALIFY position <= {SHOWN_MODELS}
        ) m USING (model_id)
        JOIN gpus g ON g.gpu_id = o.gpu JOIN workloads w USING (workload)
        ORDER BY m.position, w.workload_ix
        """
    )
    page = ProcurementPage(
        night=night,
        workload=workload,
        cheapest=_cheapest(rows, workload),
        offers=_offers(rows, workload),
        options=Table(
            "cheapest", "The cheapest sure way to run each model", VIEW, COLUMNS, [_cells(row) for row in found],
            empty="No model is sure to run on a device with an on-demand price.", picked={"workload": workload.id},
            beside=BESIDE,
        ),
        models_shown=min(night.models_read, SHOWN_MODELS),
        ages=_ages(rows),
        limits=", ".join(f"{kind} {days} days" for kind, days in LIMIT_DAYS.items()),
        plan=plans.from_facts(json.loads(planned["facts"])) if planned.get("facts") else None,
        why_no_plan=planned.get("reason"),
    )  # fmt: skip
    return page, found


def _cells(row: Row) -> list[object]:
    special: dict[str, object] = {
        "model_id": [row["model_id"], model_path(row["model_id"])],
        "gpu": [row["name"], device_path(row["gpu"])],
        "total_tokens_per_second": _digits(row["total_tokens_per_second"]),
        "is_stale": "yes" if row["is_stale"] else "no",
    }
    return [special.get(column.name, row[column.name]) for column in COLUMNS]


def _digits(speed: float | None) -> float | None:
    """Two digits, as an estimate has them."""
    return None if speed is None else float(f"{speed:.2g}")


def _cheapest(rows: Rows, workload: Workload) -> Cheapest:
    """Of models that write text; the others are counted apart, for nobody chats with them."""
    found = rows.one(
        f"""
        WITH told AS (SELECT model_id, coalesce({WRITES_TEXT}, false) AS writes_text FROM models),
        priced AS (
            SELECT o.*, t.writes_text FROM memory.main.cheapest_assured o JOIN told t USING (model_id)
            WHERE o.workload = $1
        )
        SELECT (SELECT count(*) FROM told WHERE writes_text) AS models,
            (SELECT count(*) FROM told WHERE NOT writes_text) AS others,
            (SELECT count(*) FROM priced WHERE NOT writes_text) AS others_priced,
            count(*) AS priced, median(usd_per_hour) AS median, max(usd_per_hour) AS highest,
            count(*) FILTER (is_stale) AS stale, min(age_days) AS youngest, max(age_days) AS oldest,
            count(*) FILTER (context_tokens < (SELECT context_tokens FROM workloads WHERE workload = $1)) AS shorter,
            histogram(confidence) AS confidence
        FROM priced WHERE writes_text
        """,
        workload.id,
    )
    return Cheapest(
        found["models"], found["priced"], found["median"], found["highest"], list((found["confidence"] or {}).items()),
        found["stale"], found["youngest"], found["oldest"], found["shorter"], found["others"], found["others_priced"],
    )  # fmt: skip


def _offers(rows: Rows, workload: Workload) -> list[Offer]:
    found = rows.all(
        """
        SELECT g.gpu_id, g.name, g.memory_gib_nominal, c.*, coalesce(m.models_on_one, 0) AS models_on_one,
            l.model_id, l.parameters, l.precision, p.usd_purchase, p.usd_per_gpu_hour_owned,
            coalesce(p.is_stale, false) AS purchase_is_stale
        FROM option_prices c JOIN gpus g ON g.gpu_id = c.gpu
        LEFT JOIN internal.models_per_gpu_of('memory.main.best') m ON m.gpu = c.gpu AND m.workload = ?
        LEFT JOIN internal.largest_per_gpu_of('memory.main.best') l ON l.gpu = c.gpu AND l.workload = ?
        LEFT JOIN current_purchases p ON p.gpu = c.gpu
        WHERE c.devices = 1
        ORDER BY c.usd_per_hour, g.gpu_id
        """,
        workload.id,
        workload.id,
    )
    return [
        Offer(
            row["gpu"], row["name"], device_path(row["gpu"]), row["usd_per_hour"], row["provider"], row["as_of"],
            row["age_days"], row["origin"], row["is_stale"], row["memory_gib_nominal"], row["models_on_one"],
            row["model_id"], model_path(row["model_id"]) if row["model_id"] else None, row["parameters"],
            row["precision"], row["usd_purchase"], row["usd_per_gpu_hour_owned"], row["purchase_is_stale"],
            row["devices_per_instance"],
        )
        for row in found
    ]  # fmt: skip


def _ages(rows: Rows) -> list[PriceAge]:
    """Prices to rent first, then those to buy."""
    found = rows.all(
        """
        SELECT provider, kind, count(*) AS prices, count(DISTINCT gpu) AS devices, max(as_of) AS newest,
            min(as_of) AS oldest, count(*) FILTER (is_stale) AS stale, list(DISTINCT origin ORDER BY origin) AS origins
        FROM prices GROUP BY provider, kind
        ORDER BY provider IS NULL, provider, kind
        """
    )
    return [PriceAge(**row) for row in found]


def _about(rows: Rows, night: Night) -> Sequence[tuple[str, str]]:
    """The second sheet: which night, which prices, and what each column means, in the words of the database."""
    comments = rows.all(
        "SELECT column_name, comment FROM duckdb_columns()"
        " WHERE schema_name = 'main' AND table_name = ? AND database_name = current_database() ORDER BY column_index",
        VIEW,
    )
    words = {row["column_name"]: row["comment"] or "" for row in comments}
    prices = price_sentence(night.oldest_price, night.newest_price, night.price_origins, night.stale_prices)
    head = [
        ("Night", f"{night.run_id}, source {night.source}, code {night.code_version}"),
        ("Prices", prices),
        ("View", f'{VIEW}: hubfit sql "FROM {VIEW}" has the same of every model'),
        ("Empty cells", "unknown"),
    ]
    return head + [(name, words.get(name, "")) for name in DOWNLOADED]
