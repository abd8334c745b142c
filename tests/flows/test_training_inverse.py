"""Longest sequence and largest micro-batch of training: the database's inverse against a search with plain Python."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from scalar.known import Unknown
from training_answers import Answer, answers

SHAPES, ROWS = 14, 1_500

WORKLOADS = [
    {},
    {"gradient_checkpointing": "true"},
    {"method": "lora"},
    {"method": "qlora", "gradient_checkpointing": "true"},
    {"method": "qlora", "context_tokens": 100, "optimizer": "adamw_8bit"},
    {"method": "dora", "lora_targets": "attention_qv", "objective": "dpo", "concurrent_sequences": 3},
    {"recipe": "autocast", "optimizer": "adamw_foreach"},
    {"recipe": "fp32", "context_tokens": 600},
    {"recipe": "fp32", "context_tokens": 600, "gradient_checkpointing": "true", "concurrent_sequences": 1},
    {"recipe": "deepspeed", "sharding": "zero2", "gradient_accumulation": "true"},
    {"recipe": "pure", "gradient_accumulation": "true", "gradient_checkpointing": "true"},
    {"recipe": "megatron", "sharding": "zero1", "objective": "ppo"},
    {"sharding": "zero3", "objective": "grpo", "gradient_checkpointing": "true"},
    {"recipe": "autocast", "sharding": "fsdp", "gradient_checkpointing": "true"},
    {"method": "lora", "sharding": "fsdp", "gradient_accumulation": "true", "loss": "fused"},
    {"loss": "fused"},
    {"loss": "fused", "gradient_checkpointing": "true", "concurrent_sequences": 7, "context_tokens": 500},
    {"recipe": "fp32", "loss": "fused", "objective": "dpo", "context_tokens": 300},
    {"method": "qlora", "loss": "fused", "objective": "dpo", "gradient_checkpointing": "true", "context_tokens": 30},
    {"sharding": "zero3_param_offload", "host_memory_gib": 4000.0, "gradient_checkpointing": "true"},
    {"engine": "none", "objective": "dpo"},
    *({"context_tokens": window - 1, "concurrent_sequences": 1} for window in (1024, 8000, 32_768)),
]  # fmt: skip


def last(has_room: Callable[[int], bool], first: int, limit: int | None) -> int | None:
    """The last number from `first` on, at most `limit`, up to which there is room; None where `first` has none."""
    if (limit is not None and first > limit) or not has_room(first):
        return None
    step, at = 1, first
    while (limit is None or at + step <= limit) and has_room(at + step):
        at, step = at + step, 2 * step
    while step > 1:
        step //= 2
        if (limit is None or at + step <= limit) and has_room(at + step):
            at += step
    return at


def longest(of: Answer) -> int | None:
    """Sequences that fill the window before shorter ones: a mask may take less than the scores that it replaces."""
    window, limit, count = (
        of.shape["window_tokens"],
        of.shape.get("max_context_tokens"),
        of.workload["concurrent_sequences"],
    )

    def has_room(tokens: int) -> bool:
        return of.need(tokens, count) <= of.usable

    try:
        has_room(max(1, window))
    except Unknown:
        return None  # what is not known beyond the window leaves all of it open
    found = last(has_room, max(1, window), limit)
    if found is None and window > 1:
        found = last(has_room, 1, window - 1 if limit is None else min(limit, window - 1))
    return found


def most(of: Answer) -> int | None:
    return last(lambda count: of.need(of.context_tokens, count) <= of.usable, 1, None)


@pytest.mark.parametrize("seed", [1, 2])
def test_nothing_longer_and_nothing_more_has_room(seed: int, tmp_path: Path) -> None:
    found = answers(tmp_path, seed, SHAPES, WORKLOADS, ROWS)
    wrong = [
        (said, expected, of.shape["shape_id"], dict(of.workload))
        for of in found
        for said, expected in ((of.max_context_tokens, longest(of)), (of.max_sequences, most(of)))
        if said != expected
    ]
    assert not wrong, f"{len(wrong)} of {2 * len(found)}, first: {wrong[:3]}"
    seen = Counter(name for of in found for name in kinds(of))
    assert len(seen) == 11, seen
    assert min(seen.values()) >= 3, seen


def kinds(of: Answer) -> Iterator[str]:
    """What an answer is an example of."""
    said, window, limit = of.max_context_tokens, of.shape["window_tokens"], of.shape.get("max_context_tokens")
    yield from (of.workload["loss"], "sharded" if of.over.degree > 1 else "alone")
    yield "more examples" if of.max_sequences != of.workload["concurrent_sequences"] else "no more examples"
    if said is None:
        yield "open"
    elif said == limit:
        yield "the model's limit"
    elif window and said == window - 1:
        yield "up to the window"
    elif window and said >= window:
        yield "beyond the window"
    else:
        yield "any length"
