"""The page of predicted against measured: rows of `validation` and `accuracy`, as they are."""

from __future__ import annotations

from flows.report_rows import Row, Rows
from reports.model import Accuracy, Column, Night, Point, Table, ValidationPage

COLUMNS = (
    Column("model_id", "Model"),
    Column("component", "Component", "code", is_filter=True),
    Column("split", "Split", is_filter=True),
    Column("error", "Error, %", "count"),
    Column("predicted_bytes", "Predicted", "bytes"),
    Column("measured_bytes", "Measured", "bytes"),
    Column("predicted_ms", "Predicted, ms", "count"),
    Column("measured_ms", "Measured, ms", "count"),
    Column("engine", "Engine", is_filter=True),
    Column("gpu", "Device", "code"),
    Column("devices", "Devices", "count"),
    Column("setting", "Setting"),
    Column("reason", "Why not predicted"),
    Column("source", "Source"),
)


def validation_page(rows: Rows, night: Night) -> ValidationPage:
    """validation.html, without what a copy took; decoding steps are in its tables and not in its drawing, of bytes."""
    found = rows.all("FROM validation WHERE component <> 'copy' ORDER BY measurement")
    judged = rows.one(
        """
        SELECT count(relative_error) AS judged, count(*) FILTER (abs(relative_error) <= 0.01) AS close
        FROM validation WHERE split = 'judged'
        """
    )
    accuracies = rows.all("FROM accuracy ORDER BY component, engine, split")
    return ValidationPage(
        night=night,
        measurements=len(found),
        predicted=sum(row["relative_error"] is not None for row in found),
        judged=judged["judged"],
        close=judged["close"],
        accuracies=[
            Accuracy(
                row["component"], row["engine"], row["split"], row["measurements"], row["predicted"],
                row["median_error"], row["worst_error"], row["worst"],
            )
            for row in accuracies
        ],
        points=[
            Point(row["measured_bytes"], row["predicted_bytes"], row["split"], row["measurement"])
            for row in found
            if row["predicted_bytes"] is not None
        ],
        rows=Table(
            "measurements",
            "Every measurement",
            "validation",
            COLUMNS,
            [_cells(row) for row in found],
            empty="Nothing was measured on a device of this night.",
        ),
    )  # fmt: skip


def _cells(row: Row) -> list[object]:
    error = row["relative_error"]
    return [
        row["model_id"] or "the device alone",
        row["component"],
        row["split"],
        None if error is None else round(100 * error, 3),
        row["predicted_bytes"],
        row["measured_bytes"],
        _milliseconds(row["predicted_seconds"]),
        _milliseconds(row["measured_seconds"]),
        f"{row['engine']} {row['engine_version']}",
        row["gpu"] or "none",
        row["devices"],
        _setting(row),
        row["reason"] or "",
        row["source"],
    ]


def _milliseconds(seconds: float | None) -> float | None:
    return None if seconds is None else round(1000 * seconds, 3)


def _setting(row: Row) -> str:
    """What was set, in the order of a command: format, method, tokens x sequences, and what else the row says."""
    size = [str(row[name]) for name in ("context_tokens", "concurrent_sequences") if row[name] is not None]
    return " ".join(word for word in (row["precision"], row["method"], " x ".join(size), row["setting"]) if word)
