"""Cache and state of a model by hand, from the columns that extraction fills."""

from __future__ import annotations

from typing import Any


def kept(columns: Any, context: int, batch: int, dtype: str) -> tuple[float, float]:
    """(cache bytes, state bytes) by hand from the columns."""
    width = {"bfloat16": 2, "float16": 2, "float32": 4}[dtype]
    cross = context if columns["cross_tokens"] == -1 else columns["cross_tokens"]
    elements = (
        (columns["kv_full_elements_per_token"] + columns["kv_latent_elements_per_token"]) * context
        + columns["kv_window_elements_per_token"] * min(context, columns["window_tokens"])
        + columns["kv_cross_elements_per_token"] * cross
    )
    cache = batch * (width * elements + columns["kv_fixed_bytes_per_token"] * context)
    conv = columns["state_conv_elements"] * width
    # 2 stands for the dtype of the model
    each = columns["state_recurrent_bytes_in_vllm"] if columns["state_recurrent_bytes_in_vllm"] != 2 else width
    return cache, batch * (conv + columns["state_recurrent_elements"] * each)
