"""GGUF headers -> architectures, and never one that the tensors contradict."""

from __future__ import annotations

from typing import Any

import pytest

from catalogs import architectures
from flows.extract.gguf_architecture import gguf_architecture
from flows.extract.logical import gguf_parameters
from flows.headers.tensor_set import TensorGroup, TensorSet

Shapes = dict[str, tuple[tuple[int, ...], int]]


def header(name: str, shapes: Shapes, **keys: Any) -> TensorSet:
    groups = tuple(TensorGroup(pattern, "F16", shape, count) for pattern, (shape, count) in shapes.items())
    told = {f"{name}.{key.replace('__', '.')}": value for key, value in keys.items()}
    return TensorSet("m.gguf", "gguf", 1, None, groups, {"general.architecture": name, **told})


LLAMA: Shapes = {
    "token_embd.weight": ((128256, 4096), 1), "output.weight": ((128256, 4096), 1), "output_norm.weight": ((4096,), 1),
    "rope_freqs.weight": ((64,), 1), "blk.#.attn_norm.weight": ((4096,), 32), "blk.#.ffn_norm.weight": ((4096,), 32),
    "blk.#.attn_q.weight": ((4096, 4096), 32), "blk.#.attn_k.weight": ((1024, 4096), 32),
    "blk.#.attn_v.weight": ((1024, 4096), 32), "blk.#.attn_output.weight": ((4096, 4096), 32),
    "blk.#.ffn_gate.weight": ((14336, 4096), 32), "blk.#.ffn_up.weight": ((14336, 4096), 32),
    "blk.#.ffn_down.weight": ((4096, 14336), 32),
}  # fmt: skip
LLAMA_KEYS = {
    "embedding_length": 4096, "block_count": 32, "feed_forward_length": 14336, "attention__head_count": 32,
    "attention__head_count_kv": 8, "context_length": 131072, "vocab_size": 128256, "rope__dimension_count": 128,
}  # fmt: skip


def test_llama_by_its_header_is_llama_by_its_configuration() -> None:
    found = header("llama", LLAMA, **LLAMA_KEYS)
    read, note = gguf_architecture(found)
    assert gguf_parameters(found) == 8_030_261_248  # the table of rotary factors is none
    assert read is not None
    assert (read.model_type, read.parameters, note) == ("llama", 8_030_261_248, "architecture from the GGUF header")
    assert read.columns["kv_full_elements_per_token"] == 65_536
    assert read.columns["max_context_tokens"] == 131_072


def test_a_head_that_is_not_stored_is_tied() -> None:
    tied = {pattern: shape for pattern, shape in LLAMA.items() if pattern != "output.weight"}
    read, _ = gguf_architecture(header("llama", tied, **LLAMA_KEYS))
    assert read is not None
    assert read.parameters == 8_030_261_248 - 128256 * 4096


def test_experts_make_a_mixtral_of_a_llama() -> None:
    sides = {"gate": (14336, 4096), "up": (14336, 4096), "down": (4096, 14336)}
    experts: Shapes = {f"blk.#.ffn_{name}_exps.weight": ((8, *shape), 32) for name, shape in sides.items()}
    dense = {pattern: shape for pattern, shape in LLAMA.items() if not pattern.startswith("blk.#.ffn_")}
    router: Shapes = {"blk.#.ffn_gate_inp.weight": ((8, 4096), 32), "blk.#.ffn_norm.weight": ((4096,), 32)}
    small = {"token_embd.weight": ((32000, 4096), 1), "output.weight": ((32000, 4096), 1)}
    found = header("llama", {**dense, **router, **experts, **small}, **LLAMA_KEYS, expert_count=8, expert_used_count=2)
    read, _ = gguf_architecture(found)
    assert read is not None
    assert (read.model_type, read.parameters, read.active_parameters) == ("mixtral", 46_702_792_704, 12_879_925_248)


def test_latent_attention_by_its_header() -> None:
    """DeepSeek-V2-Lite's dimensions; converters split the second key/value projection in two."""
    layers, heads, hidden = 27, 16, 2048
    shapes: Shapes = {
        "token_embd.weight": ((102400, hidden), 1), "output.weight": ((102400, hidden), 1),
        "output_norm.weight": ((hidden,), 1), "blk.#.attn_norm.weight": ((hidden,), layers),
        "blk.#.ffn_norm.weight": ((hidden,), layers), "blk.#.attn_kv_a_norm.weight": ((512,), layers),
        "blk.#.attn_q.weight": ((heads * 192, hidden), layers), "blk.#.attn_kv_a_mqa.weight": ((576, hidden), layers),
        "blk.#.attn_k_b.weight": ((heads, 512, 128), layers), "blk.#.attn_v_b.weight": ((heads, 128, 512), layers),
        "blk.#.attn_output.weight": ((hidden, heads * 128), layers),
        "blk.#.ffn_gate.weight": ((10944, hidden), 1), "blk.#.ffn_up.weight": ((10944, hidden), 1),
        "blk.#.ffn_down.weight": ((hidden, 10944), 1), "blk.#.ffn_gate_inp.weight": ((64, hidden), 26),
        **{f"blk.#.ffn_{name}_exps.weight": ((64, 1408, hidden), 26) for name in ("gate", "up", "down")},
        **{f"blk.#.ffn_{name}_shexp.weight": ((2816, hidden), 26) for name in ("gate", "up", "down")},
    }  # fmt: skip
    found = header(
        "deepseek2", shapes, embedding_length=hidden, block_count=layers, feed_forward_length=10944,
        attention__head_count=heads, attention__head_count_kv=1, attention__kv_lora_rank=512,
        attention__key_length=576, attention__key_length_mla=192, attention__value_length_mla=128,
        rope__dimension_count=64, expert_count=64, expert_used_count=6, expert_feed_forward_length=1408,
        expert_shared_count=2, leading_dense_block_count=1, context_length=163840,
    )  # fmt: skip
    read, note = gguf_architecture(found)
    assert read is not None, note
    assert read.parameters == gguf_parameters(found) == 15_706_484_224
    assert read.columns["kv_latent_elements_per_token"] == layers * 576


@pytest.mark.parametrize(
    ("found", "note"),
    [
        (header("llama", LLAMA, **{**LLAMA_KEYS, "block_count": 31}), "its tensors 8030261248"),
        (header("llama", LLAMA, **{**LLAMA_KEYS, "attention__head_count": 0}), "GGUF header"),
        (header("telepathy", LLAMA), "GGUF architecture telepathy is not known"),
        (header("llama", LLAMA, block_count="32"), "GGUF header"),
        (header("", LLAMA), "GGUF architecture unnamed"),
    ],
)
def test_a_header_that_its_tensors_contradict_says_nothing(found: TensorSet, note: str) -> None:
    read, told = gguf_architecture(found)
    assert read is None
    assert note in str(told)


def test_no_header_no_word() -> None:
    assert gguf_architecture(header("llama", {})) == (None, None)
    assert gguf_parameters(header("llama", {})) is None


def test_every_row_names_a_dialect() -> None:
    for name, row in architectures.gguf().items():
        assert row["type"] in architectures.dialects(), name
        assert row.get("moe_type", "llama") in architectures.dialects(), name
        assert "hidden_size" in row["keys"], name
