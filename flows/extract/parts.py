"""One part of raw answers -> the parts of every table that extraction fills."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

import polars as pl

from estimator.schema import SHAPES, WEIGHT_OVERRIDES
from flows.extract.extract import Extracted, extract
from flows.extract.tables import ARTIFACTS, ATTENTION_GROUPS, MODELS, TENSOR_TYPES
from flows.failures import MODEL_ERRORS, Failure
from flows.raw import RawModel

RAW = [field.name for field in fields(RawModel)]


@dataclass(frozen=True)
class Parts:
    """Frames named after their lake tables. Every raw row is one row of models or of model_errors."""

    models: pl.DataFrame
    model_shapes: pl.DataFrame
    model_overrides: pl.DataFrame
    attention_groups: pl.DataFrame
    artifacts: pl.DataFrame
    tensor_types: pl.DataFrame
    model_errors: pl.DataFrame


def extract_part(hub: pl.DataFrame) -> Parts:
    """Read every row of a `hub` part; the order is kept. A failure of the crawl passes through as an error row."""
    read: list[Extracted] = []
    errors: list[dict[str, Any]] = []
    for row in hub.iter_rows(named=True):
        if row["failure_kind"] is not None:
            stage = "list" if row["failure_kind"] == "invalid_id" else "fetch"
            failure = Failure(row["failure_kind"], row["failure_message"] or "", row["http_status"])
            errors.append(_error(row, stage, failure))
            continue
        info = row["info"] or ""  # a row without a failure and without an answer is damaged, not a reason to stop
        answer = extract(RawModel(**{name: row[name] for name in RAW} | {"info": info}))
        if isinstance(answer, Failure):
            errors.append(_error(row, "extract", answer))
        else:
            read.append(answer)
    return Parts(
        models=pl.DataFrame([one.model for one in read], schema=MODELS),
        model_shapes=pl.DataFrame([one.shape for one in read], schema=SHAPES),
        model_overrides=pl.DataFrame([row for one in read for row in one.overrides], schema=WEIGHT_OVERRIDES),
        attention_groups=pl.DataFrame([row for one in read for row in one.groups], schema=ATTENTION_GROUPS),
        artifacts=pl.DataFrame([row for one in read for row in one.artifacts], schema=ARTIFACTS),
        tensor_types=pl.DataFrame([row for one in read for row in one.tensor_types], schema=TENSOR_TYPES),
        model_errors=pl.DataFrame(errors, schema=MODEL_ERRORS),
    )


def _error(row: Mapping[str, Any], stage: str, failure: Failure) -> dict[str, Any]:
    return {
        "model_id": row["model_id"],
        "stage": stage,
        "kind": failure.kind,
        "message": failure.message,
        "http_status": failure.http_status,
        "is_transient": failure.is_transient,
        "occurred_at": row["fetched_at"],
    }
