"""Forty published model x precision x workload totals, to the byte: weights, cache and state on one device.

Parameter counts were made by constructing the models without weights (transformers 5.23), or are the totals of
published safetensors headers (DeepSeek-V3, gpt-oss, Gemma-3-27B, BERT); stored bytes are those headers' sums, the
bytes of GGUF mixtures follow llama.cpp's quantisation rule. SDXL and FLUX.1 are the sums of their components.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

import estimator
from estimator.schema import WEIGHT_OVERRIDES

# parameters; attention, dense, expert, shared and recurrent linears; elements a token in full, sliding (with window),
# latent and cross attention; elements of convolution and recurrent state
MODELS: dict[str, tuple[int, ...]] = {
    "llama-3.1-8b": (8_030_261_248, 1_342_177_280, 5_637_144_576, 0, 0, 0, 65_536, 0, 0, 0, 0, 0, 0),
    "llama-3.1-70b": (70_553_706_496, 12_079_595_520, 56_371_445_760, 0, 0, 0, 163_840, 0, 0, 0, 0, 0, 0),
    "llama-3.1-405b": (405_853_388_800, 71_873_593_344, 329_772_957_696, 0, 0, 0, 258_048, 0, 0, 0, 0, 0, 0),
    "qwen3-30b-a3b": (30_532_122_624, 905_969_664, 0, 28_991_029_248, 0, 0, 49_152, 0, 0, 0, 0, 0, 0),
    "qwen3-0.6b": (596_049_920, 176_160_768, 264_241_152, 0, 0, 0, 57_344, 0, 0, 0, 0, 0, 0),
    "qwen3-next-80b-a3b": (
        79_674_391_296,
        327_155_712,
        0,
        77_309_411_328,
        150_994_944,
        1_212_678_144,
        12_288,
        0,
        0,
        0,
        0,
        884_736,
        18_874_368,
    ),
    "qwen2.5-7b": (7_615_616_512, 822_083_584, 5_703_204_864, 0, 0, 0, 28_672, 0, 0, 0, 0, 0, 0),
    "deepseek-v3": (
        671_026_404_352,
        11_413_422_080,
        1_189_085_184,
        653_908_770_816,
        2_554_331_136,
        0,
        0,
        0,
        0,
        35_136,
        0,
        0,
        0,
    ),
    "deepseek-v2-lite": (
        15_706_484_224,
        371_589_120,
        67_239_936,
        14_394_851_328,
        449_839_104,
        0,
        0,
        0,
        0,
        15_552,
        0,
        0,
        0,
    ),
    "gpt-oss-20b": (20_914_757_184, 637_009_920, 0, 19_110_297_600, 0, 0, 12_288, 12_288, 128, 0, 0, 0, 0),
    "gpt-oss-120b": (116_829_156_672, 955_514_880, 0, 114_661_785_600, 0, 0, 18_432, 18_432, 128, 0, 0, 0, 0),
    "gemma-3-27b": (27_432_406_640, 4_095_737_856, 21_502_623_744, 0, 0, 0, 40_960, 212_992, 1_024, 0, 0, 0, 0),
    "mixtral-8x7b": (46_702_792_704, 1_342_177_280, 0, 45_097_156_608, 0, 0, 65_536, 0, 0, 0, 0, 0, 0),
    "mistral-7b-v0.1": (7_241_732_096, 1_342_177_280, 5_637_144_576, 0, 0, 0, 0, 65_536, 4_096, 0, 0, 0, 0),
    "phi-4": (14_659_507_200, 2_621_440_000, 11_010_048_000, 0, 0, 0, 102_400, 0, 0, 0, 0, 0, 0),
    "falcon-h1-34b": (
        33_642_221_312,
        2_264_924_160,
        23_781_703_680,
        0,
        0,
        4_919_132_160,
        73_728,
        0,
        0,
        0,
        0,
        1_105_920,
        75_497_472,
    ),
    "nemotron-h-8b": (
        8_100_852_736,
        167_772_160,
        4_227_858_432,
        0,
        0,
        2_629_828_608,
        8_192,
        0,
        0,
        0,
        0,
        737_280,
        25_165_824,
    ),
    "jamba-v0.1": (
        51_570_323_328,
        167_772_160,
        2_818_572_288,
        45_097_156_608,
        0,
        2_943_352_832,
        8_192,
        0,
        0,
        0,
        0,
        688_128,
        3_670_016,
    ),
    "granite-4.0-h-small": (
        32_207_337_984,
        167_772_160,
        0,
        27_179_089_920,
        754_974_720,
        3_680_501_760,
        8_192,
        0,
        0,
        0,
        0,
        912_384,
        37_748_736,
    ),
    "minimax-text-01": (
        456_089_655_296,
        1_132_462_080,
        0,
        434_865_438_720,
        0,
        17_616_076_800,
        20_480,
        0,
        0,
        0,
        0,
        0,
        73_400_320,
    ),
    "llama-4-scout": (
        107_769_861_120,
        3_019_898_880,
        0,
        96_636_764_160,
        6_039_797_760,
        0,
        24_576,
        73_728,
        8_192,
        0,
        0,
        0,
        0,
    ),
    "mamba-2.8b": (2_768_345_600, 0, 0, 0, 0, 2_631_925_760, 0, 0, 0, 0, 0, 983_040, 5_242_880),
    "whisper-large-v3": (1_543_490_560, 629_145_600, 838_860_800, 0, 0, 0, 81_920, 0, 0, 0, 81_920, 0, 0),
    "t5-base": (222_903_552, 84_934_656, 113_246_208, 0, 0, 0, 18_432, 0, 0, 0, 18_432, 0, 0),
    "flan-t5-xxl": (11_135_332_352, 4_831_838_208, 6_039_797_760, 0, 0, 0, 196_608, 0, 0, 0, 196_608, 0, 0),
    "bert-base-uncased": (110_106_428, 28_311_552, 56_623_104, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
}

KINDS = {
    "whisper-large-v3": {"kind": "encoder_decoder", "cross_tokens": 1500},
    "t5-base": {"kind": "encoder_decoder", "cross_tokens": -1},
    "flan-t5-xxl": {"kind": "encoder_decoder", "cross_tokens": -1},
    "bert-base-uncased": {"kind": "encoder"},
}

# known as a whole only: U-Net or transformer, text encoders and autoencoder
PIPELINES = {
    "sdxl-base": 2_567_463_684 + 123_060_480 + 694_659_840 + 83_653_863,
    "flux.1-dev": 11_901_408_320 + 4_762_310_656 + 123_060_480 + 83_819_683,
}

STORED = {
    "deepseek-v3": 3_918_786_560 * 2 + 680_571_043_840 + 41_555_600 * 4,
    "gpt-oss-20b": 1_804_459_584 * 2 + 9_555_148_800 + 597_196_800,
    "gpt-oss-120b": 2_167_371_072 * 2 + 57_330_892_800 + 3_583_180_800,
}

GGUF_Q4_K_M = {"llama-3.1-8b": 4_912_898_048, "llama-3.1-70b": 42_512_531_456}

# model, precision, context, sequences, cache dtype -> weights, cache, state
EXAMPLES = [
    ("llama-3.1-8b", "bf16", 8_192, 1, "bf16", 16_060_522_496, 1_073_741_824, 0),
    ("llama-3.1-8b", "bf16", 131_072, 1, "bf16", 16_060_522_496, 17_179_869_184, 0),
    ("llama-3.1-8b", "int4_awq_g128", 32_768, 4, "bf16", 5_727_854_592, 17_179_869_184, 0),
    ("llama-3.1-8b", "nf4_dq", 4_096, 1, "bf16", 5_702_295_552, 536_870_912, 0),
    ("llama-3.1-8b", "fp8_e4m3", 131_072, 8, "fp8_e4m3", 9_081_200_640, 68_719_476_736, 0),
    ("llama-3.1-8b", "gguf_q4_k_m", 8_192, 1, "bf16", 4_912_898_048, 1_073_741_824, 0),
    ("llama-3.1-70b", "bf16", 8_192, 1, "bf16", 141_107_412_992, 2_684_354_560, 0),
    ("llama-3.1-70b", "int4_ct_sym_g128", 8_192, 16, "bf16", 39_500_398_592, 42_949_672_960, 0),
    ("llama-3.1-70b", "gguf_q4_k_m", 32_768, 1, "bf16", 42_512_531_456, 10_737_418_240, 0),
    ("llama-3.1-405b", "bf16", 131_072, 1, "bf16", 811_706_777_600, 67_645_734_912, 0),
    ("llama-3.1-405b", "fp8_e4m3", 131_072, 1, "fp8_e4m3", 410_060_226_560, 33_822_867_456, 0),
    ("qwen3-30b-a3b", "bf16", 32_768, 1, "bf16", 61_064_245_248, 3_221_225_472, 0),
    ("qwen3-30b-a3b", "fp8_e4m3_block128", 40_960, 8, "bf16", 31_174_545_408, 32_212_254_720, 0),
    ("qwen3-0.6b", "bf16", 40_960, 1, "bf16", 1_192_099_840, 4_697_620_480, 0),
    ("qwen3-next-80b-a3b", "bf16", 262_144, 1, "bf16", 159_348_782_592, 6_442_450_944, 77_266_944),
    ("qwen2.5-7b", "bf16", 32_768, 1, "bf16", 15_231_233_024, 1_879_048_192, 0),
    ("deepseek-v3", "stored", 131_072, 1, "bf16", 688_574_839_360, 9_210_691_584, 0),
    ("deepseek-v3", "bf16", 8_192, 32, "bf16", 1_342_052_808_704, 18_421_383_168, 0),
    ("deepseek-v2-lite", "bf16", 32_768, 1, "bf16", 31_412_968_448, 1_019_215_872, 0),
    ("gpt-oss-20b", "stored", 131_072, 1, "bf16", 13_761_264_768, 3_224_371_200, 0),
    ("gpt-oss-120b", "stored", 131_072, 1, "bf16", 65_248_815_744, 4_836_556_800, 0),
    ("gemma-3-27b", "bf16", 8_192, 1, "bf16", 54_864_813_280, 1_107_296_256, 0),
    ("gemma-3-27b", "bf16", 131_072, 1, "bf16", 54_864_813_280, 11_173_625_856, 0),
    ("mixtral-8x7b", "bf16", 32_768, 1, "bf16", 93_405_585_408, 4_294_967_296, 0),
    ("mixtral-8x7b", "int4_awq_g128", 32_768, 1, "bf16", 24_653_602_816, 4_294_967_296, 0),
    ("mistral-7b-v0.1", "bf16", 32_768, 1, "bf16", 14_483_464_192, 536_870_912, 0),
    ("phi-4", "bf16", 16_384, 1, "bf16", 29_319_014_400, 3_355_443_200, 0),
    ("falcon-h1-34b", "bf16", 262_144, 1, "bf16", 67_284_442_624, 38_654_705_664, 304_201_728),
    ("nemotron-h-8b", "bf16", 8_192, 8, "bf16", 16_201_705_472, 1_073_741_824, 817_102_848),
    ("jamba-v0.1", "bf16", 262_144, 1, "bf16", 103_140_646_656, 4_294_967_296, 16_056_320),
    ("granite-4.0-h-small", "bf16", 131_072, 1, "bf16", 64_414_675_968, 2_147_483_648, 152_819_712),
    ("minimax-text-01", "bf16", 1_000_000, 1, "bf16", 912_179_310_592, 40_960_000_000, 293_601_280),
    ("llama-4-scout", "bf16", 1_048_576, 1, "bf16", 215_539_722_240, 52_747_567_104, 0),
    ("mamba-2.8b", "fp16", 1_000_000, 1, "bf16", 5_536_691_200, 0, 22_937_600),
    ("whisper-large-v3", "fp16", 448, 1, "bf16", 3_086_981_120, 319_160_320, 0),
    ("t5-base", "fp32", 512, 1, "fp32", 891_614_208, 75_497_472, 0),
    ("flan-t5-xxl", "bf16", 512, 1, "bf16", 22_270_664_704, 402_653_184, 0),
    ("bert-base-uncased", "fp32", 512, 32, "bf16", 440_425_712, 0, 0),
    ("sdxl-base", "fp16", 8_192, 1, "bf16", 6_937_675_734, 0, 0),
    ("flux.1-dev", "bf16", 8_192, 1, "bf16", 33_741_198_278, 0, 0),
]


def shape(model: str) -> dict[str, Any]:
    if model in PIPELINES:
        components = [name for name in estimator.schema.SHAPES if name.startswith(("p_", "kv_", "state_"))]
        return {"kind": "diffusion", "parameters_resident": PIPELINES[model], **dict.fromkeys(components)}
    total, attn, mlp, expert, shared, ssm, full, sliding, window, latent, cross, conv, recurrent = MODELS[model]
    return {
        "parameters_resident": total,
        "p_attn": attn,
        "p_mlp": mlp,
        "p_expert": expert,
        "p_shared": shared,
        "p_ssm": ssm,
        "fp8_block_scales": (attn + mlp + expert + shared + ssm) // (128 * 128),
        "kv_full_elements_per_token": full,
        "kv_window_elements_per_token": sliding,
        "window_tokens": window,
        "kv_latent_elements_per_token": float(latent),
        "kv_cross_elements_per_token": cross,
        "state_conv_elements": conv,
        "state_recurrent_elements": recurrent,
        **KINDS.get(model, {}),
    }


@pytest.mark.parametrize("row", range(1, 41))
def test_totals_to_the_byte(
    row: int,
    shapes_of: Callable[..., pl.DataFrame],
    workloads_of: Callable[..., pl.DataFrame],
    precisions: pl.DataFrame,
    kv_precisions: pl.DataFrame,
) -> None:
    model, precision, context, sequences, kv_precision, *expected = EXAMPLES[row - 1]
    shapes = shapes_of(
        {"shape_id": model, "stored_bytes": STORED.get(model), "max_context_tokens": None, **shape(model)}
    )
    workloads = workloads_of(
        {"context_tokens": context, "concurrent_sequences": sequences, "kv_precision": kv_precision}
    )
    overrides = pl.DataFrame(
        [(name, "gguf_q4_k_m", size, "computed") for name, size in GGUF_Q4_K_M.items()],
        schema=WEIGHT_OVERRIDES,
        orient="row",
    )
    residencies = estimator.residencies(workloads)
    chosen = precisions.filter(pl.col("precision") == precision)
    weights = estimator.weight_plans(shapes, overrides, chosen, residencies).filter(degree=1).collect()
    cache = estimator.cache_plans(shapes, workloads, kv_precisions).filter(split_ix=0).collect()
    assert [weights["weights_bytes"].item(), cache["kv_cache_bytes"].item(), cache["state_bytes"].item()] == expected
