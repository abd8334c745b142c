"""Worked examples from the embedded configuration to the SQL of a night, to the byte.

Weights, cache and state on one device, engine `none`; states count two bytes a convolution element and four a
recurrent one.
Counts were checked against built transformers and diffusers classes, bytes against published checkpoints.
"""

from __future__ import annotations

import pytest
from snapshot_answers import Answer, requirements, workload

# model, precision, context, sequences, cache type, weights, cache, state
EXAMPLES = [
    ("meta-llama/Llama-3.1-8B", "bf16", 8_192, 1, "bf16", 16_060_522_496, 1_073_741_824, 0),
    ("meta-llama/Llama-3.1-8B", "bf16", 131_072, 1, "bf16", 16_060_522_496, 17_179_869_184, 0),
    ("meta-llama/Llama-3.1-8B", "int4_awq_g128", 32_768, 4, "bf16", 5_727_854_592, 17_179_869_184, 0),
    ("meta-llama/Llama-3.1-8B", "nf4_dq", 4_096, 1, "bf16", 5_702_295_552, 536_870_912, 0),
    ("meta-llama/Llama-3.1-8B", "fp8_e4m3_tensor", 131_072, 8, "fp8_e4m3", 9_081_200_640, 68_719_476_736, 0),
    ("meta-llama/Llama-3.1-8B", "gguf_q4_k_m", 8_192, 1, "bf16", 4_912_898_048, 1_073_741_824, 0),
    ("meta-llama/Llama-3.1-70B", "bf16", 8_192, 1, "bf16", 141_107_412_992, 2_684_354_560, 0),
    ("meta-llama/Llama-3.1-70B", "int4_ct_sym_g128", 8_192, 16, "bf16", 39_500_398_592, 42_949_672_960, 0),
    ("meta-llama/Llama-3.1-70B", "gguf_q4_k_m", 32_768, 1, "bf16", 42_512_531_456, 10_737_418_240, 0),
    ("meta-llama/Llama-3.1-405B", "bf16", 131_072, 1, "bf16", 811_706_777_600, 67_645_734_912, 0),
    ("meta-llama/Llama-3.1-405B", "fp8_e4m3_tensor", 131_072, 1, "fp8_e4m3", 410_060_226_560, 33_822_867_456, 0),
    ("Qwen/Qwen3-30B-A3B", "bf16", 32_768, 1, "bf16", 61_064_245_248, 3_221_225_472, 0),
    ("Qwen/Qwen3-30B-A3B", "fp8_e4m3_block128", 40_960, 8, "bf16", 31_174_545_408, 32_212_254_720, 0),
    ("Qwen/Qwen3-0.6B", "bf16", 40_960, 1, "bf16", 1_192_099_840, 4_697_620_480, 0),
    ("Qwen/Qwen3-Next-80B-A3B-Instruct", "bf16", 262_144, 1, "bf16", 159_348_782_592, 6_442_450_944, 77_266_944),
    ("Qwen/Qwen2.5-7B", "bf16", 32_768, 1, "bf16", 15_231_233_024, 1_879_048_192, 0),
    ("deepseek-ai/DeepSeek-V3", "stored", 131_072, 1, "bf16", 688_574_839_360, 9_210_691_584, 0),
    ("deepseek-ai/DeepSeek-V3", "bf16", 8_192, 32, "bf16", 1_342_052_808_704, 18_421_383_168, 0),
    ("deepseek-ai/DeepSeek-V2-Lite-Chat", "bf16", 32_768, 1, "bf16", 31_412_968_448, 1_019_215_872, 0),
    ("openai/gpt-oss-20b", "stored", 131_072, 1, "bf16", 13_761_264_768, 3_224_371_200, 0),
    ("openai/gpt-oss-120b", "stored", 131_072, 1, "bf16", 65_248_815_744, 4_836_556_800, 0),
    ("google/gemma-3-27b-it", "bf16", 8_192, 1, "bf16", 54_864_813_280, 1_107_296_256, 0),
    ("google/gemma-3-27b-it", "bf16", 131_072, 1, "bf16", 54_864_813_280, 11_173_625_856, 0),
    ("mistralai/Mixtral-8x7B-v0.1", "bf16", 32_768, 1, "bf16", 93_405_585_408, 4_294_967_296, 0),
    ("mistralai/Mixtral-8x7B-v0.1", "int4_awq_g128", 32_768, 1, "bf16", 24_653_602_816, 4_294_967_296, 0),
    ("mistralai/Mistral-7B-v0.1", "bf16", 32_768, 1, "bf16", 14_483_464_192, 536_870_912, 0),
    ("microsoft/phi-4", "bf16", 16_384, 1, "bf16", 29_319_014_400, 3_355_443_200, 0),
    ("tiiuae/Falcon-H1-34B-Instruct", "bf16", 262_144, 1, "bf16", 67_284_442_624, 38_654_705_664, 304_201_728),
    ("nvidia/Nemotron-H-8B-Base-8K", "bf16", 8_192, 8, "bf16", 16_201_705_472, 1_073_741_824, 817_102_848),
    ("ai21labs/Jamba-v0.1", "bf16", 262_144, 1, "bf16", 103_140_646_656, 4_294_967_296, 16_056_320),
    ("ibm-granite/granite-4.0-h-small", "bf16", 131_072, 1, "bf16", 64_414_675_968, 2_147_483_648, 152_819_712),
    ("MiniMaxAI/MiniMax-Text-01", "bf16", 1_000_000, 1, "bf16", 912_179_310_592, 40_960_000_000, 293_601_280),
    ("state-spaces/mamba-2.8b-hf", "fp16", 1_000_000, 1, "bf16", 5_536_691_200, 0, 22_937_600),
    ("openai/whisper-large-v3", "fp16", 448, 1, "bf16", 3_086_981_120, 319_160_320, 0),
    ("google-t5/t5-base", "fp32", 512, 1, "fp32", 891_614_208, 75_497_472, 0),
    ("google/flan-t5-xxl", "bf16", 512, 1, "bf16", 22_270_664_704, 402_653_184, 0),
    ("google-bert/bert-base-uncased", "stored", 512, 32, "fp32", 440_425_712, 0, 0),
    ("stabilityai/stable-diffusion-xl-base-1.0", "fp16", 512, 1, "bf16", 6_937_675_734, 0, 0),
    ("black-forest-labs/FLUX.1-dev", "bf16", 512, 1, "bf16", 33_741_198_278, 0, 0),
]


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str, str], Answer]:
    place = tmp_path_factory.mktemp("examples")
    return requirements(place, [each[0] for each in EXAMPLES], [each[2:5] for each in EXAMPLES])


@pytest.mark.parametrize(
    "example", EXAMPLES, ids=lambda example: f"{example[0]}-{example[1]}-{example[2]}x{example[3]}"
)
def test_worked_example(
    example: tuple[str, str, int, int, str, int, int, int], answers: dict[tuple[str, str, str], Answer]
) -> None:
    model, precision, context, sequences, cache, weights, kept, state = example
    found = answers[model, precision, workload(context, sequences, cache)]
    assert found == (weights, kept, state, 0, weights + kept + state)
