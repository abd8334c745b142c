"""Activations of training, by hand, from what the layers of a shape were measured to keep."""

from __future__ import annotations

import polars as pl
import pytest
from literals import real, text, value, whole

from estimator import training_activations

# Llama-3.1-8B: 32 layers of 200,840 bytes a token, 10·4,096 more under autocast, 217,224 14 a rank of adapters
LLAMA_8B = {"full": 32 * 200_840, "autocast": 32 * 241_800, "fp32": 32 * 393_224}


def adapted(targets: str | None, rank: int | None, **changes: int | None) -> float | None:
    columns = {"adapters": 32 * 217_224, "rank_bytes": 32 * 14, "qv": 32 * 155_784, "layers": 32} | changes
    return value(
        training_activations.adapted_bytes(
            targets=text(targets), rank=whole(rank), **{name: whole(bytes_) for name, bytes_ in columns.items()}
        )
    )


def kept(method: str, rank: int | None = None, recipe: str | None = "mixed", **changes: int | None) -> float | None:
    columns = {name: whole(bytes_) for name, bytes_ in {**LLAMA_8B, **changes}.items()}
    return value(
        training_activations.token_bytes(
            method=text(method), recipe=text(recipe), adapted=real(adapted("all_linear", rank)), **columns
        )
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
    assert kept("full", recipe="fp32") == 32 * 393_224
    assert kept("full", recipe="fp32", fp32=None) is None
    assert kept("full", full=None) is None
    assert kept("full", autocast=None) == 32 * 200_840  # a recipe that was not measured hides no other


def test_adapters_on_queries_and_values_keep_less() -> None:
    """Llama-3.1-8B: 12·4,096 + 4·(32 + 8)·128 + 6·14,336 + 4·32 + 8, and 16 bits a rank of two modules."""
    assert adapted("all_linear", 16) == 32 * 217_448
    assert adapted("attention_qv", 16) == 32 * 155_848
    assert adapted("attention_qv", 16, adapters=None, rank_bytes=None) == 32 * 155_848
    assert adapted("attention_qv", 16, qv=None) is None
    assert adapted("all_linear", 16, qv=None) == 32 * 217_448
    assert adapted("attention_qv", None) is None
    assert adapted("embeddings", 16) is None
    assert adapted(None, 16) is None


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


def lost(
    loss: str | None, tokens: int | None, *, vocabulary: int = 128_256, logit: int | None = 12, head: float = 0.0
) -> float | None:
    return value(
        training_activations.loss_bytes(
            loss=text(loss), tokens=whole(tokens), hidden=whole(4096), vocabulary=whole(vocabulary),
            logit_bytes=whole(logit), between=whole(8192), head_gradient=real(head), norm=whole(8 * 4096),
        )
    )  # fmt: skip


def test_the_forward_peak_by_hand() -> None:
    def peak(
        *, is_checkpointed: bool, layers: int | None = 32, vocabulary: int = 128_256, logit: int = 12, matrix: int = 0
    ) -> float | None:
        arguments = {"saved": real(32 * 200_840), "layers": whole(layers), "between": whole(8192)}
        return value(
            training_activations.forward_peak_bytes(
                tokens=whole(2048), is_checkpointed=pl.lit(is_checkpointed), dequantised=real(matrix),
                loss=real(lost("plain", 2048, vocabulary=vocabulary, logit=logit)), **arguments,
            )
        )  # fmt: skip

    loss = 8 * 4096 + 12 * 128_256
    assert peak(is_checkpointed=False) == 2048 * (200_840 * 32 + loss)
    assert peak(is_checkpointed=False, logit=14) == 2048 * (200_840 * 32 + loss + 2 * 128_256)  # Gemma 2 caps them
    assert peak(is_checkpointed=True) == 2048 * (8192 * 32 + loss)
    # with a small vocabulary the layer that is computed again is more than the loss
    assert peak(is_checkpointed=True, vocabulary=1000) == 2048 * (8192 * 32 + 200_840)
    assert peak(is_checkpointed=True, layers=None) is None
    # a matrix that a layer works with stands beside what is computed again, not beside the loss
    assert peak(is_checkpointed=True, vocabulary=1000, matrix=500) == 2048 * (8192 * 32 + 200_840) + 500
    assert peak(is_checkpointed=True, matrix=500) == 2048 * (8192 * 32 + loss)
    assert peak(is_checkpointed=False, matrix=10**10) == 2048 * 200_840 * 32 + 10**10


@pytest.mark.parametrize(
    ("method", "recipe", "norm", "logit", "capped"),
    [("full", "mixed", 8000, 12, 14), ("full", "autocast", 8000, 12, 14), ("full", "fp32", 12_000, 12, 16),
     ("lora", "fp32", 8000, 12, 14)],
)  # fmt: skip
def test_ends_in_fp32(method: str, recipe: str, norm: int, logit: int, capped: int) -> None:
    which = {"method": text(method), "recipe": text(recipe)}
    assert value(training_activations.norm_bytes(**which, hidden=whole(1000))) == norm
    logits = [value(training_activations.logit_bytes(**which, half=whole(half))) for half in (12, 14, None)]
    assert logits == [logit, capped, None]


@pytest.mark.parametrize(
    ("tokens", "hidden", "vocabulary", "chunk"),
    [
        (8192, 4096, 128_256, 256),  # 8,192 / 32
        (16_384, 4096, 32_000, 2048),  # the example of Liger's source
        (3000, 4096, 128_256, 128),  # from 94 on
        (5, 4096, 128_256, 1),
        (1000, 4096, 4096, 1000),  # no more than there are
        (None, 4096, 128_256, None),
        (8192, None, 128_256, None),
        (8192, 4096, 0, None),
    ],
)
def test_chunks_of_a_fused_loss(tokens: int | None, hidden: int | None, vocabulary: int, chunk: int | None) -> None:
    found = training_activations.chunk_tokens(tokens=whole(tokens), hidden=whole(hidden), vocabulary=whole(vocabulary))
    assert value(found) == chunk


def test_a_fused_loss_makes_a_chunk_of_logits() -> None:
    """Llama-3.1-8B at 8,192 tokens: 12.6 GB of logits become 0.13, and a gradient of the hidden states."""
    norm = 8192 * 8 * 4096
    assert lost("plain", 8192) == norm + 12_608_077_824
    assert lost("fused", 8192) == norm + 8192 * 8192 + 131_334_144
    # a trained head's gradient is there before the backward pass
    assert lost("fused", 8192, head=1_050_673_152.0) == norm + 8192 * 8192 + 131_334_144 + 1_050_673_152
    assert lost("fused", 8192, logit=None) == norm + 8192 * 8192 + 131_334_144
    assert lost("plain", 8192, logit=None) is None
    assert lost("fused", None) is None
    assert lost(None, 8192) is None
    assert lost("chunked", 8192) is None


@pytest.mark.parametrize(
    ("method", "recipe", "is_checkpointed", "between", "cast"),
    [
        ("full", "fp32", False, 4000, 0),
        ("lora", "fp32", False, 2000, 0),
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
