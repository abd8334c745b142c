"""Plans of key-value cache and recurrent state: shapes x workloads x splits.

An assembling module: it reads columns and calls the formulas of `cache` and `sharding`.
"""

from __future__ import annotations

import polars as pl

from estimator import bands, cache, sharding
from estimator.layouts import split_rows
from estimator.schema import CACHE_PLANS
from estimator.splits import Frame

_KEYS = ["shape_ix", "workload_ix", "split_ix"]
_ELEMENTS = [
    "kv_full_elements_per_token",
    "kv_window_elements_per_token",
    "kv_latent_elements_per_token",
    "kv_fixed_bytes_per_token",
    "kv_cross_elements_per_token",
    "state_conv_elements",
    "state_recurrent_elements",
]


def cache_plans(shapes: Frame, workloads: Frame, kv_precisions: Frame) -> pl.LazyFrame:
    """What the sequences of a workload keep on each device: CACHE_PLANS, sorted by its keys.

    Encoders and diffusion models keep nothing, by kind, and training keeps nothing. Latent caches are whole on every
    device of a group, heads of keys and values divide until each device has one, states divide; what a layer keeps goes
    with it, and sequences divide where groups have their own. vLLM fills up groups of layers. Null where the layout or
    the cache's dtype is unknown.
    """
    c = pl.col
    no_cache = c("kind").is_in(["encoder", "diffusion"]) | (c("mode") == "training")
    nothing = {name: pl.when(no_cache).then(0).otherwise(c(name)).alias(name) for name in _ELEMENTS}

    def staged(elements: pl.Expr, layers: str) -> pl.Expr:
        return sharding.staged_elements(elements=elements, layers=c(layers), stages=c("stages"))

    def of_heads(name: str, layers: str) -> pl.Expr:
        return staged(sharding.kv_part(elements=c(name), kv_heads=c("kv_heads"), degree=c("tensor")), layers)

    each = pl.when(no_cache).then(0.0).otherwise(c("bytes_per_element"))
    sequences = (c("concurrent_sequences") / c("replicas")).ceil().cast(pl.Int64)
    cross = of_heads("kv_cross_elements_per_token", "layers")
    cross_tokens = pl.when(no_cache).then(0).otherwise(c("cross_tokens"))
    return (
        split_rows(shapes, workloads)
        .join(
            shapes.lazy().select(
                "shape_ix",
                "kind",
                "confidence",
                "layers",
                "kv_full_layers",
                "kv_window_layers",
                "state_layers",
                "kv_heads",
                "max_context_tokens",
                "window_tokens",
                "cross_tokens",
                "state_recurrent_bytes_per_element",
                "state_recurrent_bytes_in_vllm",
                *_ELEMENTS,
            ),
            on="shape_ix",
        )
        .join(
            workloads.lazy().select(
                "workload_ix", "mode", "engine", "kv_precision", "concurrent_sequences", asked="context_tokens"
            ),
            on="workload_ix",
        )
        .join(
            kv_precisions.lazy().select("kv_precision", c("bytes_per_element").cast(pl.Float64)),
            on="kv_precision",
            how="left",
        )
        .with_columns(
            **nothing,
            context_tokens=cache.context_tokens(asked=c("asked"), limit=c("max_context_tokens")),
            block_tokens=cache.block_tokens(engine=c("engine")),
        )
        .with_columns(
            full_slots=cache.slots_per_layer(
                layers=c("kv_full_layers"), others=c("kv_window_layers"), engine=c("engine")
            ),
            window_slots=cache.slots_per_layer(
                layers=c("kv_window_layers"), others=c("kv_full_layers"), engine=c("engine")
            ),
        )
        .with_columns(
            window_tokens=pl.when(c("kv_window_elements_per_token") == 0)
            .then(0)
            .otherwise(cache.window_cells(window=c("window_tokens"), engine=c("engine"))),
            token=cache.token_bytes(
                full=of_heads("kv_full_elements_per_token", "kv_full_layers") * c("full_slots"),
                latent=staged(c("kv_latent_elements_per_token"), "kv_full_layers") * c("full_slots"),
                cross=cross,
                cross_tokens=cross_tokens,
                fixed_bytes=staged(c("kv_fixed_bytes_per_token"), "kv_full_layers"),
                bytes_per_element=each,
            ),
            window_token=cache.window_token_bytes(
                window=of_heads("kv_window_elements_per_token", "kv_window_layers") * c("window_slots"),
                bytes_per_element=each,
            ),
            constant=cache.constant_bytes(cross=cross, cross_tokens=cross_tokens, bytes_per_element=each),
            state=cache.sequence_state_bytes(
                convolution=staged(c("state_conv_elements"), "state_layers"),
                convolution_bytes=pl.when(c("engine") == "llamacpp")
                .then(cache.STATE_BYTES_LLAMACPP)
                .otherwise(cache.CONVOLUTION_STATE_BYTES),
                recurrent=staged(c("state_recurrent_elements"), "state_layers"),
                recurrent_bytes=pl.when(c("engine") == "llamacpp")
                .then(cache.STATE_BYTES_LLAMACPP)
                .when(c("engine") == "vllm")
                .then("state_recurrent_bytes_in_vllm")
                .otherwise("state_recurrent_bytes_per_element"),
                share=1 / c("tensor"),
            ),
        )
        .with_columns(
            kv=cache.sequence_kv_bytes(
                context=cache.whole_blocks(tokens=c("context_tokens"), block=c("block_tokens")),
                window_tokens=c("window_tokens"),
                per_token=c("token"),
                per_window_token=c("window_token"),
                constant=c("constant"),
            )
        )
        .select(
            *_KEYS,
            "context_tokens",
            "window_tokens",
            "block_tokens",
            kv_cache_bytes=cache.concurrent_bytes(one_sequence=c("kv"), sequences=sequences),
            state_bytes=cache.concurrent_bytes(one_sequence=c("state"), sequences=sequences),
            kv_bytes_per_token=c("token") * sequences,
            kv_window_bytes_per_token=c("window_token") * sequences,
            kv_constant_bytes=c("constant") * sequences,
            bytes_per_sequence=c("kv") + c("state"),
            margin_bytes=bands.cache_margin_bytes(
                kept=(c("kv") + c("state")) * sequences,
                token=c("token") + c("window_token"),
                sequences=sequences,
                counts=c("confidence"),
            ),
        )
        .sort(_KEYS)
        .select(CACHE_PLANS.names())
        .match_to_schema(CACHE_PLANS, integer_cast="upcast")
    )
