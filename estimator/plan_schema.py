"""What the estimator answers: one `pl.Schema` per frame, written once. What it reads is in `schema`.

`*_ix` are positions in the catalogs and shapes of one run: small integers that keep the widest tables thin. Null bytes
mean unknown; a degree without a row is a split that does not exist.
"""

from __future__ import annotations

import polars as pl

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
SCHEMES = ("tensor", "nodes", "layers", "data", "replicas", "alone")

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
        "speculative_tokens": pl.Int64,  # predicted by blocks of the model, which are resident then
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
        "step_dense_bytes": pl.Int64,  # that every step of decoding reads, to predict further tokens as well
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

# Peaks of a training step: at the loss, in the layer that is computed last or again, at the end of the backward pass.
TRAINING_PEAKS = ("loss", "layer", "backward")

# Grain: shape x training workload x split. What each peak takes: whatever is trained on; for each token of context, all
# sequences of the micro-batch together, and for each pair of tokens; the same where sequences fill the window; and for
# each example of the micro-batch at the workload's context.
TRAINING_SLOPES = pl.Schema(
    {
        "shape_ix": pl.UInt32,
        "workload_ix": pl.UInt8,
        "split_ix": pl.UInt8,
        "keeps_gradients": pl.Boolean,  # so that they stand beside the forward pass too
        **{
            f"{peak}_{what}_bytes": pl.Float64
            for peak in TRAINING_PEAKS
            for what in ("fixed", "token", "pair", "filled_token", "filled_pair", "example")
        },
        # --- all that both passes take of sequences as long as the window; 0 without one
        "window_forward_bytes": pl.Int64,
        "window_backward_bytes": pl.Int64,
        # --- of a fused loss, for each token of a chunk of its logits
        "chunk_bytes": pl.Float64,  # 0 where there are no chunks
        "chunk_context": pl.Float64,  # tokens of context
        "chunk_examples": pl.Float64,
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
    {
        "gpu_ix": pl.UInt16,
        "workload_ix": pl.UInt8,
        "usable_bytes": pl.Int64,
        "assured_bytes": pl.Int64,
        "max_devices": pl.Int64,  # that may share one model; null where nobody knows how many a node has
    }
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
