"""Activations of training, by hand, from what the layers of a shape were measured to keep."""

from __future__ import annotations

import polars as pl
import pytest
from literals import real, text, value, whole

from estimator import training_activations

# Llama-3.1-8B: 32 layers of 200,840 bytes a token, 10·4,096 more under autocast, 217,224 14 a rank of adapters
LLAMA_8B = {
    "full": 32 * 200_840, "autocast": 32 * 241_800, "adapters": 32 * 217_224, "rank_bytes": 32 * 14,
}  # fmt: skip


def kept(method: str, rank: int | None = None, recipe: str | None = "mixed", **changes: int | None) -> float | None:
    columns = {name: whole(bytes_) for name, bytes_ in {**LLAMA_8B, **changes}.items()}
    return value(
        training_activations.token_bytes(method=text(method), recipe=text(recipe), rank=whole(rank), **columns)
    )


@pytest.mark.parametrize("recipe", training_activations.HALF_RECIPES)
def test_recipes_in_16_bits_keep_the_same(recipe: str) -> None:
    assert kept("full", recipe=recipe) == 32 * 200_840


def test_what_a_token_keeps_by_recipe() -> None:
    assert kept("full", recipe="autocast") == 32 * 241_800
    assert kept("lora", 16) == kept("dora", 16) == kept("qlora", 16) == 32 * 217_448
    assert kept("lora") is None
    assert kept("telepathy") is None
    assert kept("full", recipe=None) is None
    assert kept("full", recipe="fp32") is None
    assert kept("full", full=None) is None
    assert kept("full", autocast=None) == 32 * 200_840  # a recipe that was not measured hides no other


def test_what_grows_with_the_sequence() -> None:
    """BLOOM-7B1: 30 layers of 32 heads keep 6·32 bytes a pair. Mistral with 8 of 32 heads masks beyond 4,096 tokens."""

    def grown(context: int | None, window: int | None, pair: int | None, masked: int, masked_pair: int) -> float | None:
        arguments = {"context": context, "window": window, "pair": pair, "masked": masked, "masked_pair": masked_pair}
        return value(training_activations.sequence_bytes(**{name: whole(it) for name, it in arguments.items()}))

    assert grown(2048, 0, 30 * 192, 0, 0) == 30 * 393_216
    layers = {"masked": 32 * 4 * 3072, "masked_pair": 32 * 2}
    assert grown(4095, 4096, 0, **layers) == 0
    assert grown(4096, 4096, 0, **layers) == 32 * (12_288 + 8_192)
    assert grown(2048, None, 0, **layers) is None
    assert grown(None, 0, 0, **layers) is None
    assert grown(2048, 0, None, **layers) is None


def test_the_forward_peak_by_hand() -> None:
    def peak(
        *, is_checkpointed: bool, layers: int | None = 32, vocabulary: int = 128_256, logit: int = 12
    ) -> float | None:
        arguments = {"saved": real(32 * 200_840), "layers": whole(layers), "between": whole(8192)}
        return value(
            training_activations.forward_peak_bytes(
                tokens=whole(2048), vocabulary=whole(vocabulary), is_checkpointed=pl.lit(is_checkpointed),
                hidden=whole(4096), logit_bytes=whole(logit), **arguments,
            )
        )  # fmt: skip

    loss = 8 * 4096 + 12 * 128_256
    assert peak(is_checkpointed=False) == 2048 * (200_840 * 32 + loss)
    assert peak(is_checkpointed=False, logit=14) == 2048 * (200_840 * 32 + loss + 2 * 128_256)  # Gemma 2 caps them
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
