"""Why a calculator's number is not ours: one clause for each fact that makes a difference."""

from __future__ import annotations

from typing import Any

import pytest

from flows.calculator_reasons import reasons, why_silent, why_unknown

GIB = 2**30
# Llama-3.1-8B as one chat of 8k tokens.
LLAMA: dict[str, Any] = {
    "kind": "decoder", "model_type": "llama", "inherited_from": None, "parameters_source": "safetensors_api",
    "parameters_resident": 8_030_261_248, "automodel_parameters": 7_504_924_672, "p_lm_head": 525_336_576,
    "p_ssm": 0, "experts": 0, "heads": 32, "kv_latent_elements_per_token": 0.0, "lora_io": 2_621_440,
    "workload": "chat-8k", "context_tokens": 8192, "concurrent_sequences": 1, "gradient_checkpointing": None,
    "lora_rank": None, "model_id_of_need": "a/b", "weights_bytes": 16_060_522_496, "kv_cache_bytes": GIB,
    "state_bytes": 0, "activation_bytes": GIB, "overhead_bytes": 2 * GIB, "gradient_bytes": 0, "optimizer_bytes": 0,
}  # fmt: skip


def why(calculator: str, quantity: str, precision: str = "fp16", size: int = 18 * GIB, **facts: Any) -> str:
    asked = {"calculator": calculator, "quantity": quantity, "precision": precision, "bytes": size}
    return "; ".join(reasons({**LLAMA, **asked, **facts}))


def test_the_rule_has_no_cache_and_a_fifth_on_top() -> None:
    assert why("rule_1_2", "inference") == (
        "no cache, ours is 1.00 GiB at 8,192 tokens; 20 % on top (3.00 GiB), where our activations and overhead are"
        " 3.00 GiB"
    )
    assert "ours is 1.00 GiB at 4 x 8,192 tokens" in why("rule_1_2", "inference", concurrent_sequences=4)
    assert "ours is 1.00 GiB at its context" in why("rule_1_2", "inference", context_tokens=None)
    assert "cache" not in why("rule_1_2", "inference", kv_cache_bytes=0)
    assert "no recurrent state, ours is 1.00 GiB" in why("rule_1_2", "inference", kv_cache_bytes=0, state_bytes=GIB)
    assert why("rule_1_2", "inference", kv_cache_bytes=None, overhead_bytes=None) == "20 % on top (3.00 GiB)"


def test_the_class_of_accelerate_has_no_head_or_too_many_embeddings() -> None:
    assert why("accelerate", "total") == "the output head is missing (6.5 % of the parameters)"
    assert why("accelerate", "total", automodel_parameters=8_030_261_248) == "both count the same"
    more = why("accelerate", "total", automodel_parameters=8_030_261_248 * 2)
    assert more == "tied embeddings are counted more than once (100.0 % of the parameters)"
    assert "stands on the base class" in why("accelerate", "total", p_lm_head=0)


def test_four_bits_are_not_four_bits_everywhere() -> None:
    assert "4 bits for every weight, though embedding" in why("rule_1_2", "inference", "nf4")
    assert "8 bits for every weight" in why("can_it_run", "inference", "int8_bnb")
    assert "bits for every weight" not in why("rule_1_2", "inference")


TRAINING = {
    "context_tokens": 2048, "gradient_checkpointing": True, "gradient_bytes": 16_060_522_496,
    "optimizer_bytes": 12 * 8_030_261_248, "activation_bytes": GIB,
}  # fmt: skip


def test_training_counts_other_bytes_a_parameter() -> None:
    assert "8 bytes a parameter for weights, gradients and moments, where ours takes 16; no activations, ours are" in (
        why("accelerate", "training_adam", **TRAINING)
    )
    assert "bytes a parameter" not in why("can_it_run", "training_adam", "fp32", **TRAINING)
    assert "bytes a parameter" not in why("can_it_run", "training_adam", **{**TRAINING, "optimizer_bytes": None})
    assert why("accelerate", "training_adam", **{**TRAINING, "activation_bytes": None}).endswith("; no activations")
    page = why("vram_estimator", "training_adam", **TRAINING)
    assert page == (
        "18 bytes a parameter for weights, gradients and moments, where ours takes 16; activations of every layer are"
        " kept, where ours are recomputed; 512 tokens, ours 2,048 tokens"
    )
    assert "recomputed" not in why("vram_estimator", "training_adam", **{**TRAINING, "gradient_checkpointing": False})


def test_adapters_are_a_share_or_a_rank() -> None:
    # 2 % of 7,504,924,672; rank 16 of 2,621,440 inputs and outputs
    assert "2 % of the parameters are trained (150 M), ours are 42 M at rank 16" in (
        why("can_it_run", "lora", "nf4", lora_rank=16, **TRAINING)
    )
    assert "2 % of the parameters are trained; " in why("can_it_run", "lora", "nf4", lora_rank=None, **TRAINING)


@pytest.mark.parametrize(
    ("calculator", "facts", "words"),
    [
        ("vram_estimator", {"parameters_resident": None}, "number of parameters"),
        ("vram_estimator", {"kind": "encoder_decoder"}, "one stack"),
        ("vram_estimator", {"kind": "diffusion"}, "language models only"),
        ("vram_estimator", {"experts": 8}, "no entry for experts"),
        ("vram_estimator", {"p_ssm": 5}, "without attention"),
        ("vram_estimator", {"heads": 0}, "without attention"),
        ("vram_estimator", {"kv_latent_elements_per_token": 576.0}, "latent attention"),
        ("vram_estimator", {"heads": None}, "a dimension"),
        ("accelerate", {"kind": "diffusion"}, "transformers models only"),
        ("can_it_run", {"kind": "adapter"}, "transformers models only"),
        ("accelerate", {"inherited_from": "a/b"}, "no configuration"),
        ("accelerate", {"parameters_source": "gguf_header"}, "no configuration"),
        ("accelerate", {"model_type": None}, "no configuration"),
        ("accelerate", {"automodel_parameters": None}, "configuration alone"),
        ("accelerate", {"automodel_parameters": None, "model_type": "gptj"}, "buffers that are not counted"),
        ("accelerate", {"automodel_parameters": None, "model_type": "chatglm"}, "code of the repository"),
    ],
)
def test_a_tool_without_a_number_has_a_reason(calculator: str, facts: dict[str, Any], words: str) -> None:
    assert words in why_silent({**LLAMA, "calculator": calculator, **facts})


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"workload": None}, "no workload asks this"),
        ({"model_id_of_need": None}, "the catalog has no such precision"),
        ({"weights_bytes": None}, "its weights are unknown"),
        ({"kv_cache_bytes": None}, "its cache is unknown"),
        ({"activation_bytes": None}, "its activations are unknown"),
        ({"activation_bytes": None, "gradient_checkpointing": True}, "its activations in training are not modelled"),
    ],
)
def test_our_own_silence_has_a_reason(facts: dict[str, Any], words: str) -> None:
    assert why_unknown({**LLAMA, **facts}) == words
