"""Models with a block of its own for every layer."""

from __future__ import annotations

from typing import Any

import pytest

from flows.extract.read_config import read_architecture

OPENELM_270M = {
    "model_type": "openelm", "architectures": ["OpenELMForCausalLM"], "model_dim": 1280, "head_dim": 64,
    "num_transformer_layers": 16, "num_query_heads": [12] * 5 + [16] * 7 + [20] * 4,
    "num_kv_heads": [3] * 5 + [4] * 7 + [5] * 4, "ffn_dim_divisor": 256, "vocab_size": 32_000,
    "ffn_multipliers": [0.5, 0.73, 0.97, 1.2, 1.43, 1.67, 1.9, 2.13, 2.37, 2.6, 2.83, 3.07, 3.3, 3.53, 3.77, 4.0],
}  # fmt: skip
NAS = {
    "model_type": "nemotron-nas", "architectures": ["DeciLMForCausalLM"], "hidden_size": 512, "vocab_size": 1000,
    "num_attention_heads": 8, "num_hidden_layers": 4, "intermediate_size": None, "num_key_value_heads": None,
    "block_configs": [
        {"attention": {"n_heads_in_group": 4}, "ffn": {"ffn_mult": 2.0}},
        {"attention": {"no_op": True}, "ffn": {"ffn_mult": 1.0}},
        {"attention": {"replace_with_linear": True}, "ffn": {"no_op": True}},
        {"attention": {"n_heads_in_group": 8}, "ffn": {"replace_with_linear": True}},
    ],
}  # fmt: skip


def test_openelm_has_the_published_count() -> None:
    found = read_architecture(OPENELM_270M)
    assert found.parameters == 271_527_168
    assert found.columns["kv_full_elements_per_token"] == 2 * 64 * (5 * 3 + 7 * 4 + 4 * 5)
    assert found.columns["ffn_size"] == 5120


def test_blocks_by_hand() -> None:
    found = read_architecture(NAS)
    square = 512 * 512
    attention = (2 * square + 2 * 128 * 512) + square + (2 * square + 2 * 64 * 512)  # 2 heads, a matrix, 1 head
    # 2/3 of 1,024 and of 512 rounded up to 256, then nothing, then a matrix
    feed_forward = 3 * 512 * 768 + 3 * 512 * 512 + square
    norms = (2 + 1 + 1 + 2 + 1) * 512
    assert found.parameters == attention + feed_forward + norms + 2 * 1000 * 512
    assert found.columns["kv_full_elements_per_token"] == 2 * 64 * (2 + 1)
    assert [(group.kind, group.layers) for group in found.groups] == [("full", 1), ("none", 2), ("full", 1)]


@pytest.mark.parametrize(
    "blocks",
    [
        None, "x", [1], [{"attention": 3}], [{"attention": {"n_heads_in_group": 0}}],
        [{"attention": {"n_heads_in_group": 3}}], [{"attention": {"no_op": True}, "ffn": {"ffn_mult": float("nan")}}],
        [{"attention": {"no_op": True}, "ffn": {"ffn_mult": 1e30}}],
    ],
)  # fmt: skip
def test_unusable_blocks_are_refused(blocks: Any) -> None:
    with pytest.raises(ValueError, match="block_configs"):
        read_architecture({**NAS, "block_configs": blocks})


@pytest.mark.parametrize("factors", [None, [], [0.5, -1.0], ["a"], [1.0] * 5000])
def test_unusable_multipliers_are_refused(factors: Any) -> None:
    with pytest.raises(ValueError, match=r"ffn_multipliers|intermediate_size"):
        read_architecture({**OPENELM_270M, "ffn_multipliers": factors})
