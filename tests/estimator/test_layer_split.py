"""Engines that give each device some of the layers."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl
from with_devices import with_devices

import estimator
from estimator import cache, sharding

PARAMETERS, ENDS = 8_030_261_248, 2 * 525_336_576


def test_shares_of_layers() -> None:
    """32 layers over 1, 2, 4, 16 devices, 30 over 4: eight of 30 on the fullest."""
    frame = pl.DataFrame({"layers": [32, 32, 32, 32, 30, 3, None, None], "degree": [1, 2, 4, 16, 4, 4, 2, 1]}).cast(
        {"degree": pl.UInt8}
    )
    found = frame.select(
        sharding.stage_share(layers=pl.col("layers"), degree=pl.col("degree")).alias("share"),
        sharding.may_stage(layers=pl.col("layers"), degree=pl.col("degree")).alias("may"),
    )
    assert found["share"].to_list() == [1, 0.5, 0.25, 0.0625, 8 / 30, 1 / 3, None, 1]
    assert found["may"].to_list() == [True, True, True, True, True, False, None, True]


def test_blocks_and_windows() -> None:
    tokens = pl.Series([1, 256, 257, None], dtype=pl.Int64)
    frame = pl.DataFrame({"tokens": tokens, "engine": ["llamacpp", "llamacpp", "llamacpp", "llamacpp"]})
    block = cache.block_tokens(engine=pl.col("engine"))
    assert frame.select(cache.whole_blocks(tokens=pl.col("tokens"), block=block)).to_series().to_list() == [
        256, 256, 512, None,
    ]  # fmt: skip
    assert pl.select(cache.block_tokens(engine=pl.lit("vllm"))).item() == 16
    assert pl.select(cache.block_tokens(engine=pl.lit("sglang"))).item() == 1
    windows = pl.DataFrame(
        {
            "window": [0, 128, 1024, 1024, 1025, 0, 1024],
            "engine": ["llamacpp", "llamacpp", "llamacpp", "vllm", "vllm", "vllm", "transformers"],
        }
    )
    block = cache.block_tokens(engine=pl.col("engine"))
    cells = windows.select(
        cache.window_cells(window=pl.col("window"), engine=pl.col("engine"), block=block)
    ).to_series()
    # 1,023 tokens before the one itself may begin in the middle of a page of 16
    assert cells.to_list() == [0, 768, 1536, 1040, 1040, 0, 1024]


def test_states_of_llamacpp_are_fp32() -> None:
    """Qwen3.5-9B: 24 layers of 3 x 8,192 and 32 x 128 x 128 elements, 50.25 MiB each; a dry run of four says 201."""
    state = cache.sequence_state_bytes(
        convolution=pl.lit(24 * 3 * 8_192), convolution_bytes=pl.lit(cache.STATE_BYTES_LLAMACPP),
        recurrent=pl.lit(24 * 32 * 128 * 128), recurrent_bytes=pl.lit(4.0), share=pl.lit(1.0),
    )  # fmt: skip
    assert pl.select(4 * state / 2**20).item() == 201


def test_layers_are_split_whatever_the_heads_are(
    shapes_of: Callable[..., pl.DataFrame],
    workloads_of: Callable[..., pl.DataFrame],
    precisions: pl.DataFrame,
    kv_precisions: pl.DataFrame,
    no_overrides: pl.DataFrame,
) -> None:
    """A model that no tensor parallelism divides: half of the layers and all of the ends, a cache per layer."""
    shapes = shapes_of(dict.fromkeys(["tp_ok_mask", "tp_ok_mask_32", "tp_ok_mask_64", "tp_ok_mask_128"], 1))
    workloads = workloads_of({"engine": "llamacpp", "concurrent_sequences": 1, "context_tokens": 8_000})
    plans = (
        estimator.weight_plans(shapes, no_overrides, precisions, estimator.residencies(workloads))
        .collect()
        .join(precisions.select("precision", "precision_ix"), on="precision_ix")
        .filter(precision="bf16")
    )
    assert plans["degree"].to_list() == [1, 2, 3, 4, 5, 6, 7, 8, 16]
    held = dict(zip(plans["degree"], plans["weights_bytes"], strict=True))
    assert held[1] == 2 * PARAMETERS
    assert held[2] == 2 * (ENDS + (PARAMETERS - ENDS) // 2)
    assert plans["step_dense_bytes"].unique().to_list() == [2 * 7_504_924_672]  # one device after another reads all
    assert held[3] == 2 * (ENDS + (PARAMETERS - ENDS) * 11 // 32)  # 11, 11 and 10 layers
    caches = with_devices(estimator.cache_plans(shapes, workloads, kv_precisions))
    kept = dict(zip(caches["degree"], caches["kv_cache_bytes"], strict=True))
    assert kept[1] == 8_192 * 65_536 * 2  # 32 blocks of 256
    assert kept[16] == kept[1] // 16
    work = with_devices(estimator.work_plans(shapes, workloads))
    assert work["parallelism"].to_list() == ["single", "pp2", "pp3", "pp4", "pp5", "pp6", "pp7", "pp8", "pp16"]
    assert work["step_flops"].n_unique() == 1
    assert work["reduced_bytes"].unique().to_list() == [0.0]


def test_states_are_fp32_whatever_the_model_writes(
    shapes_of: Callable[..., pl.DataFrame], workloads_of: Callable[..., pl.DataFrame], kv_precisions: pl.DataFrame
) -> None:
    """Four bytes for 1,000 + 10,000 elements, though the configuration keeps its recurrent states in 16 bits."""
    two = {"state_recurrent_bytes_per_element": 2.0, "state_recurrent_bytes_in_vllm": 2.0}
    shapes = shapes_of({"state_conv_elements": 1_000, "state_recurrent_elements": 10_000, **two})
    workloads = workloads_of({"engine": "llamacpp"}, {"engine": "vllm"})
    plans = estimator.cache_plans(shapes, workloads, kv_precisions).filter(split_ix=0).collect()
    assert plans["state_bytes"].to_list() == [44_000, 22_000]


def test_the_mask_has_a_column_for_every_token_of_the_blocks(
    shapes_of: Callable[..., pl.DataFrame], workloads_of: Callable[..., pl.DataFrame], engines: pl.DataFrame
) -> None:
    """Three sequences of 5,000 tokens keep 3 x 5,120; a small vocabulary, so that the mask is the larger."""
    profile = engines.with_columns(engine=pl.lit("llamacpp"), batched_tokens=pl.lit(512, dtype=pl.Int32))
    workloads = workloads_of({"engine": "llamacpp", "context_tokens": 5_000, "concurrent_sequences": 3})
    plans = estimator.overhead_plans(shapes_of({"vocab_size": 1_000}), workloads, profile).collect()
    layer = 512 * 4 * (3 * 14_336 + 4 * 4_096)
    assert plans["activation_bytes"].unique().to_list() == [2 * 512 * 15_360 + layer]
