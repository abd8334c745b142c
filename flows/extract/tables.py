"""Schemas of the tables that extraction writes (grain and units as published)."""

from __future__ import annotations

import polars as pl

from estimator.schema import KINDS, WEIGHT_OVERRIDES

__all__ = ["ARTIFACTS", "ATTENTION_GROUPS", "CONFIDENCES", "KINDS", "MODELS", "WEIGHT_OVERRIDES"]

CONFIDENCES = ("exact", "derived", "estimated")

# Grain: model read.
MODELS = pl.Schema(
    {
        "model_id": pl.String(),  # as asked for
        "resolved_id": pl.String(),  # as the Hub answered (renames, moves, canonical owners)
        "revision": pl.String(),
        "library": pl.String(),
        "task": pl.String(),
        "license": pl.String(),
        "is_gated": pl.Boolean(),
        "downloads": pl.Int64(),
        "likes": pl.Int64(),
        "last_modified_at": pl.Datetime("us", "UTC"),
        "kind": pl.String(),
        "model_type": pl.String(),
        "architecture": pl.String(),
        "base_model": pl.String(),
        "parameters": pl.Int64(),
        "active_parameters": pl.Int64(),
        "adapter_rank": pl.Int64(),  # of a low-rank adapter; null for everything else
        "mtp_parameters": pl.Int64(),
        # safetensors_header | pickle_header | gguf_header | safetensors_api | gguf_api | config | file_size | inherited
        "parameters_source": pl.String(),
        "inherited_from": pl.String(),  # the base model whose architecture this one has
        "parameters_conflict": pl.Boolean(),  # two sources disagree and nothing known explains it
        "config_parameters": pl.Int64(),  # what the configuration alone gives, beside the chosen value
        "confidence": pl.String(),  # CONFIDENCES, worst of the inputs; null when nothing is known
        "stored_bytes": pl.Int64(),
        "stored_precision": pl.String(),
        "layers": pl.Int64(),
        "hidden_size": pl.Int64(),
        "vocab_size": pl.Int64(),
        "max_context_tokens": pl.Int64(),
        "notes": pl.String(),  # what was assumed, what is unknown and why; sentences separated by "; "
        "shape_id": pl.String(),
    }
)

# Grain: model x group of like layers, in the order of the first layer of the group.
ATTENTION_GROUPS = pl.Schema(
    {
        "model_id": pl.String(),
        "position": pl.Int64(),
        "kind": pl.String(),
        "layers": pl.Int64(),
        "kv_heads": pl.Int64(),
        "key_dim": pl.Int64(),
        "value_dim": pl.Int64(),
        "window_tokens": pl.Int64(),
        "elements_per_token": pl.Float64(),
        "state_bytes": pl.Int64(),
    }
)

# Grain: model x loadable weight set.
ARTIFACTS = pl.Schema(
    {
        "model_id": pl.String(),
        "artifact": pl.String(),
        "role": pl.String(),  # model | component | module | adapter | projector | draft
        "format": pl.String(),  # safetensors | gguf | pickle
        "precision": pl.String(),
        "bytes": pl.Int64(),
        "files": pl.Int64(),
    }
)

# Grain: model x artifact x dtype, of artifacts whose tensor headers were read.
TENSOR_TYPES = pl.Schema(
    {
        "model_id": pl.String(),
        "artifact": pl.String(),
        "dtype": pl.String(),  # as the file names it: BF16, F8_E4M3, U8, ...; Q4_K, F32, ... of GGUF
        "tensors": pl.Int64(),
        "elements": pl.Int64(),  # stored ones: packed weights are not unpacked
        "bytes": pl.Int64(),
    }
)
