"""Each rule of each catalog has one failing row, and the message names file, line and rule."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import catalogs
from catalogs.load import TABLE_BY_NAME
from catalogs.schema import TABLES

GPU = "nvidia-h100-sxm-80gb"
MAC = "apple-m1-16gb"
BOUGHT = "apple-m3-ultra-96gb"
RUN = "nvidia-h200-sxm-141gb-qwen-qwen3-0.6b-prefill-peak-2048x1"
TRAINING = "nvidia-h200-sxm-141gb-qwen-qwen3-0.6b-full-training-peak-2048x1"
COPY = "nvidia-h200-sxm-141gb-copy"
POOL = "nvidia-h100-sxm-80gb-x1-vllm-0.19.0-google-gemma-3-4b-it-kv-pool-8192"
BY_KEY = {
    "gpus": GPU,
    "precisions": "int4_awq_g128",
    "kv_precisions": "bf16",
    "engines": "vllm",
    "reserves": "sglang",
    "speeds": "vllm",
    "links": "nvlink",
    "workloads": "chat-8k",
    "prices": "aws-inferentia1",
    "price_names": "gpu_8x_h100_sxm5",
    "price_sources": "gcp",
    "policy": "power_share",
    "measurements": RUN,
    "scores": "a/b",
}

# table, column, what the rule says, the changes that break it and, unless it is that of BY_KEY, the row.
Case = tuple[str, str, str, dict[str, str]] | tuple[str, str, str, dict[str, str], str]
VENDORS = "nvidia, amd, intel, apple, google, aws, huawei, qualcomm, tenstorrent"
ENGINES = "vllm, sglang, transformers, llamacpp, mlx, exllama, trtllm"
FORMATS = "fp32, bf16, fp16, fp8, int8, fp4"
OFFLOADED = "zero2_offload, zero3_offload, zero3_param_offload"
OPTIMIZERS = "adamw, adamw_foreach, adamw_8bit, adamw_paged, sgd, sgd_momentum, lion, muon, adafactor"
NAME = "must be lower case letters, digits, '_', '.' and '-'"
LEVELS = "must be one of exact, high, medium, low"
TIERS = "must be one of a100, under_70_gib, 70_to_160_gib, from_160_gib"
COMPONENTS = (
    "visible, driver_total, context, copy, weights, cache, cache_held, prefill_peak, training_peak,"
    " training_reserved, decode_step, activation, non_torch, kv_pool, kv_token"
)
PARAMETERS = "hours_per_month, horizon_months, amortisation_years, usd_per_kwh, power_usage_effectiveness, power_share"
UNITS = "hours, months, years, USD, ratio, ratio"
PROFILES = f"must be one of none, {ENGINES}"
SIZES_OF_RESERVES = ("prefill_tokens", "graph_sequences", "constant_mib", "token_mib", "sequence_mib", "device_mib")


def below(table: str, must: str, bad: str, *columns: str, row: str | None = None) -> list[Case]:
    return [(table, c, must, {c: bad}, row or BY_KEY[table]) for c in columns]


CASES: list[Case] = [
    ("scores", "model_id", "must be owner/name as it is listed", {"model_id": "a model"}),
    (
        *("precisions", "quality_reference", "must be empty without a quality_value"),
        {"quality_value": "", "quality_metric": "", "quality_source": "", "quality_reference": "bf16"},
    ),
    ("gpus", "gpu_id", NAME, {"gpu_id": "NVIDIA H100"}),
    ("gpus", "vendor", f"must be one of {VENDORS}", {"vendor": "nvida", "compute_capability": ""}),
    ("gpus", "compute_capability", "must look like 8.9", {"compute_capability": "9"}),
    (
        *("gpus", "compute_capability", "must not be empty for a launched nvidia device"),
        {"compute_capability": ""},
    ),
    (
        *("gpus", "compute_capability", "must be empty unless vendor is nvidia"),
        {"compute_capability": "8.9"},
        MAC,
    ),
    (
        *("gpus", "segment"),
        "must be one of datacenter, hpc, cloud, workstation, consumer, laptop, edge, unified, slice",
        {"segment": "server"},
    ),
    *below("gpus", "must be > 0", "0", "devices_per_board", "memory_mib_driver", "memory_gib_runtime"),
    *below("gpus", "must be > 0", "-80", "memory_gib_nominal", "launch_price_usd", "tdp_watts"),
    *below("gpus", "must be > 0", "0", "bandwidth_gb_per_s", "fp32_tflops", "bf16_tflops", "fp16_tflops"),
    *below("gpus", "must be > 0", "0", "fp8_tflops", "int8_tops", "fp4_tflops", "link_gb_per_s"),
    *below("gpus", "must be > 0", "-1", "max_gpus_per_node"),
    *below("gpus", "must be <= 65536", "81920000", "memory_gib_nominal"),
    *below("gpus", "must be >= 1024", "80", "memory_mib_driver"),
    *below("gpus", "must not exceed memory_gib_nominal", "85899", "memory_mib_driver"),
    *below("gpus", "must not exceed memory_gib_nominal", "85.5", "memory_gib_runtime"),
    *below("gpus", "must be > 0 and <= 1", "74", "unified_usable_fraction", row=MAC),
    *below("gpus", "must not be empty when is_unified_memory", "", "unified_usable_fraction", row=MAC),
    *below("gpus", "must be empty unless is_unified_memory", "0.75", "unified_usable_fraction"),
    (
        *("gpus", "rates_basis", "must be one of vendor, derived, vendor and derived, assumed"),
        {"rates_basis": "guess"},
    ),
    (
        *("gpus", "native_formats", f"must be a space separated set out of {FORMATS}"),
        {"native_formats": "fp16,fp8"},
    ),
    ("gpus", "confidence", LEVELS, {"confidence": "sure"}),
    ("precisions", "precision", NAME, {"precision": "AWQ int4"}),
    (
        *("precisions", "family"),
        "must be one of float, fp8, int8, microscaling, int4, int3, bnb4, hqq, gguf, mlx, exl2, exl3,"
        " vector, ternary, stored",
        {"family": "awq"},
    ),
    ("precisions", "policy", "must be one of linears, experts_only, experts_and_mlp, all, stored", {"policy": "most"}),
    *below(
        *("precisions", "must not be empty unless policy is stored", ""),
        *("bits_per_weight", "row_scale_bytes", "block_scale_bytes", "keep_bits"),
    ),
    (
        *("precisions", "bits_per_weight", "must be empty when policy is stored"),
        {"bits_per_weight": "16"},
        "stored",
    ),
    *below("precisions", "must not be empty for a GGUF mixture", "", "whole_model_bits", row="gguf_q4_k_m"),
    *below("precisions", "must be > 0", "0", "bits_per_weight", "keep_bits", "whole_model_bits"),
    *below("precisions", "must be > 0", "-1", "quality_value"),
    *below("precisions", "must be >= 0", "-4", "row_scale_bytes", "block_scale_bytes"),
    *below(
        *("precisions", "must be 0 for a policy that leaves linears out", "4"),
        *("row_scale_bytes", "block_scale_bytes"),
        row="nvfp4_mlp_only",
    ),
    *below("precisions", "must be <= 32", "64", "bits_per_weight", "keep_bits", "whole_model_bits"),
    *below("precisions", "must be one of 1, 32, 64, 128", "96", "shard_alignment"),
    *below("precisions", f"must be a space separated set out of {ENGINES}", "vllm vllm", "engines", "widening_engines"),
    *below("precisions", f"must be a space separated set out of {VENDORS}", "nvidia  amd", "vendors"),
    *below("precisions", "must look like 8.9", "sm_89", "min_compute_capability", "widening_below"),
    (
        *("precisions", "widening_below", "must not be empty when widening_engines is given"),
        {"widening_engines": "vllm", "widening_below": ""},
    ),
    *below(
        *("precisions", f"must be one of {FORMATS}", "int4"),
        *("requires_native", "requires_native_off_nvidia", "compute_format", "compute_requires_native"),
    ),
    *below(
        *("precisions", "must not be empty when quality_value is given", ""),
        *("quality_metric", "quality_source"),
    ),
    ("precisions", "confidence", LEVELS, {"confidence": "?"}),
    ("kv_precisions", "kv_precision", NAME, {"kv_precision": "BF16"}),
    *below("kv_precisions", "must be > 0", "0", "bytes_per_element"),
    *below("kv_precisions", "must be <= 8", "16", "bytes_per_element"),
    *below("kv_precisions", f"must be a space separated set out of {ENGINES}", "all", "engines"),
    *below("kv_precisions", "must look like 8.9", "9", "min_compute_capability"),
    *below("kv_precisions", LEVELS, "good", "confidence"),
    *below("engines", PROFILES, "vLLM", "engine"),
    *below("engines", "must look like any, 0.5, 0.17-0.26, 0.27- or -0.16", "<0.17", "version_range"),
    *below("engines", "must not end before it begins", "0.26-0.17", "version_range"),
    *below("engines", "must be true in exactly one row of an engine and memory_tier", "false", "is_default"),
    *below("engines", TIERS, "80_gib", "memory_tier"),
    *below("engines", "must be > 0 and <= 1", "92", "memory_utilization"),
    *below(
        *("engines", "must be >= 0", "-1", "batched_tokens", "max_sequences", "logit_bytes", "hidden_copies"),
        *("non_torch_bytes_1", "non_torch_bytes_2", "non_torch_bytes_4", "graph_bytes", "context_bytes"),
        *("context_margin_bytes", "margin_bytes_1", "margin_bytes_2", "activation_margin"),
    ),
    *below("engines", "must be >= 1", "0.9", "reserved_ratio", "training_reserved_ratio"),
    ("engines", "reserved_ratio_high", "must be >= reserved_ratio", {"reserved_ratio_high": "0.9"}),
    (
        *("engines", "training_reserved_ratio_high", "must be >= training_reserved_ratio"),
        {"training_reserved_ratio_high": "0.9"},
    ),
    *below("engines", "must be > 0", "0", "batches_in_flight"),
    *below("engines", "must be >= 0", "-1", "vision_margin_bytes"),
    *below("engines", "must not be empty for an engine that fixes its batches", "", "batched_tokens", "max_sequences"),
    *below("engines", f"must be a space separated set out of {VENDORS}", "cuda", "vendors"),
    *below("engines", "must look like 8.9", "7", "min_compute_capability"),
    *below("engines", LEVELS, "none", "confidence"),
    *below("reserves", "must be one of sglang", "vllm", "engine"),
    *below("reserves", "must look like any, 0.5, 0.17-0.26, 0.27- or -0.16", "0.5+", "version_range"),
    *below("reserves", "must not end before it begins", "0.6-0.5", "version_range"),
    *below("reserves", "must be > 0", "0", "below_gib"),
    *below("reserves", "must be >= 0", "-1", *SIZES_OF_RESERVES),
    *below("reserves", "must be <= 1000000", "1000001", *SIZES_OF_RESERVES),
    *below("reserves", LEVELS, "sure", "confidence"),
    *below("reserves", "must be empty in one row of an engine and version_range", "20", "below_gib"),
    *below("speeds", PROFILES, "vLLM", "engine"),
    *below("speeds", "must be one of hbm, gddr, lpddr, dram", "HBM3", "memory_kind"),
    *below("speeds", "must be > 0 and <= 1", "1.1", "weight_share_16", "weight_share_8", "weight_share_4"),
    *below("speeds", "must be > 0 and <= 1", "0", "cache_share", "prompt_share", "step_share", "expert_step_share"),
    *below("speeds", "must be >= 0", "-1", "layer_seconds", "host_seconds"),
    *below("speeds", LEVELS, "sure", "confidence"),
    *below("links", "must be one of nvlink, nvlink_bridge, pcie", "nvlink4", "link"),
    *below("links", "must be > 0", "0", "degree", "reduce_seconds", "reduced_gb_per_s"),
    *below("links", "must be > 0 and <= 1", "27.8", "link_share"),
    *below("links", "must not be empty without link_share", "", "reduced_gb_per_s", row="pcie"),
    *below("links", LEVELS, "sure", "confidence"),
    *below("workloads", NAME, "Chat 8k", "workload"),
    *below("workloads", "must be one of inference, training", "serving", "mode"),
    *below("workloads", PROFILES, "ollama", "engine"),
    *below("workloads", "must be > 0", "0", "context_tokens", "concurrent_sequences"),
    *below("workloads", "must be > 0", "0", "lora_rank", row="train-qlora-2k"),
    *below("workloads", "must be <= 100000000", "1000000000", "context_tokens"),
    *below("workloads", "must be <= 1000000", "1000000000", "concurrent_sequences"),
    *below("workloads", "must be <= 1000000", "1000000000", "lora_rank", row="train-qlora-2k"),
    *below("workloads", "must be one of full, lora, dora, qlora", "vera", "method", row="train-qlora-2k"),
    *below(
        "workloads",
        "must be one of mixed, autocast, pure, fp32, deepspeed, megatron",
        "amp",
        "recipe",
        row="train-full-2k",
    ),
    *below("workloads", "must be one of sft, dpo, grpo, ppo", "orpo", "objective", row="train-full-2k"),
    *below("workloads", f"must be one of {OPTIMIZERS}", "adam", "optimizer", row="train-full-2k"),
    *below(
        *("workloads", f"must be one of none, zero1, zero2, zero3, fsdp, {OFFLOADED}", "ddp"),
        "sharding",
        row="train-full-2k",
    ),
    (
        *("workloads", "host_memory_gib", "must not be empty for a sharding that offloads"),
        *({"sharding": "zero2_offload", "host_memory_gib": ""}, "train-full-2k"),
    ),
    *below(
        *("workloads", "must be empty for training that offloads nothing", "64", "host_memory_gib"),
        row="train-full-2k",
    ),
    *below("workloads", "must not be empty for inference", "", "kv_precision"),
    *below("workloads", "must be empty for inference", "full", "method"),
    *below("workloads", "must be empty for inference", "adamw", "optimizer"),
    *below("workloads", "must be empty for inference", "pure", "recipe"),
    *below("workloads", "must be empty for inference", "false", "gradient_accumulation"),
    *below("workloads", "must be empty for inference", "dpo", "objective"),
    *below("workloads", "must be empty for inference", "fused", "loss"),
    *below("workloads", "must be empty for inference", "all_linear", "lora_targets"),
    *below("workloads", "must be empty for full training", "attention_qv", "lora_targets", row="train-full-2k"),
    *below("workloads", "must be one of all_linear, attention_qv", "all-linear", "lora_targets", row="train-qlora-2k"),
    *below("workloads", "must be one of plain, fused", "chunked", "loss", row="train-full-2k"),
    *below("workloads", "must be empty for inference", "true", "gradient_checkpointing"),
    *below("workloads", "must be empty for inference", "none", "sharding"),
    *below("workloads", "must be empty for inference", "16", "lora_rank"),
    *below(
        *("workloads", "must not be empty for training", ""),
        *("method", "optimizer", "gradient_checkpointing", "sharding"),
        row="train-full-2k",
    ),
    *below("workloads", "must be empty for training", "bf16", "kv_precision", row="train-full-2k"),
    *below("workloads", "must be empty for training", "data", "attention_parallelism", row="train-full-2k"),
    *below("workloads", "must be empty without an engine", "64", "host_memory_gib", row="min-8k"),
    *below(
        "workloads",
        "must leave weights in host memory where there is host_memory_gib",
        "trtllm",
        "engine",
        row="local-8k",
    ),
    *below("workloads", "must be one of tensor, data", "both", "attention_parallelism"),
    *below("workloads", "must be > 0", "0", "context_parallel"),
    *(
        ("workloads", "speculative_tokens", must, {"acceptance": "0.8", "speculative_tokens": "2", **changes}, row)
        for must, changes, row in (
            ("must be > 0", {"speculative_tokens": "0"}, "chat-8k"),
            ("must be <= 100", {"speculative_tokens": "101"}, "chat-8k"),
            ("must be empty for an engine without it", {}, "train-full-2k"),
            ("must be empty for training", {"engine": "none"}, "train-full-2k"),
            ("must be empty when attention_parallelism is data", {"attention_parallelism": "data"}, "chat-8k"),
            ("must be empty with host memory for weights", {"host_memory_gib": "64"}, "chat-8k"),
        )
    ),
    *(
        ("workloads", "acceptance", must, {"acceptance": share, "speculative_tokens": tokens})
        for must, share, tokens in (
            ("must be from 0 to 1", "1.1", "2"),
            ("must not be empty with speculative_tokens", "", "2"),
            ("must be empty without speculative_tokens", "0.8", ""),
        )
    ),
    *below("workloads", "must be empty for an engine without it", "2", "context_parallel", row="min-8k"),
    *below(
        "workloads",
        "must be a space separated set out of eager, full_window, prefix_caching, no_flash_attention",
        "fast",
        "engine_options",
    ),
    *below("workloads", "must be empty for an engine without them", "eager", "engine_options", row="min-8k"),
    *below(
        *("workloads", "must not have no_flash_attention for an engine without it"),
        *("eager no_flash_attention", "engine_options"),
    ),
    *below("workloads", "must be > 0", "0", "host_memory_gib", "max_gpus", "max_nodes"),
    *below("workloads", "must be <= 1000", "1001", "max_nodes"),
    *below("workloads", "must be empty for an engine that stays in a node", "2", "max_nodes", row="local-8k"),
    *below("workloads", "must be > 0", "0", "host_gb_per_s", "host_link_gb_per_s", row="local-8k"),
    *below("workloads", "must be empty without host memory for weights", "90", "host_gb_per_s", "host_link_gb_per_s"),
    *below(
        "workloads",
        "must be empty for an engine that splits by layers",
        "data",
        "attention_parallelism",
        row="local-8k",
    ),
    *below("workloads", "must not be empty for lora, dora and qlora", "", "lora_rank", row="train-qlora-2k"),
    *below("workloads", "must be empty for full training", "16", "lora_rank", row="train-full-2k"),
    *below("prices", "must be one of on_demand, spot, reserved, purchase", "hour", "kind"),
    *below(
        *("prices",),
        "must be one of list, marketplace, contract, launch, street, used, estimate, system",
        "msrp",
        "basis",
    ),
    *below("prices", "must be > 0", "0", "gpu_count", "usd_per_gpu_hour"),
    *below("prices", "must be > 0", "0", "usd_purchase", "usd_purchase_high", row=BOUGHT),
    *below("prices", "must not be empty unless kind is purchase", "", "usd_per_gpu_hour", "provider"),
    *below("prices", "must be empty when kind is purchase", "2.5", "usd_per_gpu_hour", row=BOUGHT),
    *below("prices", "must not be empty when kind is purchase", "", "usd_purchase", row=BOUGHT),
    *below("prices", "must be empty unless kind is purchase", "30000", "usd_purchase"),
    (
        *("prices", "usd_purchase_high", "must be empty unless kind is purchase"),
        {"usd_purchase_high": "30000"},
    ),
    *below("prices", "must be > usd_purchase", "1", "usd_purchase_high", row=BOUGHT),
    *below("prices", "must be one of day, month, quarter, year", "week", "as_of_precision"),
    *below("prices", LEVELS, "HIGH", "confidence"),
    *below("price_names", NAME, "Vast AI", "provider"),
    *below("price_names", "must be > 0", "0", "device_memory_gib", "gpu_count"),
    *below("price_sources", NAME, "Vast AI", "provider"),
    *below("price_sources", "must be one of azure_retail, gpuhunt, skypilot", "html", "layout"),
    *below("price_sources", "must be an http or https address", "ftp://example.org/x", "address"),
    *below("price_sources", "must be one of list, marketplace", "launch", "basis"),
    *below("price_sources", LEVELS, "HIGH", "confidence"),
    *below("policy", f"must be one of {PARAMETERS}", "vat", "parameter"),
    *below("policy", "must be > 0", "0", "value"),
    *below("policy", "must be at most 1 for power_share", "1.4", "value"),
    *below("policy", f"must be that of its parameter ({UNITS}); convert the value", "EUR", "unit"),
    *below("policy", f"must list all of {PARAMETERS}", "power_share", "parameter"),
    *below("measurements", NAME, "H200 Qwen3", "measurement"),
    *below("measurements", f"must be one of {ENGINES}, gptfast", "none", "engine"),
    *below("measurements", f"must be one of {COMPONENTS}", "kv", "component"),
    *below("measurements", "must be one of full, full_bf16, lora, qlora", "dora", "method"),
    *below("measurements", "must be one of fitted, judged", "held_out", "split"),
    *below("measurements", "must be > 0", "0", "devices", "context_tokens", "concurrent_sequences", "lora_rank"),
    *below("measurements", "must be > 0 and <= 1", "92", "memory_utilization"),
    *below("measurements", "must not be empty for what is left of it", "", "memory_utilization", row=POOL),
    *below("measurements", "must be > 0", "0", "measured_bytes", "measured_seconds"),
    *below("measurements", "must not be empty for a component of a model", "", "model_id", "precision"),
    *below("measurements", "must not be empty for a component of a run", "", "context_tokens", "concurrent_sequences"),
    *below("measurements", "must not be empty for training", "", "method", "gradient_checkpointing", row=TRAINING),
    *below("measurements", "must not be empty for what takes time", "", "measured_seconds", row=COPY),
    *below("measurements", "must not be empty for what a device was needed to measure", "", "gpu"),
    *below("measurements", "must not be empty without measured_seconds", "", "measured_bytes"),
]

# table, column, what the rule says, one row changed into several that break it together, and the line to blame.
Together = tuple[str, str, str, list[dict[str, str]], int]
TOGETHER: list[Together] = [
    (
        *("engines", "version_range", "must not overlap another range of its engine and memory_tier"),
        [{"version_range": first, "is_default": "true"}, {"version_range": second, "is_default": "false"}],
        line,
    )
    for first, second, line in (
        *(("0.17-0.26", "0.26-", 3), ("0.17-0.26", "-0.17", 2), ("0.17-0.26", "0.20", 3), ("any", "0.5", 3)),
        *(("0.27-", "0.20-0.27", 2), ("0.17-0.26", "0.17-0.26.1", 3)),
    )
]


@pytest.mark.parametrize("case", TOGETHER, ids=lambda case: " ".join(row["version_range"] for row in case[3]))
def test_rows_that_break_a_rule_together(case: Together, what_if: Callable[..., Path]) -> None:
    table, column, must, changed, line = case
    folder = what_if(table, *((BY_KEY[table], changes) for changes in changed))
    with pytest.raises(catalogs.CatalogError) as caught:
        getattr(catalogs, table)(folder)
    got = changed[line - 2][column]
    assert str(caught.value) == f"{folder / table}.csv line {line}: {column} {must} (got {got})"


@pytest.mark.parametrize(
    ("bound", "shown"), [("", r"sglang, 0\.5 is on line 2 too"), ("20", r"sglang, 0\.5, 20\.0 is on line 2 too")]
)
def test_reserves_of_one_range_repeat_no_bound(bound: str, shown: str, what_if: Callable[..., Path]) -> None:
    changes = {"below_gib": bound}
    folder = what_if("reserves", ("sglang", changes), ("sglang", changes))
    with pytest.raises(catalogs.CatalogError, match=rf"line 3: .* must be unique \({shown}\)"):
        catalogs.reserves(folder)


def test_two_defaults_of_an_engine_on_a_tier(what_if: Callable[..., Path]) -> None:
    rows = [{"version_range": "0.17-0.26", "is_default": "true"}, {"version_range": "0.27-", "is_default": ""}]
    folder = what_if("engines", *(("vllm", changes) for changes in rows))
    with pytest.raises(catalogs.CatalogError, match=r"line 2: is_default must be true in exactly one row .*got true"):
        catalogs.engines(folder)


def test_ranges_side_by_side(what_if: Callable[..., Path]) -> None:
    """The only range of a tier is its default whether or not it says so."""
    ranges = [("-0.16", "false"), ("0.27-", "false"), ("0.17-0.26", "true")]
    rows = [{"version_range": range_, "is_default": default} for range_, default in ranges]
    elsewhere = {"version_range": "0.20-", "memory_tier": "from_160_gib", "is_default": ""}
    folder = what_if("engines", *(("vllm", changes) for changes in (*rows, elsewhere)))
    assert catalogs.engines(folder)["is_default"].to_list() == [False, False, True, True]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]}-{case[1]}-{case[2][:24]}")
def test_a_row_that_breaks_one_rule(case: Case, what_if: Callable[..., Path]) -> None:
    table, column, must, changes = case[:4]
    folder = what_if(table, (case[4] if len(case) > 4 else BY_KEY[table], changes))
    with pytest.raises(catalogs.CatalogError) as caught:
        getattr(catalogs, table)(folder)
    got = f" (got {changes[column]})" if changes[column] else ""
    assert str(caught.value) == f"{folder / table}.csv line 2: {column} {must}{got}"
    assert caught.value.line == 2


def test_no_rule_is_without_a_failing_row() -> None:
    broken = {(case[0], case[1], case[2]) for case in (*CASES, *TOGETHER)}
    declared = {(table.name, rule.column, rule.must) for table in TABLES for rule in table.rules}
    assert declared == broken


@pytest.mark.parametrize(
    ("table", "column"),
    [(t.name, c) for t in TABLES for c in t.columns if c not in t.optional],
)
def test_a_cell_that_must_be_filled(table: str, column: str, what_if: Callable[..., Path]) -> None:
    folder = what_if(table, (BY_KEY[table], {column: " "}))
    with pytest.raises(catalogs.CatalogError, match=rf"{table}.csv line 2: {column} must not be empty$"):
        getattr(catalogs, table)(folder)


@pytest.mark.parametrize(
    ("table", "column", "cell", "kind"),
    [
        ("gpus", "memory_mib_driver", "81559.5", "a whole number"),
        ("gpus", "memory_mib_driver", "99999999999999999999", "a whole number"),
        ("gpus", "memory_gib_nominal", "80 GB", "a finite number"),
        ("gpus", "memory_gib_nominal", "nan", "a finite number"),
        ("gpus", "memory_gib_nominal", "inf", "a finite number"),
        ("gpus", "bandwidth_gb_per_s", "3350\x1b[31m", "a finite number"),
        ("gpus", "is_unified_memory", "no", "true or false"),
        ("gpus", "launch_date", "01/10/2022", "a date like 2026-11-22"),
        ("gpus", "as_of", "2026-02-30", "a date like 2026-11-22"),
        ("workloads", "context_tokens", "8k", "a whole number"),
        ("prices", "usd_per_gpu_hour", "2,50", "a finite number"),
        *(("scores", "score", cell, "a finite number") for cell in ("nan", "inf", "-Infinity", "71,5", "good")),
        ("scores", "as_of", "today", "a date like 2026-11-22"),
    ],
)
def test_a_cell_of_another_type(table: str, column: str, cell: str, kind: str, what_if: Callable[..., Path]) -> None:
    folder = what_if(table, (BY_KEY[table], {column: cell}))
    with pytest.raises(catalogs.CatalogError) as caught:
        getattr(catalogs, table)(folder)
    shown = cell.replace("\x1b", "\\x1b")
    said, _, remedy = str(caught.value).partition("; ")
    assert said.endswith(f"{table}.csv line 2: {column} must be {kind} (got {shown})")
    assert ("US dollars" in remedy) is (table == "prices")


def test_every_column_of_a_key_exists() -> None:
    for table in TABLE_BY_NAME.values():
        assert set(table.key) | set(table.optional) <= set(table.columns)
