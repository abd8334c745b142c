"""What the estimator reads and what it answers: one `pl.Schema` per frame, written once.

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

# ---------------------------------------------------------------------------------------------------------
# What the estimator answers. `*_ix` are positions in the catalogs and shapes of one run: small integers that
# keep the widest tables thin. Null bytes mean unknown; a degree without a row is a split that does not exist.

# Order of `memory_tier_ix`. The profile of an engine (batched tokens, sequences) depends on the device only by this.
MEMORY_TIERS = ("a100", "under_70_gib", "70_to_160_gib", "from_160_gib")

# Kinds that no supported engine splits over devices: degree 1 is their only degree.
UNSPLIT_KINDS = ("diffusion", "adapter")

# Grain: way to split a model over devices. `split_ix` is the place in `splits.SPLITS`; one device is place 0.
SPLIT_TABLE = pl.Schema(
    {
        "split_ix": pl.UInt8,
        "degree": pl.UInt8,  # devices that hold one model together, or one copy of it each
        "tensor": pl.UInt8,  # devices that have a part of every layer
        "stages": pl.UInt8,  # groups of layers on devices that work one after another
        "replicas": pl.UInt8,  # groups of devices with other sequences or examples
        "has_whole_experts": pl.Boolean,  # each device keeps some experts whole instead of a part of each
        "parallelism": pl.String,
    }
)

# What a workload's engine does with several devices: see `splits.scheme`.
SCHEMES = ("tensor", "layers", "data", "replicas", "alone")

# Grain: shape x alignment x scheme x degree. The split that a model takes, for formats of the same alignment; a null
# split is not known to exist, and one that does not exist has no row.
LAYOUTS = pl.Schema(
    {
        "shape_ix": pl.UInt32,
        "alignment": pl.UInt8,  # of the format's blocks, 0 when not known
        "scheme": pl.String,
        "degree": pl.UInt8,
        "split_ix": pl.UInt8,
    }
)

# Grain: workload. Workloads with equal `residency_ix` keep the same weights, gradients and optimizer states.
RESIDENCIES = pl.Schema(
    {
        "workload_ix": pl.UInt8,
        "residency_ix": pl.UInt8,
        "scheme": pl.String,
        "engine": pl.String,
        "mode": pl.String,
        "method": pl.String,
        "recipe": pl.String,
        "objective": pl.String,
        "optimizer": pl.String,
        "sharding": pl.String,
        "lora_rank": pl.Int64,
        "lora_targets": pl.String,
        "host_memory_gib": pl.Float64,  # for states of training; null for inference
    }
)

# Grain: shape x precision x residency x degree. Bytes on the fullest device; degree 1 always has a row.
WEIGHT_PLANS = pl.Schema(
    {
        "shape_ix": pl.UInt32,
        "precision_ix": pl.UInt16,
        "residency_ix": pl.UInt8,
        "degree": pl.UInt8,
        "split_ix": pl.UInt8,
        "weights_bytes": pl.Int64,
        "gradient_bytes": pl.Int64,
        "optimizer_bytes": pl.Int64,
        "update_bytes": pl.Int64,  # that the optimizer's step needs besides
        "paged_bytes": pl.Int64,  # of optimizer states that may be on the device or on the host, beside optimizer_bytes
        "weights_basis": pl.String,  # stored | computed; null when weights_bytes is null
        "margin_bytes": pl.Int64,  # how far the sum of the three may lie from the truth, either way
        # --- inference alone
        "format_ix": pl.UInt16,  # precision_ix of the format that the weights have, of `stored` the repository's
        "step_dense_bytes": pl.Int64,  # that every step of decoding reads
        "step_expert_bytes": pl.Int64,  # routed experts, of which a step reads those that its tokens visit
    }
)

# Grain: shape x workload x split. Bytes on each device, for all concurrent sequences of the workload.
CACHE_PLANS = pl.Schema(
    {
        "shape_ix": pl.UInt32,
        "workload_ix": pl.UInt8,
        "split_ix": pl.UInt8,
        "context_tokens": pl.Int64,  # the workload's, or the model's limit where that is lower
        "kv_cache_bytes": pl.Int64,
        "state_bytes": pl.Int64,
        "step_cache_bytes": pl.Float64,  # that a decoding step reads, and writes of states
        "kv_bytes_per_token": pl.Float64,  # for every token of context, all sequences together
        "kv_window_bytes_per_token": pl.Float64,  # on top of it, for the first window_tokens tokens
        "window_tokens": pl.Int64,  # that such a layer keeps
        "block_tokens": pl.Int64,  # that the cache grows by; 1 where that is not counted
        "kv_constant_bytes": pl.Float64,  # cross attention of a fixed length
        "bytes_per_sequence": pl.Float64,  # cache and state of one sequence at context_tokens
        "margin_bytes": pl.Int64,  # of cache and state together
    }
)

# Grain: shape x workload x split, of inference. Work on each device.
WORK_PLANS = pl.Schema(
    {
        "shape_ix": pl.UInt32,
        "workload_ix": pl.UInt8,
        "split_ix": pl.UInt8,
        "expert_share": pl.Float64,  # of the routed experts, that a step of all sequences visits
        "step_flops": pl.Float64,  # of one step of all sequences at the end of their context
        "prompt_linear_flops": pl.Float64,  # of one prompt as long as the context
        "prompt_attention_flops": pl.Float64,
        "reduced_bytes": pl.Float64,  # sent for the reductions of that prompt
    }
)

# Grain: gpu x format x engine of an inference workload. Rates of one device, and what each layer and step cost besides.
SPEEDS = pl.Schema(
    {
        "gpu_ix": pl.UInt16,
        "format_ix": pl.UInt16,
        "engine": pl.String,
        "weight_bytes_per_second": pl.Float64,
        "cache_bytes_per_second": pl.Float64,
        "linear_flops_per_second": pl.Float64,
        "attention_flops_per_second": pl.Float64,
        "step_flops_per_second": pl.Float64,  # in steps of many sequences
        "expert_step_flops_per_second": pl.Float64,  # the same of models with routed experts
        "nominal_bytes_per_second": pl.Float64,
        "nominal_flops_per_second": pl.Float64,
        "layer_seconds": pl.Float64,
        "host_seconds": pl.Float64,
        "speed_confidence": pl.String,
    }
)

# Grain: gpu x degree of tensor parallelism. Null where nothing is known of the link.
LINKS = pl.Schema(
    {
        "gpu_ix": pl.UInt16,
        "degree": pl.UInt8,
        "reduce_seconds": pl.Float64,  # latency of one reduction
        "reduced_bytes_per_second": pl.Float64,
    }
)

# Grain: shape x workload x memory tier x split. Only what counts against the engine's budget.
OVERHEAD_PLANS = pl.Schema(
    {
        "shape_ix": pl.UInt32,
        "workload_ix": pl.UInt8,
        "memory_tier_ix": pl.UInt8,
        "split_ix": pl.UInt8,
        "activation_bytes": pl.Int64,  # at the peak of the forward pass
        "backward_bytes": pl.Int64,  # beside all gradients, at the end of a backward pass
        "overhead_bytes": pl.Int64,
        "in_flight_tokens": pl.Float64,  # of each sequence, that layers with a window keep beyond it
        "margin_bytes": pl.Int64,  # of activations and overhead together
    }
)

# Grain: shape x workload x memory tier, of engines whose activations grow with the prompts of a workload. Bytes of
# sequences are of each one; what a layer takes is the larger of two: for every token, or for a token and every pair.
ACTIVATION_SLOPES = pl.Schema(
    {
        "shape_ix": pl.UInt32,
        "workload_ix": pl.UInt8,
        "memory_tier_ix": pl.UInt8,
        "fixed_bytes": pl.Float64,  # at both ends of the model
        "sequence_bytes": pl.Float64,  # there as well
        "layer_bytes": pl.Float64,  # in the widest layer, whatever the prompts are
        "token_bytes": pl.Float64,
        "attention_bytes": pl.Float64,  # for a token where attention computes all scores
        "pair_bytes": pl.Float64,  # for a pair of tokens there
        "held_bytes": pl.Float64,  # for a token beyond the window, with a byte for every pair
    }
)

# Grain: shape x precision x calculator x quantity. What the seed calculators print; only what they do print has a row.
CALCULATOR_ROWS = pl.Schema(
    {
        "shape_ix": pl.UInt32,
        "precision": pl.String,  # precision_id for the tool's dtype
        "calculator": pl.String,
        "quantity": pl.String,
        "bytes": pl.Int64,
    }
)

# Grain: gpu x workload. What the workload's engine may fill, and what it may fill for certain.
CAPACITIES = pl.Schema(
    {"gpu_ix": pl.UInt16, "workload_ix": pl.UInt8, "usable_bytes": pl.Int64, "assured_bytes": pl.Int64}
)

# Grain: workload x precision x gpu. Null where the catalog does not say.
SUPPORTS = pl.Schema(
    {"workload_ix": pl.UInt8, "precision_ix": pl.UInt16, "gpu_ix": pl.UInt16, "is_supported": pl.Boolean}
)

# Grain: shape x precision x workload x gpu, sorted by workload_ix, gpu_ix, shape_ix, precision_ix.
FIT = pl.Schema(
    {
        "workload_ix": pl.UInt8(),
        "gpu_ix": pl.UInt16(),
        "shape_ix": pl.UInt32(),
        "precision_ix": pl.UInt16(),
        "outcome_ix": pl.UInt8(),  # place in OUTCOMES
    }
)
