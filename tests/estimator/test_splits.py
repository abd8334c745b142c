"""Which split a model takes over several devices, and what the fullest of them has: worked cases and vLLM's logs."""

from __future__ import annotations

from collections.abc import Callable
from math import ceil
from typing import Any

import polars as pl
import pytest
from with_devices import with_devices

import estimator
from estimator.layouts import layouts
from estimator.schema import SHAPES

GIB = 1 << 30
Build = Callable[..., pl.DataFrame]
MASKS = [name for name in SHAPES if "_ok_mask" in name]

# 48 layers of 128 experts of 768; 32 heads, 4 of them key/value. 768 / 8 = 96 cuts blocks of 128, 768 / 2 does not
QWEN_3_30B: dict[str, Any] = {
    "parameters_resident": 30_532_122_624, "p_attn": 905_969_664, "p_mlp": 0, "p_expert": 28_991_029_248,
    "p_embed": 311_164_928, "p_lm_head": 311_164_928, "p_router": 12_582_912, "p_norm": 210_944,
    "p_kv_proj": 100_663_296, "layers": 48, "expert_layers": 48, "kv_full_layers": 48, "kv_heads": 4,
    "hidden_size": 2048, "vocab_size": 151_936, "ffn_size": 0, "expert_ffn_size": 768, "experts": 128,
    "experts_per_token": 8, "rope_cache_elements": 40_960 * 128,
    "tp_ok_mask": 0b1000_0000_1000_1011,  # 1, 2, 4, 8, 16
    "tp_ok_mask_128": 0b0011,  # 1 and 2
    "ep_ok_mask": 0b1000_0000_1000_1011,
    "ep_ok_mask_128": 0b1000_0000_1000_1011,
}  # fmt: skip
QWEN_3_8B: dict[str, Any] = {
    "parameters_resident": 8_190_735_360, "layers": 36, "hidden_size": 4096, "vocab_size": 151_936, "heads": 32,
    "kv_heads": 8, "ffn_size": 12_288, "p_attn": 36 * (2 * 4096 * 4096 + 2 * 4096 * 1024),
    "p_kv_proj": 36 * 2 * 4096 * 1024, "p_mlp": 36 * 3 * 4096 * 12_288, "p_embed": 151_936 * 4096,
    "p_lm_head": 151_936 * 4096, "p_norm": 73 * 4096 + 36 * 2 * 128, "kv_full_layers": 36,
    "rope_cache_elements": 40_960 * 128,
}  # fmt: skip


def taken(shapes: pl.DataFrame, degree: int, alignment: int = 1, scheme: str = "tensor") -> str | None:
    """`parallelism` of the only shape; "unknown" where no split is known to exist, None where there is none."""
    rows = layouts(shapes).filter(scheme=scheme, alignment=alignment, degree=degree).collect()
    if rows.is_empty():
        return None
    name: str | None = rows.join(estimator.splits(), on="split_ix", how="left")["parallelism"].item()
    return name or "unknown"


@pytest.mark.parametrize(
    ("degree", "parallelism"),
    [
        (1, "single"), (2, "tp2"), (3, "pp3"), (4, "tp4"), (5, "pp5"), (6, "tp2+pp3"), (7, "pp7"), (8, "tp8"),
        (16, "tp16"),
    ],
)  # fmt: skip
def test_llama_8b_divides_by_powers_of_two(shapes_of: Build, degree: int, parallelism: str) -> None:
    assert taken(shapes_of({}), degree) == parallelism


def test_blocks_of_a_format_stop_a_group(shapes_of: Build) -> None:
    """14,336 / 16 = 896 = 7 blocks of 128, but the masks of this row stop at 8: two groups of eight."""
    assert taken(shapes_of({}), 16, alignment=128) == "tp8+pp2"


@pytest.mark.parametrize(
    ("degree", "parallelism"),
    [(2, "tp2"), (3, "pp3"), (4, "tp4+ep"), (6, "tp2+pp3"), (8, "tp8+ep"), (16, "tp16+ep")],
)
def test_experts_stay_whole_where_their_widths_do_not_divide(shapes_of: Build, degree: int, parallelism: str) -> None:
    """In fp8 blocks of 128; a larger group with whole experts comes before a smaller one that divides them."""
    assert taken(shapes_of(QWEN_3_30B), degree, alignment=128) == parallelism
    assert taken(shapes_of(QWEN_3_30B), 8, alignment=1) == "tp8"


@pytest.mark.parametrize("degree", [2, 3, 8])
def test_unknown_widths_leave_the_split_unknown(shapes_of: Build, degree: int) -> None:
    shapes = shapes_of(dict.fromkeys(MASKS))
    assert taken(shapes, degree) == "unknown"
    assert taken(shapes, 1) == "single"
    assert taken(shapes, degree, scheme="layers") == f"pp{degree}"  # asks for no widths
    assert taken(shapes_of({}), degree, alignment=0) == "unknown"  # of a format that nobody knows


def test_unknown_masks_of_experts_matter_where_experts_would_be_whole(shapes_of: Build) -> None:
    shapes = shapes_of(QWEN_3_30B | {"ep_ok_mask_128": None})
    assert [taken(shapes, degree, alignment=128) for degree in (2, 8)] == ["tp2", "unknown"]


def test_no_more_groups_than_layers(shapes_of: Build) -> None:
    four = shapes_of({"layers": 4})
    assert [taken(four, degree) for degree in (3, 4, 5, 6)] == ["pp3", "tp4", None, "tp2+pp3"]
    assert [taken(four, degree, scheme="layers") for degree in (4, 5)] == ["pp4", None]
    assert taken(shapes_of({"layers": None}), 5) == "unknown"


def test_kinds(shapes_of: Build) -> None:
    """Only decoders are cut between layers; pipelines of diffusion not at all; an unknown kind leaves it open."""
    assert [taken(shapes_of({"kind": "encoder"}), degree) for degree in (2, 3, 6)] == ["tp2", None, None]
    assert taken(shapes_of({"kind": "diffusion"}), 2) is None
    assert [taken(shapes_of({"kind": None}), degree) for degree in (1, 2)] == ["single", "unknown"]


def test_attention_for_other_sequences_needs_experts(shapes_of: Build) -> None:
    assert taken(shapes_of(QWEN_3_30B), 5, scheme="data") == "dp5+ep"
    assert taken(shapes_of({}), 2, scheme="data") is None
    assert taken(shapes_of({"experts": None}), 2, scheme="data") == "unknown"


# --- weights


def held(
    shapes: pl.DataFrame, precisions: pl.DataFrame, overrides: pl.DataFrame, workloads: pl.DataFrame, parallelism: str
) -> int:
    """Bytes of bf16 weights on the fullest device."""
    plans = estimator.weight_plans(shapes, overrides, precisions, estimator.residencies(workloads)).collect()
    [bf16] = precisions.filter(precision="bf16")["precision_ix"]
    found: int = with_devices(plans.filter(precision_ix=bf16)).filter(parallelism=parallelism)["weights_bytes"].item()
    return found


@pytest.mark.parametrize(
    ("changes", "stages", "bytes_", "gib"),
    [
        # half of the layers, the norms and the embedding; a table of 131,072 x 128
        ({}, 2, 2 * (525_336_576 + 16 * 218_103_808 + 266_240 // 2 + 131_072 * 128), 7.51),
        ({}, 4, 2 * (525_336_576 + 8 * 218_103_808 + 266_240 // 4 + 131_072 * 128), 4.26),
        (QWEN_3_8B, 3, 2 * (622_329_856 + 40_960 * 128) + ceil(2 * (8_190_735_360 - 2 * 622_329_856) / 3), 5.48),
    ],
)
def test_pipelines_match_vllm_logs(
    shapes_of: Build, workloads_of: Build, precisions: pl.DataFrame, no_overrides: pl.DataFrame,
    changes: dict[str, Any], stages: int, bytes_: int, gib: float,
) -> None:  # fmt: skip
    """Masks that no group of several devices divides, so that two devices are two groups of layers."""
    shapes = shapes_of(changes | dict.fromkeys(MASKS, 1))
    found = held(shapes, precisions, no_overrides, workloads_of({"engine": "vllm"}), f"pp{stages}")
    assert found == bytes_
    assert found / GIB == pytest.approx(gib, abs=0.005)


# 7 layers in 3 groups are 2 + 3 + 2, in 2 groups 4 + 3; every layer has 1,000,000 parameters
SEVEN: dict[str, Any] = dict.fromkeys([name for name in SHAPES if name.startswith("p_")], 0) | {
    "layers": 7, "hidden_size": 64, "vocab_size": 50_000, "p_mlp": 7_000_000, "p_embed": 3_200_000,
    "p_lm_head": 3_200_000,
}  # fmt: skip
SMALL = {"p_embed": 640_000, "p_lm_head": 640_000, "vocab_size": 10_000}


def of_components(row: dict[str, Any]) -> dict[str, Any]:
    """With the sum of its components; no group of several devices divides it."""
    names = [name for name in SHAPES if name.startswith("p_") and name not in ("p_kv_proj", "p_tp_replicated")]
    total = sum(row[name] for name in names)
    return row | {"parameters_resident": total, "active_read_parameters": total} | dict.fromkeys(MASKS, 1)


@pytest.mark.parametrize(
    ("changes", "stages", "elements"),
    [
        ({}, 2, 3_200_000 + 4_000_000),  # in front, one layer more than at the back
        ({}, 3, 3_200_000 + 2_000_000),  # in front, or at the back
        (SMALL, 3, 3_000_000),  # between
        ({"layers": 6, "p_mlp": 6_000_000, **SMALL}, 3, 640_000 + 2_000_000),
        (SMALL | {"p_vision": 500_000}, 3, 640_000 + 500_000 + 2_000_000),  # a tower in front
        (SMALL | {"p_pos_embed": 500_000}, 3, 640_000 + 500_000 + 2_000_000),
        (SMALL | {"p_lm_head": 0, "p_head_other": 1_500_000}, 3, 1_500_000 + 2_000_000),  # a classifier at the back
        # 4 of the 7 layers have experts: all 3 between may be among them
        (SMALL | {"p_expert": 40_000_000, "experts": 8, "expert_layers": 4}, 3, 3_000_000 + 30_000_000),
        # 2 have: those between may have both
        (SMALL | {"p_expert": 40_000_000, "experts": 8, "expert_layers": 2}, 3, 3_000_000 + 40_000_000),
    ],
)
def test_the_fullest_group(
    shapes_of: Build, workloads_of: Build, precisions: pl.DataFrame, no_overrides: pl.DataFrame,
    changes: dict[str, Any], stages: int, elements: int,
) -> None:  # fmt: skip
    shapes = shapes_of(of_components(SEVEN | changes))
    assert held(shapes, precisions, no_overrides, workloads_of({"engine": "none"}), f"pp{stages}") == 2 * elements


def test_a_tied_head_does_not_decide(
    shapes_of: Build, workloads_of: Build, precisions: pl.DataFrame, no_overrides: pl.DataFrame
) -> None:
    """Both ends have the matrix: 3.2 M elements and 4 of 8 layers each, where one of 11.2 M / 2 would have 5.6 M."""
    tied = of_components(SEVEN | {"layers": 8, "p_mlp": 8_000_000, "p_lm_head": 0})
    shapes, workloads = shapes_of(tied), workloads_of({"engine": "none"})
    assert held(shapes, precisions, no_overrides, workloads, "pp2") == 2 * (3_200_000 + 4_000_000)


def test_whole_experts_on_the_fullest_device(
    shapes_of: Build, workloads_of: Build, precisions: pl.DataFrame, no_overrides: pl.DataFrame
) -> None:
    """128 experts over 8 devices are 16 each, as a part of each would be; over 5 they are 26; the rest is copied."""
    workloads = workloads_of({"engine": "none", "attention_parallelism": "data"})
    shapes, experts = shapes_of(QWEN_3_30B), QWEN_3_30B["p_expert"]
    rest = QWEN_3_30B["parameters_resident"] - experts
    for devices, whole in ((8, 16), (5, 26)):
        found = held(shapes, precisions, no_overrides, workloads, f"dp{devices}+ep")
        assert found == pytest.approx(2 * (rest + experts * whole / 128), abs=1)


# --- caches


def test_groups_keep_the_caches_of_their_layers(
    shapes_of: Build, workloads_of: Build, kv_precisions: pl.DataFrame
) -> None:
    """30 layers, of which every sixth is full: 5 full and 25 with a window of 1,024, 16 elements a layer and token.

    Over 3 devices 2 full layers and 9 windowed ones, over 4 devices 2 and 7, over 5 devices 1 and 5.
    """
    gemma = {
        "layers": 30, "kv_full_layers": 5, "kv_window_layers": 25, "kv_full_elements_per_token": 5 * 16,
        "kv_window_elements_per_token": 25 * 16, "window_tokens": 1024, "kv_heads": 1,
    }  # fmt: skip
    shapes = shapes_of(gemma | dict.fromkeys(MASKS, 1))
    plans = with_devices(estimator.cache_plans(shapes, workloads_of({"context_tokens": 8192}), kv_precisions))
    found = dict(zip(plans["parallelism"], plans["kv_cache_bytes"], strict=True))
    assert found["single"] == 2 * 16 * (5 * 8192 + 25 * 1024)
    assert found["pp3"] == 2 * 16 * (2 * 8192 + 9 * 1024)
    assert found["pp4"] == 2 * 16 * (2 * 8192 + 7 * 1024)
    assert found["pp5"] == 2 * 16 * (1 * 8192 + 5 * 1024)


def test_groups_keep_the_states_of_their_layers(
    shapes_of: Build, workloads_of: Build, kv_precisions: pl.DataFrame
) -> None:
    """32 layers, of which 24 have 1,000 elements of state: 8 of them on the fullest of 3, half of 12 in tp2+pp2."""
    hybrid = {"state_layers": 24, "kv_full_layers": 8, "state_recurrent_elements": 24_000}
    shapes = shapes_of(hybrid | {"tp_ok_mask": 0b11})
    plans = with_devices(estimator.cache_plans(shapes, workloads_of({}), kv_precisions))
    states = dict(zip(plans["parallelism"], plans["state_bytes"], strict=True))
    assert states["pp3"] == 4 * 8_000
    assert states["tp2+pp2"] == 4 * 12_000 // 2
    assert states["tp2+pp8"] == 4 * 3_000 // 2


def test_sequences_of_a_device(shapes_of: Build, workloads_of: Build, kv_precisions: pl.DataFrame) -> None:
    """16 sequences over 5 devices with attention of their own: 4 on the fullest, all heads of each."""
    workloads = workloads_of({"attention_parallelism": "data", "concurrent_sequences": 16})
    plans = with_devices(estimator.cache_plans(shapes_of(QWEN_3_30B), workloads, kv_precisions))
    kept = dict(zip(plans["degree"], plans["kv_cache_bytes"], strict=True))
    assert kept[5] == 4 * 8192 * 65_536 * 2
    assert kept[1] == 16 * 8192 * 65_536 * 2
    work = with_devices(estimator.work_plans(shapes_of(QWEN_3_30B), workloads)).filter(degree=5)
    unknown = ["step_flops", "prompt_linear_flops", "prompt_attention_flops", "reduced_bytes"]
    assert work.select(unknown).row(0) == (None,) * 4  # for what is exchanged is not known
