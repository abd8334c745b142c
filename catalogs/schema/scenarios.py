"""What is done with a model, and what the engine that does it takes for itself."""

from __future__ import annotations

import polars as pl

from catalogs import gpu_memory, versions
from catalogs.rules import (
    Rule,
    absent,
    at_least,
    at_most,
    fraction,
    identifier,
    needs,
    not_negative,
    one_of,
    positive,
    set_of,
    version,
    version_range,
)
from catalogs.schema.table import CONFIDENCES, PROFILES, VENDORS, Table

_profile = ("engine", "memory_tier")
_range = pl.col("version_range")
_range_before = versions.last(_range).shift(1).over(_profile, order_by=versions.first(_range))
_is_default = pl.col("is_default").fill_null(True)

# Grain: engine x version range x memory tier. Constants of the memory that an engine takes beside weights and cache.
ENGINE_PROFILES = Table(
    name="engines",
    columns=pl.Schema(
        {
            "engine": pl.String,
            "version_range": pl.String,  # versions that the constants hold for, see catalogs/versions.py
            "memory_tier": pl.String,
            "is_default": pl.Boolean,  # the range that a night counts with; empty: true
            "memory_utilization": pl.Float64,
            "batched_tokens": pl.Int64,  # tokens of the largest forward pass; empty: whole prompts
            "max_sequences": pl.Int64,  # sequences that the sampler is sized for; empty: those of the workload
            "batches_in_flight": pl.Int64,  # forward passes that are scheduled at once; empty: 1
            "logit_bytes": pl.Float64,  # sampler bytes per sequence and vocabulary entry
            "hidden_copies": pl.Float64,  # hidden states alive in a forward pass
            "activation_margin": pl.Float64,  # relative error of the activations
            "non_torch_bytes_1": pl.Int64,  # outside the allocator, one device
            "non_torch_bytes_2": pl.Int64,  # per device of two
            "non_torch_bytes_4": pl.Int64,  # per device of three or more
            "graph_bytes": pl.Int64,
            "margin_bytes_1": pl.Int64,  # error of all of the above that does not grow with them, one device
            "margin_bytes_2": pl.Int64,  # per device of several
            "vision_margin_bytes": pl.Int64,  # the same of a model with a tower for pictures; empty: 0
            "context_bytes": pl.Int64,  # driver context, outside the engine's budget
            "context_margin_bytes": pl.Int64,
            "reserved_ratio": pl.Float64,  # bytes reserved by the caching allocator for each byte allocated
            "reserved_ratio_high": pl.Float64,
            "training_reserved_ratio": pl.Float64,
            "training_reserved_ratio_high": pl.Float64,
            "vendors": pl.String,
            "min_compute_capability": pl.String,
            "confidence": pl.String,
            "residual": pl.String,  # what the constants were off by, and on which rows
            "source": pl.String,
            "as_of": pl.Date,
            "notes": pl.String,
        }
    ),
    key=("engine", "version_range", "memory_tier"),
    optional=(
        *("is_default", "batched_tokens", "max_sequences", "batches_in_flight", "vision_margin_bytes"),
        *("min_compute_capability", "residual", "notes"),
    ),
    rules=(
        one_of("engine", PROFILES),
        *version_range("version_range"),
        one_of("memory_tier", gpu_memory.TIERS),
        *(
            needs(column, pl.col("engine") != "transformers", "for an engine that fixes its batches")
            for column in ("batched_tokens", "max_sequences")
        ),
        fraction("memory_utilization"),
        *not_negative("batched_tokens", "max_sequences", "logit_bytes", "hidden_copies"),
        *not_negative("non_torch_bytes_1", "non_torch_bytes_2", "non_torch_bytes_4"),
        *not_negative("graph_bytes", "context_bytes", "context_margin_bytes", "margin_bytes_1", "margin_bytes_2"),
        *not_negative("activation_margin", "vision_margin_bytes"),
        *positive("batches_in_flight"),
        *at_least(1, "reserved_ratio", "training_reserved_ratio"),
        *(
            Rule(f"{ratio}_high", f"must be >= {ratio}", pl.col(f"{ratio}_high") >= pl.col(ratio))
            for ratio in ("reserved_ratio", "training_reserved_ratio")
        ),
        set_of("vendors", VENDORS),
        version("min_compute_capability"),
        one_of("confidence", CONFIDENCES),
        Rule(
            "version_range",
            "must not overlap another range of its engine and memory_tier",
            _range_before.fill_null(-1) < versions.first(_range),
        ),
        Rule(
            "is_default",
            "must be true in exactly one row of an engine and memory_tier",
            _is_default.sum().over(_profile) == 1,
        ),
    ),
    derive=(
        _is_default.alias("is_default"),
        pl.col("batches_in_flight").fill_null(1),
        pl.col("vision_margin_bytes").fill_null(0),
    ),
    retired=("rope_table",),
)

# Shardings that leave gradients and optimizer states in the memory of the host, and the last one weights as well.
OFFLOADED = ("zero2_offload", "zero3_offload", "zero3_param_offload")
LOSSES = ("plain", "fused")
ADAPTED = ("lora", "dora", "qlora")
TARGETS = ("all_linear", "attention_qv")
SHARDINGS = ("none", "zero1", "zero2", "zero3", "fsdp", *OFFLOADED)
OPTIMIZERS = (
    *("adamw", "adamw_foreach", "adamw_8bit", "adamw_paged", "sgd", "sgd_momentum", "lion", "muon", "adafactor"),
)

# `eager`: vLLM without CUDA graphs (--enforce-eager). `full_window`: layers with a window keep the whole context
# (llama.cpp's --swa-full, vLLM with --disable-hybrid-kv-cache-manager). `prefix_caching`: vLLM keeps a second state of
# each sequence (--enable-prefix-caching with --mamba-cache-mode align); of models without states it changes nothing.
# `no_flash_attention`: llama.cpp with all scores of a batch at once (--flash-attn off).
ENGINE_OPTIONS = ("eager", "full_window", "prefix_caching", "no_flash_attention")

_inference = pl.col("mode") == "inference"
_training = pl.col("mode") == "training"

# Grain: one thing to do with a model. In training rows the tokens are the sequence length and the
# sequences are the micro-batch.
WORKLOADS = Table(
    name="workloads",
    columns=pl.Schema(
        {
            "workload": pl.String,
            "title": pl.String,
            "mode": pl.String,
            "engine": pl.String,
            "context_tokens": pl.Int64,
            "concurrent_sequences": pl.Int64,
            "kv_precision": pl.String,
            "method": pl.String,
            "recipe": pl.String,  # what is kept in which width; empty: mixed
            "objective": pl.String,  # what is learned, and with it how many copies of the model; empty: sft
            "optimizer": pl.String,
            "gradient_checkpointing": pl.Boolean,
            "sharding": pl.String,
            "lora_rank": pl.Int64,
            "lora_targets": pl.String,  # modules that get adapters; empty: all_linear
            "attention_parallelism": pl.String,  # of several devices, how attention divides; empty: tensor
            "context_parallel": pl.Int64,  # devices of a group that share one context's cache; empty: 1
            "speculative_tokens": pl.Int64,  # that the model's own blocks predict in a step; empty: none
            "acceptance": pl.Float64,  # how often a predicted token is right
            "engine_options": pl.String,  # out of ENGINE_OPTIONS; empty: none
            "host_memory_gib": pl.Float64,  # of the host, for weights that the device has no room for; empty: none
            "host_gb_per_s": pl.Float64,  # at which the host reads them; empty: unknown
            "host_link_gb_per_s": pl.Float64,  # of the link over which a device gets them; empty: unknown
            "max_gpus": pl.Int64,  # devices that may share one model; empty: as many as its nodes have
            "max_nodes": pl.Int64,  # nodes that may share one model; empty: 1
            "gradient_accumulation": pl.Boolean,  # over several steps, so that gradients stay; empty: no
            "loss": pl.String,  # all logits at once, or a chunk of them with the output head; empty: plain
            "source": pl.String,
            "as_of": pl.Date,
        }
    ),
    key=("workload",),
    optional=(
        *("kv_precision", "method", "recipe", "objective", "optimizer", "gradient_checkpointing", "sharding"),
        *("lora_rank", "gradient_accumulation", "attention_parallelism", "engine_options", "host_memory_gib"),
        *("host_gb_per_s", "host_link_gb_per_s", "max_gpus", "max_nodes", "loss", "lora_targets", "context_parallel"),
        *("speculative_tokens", "acceptance"),
    ),
    rules=(
        identifier("workload"),
        one_of("mode", ("inference", "training")),
        one_of("engine", PROFILES),
        *positive("context_tokens", "concurrent_sequences", "lora_rank"),
        *at_most(100_000_000, "context_tokens"),
        *at_most(1_000_000, "concurrent_sequences", "lora_rank"),
        one_of("method", ("full", "lora", "dora", "qlora")),
        one_of("recipe", ("mixed", "autocast", "pure", "fp32", "deepspeed", "megatron")),
        one_of("objective", ("sft", "dpo", "grpo", "ppo")),
        one_of("optimizer", OPTIMIZERS),
        one_of("sharding", SHARDINGS),
        one_of("loss", LOSSES),
        one_of("lora_targets", TARGETS),
        one_of("attention_parallelism", ("tensor", "data")),
        set_of("engine_options", ENGINE_OPTIONS),
        *positive("context_parallel"),
        absent("context_parallel", pl.col("engine") != "vllm", "for an engine without it"),
        *positive("speculative_tokens"),
        *at_most(100, "speculative_tokens"),
        absent("speculative_tokens", ~pl.col("engine").is_in(["none", "vllm", "sglang"]), "for an engine without it"),
        absent("speculative_tokens", _training, "for training"),
        absent("speculative_tokens", pl.col("attention_parallelism") == "data", "when attention_parallelism is data"),
        absent("speculative_tokens", pl.col("host_memory_gib").is_not_null(), "with host memory for weights"),
        Rule("acceptance", "must be from 0 to 1", pl.col("acceptance").is_between(0, 1)),
        needs("acceptance", pl.col("speculative_tokens").is_not_null(), "with speculative_tokens"),
        absent("acceptance", pl.col("speculative_tokens").is_null(), "without speculative_tokens"),
        absent("engine_options", ~pl.col("engine").is_in(["vllm", "llamacpp"]), "for an engine without them"),
        Rule(
            "engine_options",
            "must not have no_flash_attention for an engine without it",
            (pl.col("engine") == "llamacpp")
            | ~pl.col("engine_options").str.split(" ").list.contains("no_flash_attention"),
        ),
        *positive("host_memory_gib", "host_gb_per_s", "host_link_gb_per_s", "max_gpus", "max_nodes"),
        *at_most(1_000, "max_nodes"),
        absent(
            "max_nodes",
            _inference & ~pl.col("engine").is_in(["none", "vllm", "sglang", "trtllm"]),
            "for an engine that stays in a node",
        ),
        *(
            absent(column, pl.col("host_memory_gib").is_null() | _training, "without host memory for weights")
            for column in ("host_gb_per_s", "host_link_gb_per_s")
        ),
        needs("kv_precision", _inference, "for inference"),
        *(
            absent(column, _inference, "for inference")
            for column in (
                *("method", "recipe", "objective", "optimizer", "gradient_checkpointing", "sharding", "lora_rank"),
                *("gradient_accumulation", "loss", "lora_targets"),
            )
        ),
        *(
            needs(column, _training, "for training")
            for column in ("method", "optimizer", "gradient_checkpointing", "sharding")
        ),
        absent("kv_precision", _training, "for training"),
        absent("attention_parallelism", _training, "for training"),
        needs("host_memory_gib", pl.col("sharding").is_in(OFFLOADED), "for a sharding that offloads"),
        absent(
            "host_memory_gib",
            _training & ~pl.col("sharding").is_in(OFFLOADED).fill_null(False),
            "for training that offloads nothing",
        ),
        absent("host_memory_gib", pl.col("engine") == "none", "without an engine"),
        Rule(
            "engine",
            "must leave weights in host memory where there is host_memory_gib",
            ~(pl.col("engine").is_in(["trtllm", "mlx"]) & pl.col("host_memory_gib").is_not_null()),
        ),
        absent(
            "attention_parallelism",
            ~pl.col("engine").is_in(["none", "vllm", "sglang"]),
            "for an engine that splits by layers",
        ),
        needs("lora_rank", pl.col("method").is_in(ADAPTED), "for lora, dora and qlora"),
        *(absent(column, pl.col("method") == "full", "for full training") for column in ("lora_rank", "lora_targets")),
    ),
    derive=(
        pl.when(_training).then(pl.col("recipe").fill_null("mixed")).alias("recipe"),
        pl.when(_training).then(pl.col("objective").fill_null("sft")).alias("objective"),
        pl.when(_training).then(pl.col("loss").fill_null("plain")).alias("loss"),
        pl.when(pl.col("method").is_in(ADAPTED))
        .then(pl.col("lora_targets").fill_null("all_linear"))
        .alias("lora_targets"),
    ),
)
