"""Render the site from a built file: rows of its views -> pages -> files. The caller publishes both together."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from flows import report_pages
from flows.changes.tally import tally
from flows.report_changes import files as changes_files
from flows.report_compare import Compared
from flows.report_devices import device_pages
from flows.report_models import model_pages
from flows.report_procurement import files as procurement_files
from flows.report_quality import method_page, quality_page
from flows.report_rows import Row, Rows
from flows.report_trends import trends_page
from flows.report_validation import validation_page
from reports import render
from reports.changes import sentences
from reports.model import (
    Column,
    Finding,
    IndexPage,
    Night,
    Overview,
    Table,
    Workload,
)
from reports.paths import device_path, model_path

# The search of the first page holds so many models at most, the most downloaded ones; the listing has all.
SEARCHED_MODELS = 5000
LISTED_MODELS = 10_000

# The model of each device that the first page names: the largest, or the best of any kind where the site has scores.
LARGEST = "SELECT *, NULL::DOUBLE AS score FROM internal.largest_per_gpu_of('memory.main.best')"
BEST = """
FROM internal.best_models_of('memory.main.best') WHERE rank = 1
QUALIFY row_number() OVER (
    PARTITION BY gpu, workload
    ORDER BY score DESC NULLS LAST, effective_parameters DESC NULLS LAST, parameters DESC NULLS LAST, model_id
) = 1
"""


def write(database: Path, folder: Path) -> None:
    """Write the whole site below `folder`. Reads nothing but the database."""
    rows = Rows(database)
    try:
        night = _night(rows)
        for path, asset in render.assets().items():
            report_pages.write(folder, path, asset)
        report_pages.write(folder, "assets/devices.js", _devices_js(rows))
        report_pages.write(folder, "index.html", render.index(_overview(rows, night)))
        report_pages.write(folder, "devices/index.html", render.listing(_devices(rows, night)))
        report_pages.write(folder, "models/index.html", render.listing(_models(rows, night)))
        for path, content in chain(procurement_files(rows, night), changes_files(rows, night)):
            report_pages.write(folder, path, content)
        report_pages.write(folder, "trends.html", render.trends(trends_page(rows, night)))
        report_pages.write(folder, "quality.html", render.quality(quality_page(rows, night)))
        report_pages.write(folder, "validation.html", render.validation(validation_page(rows, night)))
        report_pages.write(folder, "method.html", render.method(method_page(rows, night)))
        compared = Compared(rows, night)
        devices, models = device_pages(rows, night, _workload(rows)), model_pages(rows, night, compared)
        pages: Iterator[report_pages.Page] = chain(devices, models)
        report_pages.write_pages(folder, pages, night.devices + night.models_read)
        for path, script in compared.files():
            report_pages.write(folder, path, script)
    finally:
        rows.close()


def _night(rows: Rows) -> Night:
    run = rows.one("FROM runs ORDER BY run_id DESC LIMIT 1")
    sizes = rows.one(
        """
        SELECT (SELECT count(*) FROM gpus) AS devices, (SELECT count(*) FROM precisions) AS precisions,
            (SELECT min(as_of) FROM current_prices) AS oldest_price,
            (SELECT max(as_of) FROM current_prices) AS newest_price,
            (SELECT coalesce(list(DISTINCT origin), []) FROM current_prices) AS price_origins,
            (SELECT count(*) FROM current_prices WHERE is_stale) AS stale_prices
        """
    )
    names = (
        "run_id", "started_at", "source", "code_version", "catalog_digest", "models_listed", "models_read",
        "models_failed", "fit_rows",
    )  # fmt: skip
    return Night(**{name: run[name] for name in names}, **sizes)


def _workload(rows: Rows, *, served: bool = False) -> Workload:
    """The first of the report's, or the one that is served."""
    row: Row = {"workload": "none", "title": "No inference workload"}
    if rows.workloads:
        row = rows.served if served else rows.workloads[0]
    return Workload(row["workload"], row["title"])


def _devices_js(rows: Rows) -> str:
    devices = rows.all(
        "SELECT gpu_id, name, vendor || ' ' || segment AS \"group\", memory_gib_nominal FROM gpus ORDER BY gpu_ix"
    )
    return render.device_list(
        [
            {
                "name": row["name"],
                "group": row["group"],
                "memory": "unknown" if row["memory_gib_nominal"] is None else f"{row['memory_gib_nominal']:g} GiB",
                "href": "../" + device_path(row["gpu_id"]),
            }
            for row in devices
        ]
    )


def _overview(rows: Rows, night: Night) -> Overview:
    benchmarks = rows.benchmarks()
    strip = rows.all(
        f"""
        SELECT g.gpu_id, g.name, g.memory_gib_nominal, l.model_id, l.parameters, l.precision, l.score
        FROM gpus g LEFT JOIN ({LARGEST if benchmarks is None else BEST}) l ON l.gpu = g.gpu_id AND l.workload = ?
        WHERE g.segment IN ('datacenter', 'consumer', 'workstation', 'unified')
        -- the newest device of each segment and size class
        QUALIFY row_number() OVER (
            PARTITION BY g.segment, round(2 * log2(g.memory_gib_nominal))
            ORDER BY g.launch_date DESC NULLS LAST, g.gpu_id
        ) = 1 AND g.memory_gib_nominal >= 8
        ORDER BY g.memory_gib_nominal, g.gpu_id
        """,
        _workload(rows).id,
    )
    reach = rows.all(
        """
        SELECT r.precision, r.models_on_one, r.models FROM precision_reach r JOIN precisions p USING (precision)
        WHERE r.workload = ? AND r.precision IN (
            'stored', 'bf16', 'fp8_e4m3_block128', 'int8_w8a8', 'int4_awq_g128', 'nf4_dq', 'mxfp4', 'nvfp4',
            'gguf_q8_0', 'gguf_q4_k_m')
        ORDER BY p.precision_ix
        """,
        _workload(rows).id,
    )
    known = rows.one(
        "SELECT (SELECT count(*) FROM unknowns) AS unknown, count(*) FILTER (confidence = 'exact') AS exact FROM models"
    )
    devices = rows.all("SELECT gpu_id, name FROM gpus ORDER BY name")
    models = rows.all(
        f"SELECT model_id FROM models ORDER BY downloads DESC NULLS LAST, model_id LIMIT {SEARCHED_MODELS}"
    )
    return Overview(
        night=night,
        workload=_workload(rows),
        unknown_models=known["unknown"],
        exact_models=known["exact"],
        strip=[
            Finding(
                row["name"], device_path(row["gpu_id"]), row["memory_gib_nominal"], row["model_id"],
                model_path(row["model_id"]) if row["model_id"] else None, row["parameters"], row["precision"],
                row["score"],
            )
            for row in strip
        ],
        precision_share=[(row["precision"], row["models_on_one"], row["models"]) for row in reach],
        search=[(row["name"], device_path(row["gpu_id"]), "device") for row in devices]
        + [(row["model_id"], model_path(row["model_id"]), "model") for row in models],
        is_scored=benchmarks is not None,
        benchmarks=benchmarks or (),
        changes=sentences(tally(rows.all)),
    )  # fmt: skip


def _devices(rows: Rows, night: Night) -> IndexPage:
    workload = _workload(rows)
    found = rows.all(
        """
        SELECT g.gpu_id, g.name, g.vendor, g.segment, g.memory_gib_nominal, g.visible_bytes, g.bandwidth_gb_per_s,
            g.max_gpus_per_node, coalesce(m.models_on_one, 0) AS models_on_one,
            coalesce(m.models_sharded, 0) AS models_sharded, c.usd_per_gpu_hour
        FROM gpus g LEFT JOIN internal.models_per_gpu_of('memory.main.best') m ON m.gpu = g.gpu_id AND m.workload = ?
        LEFT JOIN current_prices c ON c.gpu = g.gpu_id
        ORDER BY g.name
        """,
        workload.id,
    )
    columns = (
        Column("name", "Device", "link"),
        Column("vendor", "Vendor", is_filter=True),
        Column("segment", "Segment", is_filter=True),
        Column("visible_bytes", "Memory a process sees", "bytes"),
        Column("bandwidth_gb_per_s", "Bandwidth, GB/s", "count"),
        Column("models_on_one", "Models on one", "count"),
        Column("models_sharded", "More on several", "count"),
        Column("usd_per_gpu_hour", "Per hour", "usd"),
    )
    table = Table(
        "devices",
        "All devices",
        "models_per_gpu",
        columns,
        [
            [[row["name"], device_path(row["gpu_id"]).split("/", 1)[1]], *(row[column.name] for column in columns[1:])]
            for row in found
        ],
        sort="-models_on_one",
    )
    return IndexPage(night, "devices", workload, table)


def _models(rows: Rows, night: Night) -> IndexPage:
    reach = rows.reach()
    found = rows.all(
        f"""
        SELECT m.*, s.shape_ix FROM models m JOIN internal.shapes s USING (shape_id)
        ORDER BY m.downloads DESC NULLS LAST, m.model_id LIMIT {LISTED_MODELS}
        """
    )
    columns = (
        Column("model_id", "Model", "link"),
        Column("kind", "Kind", is_filter=True),
        Column("model_type", "Type"),
        Column("parameters", "Parameters", "parameters"),
        Column("max_context_tokens", "Longest context", "count"),
        Column("smallest_device", "Smallest device"),
        Column("precision", "at"),
        Column("license", "License"),
        Column("downloads", "Downloads", "count"),
        Column("confidence", "Confidence", is_filter=True),
    )
    table = Table(
        "models",
        "All models" if len(found) < LISTED_MODELS else f"The {LISTED_MODELS:,} most downloaded models",
        "models",
        columns,
        [
            [
                [row["model_id"], model_path(row["model_id"]).split("/", 1)[1]],
                row["kind"],
                row["model_type"],
                row["parameters"],
                row["max_context_tokens"],
                reach.get(row["shape_ix"], {}).get("name"),
                reach.get(row["shape_ix"], {}).get("precision"),
                row["license"],
                row["downloads"],
                row["confidence"],
            ]
            for row in found
        ],
        sort="-downloads",
    )
    return IndexPage(night, "models", _workload(rows, served=True), table)
