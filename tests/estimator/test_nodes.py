"""Splits over several nodes: groups that stay inside one, in stages across them. DeepSeek-V3 on two nodes by hand."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl
import pytest
from literals import text, value, whole
from with_devices import with_devices

import catalogs
import estimator
from estimator.layouts import layouts
from estimator.schema import SHAPES
from estimator.splits import max_devices

Build = Callable[..., pl.DataFrame]
EVERY_WIDTH = 0b1000_0000_1000_1011  # 1, 2, 4, 8, 16

DEEPSEEK_V3: dict[str, Any] = dict.fromkeys([name for name in SHAPES if name.startswith(("p_", "kv_"))], 0) | {
    "parameters_resident": 671_026_404_352, "p_attn": 11_413_422_080, "p_tp_replicated": 923_467_776,
    "p_mlp": 1_189_085_184, "p_shared": 2_554_331_136, "p_expert": 653_908_770_816, "p_embed": 926_679_040,
    "p_lm_head": 926_679_040, "p_router": 106_430_464, "p_norm": 1_006_592, "fp8_block_scales": 40_838_232,
    "layers": 61, "expert_layers": 58, "kv_full_layers": 61, "heads": 128, "kv_heads": 1, "hidden_size": 7168,
    "vocab_size": 129_280, "ffn_size": 18_432, "expert_ffn_size": 2048, "experts": 256, "experts_per_token": 8,
    "kv_latent_elements_per_token": 35_136.0, "max_context_tokens": 163_840, "absorbed_elements": 1_023_410_176,
    "rope_cache_elements": 10_485_760, "confidence": "exact",
    **{name: EVERY_WIDTH for name in SHAPES if "_ok_mask" in name},
}  # fmt: skip


def numbered(frame: pl.DataFrame, key: str, dtype: type[pl.DataType]) -> pl.DataFrame:
    return frame.with_row_index(key).with_columns(pl.col(key).cast(dtype))


@pytest.fixture
def formats() -> pl.DataFrame:
    return numbered(catalogs.precisions(), "precision_ix", pl.UInt16)


@pytest.mark.parametrize(
    ("node", "nodes", "scheme", "most", "devices"),
    [
        (8, None, "tensor", None, 8),
        (8, 2, "nodes", None, 16),
        (8, 2, "nodes", 12, 12),
        (16, 2, "nodes", None, 32),  # more than any split has
        (4, 2, "nodes", None, 4),  # groups of eight have no place there
        (4, 2, "replicas", None, 8),
        (4, 2, "data", 6, 6),
        (8, 2, "alone", 1, 1),
        (None, 2, "nodes", None, None),
        (None, 2, "nodes", 4, None),
        (None, None, "tensor", 1, 1),
    ],
)
def test_devices_in_reach(node: int | None, nodes: int | None, scheme: str, most: int | None, devices: int) -> None:
    found = max_devices(node=whole(node), nodes=whole(nodes), scheme=text(scheme), most=whole(most))
    assert value(found) == devices


@pytest.mark.parametrize(
    ("changes", "sixteen"),
    [
        ({}, "tp8+pp2"),
        ({"tp_ok_mask": EVERY_WIDTH}, "tp8+pp2"),  # 16 would divide, and cross a node
        ({"tp_ok_mask": 0b11}, "tp2+pp8"),
        ({"tp_ok_mask": 0b1000_0000_0000_0001}, "pp16"),  # 16 alone divides
        ({"tp_ok_mask": EVERY_WIDTH, "kind": "encoder"}, None),  # which nobody cuts between layers
        ({"tp_ok_mask": EVERY_WIDTH, "layers": 1}, None),
        ({"tp_ok_mask": None}, "unknown"),
    ],
)
def test_groups_stay_in_a_node(shapes_of: Build, changes: dict[str, Any], sixteen: str | None) -> None:
    rows = layouts(shapes_of(changes)).filter(alignment=1).join(estimator.splits().lazy(), on="split_ix", how="left")
    there = rows.select("scheme", "degree", pl.col("parallelism").fill_null("unknown")).collect().rows()
    found = {(scheme, degree): name for scheme, degree, name in there}
    assert found.get(("nodes", 16)) == sixteen
    for degree in range(1, 9):  # inside a node they are what they are
        assert found.get(("nodes", degree)) == found.get(("tensor", degree))


def test_what_has_several_nodes(workloads_of: Build) -> None:
    training = {"mode": "training", "method": "full", "recipe": "mixed", "objective": "sft", "optimizer": "adamw",
                "gradient_checkpointing": True, "max_nodes": 2}  # fmt: skip
    workloads = workloads_of(
        {"engine": "vllm", "max_nodes": 2},
        {"engine": "vllm", "max_nodes": 1},
        {"engine": "vllm", "max_nodes": 2, "attention_parallelism": "data"},
        {**training, "sharding": "zero3"},
        {**training, "sharding": "none"},
    )
    schemes = estimator.residencies(workloads).collect().sort("workload_ix")["scheme"].to_list()
    assert schemes == ["nodes", "tensor", "data", "replicas", "alone"]


def test_deepseek_v3_in_fp8_by_hand(
    shapes_of: Build, workloads_of: Build, no_overrides: pl.DataFrame, formats: pl.DataFrame
) -> None:
    """Two groups of eight devices: 31 of 61 layers in front, all of them perhaps of the 58 with experts.

    Of a device's linears (15,156,838,400 - 923,467,776) / 8 + 923,467,776 = 2,702,639,104 bytes; routers and norms
    twice 107,437,056; of experts 653,908,770,816 / 8 = 81,738,596,352; of the embedding 2 * 926,679,040 / 8.
    """
    workloads = workloads_of({"max_nodes": 2, "context_tokens": 131_072})
    shapes = shapes_of(DEEPSEEK_V3)
    plans = estimator.weight_plans(shapes, no_overrides, formats, estimator.residencies(workloads)).collect()
    plans = with_devices(plans).filter(degree=16).join(formats.select("precision_ix", "precision"), on="precision_ix")
    held = {row["precision"]: row for row in plans.iter_rows(named=True)}
    layers = (2_702_639_104 + 214_874_112) * 31 / 61 + 81_738_596_352 * 31 / 58
    assert held["fp8_e4m3_tensor"]["parallelism"] == "tp8+pp2"
    assert held["fp8_e4m3_tensor"]["weights_bytes"] == 45_402_210_875
    assert 231_669_760 + layers == pytest.approx(45_402_210_874.75, abs=0.01)
    # four bytes for each block of 128 x 128, of which an eighth are on a device and half of these in its layers
    blocks = held["fp8_e4m3_block128"]
    assert blocks["parallelism"] == "tp8+pp2"
    assert blocks["weights_bytes"] - 45_402_210_875 == pytest.approx(4 * 40_838_232 / 16, rel=0.08)
    # latents are on every device of a group: of 31 layers (512 + 64) * 2 bytes a token
    cache = with_devices(estimator.cache_plans(shapes, workloads, catalogs.kv_precisions()))
    kept = dict(zip(cache["parallelism"], cache["kv_cache_bytes"], strict=True))
    assert kept["tp8+pp2"] == 131_072 * 31 * 576 * 2 == 4_680_843_264


def test_deepseek_v3_needs_two_nodes_of_h100(
    shapes_of: Build, workloads_of: Build, no_overrides: pl.DataFrame, formats: pl.DataFrame
) -> None:
    """In FP8 it is 79.6 GiB on each of eight; devices with four in a node have no second one for groups of eight."""
    workloads = workloads_of({"engine": "vllm"}, {"engine": "vllm", "max_nodes": 2})
    named = ["nvidia-h100-sxm-80gb", "nvidia-h100-pcie-80gb"]
    gpus = numbered(catalogs.gpus().filter(pl.col("gpu_id").is_in(named)).sort("gpu_id"), "gpu_ix", pl.UInt16)
    gpus = gpus.with_columns(max_gpus_per_node=pl.when(pl.col("gpu_id") == named[0]).then(8).otherwise(4))
    shapes, engines = shapes_of(DEEPSEEK_V3), catalogs.engines().filter("is_default")
    residencies, kv = estimator.residencies(workloads).collect(), catalogs.kv_precisions()
    fit = estimator.fit(
        shapes=shapes,
        precisions=formats,
        workloads=workloads,
        gpus=gpus,
        residencies=residencies,
        weight_plans=estimator.weight_plans(shapes, no_overrides, formats, residencies).collect(),
        cache_plans=estimator.cache_plans(shapes, workloads, kv).collect(),
        overhead_plans=estimator.overhead_plans(shapes, workloads, engines).collect(),
        supports=estimator.supports(formats, gpus, workloads, engines, kv).collect(),
        capacities=estimator.capacities(gpus, workloads, engines, catalogs.reserves()).collect(),
    )
    rows = (
        fit.join(estimator.outcomes().lazy(), on="outcome_ix")
        .join(formats.lazy().select("precision_ix", "precision"), on="precision_ix")
        .join(gpus.lazy().select("gpu_ix", "gpu_id"), on="gpu_ix")
        .filter(precision="fp8_e4m3_block128")
        .select("gpu_id", "workload_ix", "verdict", "gpus_needed")
        .collect()
        .rows()
    )
    found = {row[:2]: row[2:] for row in rows}
    assert found[named[0], 0] == ("too_big", None)
    assert found[named[0], 1] == ("sharded", 16)
    assert found[named[1], 0] == found[named[1], 1] == ("too_big", None)
