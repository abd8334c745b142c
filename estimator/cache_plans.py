"""Plans of key-value cache and recurrent state: shapes x workloads x splits.

An assembling module: it reads columns and calls the formulas of `cache` and `sharding`.
"""

from __future__ import annotations

import polars as pl

from estimator import bands, cache, sharding, speculation, support
from estimator.bounds import product_or_absent
from estimator.layouts import split_rows
from estimator.plan_schema import CACHE_PLANS
from estimator.splits import Frame

_KEYS = ["shape_ix", "workload_ix", "split_ix"]
_LAYERS = ["kv_full_layers", "kv_window_layers", "state_layers"]
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
    with it, and sequences divide where groups have their own. vLLM fills up pages and groups of layers, and keeps a
    second state for prefix caching, which a step does not read; TensorRT-LLM has room to spare beside what it keeps
    (`cache.room_bytes`). Null where the layout or the cache's dtype is unknown.
    """
    c = pl.col
    no_cache = c("kind").is_in(["encoder", "diffusion"]) | (c("mode") == "training")
    nothing = {name: pl.when(no_cache).then(0).otherwise(c(name)).alias(name) for name in _ELEMENTS}

    def staged(elements: pl.Expr, layers: str) -> pl.Expr:
        return sharding.staged_elements(elements=elements, layers=c(layers), stages=c("stages"))

    def kept_heads(elements: pl.Expr) -> pl.Expr:
        return sharding.kv_part(elements=elements, kv_heads=c("kv_heads"), degree=c("tensor"))

    tensor = c("tensor").cast(pl.Int64)
    of_latents = sharding.context_parts(asked=c("context_parallel"), copies=tensor)
    of_full = sharding.context_parts(asked=c("context_parallel"), copies=tensor // c("kv_heads"))

    def of_heads(name: str, layers: str) -> pl.Expr:
        return staged(kept_heads(c(name)), layers)

    def slots(kind: str) -> pl.Expr:
        others = [c(name) for name in _LAYERS if name != kind]
        return cache.slots_per_layer(layers=c(kind), others=others, engine=c("engine"))

    def state_bytes(convolution: pl.Expr, recurrent: pl.Expr) -> pl.Expr:
        return cache.sequence_state_bytes(
            convolution=convolution,
            convolution_bytes=pl.when(c("engine") == "llamacpp")
            .then(cache.STATE_BYTES_LLAMACPP)
            .otherwise(cache.CONVOLUTION_STATE_BYTES),
            recurrent=recurrent,
            recurrent_bytes=pl.when(c("engine") == "llamacpp")
            .then(cache.STATE_BYTES_LLAMACPP)
            .when(c("engine") == "vllm")
            .then("state_recurrent_bytes_in_vllm")
            .otherwise("state_recurrent_bytes_per_element"),
            share=1 / c("tensor"),
        )

    each = pl.when(no_cache).then(0.0).otherwise(c("bytes_per_element"))
    # of one layer: in vLLM its pages and its states are of one size
    latent_ratio = cache.latent_ratio(
        engine=c("engine"), bytes_per_element=each, indexer_bytes=c("kv_fixed_bytes_per_token")
    )
    full_layer = kept_heads(c("kv_full_elements_per_token")) + c("kv_latent_elements_per_token") * latent_ratio
    layer_token = (
        pl.when(c("kv_full_layers") > 0)
        .then((full_layer * each + c("kv_fixed_bytes_per_token")) / c("kv_full_layers"))
        .when(c("kv_window_layers") > 0)
        .then(kept_heads(c("kv_window_elements_per_token")) * each / c("kv_window_layers"))
    )
    layer_state = pl.when(c("state_layers") > 0).then(
        state_bytes(c("state_conv_elements") / c("state_layers"), c("state_recurrent_elements") / c("state_layers"))
    )
    sequences = (c("concurrent_sequences") / c("replicas")).ceil().cast(pl.Int64)
    cross = of_heads("kv_cross_elements_per_token", "layers")
    cross_tokens = pl.when(no_cache).then(0).otherwise(c("cross_tokens"))

    def token(full_slots: pl.Expr) -> pl.Expr:
        return cache.token_bytes(
            # heads that are not known matter only where there are any
            full=product_or_absent(of_heads("kv_full_elements_per_token", "kv_full_layers"), full_slots / of_full),
            latent=staged(c("kv_latent_elements_per_token"), "kv_full_layers") * full_slots * latent_ratio / of_latents,
            cross=cross,
            cross_tokens=cross_tokens,
            fixed_bytes=staged(c("kv_fixed_bytes_per_token"), "kv_full_layers"),
            bytes_per_element=each,
        )

    def window_token(window_slots: pl.Expr) -> pl.Expr:
        return cache.window_token_bytes(
            window=of_heads("kv_window_elements_per_token", "kv_window_layers") * window_slots, bytes_per_element=each
        )

    in_vllm, reads_tokens = c("engine") == "vllm", c("engine").is_in(list(cache.READS_TOKENS))
    is_whole = cache.keeps_whole_windows(
        engine=c("engine"), is_asked=support.has_option(options=c("engine_options"), name="full_window")
    )
    has_window = c("kv_window_elements_per_token") != 0
    state_page = c("block_tokens") * c("layer_token")
    return (
        split_rows(shapes, workloads)
        .join(
            shapes.lazy().select(
                "shape_ix",
                "kind",
                "confidence",
                "layers",
                "kv_heads",
                "max_context_tokens",
                "window_tokens",
                "cross_tokens",
                "state_recurrent_bytes_per_element",
                "state_recurrent_bytes_in_vllm",
                "mtp_layers",
                *_LAYERS,
                *_ELEMENTS,
            ),
            on="shape_ix",
        )
        .join(
            workloads.lazy().select(
                *("workload_ix", "mode", "engine", "engine_options", "kv_precision", "concurrent_sequences"),
                *("context_parallel", "speculative_tokens"),
                asked="context_tokens",
            ),
            on="workload_ix",
        )
        .join(
            kv_precisions.lazy().select("kv_precision", c("bytes_per_element").cast(pl.Float64)),
            on="kv_precision",
            how="left",
        )
        .with_columns(
            predicted=speculation.predicted_tokens(speculative_tokens=c("speculative_tokens")),
            **_with_predicting_layers(),
        )
        .with_columns(**nothing, context_tokens=cache.context_tokens(asked=c("asked"), limit=c("max_context_tokens")))
        .with_columns(
            layer_token=layer_token,
            layer_state=layer_state,
            state=state_bytes(
                staged(c("state_conv_elements"), "state_layers"), staged(c("state_recurrent_elements"), "state_layers")
            ),
        )
        .with_columns(
            block_tokens=cache.page_tokens(
                engine=c("engine"),
                is_latent=c("kv_latent_elements_per_token") > 0,
                state_bytes=c("layer_state"),
                token_bytes=c("layer_token"),
            )
        )
        .with_columns(
            filled_tokens=cache.whole_blocks(tokens=c("context_tokens"), block=c("block_tokens")),
            model_window=pl.when(has_window).then("window_tokens").otherwise(0),
            window_tokens=pl.when(has_window & ~is_whole)
            .then(cache.window_cells(window=c("window_tokens"), engine=c("engine"), block=c("block_tokens")))
            .otherwise(0),
            # layers that keep the whole context are of one kind, and no group of them is filled up
            token=pl.when(is_whole)
            .then(token(pl.lit(1.0)) + window_token(pl.lit(1.0)))
            .otherwise(token(slots("kv_full_layers"))),
            window_token=pl.when(is_whole).then(0.0).otherwise(window_token(slots("kv_window_layers"))),
            read_token=token(pl.lit(1.0)),
            read_window_token=window_token(pl.lit(1.0)),
            read_constant=cache.constant_bytes(cross=cross, cross_tokens=cross_tokens, bytes_per_element=each),
            paged_state=pl.when(in_vllm & (c("layer_state") > 0) & (c("layer_token") > 0))
            .then(
                cache.page_state_bytes(
                    page=state_page,
                    layers=sharding.staged_elements(
                        elements=c("state_layers"), layers=c("state_layers"), stages=c("stages")
                    ),
                    slots=slots("state_layers"),
                )
            )
            .otherwise("state")
            * cache.state_copies(
                engine=c("engine"),
                has_prefix_caching=support.has_option(options=c("engine_options"), name="prefix_caching"),
                predicted=c("predicted"),
            ),
        )
        .with_columns(
            constant=cache.room_bytes(kept=c("read_constant"), engine=c("engine")),
            **{
                name: cache.room_bytes(kept=c(name), engine=c("engine"))
                for name in ("token", "window_token", "paged_state")
            },
        )
        .with_columns(
            kv=cache.sequence_kv_bytes(
                context=c("filled_tokens"),
                window_tokens=c("window_tokens"),
                per_token=c("token"),
                per_window_token=c("window_token"),
                constant=c("constant"),
            ),
            # other engines read all the cells that they keep
            read=cache.sequence_kv_bytes(
                context=pl.when(reads_tokens).then("context_tokens").otherwise("filled_tokens"),
                window_tokens=pl.when(reads_tokens).then("model_window").otherwise("window_tokens"),
                per_token=pl.when(reads_tokens).then("read_token").otherwise("token"),
                per_window_token=pl.when(reads_tokens).then("read_window_token").otherwise("window_token"),
                constant=c("read_constant"),
            ),
        )
        .select(
            *_KEYS,
            "context_tokens",
            "window_tokens",
            "block_tokens",
            kv_cache_bytes=cache.concurrent_bytes(one_sequence=c("kv"), sequences=sequences),
            state_bytes=cache.concurrent_bytes(one_sequence=c("paged_state"), sequences=sequences),
            step_cache_bytes=cache.step_bytes(kv=c("read"), state=c("state"), predicted=c("predicted")) * sequences,
            kv_bytes_per_token=c("token") * sequences,
            kv_window_bytes_per_token=c("window_token") * sequences,
            kv_constant_bytes=c("constant") * sequences,
            bytes_per_sequence=c("kv") + c("paged_state"),
            margin_bytes=bands.cache_margin_bytes(
                kept=(c("kv") + c("paged_state")) * sequences,
                token=c("token") + c("window_token"),
                sequences=sequences,
                counts=c("confidence"),
            ),
        )
        .sort(_KEYS)
        .select(CACHE_PLANS.names())
        .match_to_schema(CACHE_PLANS, integer_cast="upcast")
    )


def _with_predicting_layers() -> dict[str, pl.Expr]:
    """Caches of full attention with those of the blocks that predict further tokens, where a workload has them do so.

    A block is taken to be a layer with full attention, like the average one; null of a model without any.
    """
    c = pl.col
    layers = c("kv_full_layers") + c("mtp_layers")
    grown = {
        name: c(name) * layers / pl.when(c("kv_full_layers") > 0).then("kv_full_layers")
        for name in ("kv_full_elements_per_token", "kv_latent_elements_per_token", "kv_fixed_bytes_per_token")
    }
    speculates = c("speculative_tokens").is_not_null()
    return {
        name: pl.when(speculates).then(grows).otherwise(c(name)).alias(name)
        for name, grows in (*grown.items(), ("kv_full_layers", layers))
    }
