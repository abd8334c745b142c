"""Bytes of key-value cache and recurrent state on one device.

The extraction has summed every layer into elements per token of four kinds: kept for the whole context, kept for
the last window, latent (compressed, the same on every device) and cross attention to an encoder. So there is one
formula and no case by architecture.

Sources: transformers `cache_utils.py` (DynamicCache, SlidingWindowLayer); vLLM `v1/kv_cache_interface.py`
(FullAttentionSpec, SlidingWindowSpec, MLAAttentionSpec, MambaSpec); DeepSeek-V2 (arXiv 2405.04434) for the latent
cache. Explained in docs/method.md, section "Cache".
"""

from __future__ import annotations

import polars as pl

from estimator.bounds import larger, product_or_absent, smaller, whole_bytes

# Convolution states are kept in the model's 16-bit dtype (vLLM `layers/mamba/mamba_utils.py`); llama.cpp keeps all
# states in fp32, whatever the configuration says (`src/llama-memory-recurrent.cpp`).
CONVOLUTION_STATE_BYTES, STATE_BYTES_LLAMACPP = 2, 4

# vLLM's pages (`config/cache.py`); the window of a layer may begin within one.
VLLM_BLOCK_TOKENS = 16

# llama.cpp rounds the tokens of a cache up to this, and a window holds a batch besides (`src/llama-kv-cache-iswa.cpp`).
LLAMACPP_BLOCK_TOKENS, LLAMACPP_BATCH_TOKENS = 256, 512

# `cross_tokens` of a model whose encoder is as long as the context.
AS_LONG_AS_CONTEXT = -1


def context_tokens(*, asked: pl.Expr, limit: pl.Expr) -> pl.Expr:
    """Tokens of context of a workload: what it asks for, or the model's limit where that is known and lower."""
    return pl.when(limit < asked).then(limit).otherwise(asked)


def block_tokens(*, engine: pl.Expr) -> pl.Expr:
    """Tokens that an engine's cache grows by; 1 where that is not counted."""
    return (
        pl.when(engine == "llamacpp")
        .then(pl.lit(LLAMACPP_BLOCK_TOKENS))
        .when(engine == "vllm")
        .then(pl.lit(VLLM_BLOCK_TOKENS))
        .otherwise(pl.lit(1))
        .cast(pl.Int64)
    )


def whole_blocks(*, tokens: pl.Expr, block: pl.Expr) -> pl.Expr:
    """Tokens rounded up to whole blocks; null when either is null."""
    return -(-tokens // block) * block


# Layers of one kind may be this many times as many as those of the other before vLLM cuts them into groups.
GROUPED_AS_THEY_ARE = 1.5


def slots_per_layer(*, layers: pl.Expr, others: pl.Expr, engine: pl.Expr) -> pl.Expr:
    """Layers that vLLM keeps pages for, for each layer of a kind, where layers with a window stand beside full ones.

    Groups of pages are of one size: the fewer layers of the two kinds, or the more of them where they are nearly as
    many; the last group of a kind is filled up. Gemma 3 27B: 52 layers with a window in 6 groups of 10, beside 10.
    1.0 in other engines, and where a kind has no layers or nobody knows how many. Source: vLLM
    `v1/core/kv_cache_utils.py` (_get_kv_cache_groups_uniform_page_size; 1.25 in older versions), its logs of 0.19.
    """
    fewer, more = smaller(layers, others), larger(layers, others)
    group = pl.when(more < fewer * GROUPED_AS_THEY_ARE).then(more).otherwise(fewer)
    return pl.when((engine == "vllm") & (fewer > 0)).then((layers / group).ceil() * group / layers).otherwise(1.0)


def window_cells(*, window: pl.Expr, engine: pl.Expr) -> pl.Expr:
    """Tokens that a layer with a window keeps: the window, in llama.cpp a batch more in whole blocks, in vLLM in pages.

    0 without such layers. Reproduces llama.cpp's own dry runs to the MiB (tests/estimator/test_llamacpp.py); vLLM
    `v1/kv_cache_interface.py` (SlidingWindowSpec): the window but for the token itself, and a page.
    """
    wide = whole_blocks(tokens=window + LLAMACPP_BATCH_TOKENS, block=pl.lit(LLAMACPP_BLOCK_TOKENS))
    pages = whole_blocks(tokens=window - 1, block=pl.lit(VLLM_BLOCK_TOKENS)) + VLLM_BLOCK_TOKENS
    return (
        pl.when((engine == "llamacpp") & (window > 0))
        .then(wide)
        .when((engine == "vllm") & (window > 0))
        .then(pages)
        .otherwise(window)
    )


def in_flight_tokens(*, engine: pl.Expr, batch: pl.Expr, sequences: pl.Expr) -> pl.Expr:
    """Tokens of a prompt that vLLM's layers with a window keep beyond it, spread over all sequences (Float64).

    A batch of prefill has to be kept whole until its step ends, whatever the window is. 0 in other engines. Source:
    vLLM `v1/kv_cache_interface.py` (window - 1 + max_num_batched_tokens, at most the context). Null when an input is.
    """
    return pl.when(engine == "vllm").then(batch / sequences).otherwise(0.0)


def in_flight_bytes(*, tokens: pl.Expr, window: pl.Expr, in_flight: pl.Expr, token_bytes: pl.Expr) -> pl.Expr:
    """Bytes (Int64) of those tokens: `token_bytes` each, of all sequences, that are `tokens` long in whole blocks.

    All sequences together have a batch in flight: B * min(S, W + T / B) is min(B * S, B * W + T). Null when an input is
    null; 0 without layers that have a window, whose `token_bytes` are 0.
    """
    most = smaller(tokens.cast(pl.Float64), window + in_flight)
    return whole_bytes(token_bytes * (most - smaller(tokens, window)))


def token_bytes(
    *,
    full: pl.Expr,
    latent: pl.Expr,
    cross: pl.Expr,
    cross_tokens: pl.Expr,
    fixed_bytes: pl.Expr,
    bytes_per_element: pl.Expr,
) -> pl.Expr:
    """Bytes that one more token of context costs one sequence, sliding layers aside (Float64).

    `full`, `latent`, `cross` in elements a token; `fixed_bytes` is defined in bytes whatever the cache's dtype;
    cross attention counts here only when its encoder grows with the context. Null when an input is null.
    """
    growing = pl.when(cross == 0).then(0.0).when(cross_tokens == AS_LONG_AS_CONTEXT).then(cross)
    growing = growing.when(cross_tokens >= 0).then(0.0)
    return (full + latent + growing) * bytes_per_element + fixed_bytes


def window_token_bytes(*, window: pl.Expr, bytes_per_element: pl.Expr) -> pl.Expr:
    """Bytes that a token costs one sequence in its sliding and chunked layers, while inside the window (Float64)."""
    return window * bytes_per_element


def constant_bytes(*, cross: pl.Expr, cross_tokens: pl.Expr, bytes_per_element: pl.Expr) -> pl.Expr:
    """Bytes of one sequence's cross attention to an encoder of fixed length (Float64).

    0 without cross attention and when the encoder grows with the context; null when its length is unknown.
    """
    fixed = pl.when(cross_tokens == AS_LONG_AS_CONTEXT).then(0).otherwise(cross_tokens)
    return product_or_absent(cross, fixed) * bytes_per_element


def sequence_kv_bytes(
    *, context: pl.Expr, window_tokens: pl.Expr, per_token: pl.Expr, per_window_token: pl.Expr, constant: pl.Expr
) -> pl.Expr:
    """Bytes of key-value cache of one sequence of `context` tokens (Float64); null when a needed input is null."""
    in_window = product_or_absent(per_window_token, smaller(context, window_tokens))
    return per_token * context + in_window + constant


def sequence_state_bytes(
    *, convolution: pl.Expr, convolution_bytes: pl.Expr, recurrent: pl.Expr, recurrent_bytes: pl.Expr, share: pl.Expr
) -> pl.Expr:
    """Bytes of recurrent state of one sequence on a device that has `share` of them (Float64).

    Null when an element count is null, or there are recurrent elements of unknown size.
    """
    return (convolution * convolution_bytes + product_or_absent(recurrent, recurrent_bytes)) * share


def concurrent_bytes(*, one_sequence: pl.Expr, sequences: pl.Expr) -> pl.Expr:
    """Bytes for all concurrent sequences, rounded up (Int64); null when an input is null."""
    return whole_bytes(one_sequence * sequences)
