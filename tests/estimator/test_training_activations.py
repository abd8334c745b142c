"""Activations of training, by hand and by the counts that the formula was made from."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from literals import real, text, value, whole

from estimator import training_activations

LLAMA_8B = {"hidden": 4096, "ffn": 14336, "heads": 32}


def saved_by_llama(method: str, rank: int | None = None, width: float = 5120) -> float | None:
    return value(
        training_activations.layer_bytes(
            method=text(method), width=real(width), rank=whole(rank), **{k: whole(v) for k, v in LLAMA_8B.items()}
        )
    )


def test_activations_of_a_layer_as_counted() -> None:
    """Constants of the estimator specification, section 5.2, which follow allocations of transformers 5.23."""
    p_attn = 32 * (2 * 4096 * 4096 + 2 * 4096 * 1024)
    width = training_activations.attention_width(p_attn=whole(p_attn), layers=whole(32), hidden=whole(4096))
    assert value(width) == 5120  # 32 heads of 128 and 8 of 128
    assert saved_by_llama("full") == 200_840
    assert saved_by_llama("lora", 16) == saved_by_llama("qlora", 16) == 184_680
    assert saved_by_llama("lora") is None
    assert saved_by_llama("telepathy") is None
    assert saved_by_llama("full", width=None) is None  # type: ignore[arg-type]


def test_norms_of_queries_and_keys_are_seen_in_the_norms() -> None:
    """Qwen3-8B: 36 layers of 4,096 with 32 and 8 heads of 128 save 215,336 bytes a token and layer."""
    width, heads = 5120, 40
    plain, normed = (2 * 36 + 1) * 4096, (2 * 36 + 1) * 4096 + 36 * 2 * 128

    def norms(norm: int | None) -> float | None:
        arguments = {"layers": whole(36), "hidden": whole(4096), "width": real(width), "heads": whole(heads)}
        return value(training_activations.query_key_norm_bytes(norm=whole(norm), **arguments))

    assert norms(plain) == 0
    layer = 16 * 4096 + 4 * width + 8 * 12288 + 4 * 32 + 8
    assert layer + (norms(normed) or 0) == 215_336
    assert norms(plain + 1) is None
    assert norms(None) is None


def test_a_training_step_by_hand() -> None:
    def step(*, is_checkpointed: bool, layers: int | None = 32) -> float | None:
        arguments = {"layer": real(200_840), "layers": whole(layers), "hidden": whole(4096)}
        return value(
            training_activations.step_bytes(
                tokens=whole(2048), vocabulary=whole(128_256), is_checkpointed=pl.lit(is_checkpointed), **arguments
            )
        )

    outside = 8 * 4096 + 12 * 128_256
    assert step(is_checkpointed=False) == 2048 * (200_840 * 32 + outside)
    assert step(is_checkpointed=True) == 2048 * (2 * 4096 * 32 + 200_840 + outside)
    assert step(is_checkpointed=True, layers=None) is None


@pytest.mark.parametrize(
    ("changes", "known"),
    [
        ({}, True), ({"kind": "encoder"}, False), ({"experts": 8}, False), ({"p_ssm": 5}, False),
        ({"latent": 576.0}, False), ({"p_mlp": 2 * 4096 * 14336 * 32}, False), ({"p_mlp": None}, None),
        ({"experts": None}, None),
    ],
)  # fmt: skip
def test_activations_of_other_layers_are_not_claimed(changes: dict[str, Any], known: bool | None) -> None:
    shape = {"kind": "decoder", "experts": 0, "p_ssm": 0, "latent": 0.0, "p_mlp": 3 * 4096 * 14336 * 32, "layers": 32,
             "hidden": 4096, "ffn": 14336, **changes}  # fmt: skip
    types: dict[str, Any] = {"kind": pl.String, "latent": pl.Float64}
    columns = {name: pl.lit(content, dtype=types.get(name, pl.Int64)) for name, content in shape.items()}
    assert value(training_activations.is_known(**columns)) is known
