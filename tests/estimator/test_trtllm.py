"""TensorRT-LLM: its cache has nine tenths of what weights and a profiled prefill leave. By hand, nothing measured."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl
import pytest
from literals import real, text, value, whole
from with_devices import with_devices

import catalogs
import estimator
from estimator import cache, capacity, support

GIB = 1 << 30
Build = Callable[..., pl.DataFrame]
ENGINE = {"engine": "trtllm"}


@pytest.fixture
def kept(shapes_of: Build, workloads_of: Build) -> Callable[..., dict[str, Any]]:
    """The cache plan of one device."""

    def row(shape: dict[str, Any], workload: dict[str, Any]) -> dict[str, Any]:
        plans = estimator.cache_plans(shapes_of(shape), workloads_of(ENGINE | workload), catalogs.kv_precisions())
        return plans.collect().filter(split_ix=0).row(0, named=True)

    return row


def test_a_cache_needs_a_ninth_more(kept: Callable[..., Any]) -> None:
    """Llama-3.1-8B: 131,072 bytes a token in blocks of 32, over 0.9; a step reads what is there."""
    plan = kept({}, {"context_tokens": 8192})
    assert plan["kv_cache_bytes"] == 1_193_046_472  # 1,073,741,824 / 0.9 = 1,193,046,471.1
    assert plan["step_cache_bytes"] == 1_073_741_824
    assert plan["bytes_per_sequence"] == pytest.approx(1_073_741_824 / 0.9, rel=1e-14)
    longer = kept({}, {"context_tokens": 8193})
    assert longer["block_tokens"] == 32
    assert longer["kv_cache_bytes"] == 1_197_706_809  # 8,224 * 131,072 / 0.9 = 1,197,706,808.9
    assert longer["step_cache_bytes"] == 8193 * 131_072


def test_what_a_cache_needs_is_what_its_pool_gives() -> None:
    """Of 1,000 bytes with 460 of weights and activations the pool is 486: 486 have room, 487 have none."""
    for kept_bytes, has_room in ((486, True), (487, False)):
        room = value(cache.room_bytes(kept=whole(kept_bytes), engine=text("trtllm")))
        assert (460 + room <= 1000) == has_room == (kept_bytes <= 0.9 * (1000 - 460))
    assert value(cache.room_bytes(kept=whole(486), engine=text("vllm"))) == 486
    assert value(cache.room_bytes(kept=whole(None), engine=text("trtllm"))) is None


def test_windows_are_kept_whole(kept: Callable[..., Any]) -> None:
    """Gemma 3 27B keeps all 62 layers for 131,072 tokens, and reads 52 of them for 1,024."""
    gemma = {
        "kv_full_elements_per_token": 40_960, "kv_window_elements_per_token": 212_992, "kv_full_layers": 10,
        "kv_window_layers": 52, "window_tokens": 1024, "kv_heads": 16,
    }  # fmt: skip
    plan = kept(gemma, {"context_tokens": 131_072})
    assert plan["kv_cache_bytes"] == 73_968_881_209  # 2 * 253,952 * 131,072 / 0.9 = 73,968,881,208.9
    assert (plan["window_tokens"], plan["kv_window_bytes_per_token"]) == (0, 0)
    assert plan["step_cache_bytes"] == 2 * (40_960 * 131_072 + 212_992 * 1024)


def test_a_prefill_is_profiled_and_no_sampler(shapes_of: Build, workloads_of: Build) -> None:
    """8,192 tokens on every device: 8,192 * 2 * (3 * 14,336 + 4.2 * 4,096); half of the feed-forward on each of two."""
    engines = catalogs.engines().filter("is_default")
    plans = with_devices(estimator.overhead_plans(shapes_of({}), workloads_of(ENGINE), engines))
    found = {(row["memory_tier_ix"], row["parallelism"]): row for row in plans.iter_rows(named=True)}
    for tier in range(4):
        assert found[tier, "single"]["activation_bytes"] == 986_500_301
        assert found[tier, "tp2"]["activation_bytes"] == 634_178_765
        assert found[tier, "single"]["overhead_bytes"] == 268_435_456 + 644_245_094
        assert found[tier, "single"]["margin_bytes"] == 2 * GIB + 591_900_181  # two GiB and 0.6 of the activations
        assert found[tier, "single"]["in_flight_tokens"] == 0


def test_all_of_a_device_but_its_context() -> None:
    usable = capacity.usable_bytes(
        engine=text("trtllm"), visible=whole(1000), reserve=whole(10), utilization=real(1), context=whole(50),
        reserved_ratio=real(1), left=whole(None), warmup=whole(None),
    )  # fmt: skip
    assert value(usable) == 940


def test_where_it_runs(workloads_of: Build) -> None:
    """NVIDIA from compute capability 8.0 on, in its own formats; no pipelines and no adapters."""
    named = ["nvidia-h100-sxm-80gb", "nvidia-t4-16gb", "amd-mi300x-192gb", "apple-m4-16gb"]
    gpus = catalogs.gpus().filter(pl.col("gpu_id").is_in(named)).with_row_index("gpu_ix")
    formats = catalogs.precisions().with_row_index("precision_ix")
    frames = (
        formats.with_columns(pl.col("precision_ix").cast(pl.UInt16)),
        gpus.with_columns(pl.col("gpu_ix").cast(pl.UInt16)),
        workloads_of(ENGINE),
        catalogs.engines().filter("is_default"),
        catalogs.kv_precisions(),
    )
    runs = estimator.supports(*frames).collect().filter("is_supported")
    runs = runs.join(frames[1].select("gpu_ix", "gpu_id"), on="gpu_ix")
    runs = runs.join(frames[0].select("precision_ix", "precision"), on="precision_ix")
    assert set(runs["gpu_id"]) == {"nvidia-h100-sxm-80gb"}
    assert {"bf16", "fp8_e4m3_block128", "int4_awq_g128"} <= set(runs["precision"])
    assert not set(runs["precision"]) & {"gguf_q4_k_m", "mlx_4bit_g64"}
    assert [value(support.serves_kind(engine=text("trtllm"), kind=text(kind))) for kind in ("decoder", "adapter")] == [
        True,
        False,
    ]
