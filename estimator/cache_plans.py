"""Plans of key-value cache and recurrent state: shapes x workloads x degrees.

An assembling module: it reads columns and calls the formulas of `cache` and `sharding`.
"""

from __future__ import annotations

import polars as pl

from estimator import bands, cache, sharding
from estimator.pairs import Frame
from estimator.schema import CACHE_PLANS, UNSPLIT_KINDS
from estimator.weight_plans import degrees

_KEYS = ["shape_ix", "workload_ix", "degree"]
_ELEMENTS = [
    "kv_full_elements_per_token",
    "kv_window_elements_per_token",
    "kv_latent_elements_per_token",
    "kv_fixed_bytes_per_token",
    "kv_cross_elements_per_token",
    "state_conv_elements",
    "state_recurrent_elements",
]


def splits(shapes: Frame, workloads: Frame) -> pl.LazyFrame:
    """Grain: shape x workload x degree: the degrees that any precision may be split to.

    Inference follows the model's mask, or its layers where an engine splits by them; training runs at any degree. All
    columns of both sides are there.
    """
    c = pl.col
    mask = pl.when(c("kind").is_in(list(UNSPLIT_KINDS))).then(1).otherwise("tp_ok_mask")
    is_valid = (
        pl.when(c("mode") == "training")
        .then(pl.lit(True))
        .when(c("engine").is_in(list(sharding.STAGED_ENGINES)))
        .then(sharding.may_stage(layers=c("layers"), degree=c("degree")))
        .otherwise(sharding.is_valid_degree(mask=mask, degree=c("degree")))
    )
    return shapes.lazy().join(workloads.lazy(), how="cross").join(degrees(), how="cross").filter(is_valid)


def cache_plans(shapes: Frame, workloads: Frame, kv_precisions: Frame) -> pl.LazyFrame:
    """What the sequences of a workload keep on each device: CACHE_PLANS, sorted by its keys.

    Encoders and diffusion models keep nothing, by kind, and training keeps nothing. Latent caches are whole on every
    device, heads of keys and values divide until each device has one, states divide; where an engine splits by layers,
    everything goes with its layer. Null where the layout or the cache's dtype is unknown.
    """
    c = pl.col
    no_cache = c("kind").is_in(["encoder", "diffusion"]) | (c("mode") == "training")
    nothing = {name: pl.when(no_cache).then(0).otherwise(c(name)).alias(name) for name in _ELEMENTS}

    is_staged = c("engine").is_in(list(sharding.STAGED_ENGINES))
    stage = sharding.stage_share(layers=c("layers"), degree=c("degree"))
    whole_share = pl.when(is_staged).then(stage).otherwise(1.0)

    def on_one(name: str) -> pl.Expr:
        parted = sharding.kv_part(elements=c(name), kv_heads=c("kv_heads"), degree=c("degree"))
        return pl.when(is_staged).then(c(name) * stage).otherwise(parted)

    each = pl.when(no_cache).then(0.0).otherwise(c("bytes_per_element"))
    sequences = c("concurrent_sequences")
    cross = on_one("kv_cross_elements_per_token")
    cross_tokens = pl.when(no_cache).then(0).otherwise(c("cross_tokens"))
    return (
        splits(
            shapes.lazy().select(
                "shape_ix",
                "kind",
                "confidence",
                "layers",
                "tp_ok_mask",
                "kv_heads",
                "max_context_tokens",
                "window_tokens",
                "cross_tokens",
                "state_recurrent_bytes_per_element",
                "state_recurrent_bytes_in_vllm",
                *_ELEMENTS,
            ),
            workloads.lazy().select(
                "workload_ix", "mode", "engine", "kv_precision", "concurrent_sequences", asked="context_tokens"
            ),
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
            window_tokens=pl.when(c("kv_window_elements_per_token") == 0)
            .then(0)
            .otherwise(cache.window_cells(window=c("window_tokens"), engine=c("engine"))),
            token=cache.token_bytes(
                full=on_one("kv_full_elements_per_token"),
                latent=c("kv_latent_elements_per_token") * whole_share,
                cross=cross,
                cross_tokens=cross_tokens,
                fixed_bytes=c("kv_fixed_bytes_per_token") * whole_share,
                bytes_per_element=each,
            ),
            window_token=cache.window_token_bytes(
                window=on_one("kv_window_elements_per_token"), bytes_per_element=each
            ),
            constant=cache.constant_bytes(cross=cross, cross_tokens=cross_tokens, bytes_per_element=each),
            state=cache.sequence_state_bytes(
                convolution=c("state_conv_elements"),
                convolution_bytes=pl.when(c("engine") == "llamacpp")
                .then(cache.STATE_BYTES_LLAMACPP)
                .otherwise(cache.CONVOLUTION_STATE_BYTES),
                recurrent=c("state_recurrent_elements"),
                recurrent_bytes=pl.when(c("engine") == "llamacpp")
                .then(cache.STATE_BYTES_LLAMACPP)
                .when(c("engine") == "vllm")
                .then("state_recurrent_bytes_in_vllm")
                .otherwise("state_recurrent_bytes_per_element"),
                share=pl.when(is_staged).then(stage).otherwise(1 / c("degree")),
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
