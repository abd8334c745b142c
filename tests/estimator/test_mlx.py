"""MLX: caches in steps of 256, a chunk of prefill, scores where no kernel is as wide as the heads. Nothing measured."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl
import pytest
from literals import text, value, whole

import catalogs
import estimator
from estimator import activations, cache, support

GIB = 1 << 30
Build = Callable[..., pl.DataFrame]
ENGINE = {"engine": "mlx"}
# 8 full layers of 4 heads of 256, and 24 recurrent ones
QWEN_35_9B = {
    "kv_full_elements_per_token": 16_384, "kv_full_layers": 8, "state_layers": 24, "kv_heads": 4, "heads": 16,
    "hidden_size": 4096, "ffn_size": 12_288,
}  # fmt: skip
GEMMA_3_27B = {
    "kv_full_elements_per_token": 40_960, "kv_window_elements_per_token": 212_992, "kv_full_layers": 10,
    "kv_window_layers": 52, "window_tokens": 1024, "kv_heads": 16, "max_context_tokens": 131_072,
}  # fmt: skip


@pytest.fixture
def kept(shapes_of: Build, workloads_of: Build) -> Callable[..., dict[str, Any]]:
    def row(shape: dict[str, Any], workload: dict[str, Any]) -> dict[str, Any]:
        plans = estimator.cache_plans(shapes_of(shape), workloads_of(ENGINE | workload), catalogs.kv_precisions())
        return plans.collect().row(0, named=True)

    return row


@pytest.fixture
def taken(shapes_of: Build, workloads_of: Build) -> Callable[..., dict[str, Any]]:
    """A row of the overhead plans of a device below 70 GiB."""

    def row(shape: dict[str, Any], workload: dict[str, Any]) -> dict[str, Any]:
        engines = catalogs.engines().filter("is_default")
        plans = estimator.overhead_plans(shapes_of(shape), workloads_of(ENGINE | workload), engines).collect()
        return plans.filter(memory_tier_ix=1).row(0, named=True)

    return row


def test_a_cache_grows_by_256_tokens(kept: Callable[..., Any]) -> None:
    """8,193 tokens of Llama-3.1-8B are 33 steps; the next one reads 8,193."""
    plan = kept({}, {"context_tokens": 8193})
    assert plan["kv_cache_bytes"] == 33 * 256 * 131_072 == 1_107_296_256
    assert plan["step_cache_bytes"] == 8193 * 131_072
    quantised = kept({}, {"context_tokens": 8192, "kv_precision": "mlx_8bit_g64"})
    assert quantised["kv_cache_bytes"] == 8192 * 65_536 * 1.0625


def test_a_window_holds_a_chunk_besides(kept: Callable[..., Any]) -> None:
    """1,024 - 1 + 2,048 tokens of Gemma 3 27B's 52 layers until a chunk of its prompt is done, all of a shorter one."""
    plan = kept(GEMMA_3_27B, {"context_tokens": 8192})
    assert plan["kv_cache_bytes"] == 2 * (40_960 * 8192 + 212_992 * 3071) == 1_979_285_504
    assert plan["step_cache_bytes"] == 2 * (40_960 * 8192 + 212_992 * 1024)
    assert kept(GEMMA_3_27B, {"context_tokens": 2048})["kv_cache_bytes"] == 2 * 253_952 * 2048
    assert value(cache.window_cells(window=whole(0), engine=text("mlx"), block=whole(256))) == 0


def test_a_chunk_of_a_prompt(taken: Callable[..., Any]) -> None:
    """Llama-3.1-8B: 2,048 * 2 * (3 * 14,336 + 4 * 4,096), heads of 128; of two sequences twice that."""
    assert taken({}, {})["activation_bytes"] == 243_269_632
    assert taken({}, {"context_tokens": 131_072})["activation_bytes"] == 243_269_632
    two = taken({}, {"concurrent_sequences": 2})
    assert two["activation_bytes"] == 486_539_264
    assert two["overhead_bytes"] == 0
    assert two["margin_bytes"] == GIB + 486_539_264  # as much again, and a GiB


def test_scores_where_heads_are_wider_than_the_kernels(taken: Callable[..., Any]) -> None:
    """Qwen3.5-9B, heads of 256: 2,048 * 16 * 2 * 2 bytes for each of 32,768 tokens, beyond the chunk's 218 MB."""
    assert taken(QWEN_35_9B, {"context_tokens": 32_768})["activation_bytes"] == 32_768 * 131_072
    assert taken(QWEN_35_9B, {"context_tokens": 1024})["activation_bytes"] == 2048 * 2 * (3 * 12_288 + 4 * 4096)
    latents = {"kv_full_elements_per_token": 0, "kv_latent_elements_per_token": 15_552.0, "kv_heads": 1, "heads": 16}
    assert taken(latents, {"context_tokens": 32_768})["activation_bytes"] == 32_768 * 131_072
    none = {"kv_full_elements_per_token": 0, "kv_full_layers": 0, "state_layers": 32}
    assert taken(none, {"context_tokens": 32_768})["activation_bytes"] == 243_269_632


@pytest.mark.parametrize(
    ("elements", "latents", "kv_heads", "bytes_"),
    [
        (64 * 2 * 8 * 4, 0.0, 4, 0),
        (80 * 2 * 8 * 4, 0.0, 4, 0),
        (96 * 2 * 8 * 4, 0.0, 4, 2048 * 16 * 4),
        (0, 576.0, None, 2048 * 16 * 4),
        (0, 0.0, None, 0),
        (64 * 2 * 8 * 4, 0.0, None, None),
        (None, 0.0, 4, None),
    ],
)
def test_widths_of_heads(elements: int | None, latents: float, kv_heads: int | None, bytes_: int | None) -> None:
    found = activations.score_bytes(
        tokens=whole(2048), heads=whole(16), elements=whole(elements), latents=pl.lit(latents), layers=whole(8),
        kv_heads=whole(kv_heads),
    )  # fmt: skip
    assert value(found) == bytes_


def test_one_apple_device_and_decoders_alone(shapes_of: Build, workloads_of: Build) -> None:
    workloads = workloads_of(ENGINE)
    assert estimator.residencies(workloads).collect()["scheme"].to_list() == ["alone"]
    serves = [value(support.serves_kind(engine=text("mlx"), kind=text(kind))) for kind in ("decoder", "encoder", None)]
    assert serves == [True, False, None]
    named = ["nvidia-h100-sxm-80gb", "apple-m4-16gb"]
    gpus = catalogs.gpus().filter(pl.col("gpu_id").is_in(named)).sort("gpu_id").with_row_index("gpu_ix")
    gpus = gpus.with_columns(pl.col("gpu_ix").cast(pl.UInt16))
    formats = catalogs.precisions().with_row_index("precision_ix").with_columns(pl.col("precision_ix").cast(pl.UInt16))
    engines = catalogs.engines().filter("is_default")
    runs = estimator.supports(formats, gpus, workloads, engines, catalogs.kv_precisions()).collect()
    runs = runs.filter("is_supported").join(formats.select("precision_ix", "precision"), on="precision_ix")
    assert set(runs["gpu_ix"]) == {0}
    assert {"bf16", "mlx_4bit_g64", "gguf_q8_0"} <= set(runs["precision"])
    assert not set(runs["precision"]) & {"int4_awq_g128", "gguf_q4_k_m", "fp8_e4m3_block128"}
    # 0.74 of 16 GiB, which is what the system lets a process wire
    room = estimator.capacities(gpus, workloads, engines, catalogs.reserves()).collect().filter(gpu_ix=0)
    assert room.select("usable_bytes", "assured_bytes").row(0) == (12_713_103_196, 12_713_103_196)
