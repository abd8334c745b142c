"""Tables of rotary embeddings, by hand from vLLM's `rotary_embedding`: positions x width of each way to turn."""

from __future__ import annotations

from typing import Any

import pytest

from flows.extract.read_config import read_architecture

LLAMA = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 4096, "num_hidden_layers": 32,
    "num_attention_heads": 32, "num_key_value_heads": 8, "intermediate_size": 14336, "vocab_size": 128256,
    "max_position_embeddings": 8192,
}  # fmt: skip
GEMMA = {
    "architectures": ["Gemma3ForCausalLM"], "model_type": "gemma3_text", "hidden_size": 2560, "num_hidden_layers": 34,
    "num_attention_heads": 8, "num_key_value_heads": 4, "head_dim": 256, "intermediate_size": 10240,
    "vocab_size": 262208, "max_position_embeddings": 131072, "sliding_window": 1024,
}  # fmt: skip


def elements(config: dict[str, Any], **changes: Any) -> object:
    return read_architecture({**config, **changes}).columns["rope_cache_elements"]


@pytest.mark.parametrize(
    ("scaling", "positions"),
    [
        (None, 8192),
        ({"rope_type": "llama3", "factor": 8.0}, 8192),
        ({"rope_type": "yarn", "factor": 4.0}, 8192),
        ({"rope_type": "linear", "factor": 4.0}, 32_768),
        ({"type": "linear", "factor": 2}, 16_384),
        ({"rope_type": "dynamic", "factor": 2.5}, 20_480),
        ({"rope_type": "dynamic", "alpha": 1000.0}, 8192),
        ({"rope_type": "longrope", "original_max_position_embeddings": 4096}, 12_288),
        ({"rope_type": "longrope"}, 8192),
        ({"rope_type": "linear", "factor": "8"}, 8192),
        ({"rope_type": "linear", "factor": -8}, 8192),
        ({"rope_type": "linear", "factor": 1e300}, 8192),
    ],
)
def test_positions(scaling: dict[str, Any] | None, positions: int) -> None:
    assert elements(LLAMA, rope_scaling=scaling) == positions * 128
    assert elements(LLAMA, rope_parameters=scaling) == positions * 128


def test_windows_that_turn_by_frequencies_of_their_own() -> None:
    """Gemma 3: its layers without a window are stretched eight times, 0.5 GiB, and the others have 64 MiB."""
    linear = {"rope_type": "linear", "factor": 8.0}
    assert elements(GEMMA, rope_scaling=linear) == (8 + 1) * 131_072 * 256
    assert elements(GEMMA) == 2 * 131_072 * 256
    kinds = {"full_attention": linear, "sliding_attention": {"rope_type": "default", "rope_theta": 10_000}}
    assert elements(GEMMA, rope_parameters=kinds) == (8 + 1) * 131_072 * 256


def test_a_stretched_table_does_not_widen_the_rotation() -> None:
    stretched = read_architecture({**LLAMA, "rope_scaling": {"rope_type": "linear", "factor": 4.0}})
    assert stretched.dimensions["rotary_width"] == 128
