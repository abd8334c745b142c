"""What the estimator reads and what it answers: one `pl.Schema` per frame, written once.

Null means unknown and travels to the verdict `unknown`; zero means known to be absent.
Counts are parameters or elements, sizes are bytes, lengths are tokens; all Int64 unless said otherwise.
"""

from __future__ import annotations

import polars as pl

# Degrees of tensor parallelism that are tried. Bit i of every `tp_ok_mask*` column answers for DEGREES[i].
DEGREES = (1, 2, 4, 8, 16)

VERDICTS = ("fits", "tight", "sharded", "offload", "too_big", "unsupported", "unknown")
Verdict = pl.Enum(VERDICTS)

KINDS = ("decoder", "encoder", "encoder_decoder", "diffusion", "adapter", "other")

# Grain: one distinct shape. Everything that the estimator reads about a model and nothing else: two models
# with equal rows (and equal weight overrides) are one shape.
SHAPES = pl.Schema(
    {
        "shape_id": pl.String,
        "kind": pl.String,  # one of KINDS
        # --- parameters by component (logical, unpacked); quantisable linears first
        "parameters_resident": pl.Int64,  # all that an engine loads: total without multi-token-prediction blocks
        "p_attn": pl.Int64,
        "p_mlp": pl.Int64,
        "p_expert": pl.Int64,
        "p_shared": pl.Int64,
        "p_ssm": pl.Int64,
        "p_embed": pl.Int64,
        "p_pos_embed": pl.Int64,
        "p_lm_head": pl.Int64,  # 0 when tied
        "p_router": pl.Int64,
        "p_norm": pl.Int64,
        "p_bias": pl.Int64,
        "p_small": pl.Int64,
        "p_head_other": pl.Int64,
        "p_vision": pl.Int64,
        "p_audio": pl.Int64,
        "p_projector": pl.Int64,
        # --- parts of the above that shard differently or carry scales
        "p_kv_proj": pl.Int64,  # part of p_attn, replicated once degree > kv heads
        "p_tp_replicated": pl.Int64,  # part of p_attn, on every rank (latent down-projections)
        "p_expert_bias": pl.Int64,  # part of p_bias that is per expert
        "quant_rows": pl.Int64,  # sum of output features of the quantisable linears (per-channel scales)
        "fp8_block_scales": pl.Int64,  # sum of ceil(rows/128)*ceil(cols/128) over the quantisable linears
        "active_read_parameters": pl.Int64,  # read for one token at batch 1
        # --- weights as the repository has them
        "stored_bytes": pl.Int64,  # of the chosen weight set, null when unknown
        "stored_precision": pl.String,  # precision_id, null when unknown
        # --- dimensions
        "layers": pl.Int64,
        "hidden_size": pl.Int64,
        "vocab_size": pl.Int64,
        "heads": pl.Int64,
        "kv_heads": pl.Int64,  # 1 for latent attention
        "ffn_size": pl.Int64,  # widest dense or shared feed-forward, 0 when every layer is routed experts only
        "expert_ffn_size": pl.Int64,
        "experts": pl.Int64,
        "experts_per_token": pl.Int64,
        "max_context_tokens": pl.Int64,
        "rope_cache_elements": pl.Int64,  # max positions * rotary dim, 0 without rotary embedding
        # --- cache and state, summed over the layers that own one
        "kv_full_elements_per_token": pl.Int64,
        "kv_window_elements_per_token": pl.Int64,  # sliding and chunked layers
        "kv_latent_elements_per_token": pl.Float64,  # latent caches; fractional where the cache is compressed
        "kv_fixed_bytes_per_token": pl.Int64,  # defined in bytes whatever the cache dtype (indexer keys)
        "kv_cross_elements_per_token": pl.Int64,
        "window_tokens": pl.Int64,  # 0 without sliding or chunked layers
        "cross_tokens": pl.Int64,  # fixed encoder length; 0 without cross attention; -1: as long as the context
        "state_conv_elements": pl.Int64,  # per sequence, in the model's 16-bit dtype
        "state_recurrent_elements": pl.Int64,  # per sequence
        "state_recurrent_bytes_per_element": pl.Float64,
        # --- which degrees of tensor parallelism divide this model (bit i answers for DEGREES[i])
        "tp_ok_mask": pl.Int64,
        "tp_ok_mask_32": pl.Int64,  # additionally every sharded input width is a multiple of 32
        "tp_ok_mask_64": pl.Int64,
        "tp_ok_mask_128": pl.Int64,
        # --- training
        "lora_io": pl.Int64,  # sum of (in + out) over all adapted linears: adapter parameters = rank * lora_io
    }
)

# Grain: shape x precision. Bytes known better than by the formula; they win over it.
WEIGHT_OVERRIDES = pl.Schema(
    {
        "shape_id": pl.String,
        "precision": pl.String,
        "weights_bytes": pl.Int64,
        "weights_basis": pl.String,  # stored (bytes of a published file) | computed (per-tensor rule)
    }
)
