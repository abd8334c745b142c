"""What the estimator reads, and how it can decide: one `pl.Schema` per frame, written once. Plans are in `plan_schema`.

Null means unknown and travels to the verdict `unknown`; zero means known to be absent.
Counts are parameters or elements, sizes are bytes, lengths are tokens; all Int64 unless said otherwise.
"""

from __future__ import annotations

import polars as pl

# Numbers of devices that are tried for one copy of a model. Bit n - 1 of every `tp_ok_mask*` and `ep_ok_mask*` column
# answers for n devices.
DEGREES = (1, 2, 3, 4, 5, 6, 7, 8, 16)

VERDICTS = ("fits", "tight", "sharded", "offload", "too_big", "unsupported", "unknown")
Verdict = pl.Enum(VERDICTS)

# How a decision can come out: verdict and devices, the better the earlier. `outcome_ix` is the place in here, so that
# hundreds of millions of decisions are one small integer each.
OUTCOMES = (
    ("fits", 1),
    ("tight", 1),
    *(("sharded", degree) for degree in DEGREES[1:]),
    ("offload", None),
    ("too_big", None),
    ("unsupported", None),
    ("unknown", None),
)
OUTCOME = pl.Schema({"outcome_ix": pl.UInt8(), "verdict": Verdict, "gpus_needed": pl.UInt8()})

KINDS = ("decoder", "encoder", "encoder_decoder", "diffusion", "adapter", "other")

# Grain: one distinct shape. Everything that the estimator reads about a model and nothing else: two models
# with equal rows (and equal weight overrides) are one shape.
SHAPES = pl.Schema(
    {
        "shape_id": pl.String,
        "kind": pl.String,  # one of KINDS
        "confidence": pl.String,  # of the counts: exact | derived | estimated, null when nothing is known
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
        "p_speech": pl.Int64,
        "p_projector": pl.Int64,
        # --- parts of the above that shard differently or carry scales
        "p_kv_proj": pl.Int64,  # part of p_attn, replicated once degree > kv heads
        "p_tp_replicated": pl.Int64,  # part of p_attn, on every rank (latent down-projections)
        "p_expert_bias": pl.Int64,  # part of p_bias that is per expert
        "quant_rows": pl.Int64,  # sum of output features of the quantisable linears (per-channel scales)
        "fp8_block_scales": pl.Int64,  # sum of ceil(rows/128)*ceil(cols/128) over the quantisable linears
        "active_read_parameters": pl.Int64,  # read for one token at batch 1
        # --- blocks that predict further tokens, in no other count here; 0 without, null where nobody counted them
        "mtp_parameters": pl.Int64,  # without their copies of embedding and head
        "mtp_expert_parameters": pl.Int64,  # part of them, routed experts
        "mtp_layers": pl.Int64,
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
        "absorbed_elements": pl.Int64,  # from latents to heads, of which an engine keeps a copy; 0 without latents
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
        "state_recurrent_bytes_in_vllm": pl.Float64,  # vLLM keeps the model's dtype where nothing else is written
        # --- work of attention, summed over the layers: elements that a token multiplies with each token it sees
        "attention_step_width": pl.Int64,  # full layers, of the next token; latent caches are multiplied as they are
        "attention_prompt_width": pl.Int64,  # full layers, of a prompt
        "attention_window_width": pl.Int64,  # sliding and chunked layers
        # --- which degrees of tensor parallelism divide this model (bit n - 1 answers for n devices), and which where
        # every device keeps whole experts (`ep`, 0 without experts): at all, and where additionally every sharded input
        # width is a multiple of 32, 64 and 128
        **{f"{kind}_ok_mask{block}": pl.Int64 for kind in ("tp", "ep") for block in ("", "_32", "_64", "_128")},
        # --- layers of each kind, which decide what the fullest group of layers has
        "expert_layers": pl.Int64,
        "kv_full_layers": pl.Int64,  # with a cache that grows with the context, latent ones included
        "kv_window_layers": pl.Int64,
        "state_layers": pl.Int64,
        # --- training
        "lora_io": pl.Int64,  # sum of (in + out) over all adapted linears: adapter parameters = rank * lora_io
        "lora_qv_io": pl.Int64,  # over the projections of queries and values; null where the class was not counted so
        "lora_qv_rows": pl.Int64,  # of their outputs
        # --- what the seed calculators count: the class behind transformers' AutoModel, without memory
        "automodel_parameters": pl.Int64,  # without a head, unless remote code names a class that has one
        "automodel_buffer_bytes": pl.Int64,  # in the buffers' own types
        "automodel_layer_bytes": pl.Int64,  # of the largest module that is never split, in 32 bit
        # --- activations of PyTorch's own layers, bytes for each token; null where the layers were not measured
        "train_full_bytes": pl.Int64,  # kept by all layers for a backward pass, weights in 16 bits
        "train_autocast_bytes": pl.Int64,  # weights in fp32 under autocast
        "train_adapter_bytes": pl.Int64,  # adapters on all linear modules of a frozen base
        "train_adapter_qv_bytes": pl.Int64,  # on the projections of queries and values alone
        "train_fp32_bytes": pl.Int64,  # weights and arithmetic in fp32
        # then, as the three of these names below
        **{f"train_fp32_{name}_bytes": pl.Int64 for name in ("pair", "masked", "masked_pair")},
        "train_rank_bytes": pl.Int64,  # on top of it for each rank of the adapters
        "train_pair_bytes": pl.Int64,  # for each other token of the sequence: scores, where attention keeps them
        "train_masked_bytes": pl.Int64,  # by layers with a window, where the sequence is as long as that
        "train_masked_pair_bytes": pl.Int64,  # then, for each other token of the sequence
        "train_logit_bytes": pl.Int64,  # of one logit at the loss
        "prefill_layer_bytes": pl.Int64,  # at the widest feed-forward of a layer in inference
        "prefill_attention_bytes": pl.Int64,  # at its attention, where that keeps scores
        "prefill_pair_bytes": pl.Int64,  # there, for each other token of the sequence
        "prefill_shared_bytes": pl.Int64,  # for each pair of tokens, of all prompts together while their mask is made
        "layer_parameters": pl.Int64,  # of the largest layer, which training that divides weights gathers
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
