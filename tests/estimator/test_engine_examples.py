"""Worked examples of single devices in an engine: what start-up logs print, to their last digit where we say so.

Dimensions from the models' configurations, engine constants from our catalog, figures from vLLM's logs ("model loading
took", "available KV cache memory", "GPU KV cache size", "maximum concurrency") on an H100 of 79.19 GiB.
"""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from typing import Any

import polars as pl
import pytest
from literals import real, text, value, whole
from with_devices import with_devices

import catalogs
import estimator
from estimator import capacity, weights

GIB = 1 << 30
Build = Callable[..., pl.DataFrame]

LLAMA_405B = {"kv_full_elements_per_token": 258_048, "kv_heads": 8, "heads": 128, "layers": 126}
DEEPSEEK_V3 = {"kv_full_elements_per_token": 0, "kv_latent_elements_per_token": 35_136.0, "kv_heads": 1, "heads": 128}
QWEN_3_30B = {
    "p_mlp": 0, "p_expert": 28_991_029_248, "ffn_size": 0, "expert_ffn_size": 768, "experts": 128,
    "experts_per_token": 8, "hidden_size": 2048, "vocab_size": 151_936,
}  # fmt: skip
# 8 full layers of 4 heads of 256; 24 recurrent ones of 3 x 8,192 elements and 32 states of 128 x 128, kept in fp32
QWEN_35_9B = {
    "kv_full_elements_per_token": 16_384, "state_conv_elements": 24 * 3 * 8_192,
    "state_recurrent_elements": 24 * 32 * 128 * 128, "max_context_tokens": 262_144,
    "kv_full_layers": 8, "state_layers": 24, "kv_heads": 4,
}  # fmt: skip
GEMMA_3_27B = {
    "kv_full_elements_per_token": 10 * 2 * 16 * 128, "kv_window_elements_per_token": 52 * 2 * 16 * 128,
    "kv_full_layers": 10, "kv_window_layers": 52, "window_tokens": 1024, "kv_heads": 16,
}  # fmt: skip
# bf16: embeddings, attention, head; MXFP4: 24 layers of 32 experts, gate, up and down of 2880 x 2880
GPT_OSS_20B = {
    "parameters_resident": 20_914_757_184, "p_attn": 637_009_920, "p_mlp": 0, "p_expert": 19_110_297_600,
    "p_embed": 579_133_440, "p_lm_head": 579_133_440, "p_bias": 6_967_296, "p_norm": 141_120, "p_router": 2_211_840,
    "stored_bytes": 13_761_264_768, "stored_precision": "mxfp4", "hidden_size": 2880, "expert_ffn_size": 2880,
    "experts": 32, "experts_per_token": 4, "vocab_size": 201_088, "rope_cache_elements": 131_072 * 64,
}  # fmt: skip


def numbered(frame: pl.DataFrame, key: str, dtype: type[pl.DataType]) -> pl.DataFrame:
    return frame.with_row_index(key).with_columns(pl.col(key).cast(dtype))


@pytest.fixture
def held(no_overrides: pl.DataFrame, workloads_of: Build, shapes_of: Build) -> Callable[..., dict[str, Any]]:
    """A row of the weight plans on our own precisions."""
    precisions = numbered(catalogs.precisions(), "precision_ix", pl.UInt16)

    def row(
        shape: dict[str, Any], workload: dict[str, Any], precision: str, degree: int = 1, **kernels: int
    ) -> dict[str, Any]:
        residencies = estimator.residencies(workloads_of(workload))
        plans = estimator.weight_plans(shapes_of(shape), no_overrides, precisions, residencies, **kernels).collect()
        plans = plans.join(precisions.select("precision", "precision_ix"), on="precision_ix")
        return plans.filter(precision=precision, degree=degree).row(0, named=True)

    return row


@pytest.fixture
def taken(workloads_of: Build, shapes_of: Build) -> Callable[..., dict[str, Any]]:
    """A row of the overhead plans of an H100 and one device."""

    def row(shape: dict[str, Any], workload: dict[str, Any]) -> dict[str, Any]:
        plans = estimator.overhead_plans(
            shapes_of(shape), workloads_of(workload), catalogs.engines().filter("is_default")
        ).collect()
        return plans.filter(memory_tier_ix=2, split_ix=0).row(0, named=True)

    return row


def test_deepseek_v3_shares_a_context(shapes_of: Build, workloads_of: Build) -> None:
    """On four devices of which two share it: half of 70,272 bytes a token; one device alone shares with nobody."""
    workloads = workloads_of({"engine": "vllm", "context_parallel": 2})
    shapes = shapes_of(DEEPSEEK_V3)
    assert [token_bytes(shapes, workloads, degree) for degree in (1, 2, 4)] == [70_272, 35_136, 35_136]
    # Llama-3.1-405B has 8 heads: nothing is kept twice on 8 devices, all of it on 16
    workloads = workloads_of({"engine": "vllm", "context_parallel": 4})
    assert [token_bytes(shapes_of(LLAMA_405B), workloads, degree) for degree in (8, 16)] == [64_512, 32_256]


def token_bytes(shapes: pl.DataFrame, workloads: pl.DataFrame, degree: int) -> float:
    plans = estimator.cache_plans(shapes, workloads, catalogs.kv_precisions()).collect()
    return float(with_devices(plans).filter(tensor=degree, stages=1)["kv_bytes_per_token"].item())


def test_llama_405b_on_16_devices_copies_its_8_heads(shapes_of: Build, workloads_of: Build) -> None:
    """A head each: 126 layers x 2 x 128 elements x 2 bytes. Dividing by 16 would say 32,256."""
    shapes, workloads = shapes_of(LLAMA_405B), workloads_of({})
    assert token_bytes(shapes, workloads, 16) == 126 * 2 * 128 * 2 == 64_512
    assert token_bytes(shapes, workloads, 8) == 64_512
    assert token_bytes(shapes, workloads, 4) == 129_024


def test_deepseek_v3_keeps_all_latents_on_all_8_devices(shapes_of: Build, workloads_of: Build) -> None:
    """61 layers x (512 + 64) elements x 2 bytes."""
    assert token_bytes(shapes_of(DEEPSEEK_V3), workloads_of({}), 8) == 61 * 576 * 2 == 70_272


def test_llama_8b_fills_an_h100(held: Callable[..., Any], taken: Callable[..., Any]) -> None:
    """At 0.95 of the memory: activations 1.897 GiB, a pool of 58.09 GiB and 475,910 tokens (logs: 58.11, 476,016)."""
    workload = {"engine": "vllm"}
    peak = taken({}, workload)["activation_bytes"]
    assert peak == 1024 * 128_256 * 15 + 8192 * 4096 * 2 == 2_037_121_024
    given = value(
        capacity.usable_bytes(
            engine=text("vllm"), visible=whole(int(79.19 * GIB)), reserve=whole(0), utilization=real(0.95),
            context=whole(GIB // 2), reserved_ratio=real(1), left=whole(None), warmup=whole(1024 * 128_256 * 4),
        )
    )  # fmt: skip
    [non_torch] = catalogs.engines().filter("is_default", engine="vllm", memory_tier="70_to_160_gib")[
        "non_torch_bytes_1"
    ]
    pool = given - held({}, workload, "bf16")["weights_bytes"] - peak - non_torch
    assert pool / GIB == pytest.approx(58.09, abs=0.005)
    assert pool // 131_072 == pytest.approx(475_910, abs=20)
    assert pool // 131_072 == pytest.approx(476_016, rel=0.001)


def test_qwen_3_30b_has_workspaces_beside_its_sampler(taken: Callable[..., Any]) -> None:
    """2.205 GiB and 0.5 GiB (logged together 2.68); one layer holds 8 x 8,192 rows of 2,048, twice."""
    sampler = 1024 * 151_936 * 15 + 8192 * 2048 * 2
    workspaces = 8192 * 8 * 2 * (2048 + 2048)
    assert taken(QWEN_3_30B, {"engine": "vllm"})["activation_bytes"] == sampler + workspaces
    assert sampler / GIB == pytest.approx(2.205, abs=0.0005)
    assert workspaces == GIB // 2


def test_gpt_oss_20b_is_padded_for_its_kernels(held: Callable[..., Any]) -> None:
    """12.816 GiB stored, 13.69 resident (logged 13.72 on an A100): its experts grow by 2944 x 3072 over 2880 x 2880."""
    experts = 19_110_297_600 * 4.25 / 8
    padded = experts * (2944 * 3072 / 2880**2 - 1)
    resident = held(GPT_OSS_20B, {"engine": "vllm"}, "stored")["weights_bytes"]
    assert resident == ceil(13_761_264_768 + padded + 131_072 * 64 * 2)
    assert resident / GIB == pytest.approx(13.69, abs=0.005)
    # Triton's kernels on Hopper pad the hidden state alone: 13.46, logged 13.47
    kernels = {"mxfp4_ffn_columns": weights.MXFP4_FFN_OF_TRITON}
    on_hopper = held(GPT_OSS_20B, {"engine": "vllm"}, "stored", **kernels)["weights_bytes"]
    assert on_hopper == ceil(13_761_264_768 + experts * (3072 / 2880 - 1) + 131_072 * 64 * 2)
    assert on_hopper / GIB == pytest.approx(13.46, abs=0.005)
    assert held(GPT_OSS_20B, {"engine": "none"}, "stored")["weights_bytes"] / GIB == pytest.approx(12.816, abs=0.001)


def test_qwen_35_9b_serves_two_and_a_half_long_requests(shapes_of: Build, workloads_of: Build) -> None:
    """A pool of 20.27 GiB at 262,144 tokens: 2.52, as logged. Pages of 528 tokens, as logged, and so 497 of them."""
    workloads = workloads_of({"engine": "vllm", "context_tokens": 262_144})
    plans = estimator.cache_plans(shapes_of(QWEN_35_9B), workloads, catalogs.kv_precisions()).filter(split_ix=0)
    row = plans.collect().row(0, named=True)
    assert row["block_tokens"] == 528
    assert row["bytes_per_sequence"] == 497 * 528 * 32_768 + 24 * 528 * 4096
    assert row["state_bytes"] == 24 * 528 * 4096 == 51_904_512
    # what a step reads, and writes again: 51,511,296 bytes of states, 0.76 % fewer than their pages
    assert row["step_cache_bytes"] == 262_144 * 32_768 + 2 * 24 * (3 * 8_192 * 2 + 32 * 128 * 128 * 4)
    assert 20.27 * GIB / row["bytes_per_sequence"] == pytest.approx(2.52, abs=0.005)


def test_prefix_caching_keeps_a_second_state_in_vllm(shapes_of: Build, workloads_of: Build) -> None:
    """Qwen3.5-9B: 2 x 51,904,512 bytes a sequence, of which a step uses one; a cache alone is as it was."""
    both = (None, "eager prefix_caching")
    workloads = workloads_of(
        *({"engine": "vllm", "concurrent_sequences": 3, "engine_options": options} for options in both),
        {"engine": "sglang", "concurrent_sequences": 3, "engine_options": "prefix_caching"},
    )
    plans = estimator.cache_plans(shapes_of(QWEN_35_9B, GEMMA_3_27B), workloads, catalogs.kv_precisions())
    hybrid, windows = plans.filter(split_ix=0).drop("split_ix").collect().partition_by("shape_ix", include_key=False)
    plain, cached, other = hybrid.to_dicts()
    assert cached["state_bytes"] == 3 * 2 * 51_904_512
    assert cached["bytes_per_sequence"] == plain["bytes_per_sequence"] + 51_904_512
    for name in ("kv_cache_bytes", "step_cache_bytes", "kv_bytes_per_token", "block_tokens"):
        assert cached[name] == plain[name]
    assert other["state_bytes"] == 3 * 24 * (3 * 8_192 * 2 + 32 * 128 * 128 * 4)
    plain, cached, _ = windows.drop("workload_ix").rows()
    assert plain == cached


def test_qwen_35_9b_in_llamacpp_is_its_dry_run(shapes_of: Build, workloads_of: Build) -> None:
    """131,072 cells for four sequences of 32,768 B each and states in fp32: 4,096 and 201 MiB."""
    workloads = workloads_of(
        {"engine": "llamacpp", "context_tokens": 32_768, "concurrent_sequences": 4, "kv_precision": "fp16"}
    )
    plans = estimator.cache_plans(shapes_of(QWEN_35_9B), workloads, catalogs.kv_precisions()).filter(split_ix=0)
    row = plans.collect().row(0, named=True)
    assert (row["kv_cache_bytes"], row["state_bytes"]) == (4096 << 20, 201 << 20)


def test_a_step_of_gemma_3_27b_reads_tokens_and_not_what_fills_pages(shapes_of: Build, workloads_of: Build) -> None:
    """16 chats of 8k: 10 x 8,192 and 52 x 1,024 tokens of 8,192 bytes in a layer."""
    workloads = workloads_of({"engine": "vllm", "context_tokens": 8192, "concurrent_sequences": 16})
    plans = estimator.cache_plans(shapes_of(GEMMA_3_27B), workloads, catalogs.kv_precisions()).filter(split_ix=0)
    row = plans.collect().row(0, named=True)
    assert row["step_cache_bytes"] == 16 * 8192 * (10 * 8192 + 52 * 1024) == 17_716_740_096
    assert row["kv_cache_bytes"] == 16 * 8192 * (10 * 8192 + 60 * 1040)


@pytest.mark.parametrize("engine", ["vllm", "llamacpp"])
def test_windows_may_be_kept_whole(engine: str, shapes_of: Build, workloads_of: Build) -> None:
    """Gemma 3 27B at 131,072 tokens: 62 layers x 8,192 B x 131,072 = 62 GiB, where windows leave 10 layers."""
    workloads = workloads_of({"engine": engine, "context_tokens": 131_072, "engine_options": "full_window"})
    plans = estimator.cache_plans(shapes_of(GEMMA_3_27B), workloads, catalogs.kv_precisions()).filter(split_ix=0)
    row = plans.collect().row(0, named=True)
    assert row["kv_cache_bytes"] == 62 * GIB
    assert (row["window_tokens"], row["kv_window_bytes_per_token"]) == (0, 0)
    # vLLM's kernels read the window all the same, llama.cpp's mask it
    read = 10 * 131_072 + 52 * 1024 if engine == "vllm" else 62 * 131_072
    assert row["step_cache_bytes"] == 8192 * read


@pytest.mark.parametrize(
    ("shape", "tokens", "mib"),
    [
        ({}, 8_192, 560),  # the dry run of llama.cpp's allocator for Llama-3.1-8B: 32 + 16 of a mask + 512
        ({}, 131_072, 8_480),  # 8,492 there
        ({}, 256, 258.5),  # logits, as with flash attention
        ({"vocab_size": 32_000}, 256, 32 + 84 + 84 / 32),  # the feed-forward and a mask
        ({"heads": 0}, 131_072, 258.5),  # nothing attends: 128 of a mask, 32 and 84
    ],
)
def test_scores_of_a_batch_without_flash_attention(
    shape: dict[str, Any], tokens: int, mib: float, taken: Callable[..., dict[str, Any]]
) -> None:
    workload = {"engine": "llamacpp", "context_tokens": tokens, "engine_options": "no_flash_attention"}
    assert taken(shape, workload)["activation_bytes"] == mib * 2**20


def test_a_32b_grows_in_llamacpp_as_was_published(shapes_of: Build, workloads_of: Build) -> None:
    """Qwen2.5-32B, which Ollama ran without flash attention: 1,352 MiB more at 8,192 tokens than at 4,096.

    1,024 of cache, and 512 x 4,096 x (40 heads + a mask) x 4 bytes.
    """
    shapes = shapes_of({"heads": 40, "kv_full_elements_per_token": 2 * 64 * 8 * 128})
    option = {"engine": "llamacpp", "kv_precision": "fp16", "engine_options": "no_flash_attention"}
    workloads = workloads_of(*({**option, "context_tokens": tokens} for tokens in (4_096, 8_192, 16_384)))
    caches = estimator.cache_plans(shapes, workloads, catalogs.kv_precisions()).filter(split_ix=0).collect()
    engines = catalogs.engines().filter("is_default")
    others = estimator.overhead_plans(shapes, workloads, engines).filter(memory_tier_ix=2, split_ix=0).collect()
    needs = (caches["kv_cache_bytes"] + others["activation_bytes"]).to_list()
    assert [(needs[1] - needs[0]) >> 20, (needs[2] - needs[1]) >> 20] == [1_352, 2_704]


def test_eager_steps_have_no_graphs(taken: Callable[..., dict[str, Any]]) -> None:
    plain, eager = (taken({}, {"engine": "vllm", "engine_options": option}) for option in (None, "eager"))
    assert plain["overhead_bytes"] - eager["overhead_bytes"] == GIB
    assert plain["margin_bytes"] == eager["margin_bytes"]


def test_encoders_draw_no_tokens(taken: Callable[..., dict[str, Any]]) -> None:
    """XLM-RoBERTa-large (bge-m3): 8,192 tokens of 2 x 4,096 and 4 x 1,024, and no logits of 250,002 words."""
    sizes = {"kind": "encoder", "hidden_size": 1024, "ffn_size": 4096, "vocab_size": 250_002}
    assert taken(sizes, {"engine": "vllm"})["activation_bytes"] == 8192 * 2 * (2 * 4096 + 4 * 1024) == 201_326_592


def test_pictures_widen_what_vllm_may_take(taken: Callable[..., dict[str, Any]]) -> None:
    """0.9 GiB at the upper end of serving, as far as Qwen3.5's logs lie above the same models without a tower."""
    margins = [
        taken({"p_vision": count}, {"engine": engine})["margin_bytes"]
        for engine in ("vllm", "none")
        for count in (0, 1)
    ]
    assert margins[1] - margins[0] == 966_367_642
    assert margins[2:] == [0, 0]


FULL = {"mode": "training", "engine": "none", "method": "full", "objective": "sft", "optimizer": "adamw",
        "sharding": "none", "context_tokens": 2048, "gradient_checkpointing": False}  # fmt: skip


@pytest.mark.parametrize(("recipe", "precision"), [("mixed", "bf16"), ("autocast", "fp32"), ("fp32", "fp32")])
def test_adamw_takes_16_bytes_a_parameter(recipe: str, precision: str, held: Callable[..., Any]) -> None:
    row = held({}, {**FULL, "recipe": recipe}, precision)
    states = row["weights_bytes"] + row["gradient_bytes"] + row["optimizer_bytes"]
    assert states == 16 * 8_030_261_248 == 128_484_179_968


LORA = {**FULL, "method": "lora", "recipe": "mixed"}


def step_bytes(held: dict[str, Any], taken: dict[str, Any]) -> int:
    peak = max(taken["activation_bytes"], held["gradient_bytes"] + taken["backward_bytes"])
    return int(held["weights_bytes"] + held["optimizer_bytes"] + peak)


def test_lora_of_llama_8b(held: Callable[..., Any], taken: Callable[..., Any]) -> None:
    """Rank 16 on all linears, one sequence of 2,048 tokens.

    With adapters in 16 bit, which PEFT does not make, 31,718,383,616 bytes have been computed: 8 bytes a parameter of
    the adapters and 184,680 a token and layer. PEFT's own take 16, of which gradients come after the loss, and every
    adapted layer holds a copy of its input: 18·4,096 + 2·4,096 + 4·5,120 + 8·14,336 + 4·32 + 8 + 14·16.
    """
    workload = {**LORA, "lora_rank": 16}
    layer = 18 * 4096 + 2 * 4096 + 4 * 5120 + 8 * 14_336 + 4 * 32 + 8 + 14 * 16
    assert layer == 217_448
    loss, adapters = 2048 * (8 * 4096 + 12 * 128_256), 16 * 2_621_440
    row = held({}, workload, "bf16")
    total = step_bytes(row, taken({}, workload))
    assert total == 16_060_522_496 + 12 * adapters + 32 * 2048 * layer + loss
    published = 16_060_522_496 + 8 * adapters + 32 * 2048 * 184_680 + loss
    assert published == 31_718_383_616
    assert total - published == 4 * adapters + 32 * 2048 * (layer - 184_680)


# 28 layers of 24 heads and 8 of keys and values, of 128; feed-forward 8,192; the head is the embedding
LLAMA_32_3B = {
    "parameters_resident": 3_212_749_824, "p_attn": 704_643_072, "p_mlp": 2_113_929_216, "p_embed": 394_002_432,
    "p_lm_head": 0, "p_norm": 175_104, "layers": 28, "hidden_size": 3072, "heads": 24, "kv_heads": 8, "ffn_size": 8192,
}  # fmt: skip


def test_lora_of_llama_3b_is_no_less_than_measured(held: Callable[..., Any], taken: Callable[..., Any]) -> None:
    """Rank 32, four sequences of 768 tokens: PEFT's published run reserved 22.29 GB with adapters on q and v alone.

    21.20 GB have been computed for these two; with every linear adapted as many parameters need more.
    """
    workload = {**LORA, "lora_rank": 32, "context_tokens": 768, "concurrent_sequences": 4}
    layer = 18 * 3072 + 2 * 3072 + 4 * 4096 + 8 * 8192 + 4 * 24 + 8 + 14 * 32
    kept = {"train_adapter_bytes": 28 * (layer - 14 * 32), "train_rank_bytes": 28 * 14}
    # parameters of the two projections
    shape = {**LLAMA_32_3B, **kept, "lora_io": 28 * (3072 + 3072 + 3072 + 1024)}
    total = step_bytes(held(shape, workload, "bf16"), taken(shape, workload))
    loss = 3072 * (8 * 3072 + 12 * 128_256)
    assert total == 2 * 3_212_749_824 + 12 * 9_175_040 + 28 * 3072 * layer + loss
    assert 22.29e9 < total < 1.1 * 22.29e9
    # the two alone: 8 inputs, 4 outputs each in fewer modules; a rank keeps 4 bytes a layer
    layer = 12 * 3072 + 4 * 4096 + 6 * 8192 + 4 * 24 + 8 + 4 * 32
    own = {"train_adapter_qv_bytes": 28 * (layer - 4 * 32), "lora_qv_io": 28 * (3072 + 3072 + 3072 + 1024)}
    on_two = {**workload, "lora_targets": "attention_qv"}
    total = step_bytes(held({**shape, **own, "lora_io": 1}, on_two, "bf16"), taken({**shape, **own}, on_two))
    assert total == 2 * 3_212_749_824 + 12 * 9_175_040 + 28 * 3072 * layer + loss
    assert 0.9 * 22.29e9 < total < 22.29e9
