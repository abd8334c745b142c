"""Small made-up catalogs and shapes with the columns that the estimator reads."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from estimator.schema import SHAPES

GIB = 1 << 30

# Llama-3.1-8B, from its config: 32 layers, hidden 4096, feed-forward 14336, 32 heads, 8 of them key/value, 128256 words
LLAMA_8B: dict[str, Any] = {
    "shape_id": "llama-3.1-8b",
    "kind": "decoder",
    "confidence": "exact",
    "parameters_resident": 8_030_261_248,
    "p_attn": 1_342_177_280,
    "p_mlp": 5_637_144_576,
    "p_expert": 0,
    "p_shared": 0,
    "p_ssm": 0,
    "p_embed": 525_336_576,
    "p_pos_embed": 0,
    "p_lm_head": 525_336_576,
    "p_router": 0,
    "p_norm": 266_240,
    "p_bias": 0,
    "p_small": 0,
    "p_head_other": 0,
    "p_vision": 0,
    "p_audio": 0,
    "p_speech": 0,
    "p_projector": 0,
    "p_kv_proj": 268_435_456,
    "p_tp_replicated": 0,
    "p_expert_bias": 0,
    "mtp_parameters": 0,
    "mtp_expert_parameters": 0,
    "mtp_layers": 0,
    "quant_rows": 1_376_256,
    "fp8_block_scales": 425_984,
    "active_read_parameters": 7_504_924_672,
    "stored_bytes": 16_060_522_496,
    "stored_precision": "bf16",
    "layers": 32,
    "hidden_size": 4096,
    "vocab_size": 128_256,
    "heads": 32,
    "kv_heads": 8,
    "ffn_size": 14_336,
    "expert_ffn_size": 0,
    "experts": 0,
    "experts_per_token": 0,
    "max_context_tokens": 131_072,
    "absorbed_elements": 0,
    "rope_cache_elements": 131_072 * 128,
    "kv_full_elements_per_token": 65_536,
    "kv_window_elements_per_token": 0,
    "kv_latent_elements_per_token": 0.0,
    "kv_fixed_bytes_per_token": 0,
    "kv_cross_elements_per_token": 0,
    "window_tokens": 0,
    "cross_tokens": 0,
    "state_conv_elements": 0,
    "state_recurrent_elements": 0,
    "state_recurrent_bytes_per_element": 4.0,
    "state_recurrent_bytes_in_vllm": 4.0,
    "attention_step_width": 32 * 32 * 256,
    "attention_prompt_width": 32 * 32 * 256,
    "attention_window_width": 0,
    "tp_ok_mask": 0b1000_0000_1000_1011,  # 1, 2, 4, 8 and 16 devices
    "tp_ok_mask_32": 0b1000_0000_1000_1011,
    "tp_ok_mask_64": 0b1000_0000_1000_1011,
    "tp_ok_mask_128": 0b1000_1011,
    **dict.fromkeys(["ep_ok_mask", "ep_ok_mask_32", "ep_ok_mask_64", "ep_ok_mask_128"], 0),
    "expert_layers": 0,
    "kv_full_layers": 32,
    "kv_window_layers": 0,
    "state_layers": 0,
    "lora_io": 2_621_440,
    "lora_qv_io": 32 * (4096 + 4096 + 4096 + 1024),
    "lora_qv_rows": 32 * (4096 + 1024),
    "automodel_parameters": 7_504_924_672,
    "automodel_buffer_bytes": 512,
    "automodel_layer_bytes": 525_336_576 * 4,
    "train_full_bytes": 32 * 200_840,
    "train_autocast_bytes": 32 * 241_800,
    "train_adapter_bytes": 32 * 217_224,
    "train_adapter_qv_bytes": 32 * 155_784,
    "train_fp32_bytes": 32 * 393_224,
    "train_fp32_pair_bytes": 32 * 4 * 32,
    "train_fp32_masked_bytes": 0,
    "train_fp32_masked_pair_bytes": 0,
    "train_rank_bytes": 32 * 14,
    "train_pair_bytes": 0,
    "train_masked_bytes": 0,
    "train_masked_pair_bytes": 0,
    "train_logit_bytes": 12,
    "prefill_layer_bytes": 118_784,
    "prefill_attention_bytes": 0,
    "prefill_pair_bytes": 0,
    "prefill_shared_bytes": 0,
    "layer_parameters": 218_112_000,
}

# precision, family, bits, row scale, block scale, keep bits, policy, whole model bits, alignment
_FORMATS = [
    ("bf16", 16.0, 0.0, 0.0, 16.0, "linears", None, 1),
    ("fp16", 16.0, 0.0, 0.0, 16.0, "linears", None, 1),
    ("fp32", 32.0, 0.0, 0.0, 32.0, "linears", None, 1),
    ("fp8_e4m3", 8.0, 0.0, 0.0, 16.0, "linears", None, 1),
    ("fp8_e4m3_block128", 8.0, 0.0, 4.0, 16.0, "linears", None, 128),
    ("int8_w8a8", 8.0, 2.0, None, 16.0, "linears", None, 1),
    ("int4_awq_g128", 4.15625, 0.0, 0.0, 16.0, "linears", None, 128),
    ("int4_ct_sym_g128", 4.125, 0.0, 0.0, 16.0, "linears", None, 128),
    ("nf4_dq", 4.126953125, 0.0, 0.0, 16.0, "linears", None, 64),
    ("mxfp4_experts", 4.25, 0.0, 0.0, 16.0, "experts_only", None, 32),
    ("nvfp4_mlp_only", 4.5, 0.0, 0.0, 16.0, "experts_and_mlp", None, 32),
    ("gguf_q4_k_m", 4.5, 0.0, 0.0, 16.0, "all", 4.8944, 32),
    ("stored", None, None, None, None, "stored", None, 1),
]


@pytest.fixture
def shapes_of() -> Callable[..., pl.DataFrame]:
    """Shapes like Llama-3.1-8B with some columns changed: one argument for each shape."""

    def build(*changes: dict[str, Any]) -> pl.DataFrame:
        rows = [{**LLAMA_8B, "shape_id": f"shape-{i}", **change} for i, change in enumerate(changes)]
        return pl.DataFrame(rows, schema=SHAPES, orient="row").with_row_index("shape_ix")

    return build


@pytest.fixture
def precisions() -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                "precision_ix": i,
                "precision": name,
                "bits_per_weight": bits,
                "row_scale_bytes": row,
                "block_scale_bytes": block,
                "keep_bits": keep,
                "policy": policy,
                "whole_model_bits": whole,
                "shard_alignment": alignment,
                "confidence": "medium" if "int4" in name else "high",
                "engines": "vllm transformers" if "gguf" not in name else "llamacpp",
                "vendors": "nvidia amd" if "fp8" in name else "nvidia amd intel",
                "min_compute_capability": {"fp8_e4m3": "8.9", "nf4_dq": "7.0"}.get(name),
                "requires_native": "fp8" if name == "fp8_e4m3_block128" else None,
                "requires_native_off_nvidia": "fp8" if name == "fp8_e4m3" else None,
                "widening_engines": "transformers" if name == "fp8_e4m3" else None,
                "widening_below": "9.0" if name == "fp8_e4m3" else None,
            }
            for i, (name, bits, row, block, keep, policy, whole, alignment) in enumerate(_FORMATS)
        ],
        schema_overrides={
            "precision_ix": pl.UInt16,
            "shard_alignment": pl.Int64,
            "whole_model_bits": pl.Float64,
            "requires_native": pl.String,
            "requires_native_off_nvidia": pl.String,
            "widening_engines": pl.String,
            "widening_below": pl.String,
            "min_compute_capability": pl.String,
        },
    )


@pytest.fixture
def kv_precisions() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "kv_precision": ["fp32", "fp16", "bf16", "fp8_e4m3", "q8_0"],
            "bytes_per_element": [4.0, 2.0, 2.0, 1.0, 1.0625],
            "engines": ["vllm", "vllm", "vllm", "vllm", "llamacpp"],
            "min_compute_capability": [None, None, None, "8.0", None],
        }
    )


WORKLOAD: dict[str, Any] = {
    "mode": "inference",
    "engine": "none",
    "context_tokens": 8192,
    "concurrent_sequences": 1,
    "kv_precision": "bf16",
    "method": None,
    "recipe": None,
    "objective": None,
    "optimizer": None,
    "sharding": None,
    "lora_rank": None,
    "gradient_checkpointing": None,
    "attention_parallelism": None,
    "engine_options": None,
    "context_parallel": None,
    "speculative_tokens": None,
    "acceptance": None,
    "host_memory_gib": None,
    "max_gpus": None,
    "max_nodes": None,
    "gradient_accumulation": None,
    "loss": None,
    "lora_targets": None,
}


def _usual(change: dict[str, Any]) -> dict[str, Any]:
    """What the catalog fills in for training."""
    is_adapted = change.get("method") in ("lora", "dora", "qlora")
    usual = {"loss": "plain", "lora_targets": "all_linear" if is_adapted else None}
    return usual if change.get("mode") == "training" else {}


@pytest.fixture
def workloads_of() -> Callable[..., pl.DataFrame]:
    """Workloads like one 8k sequence of inference without an engine, with some columns changed."""

    def build(*changes: dict[str, Any]) -> pl.DataFrame:
        rows = [{"workload_ix": i, **WORKLOAD, **_usual(change), **change} for i, change in enumerate(changes)]
        types: dict[str, Any] = dict.fromkeys(
            (
                "method",
                "recipe",
                "objective",
                "optimizer",
                "sharding",
                "kv_precision",
                "attention_parallelism",
                "engine_options",
                "loss",
            ),
            pl.String,
        )
        types |= {"workload_ix": pl.UInt8, "lora_rank": pl.Int64,
                  "context_parallel": pl.Int64, "speculative_tokens": pl.Int64, "acceptance": pl.Float64,
                  "host_memory_gib": pl.Float64, "max_gpus": pl.Int64,
                  "max_nodes": pl.Int64,
                  "gradient_checkpointing": pl.Boolean, "gradient_accumulation": pl.Boolean,
                  "lora_targets": pl.String}  # fmt: skip
        return pl.DataFrame(rows, schema_overrides=types)

    return build


@pytest.fixture
def workloads(workloads_of: Callable[..., pl.DataFrame]) -> pl.DataFrame:
    training = {"mode": "training", "recipe": "mixed", "objective": "sft", "optimizer": "adamw", "sharding": "none",
                "lora_rank": 16, "gradient_checkpointing": True}  # fmt: skip
    return workloads_of(
        {},
        {"engine": "vllm"},
        {"engine": "vllm", "context_tokens": 32_768, "concurrent_sequences": 16, "kv_precision": "fp8_e4m3"},
        {**training, "method": "full", "sharding": "zero3", "lora_rank": None},
        {**training, "method": "lora"},
        {**training, "method": "qlora"},
    )


@pytest.fixture
def engines() -> pl.DataFrame:
    """vLLM from 0.17 on by memory tier, without graphs: the constants of 21 published runs on H100."""
    rows = [
        {"memory_tier": tier, "batched_tokens": tokens, "max_sequences": sequences}
        for tier, tokens, sequences in (
            ("a100", 2048, 256),
            ("under_70_gib", 2048, 256),
            ("70_to_160_gib", 8192, 1024),
            ("from_160_gib", 16_384, 1024),
        )
    ]
    return pl.DataFrame(rows).with_columns(
        engine=pl.lit("vllm"),
        version_range=pl.lit("0.17-0.26"),
        memory_utilization=pl.lit(0.92),
        batches_in_flight=pl.lit(1, dtype=pl.Int64),
        logit_bytes=pl.lit(15.0),
        hidden_copies=pl.lit(4.2),
        non_torch_bytes_1=pl.lit(GIB // 4),
        non_torch_bytes_2=pl.lit(2 * GIB),
        non_torch_bytes_4=pl.lit(2 * GIB + GIB // 8),
        graph_bytes=pl.lit(GIB),
        context_bytes=pl.lit(GIB // 2),
        context_margin_bytes=pl.lit(GIB // 4),
        activation_margin=pl.lit(0.05),
        margin_bytes_1=pl.lit(GIB // 2),
        margin_bytes_2=pl.lit(3 * GIB // 2),
        vision_margin_bytes=pl.lit(9 * GIB // 10),
        reserved_ratio=pl.lit(1.0),
        reserved_ratio_high=pl.lit(1.0),
        training_reserved_ratio=pl.lit(1.0),
        training_reserved_ratio_high=pl.lit(1.0),
        vendors=pl.lit("nvidia amd"),
        min_compute_capability=pl.lit("7.0"),
    )


@pytest.fixture
def gpus() -> pl.DataFrame:
    """Devices in the order of their memory tiers."""
    rows = [
        ("a100", "nvidia", "8.0", "fp32 bf16 fp16 int8", 79.25, 0.0, 16),
        ("under_70_gib", "nvidia", "8.9", "fp32 bf16 fp16 fp8 int8", 23.65, 0.5, 8),
        ("under_70_gib", "nvidia", "7.5", "fp32 fp16 int8", 14.56, 0.0, 4),
        ("under_70_gib", "apple", None, "fp32 fp16", 36.0, 0.0, 1),
        ("70_to_160_gib", "nvidia", "9.0", "fp32 bf16 fp16 fp8 int8", 79.19, 0.0, 8),
        ("from_160_gib", "amd", None, "fp32 bf16 fp16 fp8 int8", 191.98, 0.0, 8),
        ("from_160_gib", "nvidia", "10.0", "fp32 bf16 fp16 fp8 int8 fp4", 178.35, 0.0, 72),
    ]
    return pl.DataFrame(
        [
            {
                "gpu_ix": i,
                "memory_tier": tier,
                "vendor": vendor,
                "compute_capability": capability,
                "native_formats": formats,
                "visible_bytes": int(visible * GIB),
                "reserve_bytes": int(reserve * GIB),
                "max_gpus_per_node": most,
                "is_unified_memory": vendor == "apple",
            }
            for i, (tier, vendor, capability, formats, visible, reserve, most) in enumerate(rows)
        ],
        schema_overrides={"gpu_ix": pl.UInt16},
    )


@pytest.fixture
def no_overrides() -> pl.DataFrame:
    from estimator.schema import WEIGHT_OVERRIDES

    return pl.DataFrame(schema=WEIGHT_OVERRIDES)
