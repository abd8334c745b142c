"""Activations of training, by hand and by the counts that the formula was made from."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from literals import real, text, value, whole

from estimator import training_activations

LLAMA_8B = {"hidden": 4096, "ffn": 14336, "heads": 32, "kv_heads": 8}


def saved_by_llama(
    method: str, rank: int | None = None, width: float | None = 5120, recipe: str | None = "mixed"
) -> float | None:
    return value(
        training_activations.layer_bytes(
            method=text(method), recipe=text(recipe), width=real(width), rank=whole(rank),
            **{k: whole(v) for k, v in LLAMA_8B.items()},
        )
    )  # fmt: skip


def test_activations_of_a_layer_as_counted() -> None:
    """200,840 follows the allocations of transformers 5.23; autocast and adapters were measured."""
    p_attn = 32 * (2 * 4096 * 4096 + 2 * 4096 * 1024)
    width = training_activations.attention_width(p_attn=whole(p_attn), layers=whole(32), hidden=whole(4096))
    assert value(width) == 5120  # 32 heads of 128 and 8 of 128
    assert saved_by_llama("full") == saved_by_llama("full", recipe="pure") == 200_840
    assert saved_by_llama("full", recipe="autocast") == 200_840 + 10 * 4096
    # 18·4,096 + 4·5,120 + 8·14,336 + 4·32 + 8, the inputs of the output projection 2·4,096, and 14·16
    assert saved_by_llama("lora", 16) == saved_by_llama("dora", 16) == saved_by_llama("qlora", 16) == 217_448
    assert saved_by_llama("lora") is None
    assert saved_by_llama("telepathy") is None
    assert saved_by_llama("full", recipe=None) is None
    assert saved_by_llama("full", width=None) is None


def test_norms_of_queries_and_keys_are_seen_in_the_norms() -> None:
    """Qwen3-8B: 36 layers of 4,096 with 32 and 8 heads of 128 save 215,336 bytes a token and layer."""
    width, heads = 5120, 40
    plain, normed = (2 * 36 + 1) * 4096, (2 * 36 + 1) * 4096 + 36 * 2 * 128

    def norms(norm: int | None, method: str = "full") -> float | None:
        arguments = {"layers": whole(36), "hidden": whole(4096), "width": real(width), "heads": whole(heads)}
        return value(training_activations.query_key_norm_bytes(method=text(method), norm=whole(norm), **arguments))

    assert norms(plain) == 0
    layer = 16 * 4096 + 4 * width + 8 * 12288 + 4 * 32 + 8
    assert layer + (norms(normed) or 0) == 215_336
    assert norms(normed, "lora") == 4 * width + 4 * heads
    assert norms(plain + 1) is None
    assert norms(None) is None


def test_the_forward_peak_by_hand() -> None:
    def peak(*, is_checkpointed: bool, layers: int | None = 32, vocabulary: int = 128_256) -> float | None:
        arguments = {"layer": real(200_840), "layers": whole(layers), "between": whole(8192), "hidden": whole(4096)}
        return value(
            training_activations.forward_peak_bytes(
                tokens=whole(2048), vocabulary=whole(vocabulary), is_checkpointed=pl.lit(is_checkpointed), **arguments
            )
        )

    loss = 8 * 4096 + 12 * 128_256
    assert peak(is_checkpointed=False) == 2048 * (200_840 * 32 + loss)
    assert peak(is_checkpointed=True) == 2048 * (8192 * 32 + loss)
    # with a small vocabulary the layer that is computed again is more than the loss
    assert peak(is_checkpointed=True, vocabulary=1000) == 2048 * (8192 * 32 + 200_840)
    assert peak(is_checkpointed=True, layers=None) is None


@pytest.mark.parametrize(
    ("method", "recipe", "is_checkpointed", "between", "cast"),
    [
        ("full", "mixed", False, 2000, 0),
        ("full", "autocast", False, 4000, 2 * (700 + 30)),
        ("full", "autocast", True, 4000, 2 * 30),
        ("lora", "autocast", False, 2000, 0),
    ],
)
def test_autocast_keeps_fp32_between_layers_and_copies_of_weights(
    method: str, recipe: str, is_checkpointed: bool, between: int, cast: int
) -> None:
    which = {"method": text(method), "recipe": text(recipe)}
    assert value(training_activations.input_bytes(**which, hidden=whole(1000))) == between
    found = training_activations.cast_bytes(
        **which, linears=whole(700), head=whole(30), is_checkpointed=pl.lit(is_checkpointed)
    )
    assert value(found) == cast


@pytest.mark.parametrize(
    ("changes", "known"),
    [
        ({}, True), ({"kind": "encoder"}, False), ({"experts": 8}, False), ({"p_ssm": 5}, False),
        ({"latent": 576.0}, False), ({"p_mlp": 2 * 4096 * 14336 * 32}, False), ({"p_mlp": None}, None),
        ({"experts": None}, None), ({"p_embed": 2 * 32_000 * 4096}, False), ({"vocabulary": None}, None),
    ],
)  # fmt: skip
def test_activations_of_other_layers_are_not_claimed(changes: dict[str, Any], known: bool | None) -> None:
    shape = {"kind": "decoder", "experts": 0, "p_ssm": 0, "latent": 0.0, "p_mlp": 3 * 4096 * 14336 * 32, "layers": 32,
             "hidden": 4096, "ffn": 14336, "p_embed": 32_000 * 4096, "vocabulary": 32_000, **changes}  # fmt: skip
    types: dict[str, Any] = {"kind": pl.String, "latent": pl.Float64}
    columns = {name: pl.lit(content, dtype=types.get(name, pl.Int64)) for name, content in shape.items()}
    assert value(training_activations.is_known(**columns)) is known
