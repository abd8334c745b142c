"""What was measured on real hardware, to hold our predictions against."""

from __future__ import annotations

import polars as pl

from catalogs.rules import Rule, fraction, identifier, needs, one_of, positive
from catalogs.schema.table import ENGINES, Table

# gpt-fast: a loop over a compiled model, which nobody serves with and the shares of speeds.csv were fitted to.
MEASURED_ENGINES = (*ENGINES, "gptfast")

OF_A_DEVICE = ("visible", "driver_total", "context", "copy")
OF_A_MODEL = (
    "weights",  # parameters as loaded, tied ones once
    "cache",  # keys, values and states after the prompt
    "cache_held",  # the same with what its slices keep alive; only where that is more
    "prefill_peak",  # the allocator's peak above what is loaded, cache included
    "training_peak",  # the allocator's peak, everything included
    "training_reserved",  # what the allocator took from the device for it
    "decode_step",  # one token for each sequence
)
OF_A_START = (  # of an engine, on each device, before the first request: what its log says
    "activation",  # increase of the allocator's peak in the profiling run
    "non_torch",  # increase outside the allocator
    "kv_pool",  # left for the cache
    "kv_token",  # one token in the cache
)
# Whether a constant of ours was fitted to the row, or the row judges it.
SPLITS = ("fitted", "judged")

_of_a_run = pl.col("component").is_in(list(OF_A_MODEL)) & (pl.col("component") != "weights")
_of_a_model = pl.col("component").is_in([*OF_A_MODEL, *OF_A_START])
_of_training = pl.col("component").str.starts_with("training")
_timed = pl.col("component").is_in(["decode_step", "copy"])

# Grain: one figure read from one run. Settings have the names that workloads.csv gives them.
MEASUREMENTS = Table(
    name="measurements",
    columns=pl.Schema(
        {
            "measurement": pl.String,
            "engine": pl.String,
            "engine_version": pl.String,
            "gpu": pl.String,
            "devices": pl.Int64,  # that share the model; the figure is of one of them
            "model_id": pl.String,
            "dimensions_of": pl.String,  # a model of the snapshot that is as large, where the measured one is not in it
            "precision": pl.String,
            "context_tokens": pl.Int64,
            "concurrent_sequences": pl.Int64,
            "kv_precision": pl.String,  # element type of the cache; empty: bf16
            "memory_utilization": pl.Float64,  # share of the device that the engine was given
            "method": pl.String,
            "gradient_checkpointing": pl.Boolean,
            "lora_rank": pl.Int64,
            "component": pl.String,
            "measured_bytes": pl.Int64,
            "measured_seconds": pl.Float64,
            "setting": pl.String,
            "split": pl.String,  # one of SPLITS; a model is on one side for each component and engine version
            "source": pl.String,
            "as_of": pl.Date,
        }
    ),
    key=("measurement",),
    optional=(
        *("gpu", "model_id", "dimensions_of", "precision", "context_tokens", "concurrent_sequences", "kv_precision"),
        *("memory_utilization", "method", "gradient_checkpointing", "lora_rank"),
        *("measured_bytes", "measured_seconds", "setting"),
    ),
    rules=(
        identifier("measurement"),
        one_of("engine", MEASURED_ENGINES),
        one_of("component", (*OF_A_DEVICE, *OF_A_MODEL, *OF_A_START)),
        one_of("split", SPLITS),
        one_of("method", ("full", "full_bf16", "lora", "qlora")),
        *positive("devices", "context_tokens", "concurrent_sequences", "lora_rank"),
        *positive("measured_bytes", "measured_seconds"),
        fraction("memory_utilization"),
        needs("memory_utilization", pl.col("component") == "kv_pool", "for what is left of it"),
        needs("gpu", pl.col("component") != "weights", "for what a device was needed to measure"),
        needs("model_id", _of_a_model, "for a component of a model"),
        needs("precision", _of_a_model, "for a component of a model"),
        needs("context_tokens", _of_a_run, "for a component of a run"),
        needs("concurrent_sequences", _of_a_run, "for a component of a run"),
        needs("method", _of_training, "for training"),
        needs("gradient_checkpointing", _of_training, "for training"),
        needs("measured_seconds", _timed, "for what takes time"),
        Rule(
            "measured_bytes",
            "must not be empty without measured_seconds",
            pl.col("measured_bytes").is_not_null() | pl.col("measured_seconds").is_not_null(),
        ),
    ),
)
