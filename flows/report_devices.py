"""The page of every device: what runs on it, what just misses, and what it is."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from operator import itemgetter

from flows.report_rows import Row, Rows
from reports.model import Column, DevicePage, Night, Step, Table, Workload
from reports.paths import model_path


def device_pages(rows: Rows, night: Night, first: Workload) -> Iterator[DevicePage]:
    """Device by device; the ranking and the misses are streams sorted by gpu."""
    served: Row = rows.served if rows.workloads else {"engine": "none", "workload_ix": None}
    devices = rows.all(
        """
        SELECT g.*, c.usd_per_gpu_hour, u.usable_bytes, coalesce(m.models_on_one, 0) AS fitting,
            coalesce(m.models_sharded, 0) AS sharded, l.model_id AS largest_model, l.precision AS largest_precision
        FROM gpus g
        LEFT JOIN current_prices c ON c.gpu = g.gpu_id
        LEFT JOIN internal.capacities u ON u.gpu_ix = g.gpu_ix AND u.workload_ix = ?
        LEFT JOIN internal.models_per_gpu_of('memory.main.best') m ON m.gpu = g.gpu_id AND m.workload = ?
        LEFT JOIN internal.largest_per_gpu_of('memory.main.best') l ON l.gpu = g.gpu_id AND l.workload = ?
        ORDER BY g.gpu_id
        """,
        served["workload_ix"],
        first.id,
        first.id,
    )
    unknown = rows.one("SELECT count(*) AS n FROM unknowns WHERE unknown LIKE '%cache%'")["n"]
    benchmarks = rows.benchmarks()
    rankings = groupby(rows.rankings(), key=lambda row: row["gpu"])
    misses = groupby(rows.near_misses(), key=lambda row: row["gpu"])
    next_ranking, next_misses = next(rankings, None), next(misses, None)
    for device in devices:
        ranking: list[Row] = []
        missed: list[Row] = []
        if next_ranking and next_ranking[0] == device["gpu_id"]:
            ranking = list(next_ranking[1])
            next_ranking = next(rankings, None)
        if next_misses and next_misses[0] == device["gpu_id"]:
            missed = list(next_misses[1])
            next_misses = next(misses, None)
        yield _device_page(night, device, ranking, missed, first, unknown, served["engine"], benchmarks)


def _device_page(
    night: Night,
    device: Row,
    ranking: list[Row],
    missed: list[Row],
    first: Workload,
    unknown: int,
    engine: str,
    benchmarks: list[str] | None,
) -> DevicePage:
    def link(model_id: str) -> list[str]:
        return [model_id, "../" + model_path(model_id)]

    columns = (
        Column("model_id", "Model", "link"),
        Column("workload", "Workload", is_filter=True),
        *([Column("score", "Score", "count")] if benchmarks is not None else []),
        Column("parameters", "Parameters", "parameters"),
        Column("effective_parameters", "Effective parameters", "parameters"),
        Column("precision", "Best precision", is_filter=True),
        Column("quality_loss", "Quality lost", "share"),
        Column("verdict", "Verdict", "verdict", is_filter=True),
        Column("gpus_needed", "Devices", "count"),
        Column("required_bytes", "Needs each", "bytes"),
        Column("headroom_bytes", "Room left", "bytes"),
        Column("max_context_tokens", "Longest context", "count"),
        Column("max_sequences", "Most sequences", "count"),
        Column("decode_tokens_per_second", "Tokens/s each", "count"),
        Column("downloads", "Downloads", "count"),
        Column("confidence", "Confidence", is_filter=True),
    )
    cells = itemgetter(*(column.name for column in columns[1:]))
    table = Table(
        "ranking",
        "What runs here",
        "best_fit",
        columns,
        [[link(row["model_id"]), *cells(row)] for row in ranking],
        sort="verdict",  # rows come best first
        empty="Nothing that was read is known to run here.",
    )
    misses = Table(
        "misses",
        "What just misses",
        "requirements",
        (
            Column("model_id", "Model", "link"),
            Column("precision", "Smallest at four bits or more"),
            Column("excess_bytes", "Too big by", "bytes"),
        ),
        [[link(row["model_id"]), row["precision"], row["excess_bytes"]] for row in missed],
        empty="Nothing misses this device by less than half of its memory.",
    )
    gib = 2**30
    driver = device["memory_mib_driver"]
    shown = (
        ("Vendor", "vendor"), ("Architecture", "architecture"), ("Segment", "segment"), ("Form", "form_factor"),
        ("Compute capability", "compute_capability"), ("Memory type", "memory_type"),
        ("Computes in", "native_formats"), ("Link", "interconnect"), ("Most in one node", "max_gpus_per_node"),
    )  # fmt: skip
    facts = [(title, None if device[name] is None else str(device[name])) for title, name in shown]
    facts += [
        ("Bandwidth", _measured(device["bandwidth_gb_per_s"], "GB/s")),
        ("BF16, dense", _measured(device["bf16_tflops"], "TFLOP/s")),
        ("Power", _measured(device["tdp_watts"], "W")),
        ("Launched", None if device["launch_date"] is None else f"{device['launch_date']:%Y-%m}"),
        (
            "Cheapest on demand",
            None if device["usd_per_gpu_hour"] is None else f"${device['usd_per_gpu_hour']:.2f} per hour",
        ),
        ("SQL name", device["gpu_id"]),
    ]
    return DevicePage(
        night=night,
        gpu=device["gpu_id"],
        name=device["name"],
        facts=facts,
        waterfall=(
            Step("as advertised", _whole(device["memory_gib_nominal"], gib)),
            Step("as the driver reports", None if driver is None else driver * 2**20),
            Step(f"as a process sees it ({device['visible_basis']})", device["visible_bytes"]),
            Step(f"as {engine} may fill it", device["usable_bytes"]),
        ),
        workload=first,
        models=night.models_read,
        fitting=device["fitting"],
        sharded=device["sharded"],
        unknown=unknown,
        largest_model=device["largest_model"],
        largest_precision=device["largest_precision"],
        ranking=table,
        misses=misses,
        source=device["source"],
        as_of=device["as_of"],
        is_scored=benchmarks is not None,
        benchmarks=benchmarks or (),
    )


def _measured(value: float | None, unit: str) -> str | None:
    return None if value is None else f"{value:,.10g} {unit}"


def _whole(value: float | None, factor: int) -> int | None:
    return None if value is None else int(value * factor)
