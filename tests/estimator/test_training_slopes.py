"""How a training step grows, by hand for Llama-3.1-8B and against its peaks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

import estimator
from estimator.plan_schema import TRAINING_SLOPES
from estimator.training_peaks import training_peaks

FULL: dict[str, Any] = {
    "mode": "training", "engine": "transformers", "context_tokens": 2048, "method": "full", "recipe": "mixed",
    "objective": "sft", "optimizer": "adamw", "sharding": "none", "gradient_checkpointing": True,
}  # fmt: skip
WINDOW = {
    "window_tokens": 1000, "train_pair_bytes": 40, "train_masked_bytes": 3200, "train_masked_pair_bytes": -32,
}  # fmt: skip


@pytest.fixture
def slopes_of(
    shapes_of: Callable[..., pl.DataFrame], workloads_of: Callable[..., pl.DataFrame]
) -> Callable[..., list[dict[str, Any]]]:
    """Slopes of one shape on one device, a row for each of the workloads."""

    def build(shape: dict[str, Any], *changes: dict[str, Any]) -> list[dict[str, Any]]:
        workloads = workloads_of(*(FULL | change for change in changes))
        slopes = estimator.training_slopes(shapes_of(shape), workloads).filter(split_ix=0).collect()
        assert slopes.schema == TRAINING_SLOPES
        return slopes.to_dicts()

    return build


def peak(row: dict[str, Any], name: str) -> tuple[float, ...]:
    return tuple(row[f"{name}_{part}_bytes"] for part in ("fixed", "token", "pair", "filled_token", "example"))


def test_slopes_of_llama(slopes_of: Callable[..., list[dict[str, Any]]]) -> None:
    """Two sequences of 2,048 tokens: 2 · 4,096 · 32 bytes between layers, 200,840 in each, 12 · 128,256 of logits."""
    inputs, layer, loss = 262_144, 200_840, 8 * 4096 + 12 * 128_256
    two = {"concurrent_sequences": 2}
    checkpointed, kept, dpo = slopes_of({}, two, two | {"gradient_checkpointing": False}, two | {"objective": "dpo"})
    assert peak(checkpointed, "loss") == (0, 2 * 1_833_984, 0, 2 * 1_833_984, 2048 * 1_833_984)
    assert peak(checkpointed, "layer") == (0, 2 * (inputs + layer), 0, 2 * (inputs + layer), 2048 * (inputs + layer))
    assert peak(checkpointed, "backward") == (0, 2 * layer, 0, 2 * layer, 2048 * layer)
    assert peak(kept, "loss") == (0, 2 * (32 * layer + loss), 0, 2 * (32 * layer + loss), 2048 * (32 * layer + loss))
    assert peak(kept, "layer") == (0, 64 * layer, 0, 64 * layer, 2048 * 32 * layer)
    assert peak(kept, "backward") == peak(checkpointed, "backward")
    # an example is two answers
    assert peak(dpo, "loss") == (0, 4 * 1_833_984, 0, 4 * 1_833_984, 2 * 2048 * 1_833_984)
    assert (checkpointed["chunk_bytes"], checkpointed["window_forward_bytes"]) == (0, 0)


def test_what_does_not_grow(slopes_of: Callable[..., list[dict[str, Any]]]) -> None:
    """QLoRA's matrix of 2 · 14,336 · 4,096 bytes, autocast's copy of the head, units of words that a device gathers."""
    words = 128_256 * 4096
    qlora, autocast, hosted = slopes_of(
        {},
        {"method": "qlora", "lora_rank": 16},
        {"recipe": "autocast", "gradient_accumulation": True},
        {"sharding": "zero3_param_offload", "host_memory_gib": 1.0},
    )
    fixed = ("loss_fixed_bytes", "layer_fixed_bytes", "backward_fixed_bytes")
    assert [qlora[name] for name in fixed] == [0, 117_440_512, 117_440_512]
    assert [autocast[name] for name in fixed] == [2 * words, 2 * words, 0]
    assert [hosted[name] for name in fixed] == [4 * words] * 3
    assert [row["keeps_gradients"] for row in (qlora, autocast, hosted)] == [False, True, False]


def test_sequences_that_fill_a_window(slopes_of: Callable[..., list[dict[str, Any]]]) -> None:
    """40 bytes a pair become 8 beside 3,200 a token; all that 1,000 tokens take is known, a layer's 32nd part too."""
    [kept] = slopes_of(WINDOW, {"gradient_checkpointing": False})
    saved, loss = 32 * 200_840, 8 * 4096 + 12 * 128_256
    assert peak(kept, "loss") == (0, saved + loss, 40, saved + 3200 + loss, 2048 * (saved + 3200 + 8 * 2048 + loss))
    assert kept["loss_filled_pair_bytes"] == 8
    assert kept["backward_pair_bytes"] == 40 / 32
    assert kept["window_forward_bytes"] == 1000 * (saved + 3200 + 8 * 1000 + loss)
    assert kept["window_backward_bytes"] == 1000 * (saved + 3200 + 8 * 1000) / 32
    [open_] = slopes_of(WINDOW | {"train_masked_bytes": None}, {"context_tokens": 500})
    assert open_["loss_example_bytes"] == 500 * 1_833_984
    assert open_["window_forward_bytes"] is open_["backward_filled_token_bytes"] is None


def test_chunks_of_a_fused_loss(slopes_of: Callable[..., list[dict[str, Any]]]) -> None:
    """128,256 words are 32 times as many as hidden numbers; of 4,096 words all tokens are one chunk."""
    fused = {"loss": "fused", "concurrent_sequences": 3}
    [many] = slopes_of({}, fused)
    assert (many["chunk_bytes"], many["chunk_context"], many["chunk_examples"]) == (4 * 128_256, 32 / 3, 32 / 2048)
    assert many["loss_token_bytes"] == 3 * (262_144 + 8 * 4096 + 2 * 4096)
    assert many["loss_fixed_bytes"] == 2 * 128_256 * 4096
    [one] = slopes_of({"vocab_size": 4096}, fused)
    assert one["chunk_bytes"] == 0
    assert one["loss_token_bytes"] == 3 * (262_144 + 8 * 4096 + 2 * 4096 + 4 * 4096)
    [unknown] = slopes_of({"vocab_size": None}, fused)
    assert unknown["chunk_bytes"] is unknown["loss_token_bytes"] is None


def test_unknown_layers_leave_the_loss_of_a_checkpointed_step(slopes_of: Callable[..., list[dict[str, Any]]]) -> None:
    [row] = slopes_of({"train_full_bytes": None}, {})
    assert row["loss_token_bytes"] == 1_833_984
    assert row["layer_token_bytes"] is row["backward_example_bytes"] is None


def test_slopes_are_those_of_the_peaks(
    shapes_of: Callable[..., pl.DataFrame], workloads_of: Callable[..., pl.DataFrame]
) -> None:
    """Three examples at the workload's context, on every number of devices."""
    c = pl.col
    changes: list[dict[str, Any]] = [
        {}, {"gradient_checkpointing": False}, {"recipe": "autocast"}, {"recipe": "deepspeed"}, {"objective": "dpo"},
        {"method": "qlora", "lora_rank": 16}, {"sharding": "fsdp"}, {"sharding": "zero2"}, {"recipe": "fp32"},
    ]  # fmt: skip
    shapes = shapes_of({}, WINDOW, WINDOW | {"window_tokens": 5000})
    workloads = workloads_of(*(FULL | {"concurrent_sequences": 3} | change for change in changes))
    peaks = training_peaks(shapes, workloads)
    found = estimator.training_slopes(shapes, workloads).join(peaks, on=["shape_ix", "workload_ix", "split_ix"])

    def bytes_of(name: str) -> pl.Expr:
        return c(f"{name}_fixed_bytes") + 3 * c(f"{name}_example_bytes")

    forward = pl.max_horizontal(bytes_of("loss"), bytes_of("layer"))
    kept = pl.when("keeps_gradients").then(pl.max_horizontal(forward, bytes_of("backward")))
    off = found.select(
        forward=(forward - c("forward")).abs(),
        backward=(kept.otherwise(bytes_of("backward")) - c("backward")).abs(),
    ).collect()
    assert off.height == 3 * (7 + 2 * 9)
    assert off.null_count().row(0) == (0, 0)
    assert max(off.max().row(0)) <= 1
