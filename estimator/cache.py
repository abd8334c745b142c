"""Bytes of key-value cache and recurrent state on one device.

The extraction has summed every layer into elements per token of four kinds: kept for the whole context, kept for
the last window, latent (compressed, the same on every device) and cross attention to an encoder. So there is one
formula and no case by architecture.

Sources: transformers `cache_utils.py` (DynamicCache, SlidingWindowLayer); vLLM `v1/kv_cache_interface.py`
(FullAttentionSpec, SlidingWindowSpec, MLAAttentionSpec, MambaSpec); DeepSeek-V2 (arXiv 2405.04434) for the latent
cache. Explained in docs/method.md, section "Cache".
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from estimator.bounds import product_or_absent, smaller, whole_bytes

# Convolution states are kept in the model's 16-bit dtype (vLLM `layers/mamba/mamba_utils.py`); llama.cpp keeps all
# states in fp32, whatever the configuration says (`src/llama-memory-recurrent.cpp`).
CONVOLUTION_STATE_BYTES, STATE_BYTES_LLAMACPP = 2, 4

# vLLM's pages (`config/cache.py`), and those of most kernels for latent caches (some of Blackwell's want 128).
VLLM_BLOCK_TOKENS, VLLM_LATENT_BLOCK_TOKENS = 16, 64

# llama.cpp rounds the tokens of a cache up to this, and a window holds a batch besides (`src/llama-kv-cache-iswa.cpp`).
LLAMACPP_BLOCK_TOKENS, LLAMACPP_BATCH_TOKENS = 256, 512

# mlx-lm grows a cache by this (`models/cache.py`, KVCache.step), and a window holds a chunk of prefill besides until
# the step is over (RotatingKVCache._update_concat; `generate.py`, prefill_step_size).
MLX_BLOCK_TOKENS, MLX_CHUNK_TOKENS = 256, 2048

# TensorRT-LLM's blocks, and its pool's share of what weights and the profiled peak leave (`llmapi/llm_args.py`:
# KvCacheConfig.tokens_per_block, free_gpu_memory_fraction).
TRTLLM_BLOCK_TOKENS, TRTLLM_POOL_SHARE = 32, 0.9

# Engines of which a step reads the tokens that are there, and not all cells that are kept.
READS_TOKENS = ("vllm", "trtllm", "mlx")

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
        .when(engine == "trtllm")
        .then(pl.lit(TRTLLM_BLOCK_TOKENS))
        .when(engine == "mlx")
        .then(pl.lit(MLX_BLOCK_TOKENS))
        .otherwise(pl.lit(1))
        .cast(pl.Int64)
    )


def page_tokens(*, engine: pl.Expr, is_latent: pl.Expr, state_bytes: pl.Expr, token_bytes: pl.Expr) -> pl.Expr:
    """Tokens that a cache grows by in a model (Int64): the engine's block, in vLLM what its kernels and states want.

    `state_bytes` and `token_bytes` are those of one layer on one device: beside recurrent states vLLM's pages have as
    many tokens as make a page no smaller than a layer's state (Qwen3.5-9B: 528). Unknown or no states raise nothing.
    Source: vLLM `platforms/interface.py` (_align_hybrid_block_size).
    """
    block = block_tokens(engine=engine)
    kernel = pl.when(is_latent).then(pl.lit(VLLM_LATENT_BLOCK_TOKENS, dtype=pl.Int64)).otherwise(block)
    pages = (state_bytes / (kernel * token_bytes)).ceil().cast(pl.Int64)
    raised = pl.when((state_bytes > 0) & (token_bytes > 0)).then(pages * kernel).otherwise(kernel)
    return pl.when(engine == "vllm").then(raised).otherwise(block)


def whole_blocks(*, tokens: pl.Expr, block: pl.Expr) -> pl.Expr:
    """Tokens rounded up to whole blocks; null when either is null."""
    return -(-tokens // block) * block


# Layers of one kind may be this many times as many as those of the other before vLLM cuts them into groups.
GROUPED_AS_THEY_ARE = 1.5


def slots_per_layer(*, layers: pl.Expr, others: Sequence[pl.Expr], engine: pl.Expr) -> pl.Expr:
    """Layers that vLLM keeps pages for, for each layer of a kind, where several kinds stand beside each other.

    The kinds are full attention, windows and states. Groups of pages are of one size: the fewest layers of a kind, or
    the most of them where they are nearly as many; the last group of a kind is filled up. Gemma 3 27B: 52 layers with a
    window in 6 groups of 10, beside 10. 1.0 in other engines, where a kind has no layers and where nobody knows how
    many one has. Source: vLLM `v1/core/kv_cache_utils.py` (_get_kv_cache_groups_uniform_page_size; 1.25 in older
    versions), its logs of 0.19.
    """
    kinds = [layers, *others]
    present = [pl.when(kind > 0).then(kind) for kind in kinds]
    fewest, most = pl.min_horizontal(present), pl.max_horizontal(present)
    group = pl.when(most < fewest * GROUPED_AS_THEY_ARE).then(most).otherwise(fewest)
    are_known = pl.all_horizontal(kind.is_not_null() for kind in kinds)
    is_filled = (engine == "vllm") & are_known & (layers > 0)
    return pl.when(is_filled).then((layers / group).ceil() * group / layers).otherwise(1.0)


def window_cells(*, window: pl.Expr, engine: pl.Expr, block: pl.Expr) -> pl.Expr:
    """Tokens that a layer with a window keeps: the window, in llama.cpp a batch more in whole blocks, in vLLM in pages.

    0 without such layers. In MLX a chunk of prefill more, less the token itself. Reproduces llama.cpp's own dry runs to
    the MiB (tests/flows/test_llamacpp.py); vLLM `v1/kv_cache_interface.py` (SlidingWindowSpec): the window but for the
    token itself, which may begin within a page.
    """
    wide = whole_blocks(tokens=window + LLAMACPP_BATCH_TOKENS, block=block)
    pages = whole_blocks(tokens=window - 1, block=block) + block
    return (
        pl.when((engine == "llamacpp") & (window > 0))
        .then(wide)
        .when((engine == "vllm") & (window > 0))
        .then(pages)
        .when((engine == "mlx") & (window > 0))
        .then(window - 1 + MLX_CHUNK_TOKENS)
        .otherwise(window)
    )


def keeps_whole_windows(*, engine: pl.Expr, is_asked: pl.Expr) -> pl.Expr:
    """Whether layers with a window keep the whole context: where a workload asks for it, and in TensorRT-LLM always.

    Its managers keep `max_seq_len` in all layers unless max_attention_window says less (`_torch/pyexecutor/
    resource_manager.py`); newer ones derive windows, which is less. Never null.
    """
    return is_asked | (engine == "trtllm")


def room_bytes(*, kept: pl.Expr, engine: pl.Expr) -> pl.Expr:
    """Bytes that there must be for a cache of `kept` bytes (Float64): in TensorRT-LLM a ninth more, its own elsewhere.

    Its pool is 0.9 of what weights and activations leave, so that a cache has a place where these and cache / 0.9 have:
    one condition on a sum, whose inverse is exact. Source: TensorRT-LLM `_torch/pyexecutor/_util.py`
    (_cal_max_memory). Null when `kept` is.
    """
    return kept / pl.when(engine == "trtllm").then(TRTLLM_POOL_SHARE).otherwise(1.0)


def in_flight_tokens(*, engine: pl.Expr, batch: pl.Expr, batches: pl.Expr, sequences: pl.Expr) -> pl.Expr:
    """Tokens of a prompt that vLLM's layers with a window keep beyond it, spread over all sequences (Float64).

    A batch of prefill has to be kept whole until its step ends, whatever the window is, and as many as are scheduled
    at once. 0 in other engines. Source: vLLM `v1/kv_cache_interface.py` (window - 1 + max_in_flight_tokens, at most the
    context). Null when an input is.
    """
    return pl.when(engine == "vllm").then(batch * batches / sequences).otherwise(0.0)


def in_flight_bytes(*, tokens: pl.Expr, window: pl.Expr, in_flight: pl.Expr, token_bytes: pl.Expr) -> pl.Expr:
    """Bytes (Int64) of those tokens: `token_bytes` each, of all sequences, that are `tokens` long in whole blocks.

    All sequences together have a batch in flight: B * min(S, W + T / B) is min(B * S, B * W + T). Null when an input is
    null; 0 without layers that have a window, whose `token_bytes` are 0.
    """
    most = smaller(tokens.cast(pl.Float64), window + in_flight)
    return whole_bytes(token_bytes * (most - smaller(tokens, window)))


# vLLM's FP8 cache of sparse latent attention (`fp8_ds_mla`, `v1/attention/backends/mla/flashmla_sparse.py`): 512 latent
# elements in a byte each with four fp32 scales, and 64 of the rotary part in 16 bits, where 576 bytes would be plain.
SPARSE_LATENT_FP8 = (512 + 4 * 4 + 64 * 2) / (512 + 64)


def latent_ratio(*, engine: pl.Expr, bytes_per_element: pl.Expr, indexer_bytes: pl.Expr) -> pl.Expr:
    """Bytes of a latent cache for each that its elements take: more in FP8 beside an indexer in vLLM, else 1.0."""
    is_scaled = (engine == "vllm") & (bytes_per_element == 1) & (indexer_bytes > 0)
    return pl.when(is_scaled).then(SPARSE_LATENT_FP8).otherwise(1.0)


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


def page_state_bytes(*, page: pl.Expr, layers: pl.Expr, slots: pl.Expr) -> pl.Expr:
    """Bytes of recurrent state of one sequence in `layers` layers, in pages of `page` bytes (Float64).

    A layer's state has a page of the attention beside it, however small it is, and groups of layers are filled up
    (`slots_per_layer`). Null when an input is null.
    """
    return layers * slots * page


def state_copies(*, engine: pl.Expr, has_prefix_caching: pl.Expr, predicted: pl.Expr) -> pl.Expr:
    """States that a running sequence keeps: one, one for each predicted token, and in vLLM one more for prefix caching.

    That is of its last whole block: vLLM `v1/kv_cache_interface.py` (MambaSpec; `mamba_cache_mode` = align,
    `num_speculative_blocks`). Off for models with states unless asked for (`engine/arg_utils.py` of 0.26: supported,
    and opt-in for hybrids).
    """
    return pl.when((engine == "vllm") & has_prefix_caching).then(2).otherwise(1) + predicted


def step_bytes(*, kv: pl.Expr, state: pl.Expr, predicted: pl.Expr) -> pl.Expr:
    """Bytes of cache traffic of one sequence in one decoding step: keys and values read, states read and written.

    A state is written for each of the `predicted` tokens as well. `kv` of the tokens that are there, not of the pages
    that hold them. Null when an input is null.
    """
    return kv + (2 + predicted) * state


def concurrent_bytes(*, one_sequence: pl.Expr, sequences: pl.Expr) -> pl.Expr:
    """Bytes for all concurrent sequences, rounded up (Int64); null when an input is null."""
    return whole_bytes(one_sequence * sequences)
