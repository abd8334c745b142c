"""Shapes of the models that the ledger of measurements names, whatever a night lists.

The embedded snapshot answers first: how wrong the estimator is depends on code and catalogs, and not on who was listed,
so the ledger is the same on every night of the same version. What the snapshot lacks is looked up among the models of
the night, for measurements of a site's own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import polars as pl

from estimator.schema import SHAPES, WEIGHT_OVERRIDES
from flows.extract.extract import Extracted, extract
from flows.night import Night
from flows.raw import RawModel
from flows.snapshot import snapshot_source


@dataclass(frozen=True)
class MeasuredModels:
    """`models`: with model_id, model_type, shape_id. `shapes`: one row each, with shape_ix. `overrides`: of these."""

    models: pl.DataFrame
    shapes: pl.DataFrame
    overrides: pl.DataFrame


def find(night: Night, model_ids: Iterable[str]) -> MeasuredModels:
    """Facts of the named models; those that are neither in the snapshot nor in the night have no row."""
    known = _embedded(tuple(sorted(set(model_ids))))
    missing = [model_id for model_id in model_ids if model_id not in set(known.models["model_id"])]
    read = (
        pl.scan_parquet(night.parts("models"))
        .select("model_id", "model_type", "shape_id")
        .filter(pl.col("model_id").is_in(missing))
        .collect()
    )
    if read.is_empty():
        return known
    named = pl.col("shape_id").is_in(read["shape_id"].implode())
    shapes = pl.scan_parquet(night.parts("shapes")).filter(named).select(SHAPES.names()).collect()
    overrides = pl.scan_parquet(night.parts("weight_overrides")).filter(named).collect()
    return _numbered(
        pl.concat([known.models, read]),
        pl.concat([known.shapes.drop("shape_ix"), shapes]),
        pl.concat([known.overrides, overrides]),
    )


@lru_cache(maxsize=2)
def _embedded(model_ids: tuple[str, ...]) -> MeasuredModels:
    answers = [extract(raw) for _, raw in snapshot_source()(model_ids) if isinstance(raw, RawModel)]
    read = [answer for answer in answers if isinstance(answer, Extracted)]
    models = [{name: one.model[name] for name in ("model_id", "model_type", "shape_id")} for one in read]
    return _numbered(
        pl.DataFrame(models, schema={"model_id": pl.String, "model_type": pl.String, "shape_id": pl.String}),
        pl.DataFrame([one.shape for one in read], schema=SHAPES),
        pl.DataFrame([row for one in read for row in one.overrides], schema=WEIGHT_OVERRIDES),
    )


def _numbered(models: pl.DataFrame, shapes: pl.DataFrame, overrides: pl.DataFrame) -> MeasuredModels:
    """Models of one shape share its row; the numbers are of this table alone."""
    distinct = shapes.unique("shape_id").sort("shape_id").with_row_index("shape_ix")
    return MeasuredModels(models, distinct, overrides.unique(["shape_id", "precision"]).sort("shape_id", "precision"))
