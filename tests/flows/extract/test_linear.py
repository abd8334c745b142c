"""What decoders of flash-linear-attention keep: states as their classes hand them on, and attention in between."""

from __future__ import annotations

from typing import Any

from flows.extract.architecture import Group
from flows.extract.read_config import read_architecture

SMALL: dict[str, Any] = {"hidden_size": 1024, "num_hidden_layers": 4, "vocab_size": 32000}


def test_a_gated_linear_attention_keeps_keys_times_values() -> None:
    found = read_architecture({"model_type": "gla", "architectures": ["GLAForCausalLM"], **SMALL})
    # four heads of 128 keys and 256 values, in 32 bit
    assert found.columns["state_recurrent_elements"] == 4 * 4 * 128 * 256
    assert found.columns["state_recurrent_bytes_per_element"] == 4
    assert found.columns["kv_full_elements_per_token"] == 0
    assert found.groups == (Group("recurrent", 4, elements_per_token=0.0, state_bytes=4 * 4 * 128 * 256 * 4),)


def test_a_delta_rule_keeps_the_kernels_of_its_convolutions() -> None:
    config = {**SMALL, "model_type": "gated_deltanet", "num_heads": 4, "head_dim": 128, "num_v_heads": 8}
    found = read_architecture({**config, "architectures": ["GatedDeltaNetForCausalLM"]})
    assert found.columns["state_recurrent_elements"] == 4 * 8 * 128 * 256
    assert found.columns["state_conv_elements"] == 4 * 4 * (2 * 4 * 128 + 8 * 256)


def test_layers_that_attend_are_listed() -> None:
    attn = {"layers": [1, 3], "num_heads": 16, "num_kv_heads": 4, "window_size": 512}
    found = read_architecture({"model_type": "gated_deltanet", "attn": attn, **SMALL})
    assert [(group.kind, group.layers, group.window_tokens) for group in found.groups] == [
        ("recurrent", 2, None),
        ("sliding", 2, 512),
    ]
    assert found.columns["kv_window_elements_per_token"] == 2 * 2 * 4 * 64


def test_several_kinds_of_attention_in_one_model_are_not_read() -> None:
    attn = [{"layers": [1], "num_heads": 16}, {"layers": [3], "num_heads": 8}]
    found = read_architecture({"model_type": "gla", "attn": attn, **SMALL})
    assert found.parameters is None
    assert found.columns["kv_full_elements_per_token"] is None


def test_a_receptance_keeps_a_matrix_a_head_and_two_tokens() -> None:
    config = {**SMALL, "model_type": "rwkv7", "value_dim": [1024] * 4, "architectures": ["RWKV7ForCausalLM"]}
    found = read_architecture(config)
    assert found.columns["state_recurrent_elements"] == 4 * 1024 * 64
    assert found.columns["state_conv_elements"] == 4 * 2 * 1024


def test_a_gate_in_32_bit_stands_beside_keys_and_values() -> None:
    config = {**SMALL, "model_type": "forgetting_transformer", "num_heads": 16}
    found = read_architecture({**config, "architectures": ["ForgettingTransformerForCausalLM"]})
    assert found.columns["kv_full_elements_per_token"] == 4 * (2 * 1024 + 2 * 16)


def test_a_state_that_grows_with_the_text_is_unknown() -> None:
    found = read_architecture({"model_type": "log_linear_mamba2", "architectures": ["LogLinearMamba2ForCausalLM"]})
    assert found.parameters == 3_127_300_096
    assert found.columns["state_recurrent_elements"] is None


def test_the_first_repositories_of_a_type_bring_another_class() -> None:
    world = {"model_type": "rwkv6", "architectures": ["Rwkv6ForCausalLM"], "hidden_size": 2048, "head_size": 64,
             "attention_hidden_size": 2048, "num_hidden_layers": 24, "vocab_size": 65536}  # fmt: skip
    found = read_architecture(world)
    # by hand: 24 layers of six and a half-wide matrices with their low-rank parts, two vocabularies, two norms
    layer = 6 * 2048**2 + 2 * 7168 * 2048 + (2 * 5 * 32 + 2 * 64) * 2048 + 10 * 2048 + 6 * 2048
    assert found.parameters == 24 * layer + 2 * 65536 * 2048 + 4 * 2048
    assert found.columns["state_recurrent_elements"] == 24 * 2048 * 64
    assert not found.is_verified
