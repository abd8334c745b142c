"""What was measured beside what the estimator says of the same setting: the table `validation`.

No formula of its own: the plans are those of `estimator`, for workloads that are the settings of the measurements and
the shapes of the models that they name (`measured_plans`, `measured_models`); `measured_terms` adds their terms up.
"""

from __future__ import annotations

import polars as pl

from catalogs.versions import is_in_range
from flows import lake, measured_models, measured_plans, measured_terms
from flows.night import Night

# Grain: measurement. Bytes are of one device.
VALIDATION = pl.Schema(
    {
        "measurement": pl.String,
        "engine": pl.String,
        "engine_version": pl.String,
        "gpu": pl.String,
        "devices": pl.Int64,
        "model_id": pl.String,
        "dimensions_of": pl.String,
        "precision": pl.String,
        "context_tokens": pl.Int64,
        "concurrent_sequences": pl.Int64,
        "kv_precision": pl.String,
        "memory_utilization": pl.Float64,
        "method": pl.String,
        "gradient_checkpointing": pl.Boolean,
        "lora_rank": pl.Int64,
        "component": pl.String,
        "measured_bytes": pl.Int64,
        "predicted_bytes": pl.Int64,
        "measured_seconds": pl.Float64,
        "predicted_seconds": pl.Float64,
        "reason": pl.String,
        "relative_error": pl.Float64,
        "cautious_bytes": pl.Int64,
        "split": pl.String,
        "setting": pl.String,
        "source": pl.String,
        "as_of": pl.Date,
    }
)

OF_LAYERS = ("prefill_peak", "training_peak", "training_reserved")  # that depend on the modules of a class
OF_LENGTH = ("cache", "prefill_peak", "training_peak", "training_reserved")  # that grow with the context
# Components that depend on constants of an engine, which hold for a range of its versions.
CALIBRATED = ("context", "activation", "non_torch", "kv_pool", "prefill_peak", "training_reserved")


def predict(night: Night) -> None:
    """Write the part `validation` of this run, unless it is there. Raises catalogs.CatalogError and OSError."""
    part = night.part("validation", 0)
    if lake.is_whole(part):
        return
    rows = measured_plans.settings(night)
    found = measured_models.find(night, rows["sized_as"].drop_nulls())
    failed = pl.read_parquet(night.parts("model_errors"), columns=["model_id"])["model_id"]
    lake.write(_compared(measured_plans.planned(night, rows, found), failed), part, VALIDATION)


def _compared(planned: pl.DataFrame, failed: pl.Series) -> pl.DataFrame:
    """Predicted bytes or seconds, or why there are none, and how far off they are: VALIDATION, by name."""
    c = pl.col
    is_timed = c("component") == "decode_step"
    known = pl.when(is_timed).then(c("rated_as").is_not_null()).otherwise(c("component") != "copy")
    is_same = is_in_range(c("engine_version"), c("layers_since")).fill_null(True) | ~c("component").is_in(
        list(OF_LAYERS)
    )
    is_calibrated = (c("is_calibrated") | ~c("component").is_in(list(CALIBRATED))) & is_same
    is_as_long = (c("sized_tokens") == c("asked_tokens")).fill_null(True) | ~c("component").is_in(list(OF_LENGTH))
    is_told = known & is_calibrated & is_as_long
    missing = (
        pl.when(~known & is_timed)
        .then(pl.lit("no rates for such a loop"))
        .when(~known)
        .then(pl.lit("a rate of the device alone"))
        .when(c("component") == "cache_held")
        .then(pl.lit("what slices keep alive is not counted"))
        .when(c("model_id").is_in(failed.implode()))
        .then(pl.lit("could not be read this night"))
        .when(c("model_id").is_not_null() & c("shape_id").is_null())
        .then(pl.lit("neither in the snapshot nor read this night"))
        .when(~is_calibrated)
        .then(pl.format("no constants for {} {}", "engine", "engine_version"))
        .when(~is_as_long)
        .then(pl.lit("longer than the model's context"))
        .otherwise(pl.lit("not known of such layers"))
    )
    return (
        planned.with_columns(
            predicted_bytes=pl.when(is_told).then(measured_terms.predicted()).round().cast(pl.Int64),
            predicted_seconds=pl.when(is_told & is_timed).then(measured_terms.step_seconds()),
            cautious_bytes=pl.when(is_told).then(measured_terms.cautious()).round().cast(pl.Int64),
            memory_utilization="given",
        )
        .with_columns(
            reason=pl.when(c("predicted_bytes").is_null() & c("predicted_seconds").is_null()).then(missing),
            relative_error=pl.when(is_timed)
            .then(c("predicted_seconds") / c("measured_seconds") - 1)
            .otherwise(c("predicted_bytes") / c("measured_bytes") - 1),
        )
        .sort("measurement")
        .select(VALIDATION.names())
    )
