"""Longest sequence and largest micro-batch of training: the database's inverse against a search with plain Python."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest
from scalar.known import Unknown
from snapshot_answers import night_database
from training_answers import Answer, answers

from flows import warehouse

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


def test_llama_on_an_h200(tmp_path: Path) -> None:
    """Llama-3.1-8B, `mixed`: 14 of 16 bytes for each of 8,030,261,248 parameters stay beside a forward pass.

    With checkpointing a token takes 2 · 4,096 · 32 + 8 · 4,096 + 12 · 128,256 = 1,833,984 bytes, without 200,840 · 32
    instead of the first of them: 7,998,720. With a fused loss that is no more the largest, and gradients with 200,840
    bytes of the last layer are.
    """
    changes = [
        {"workload": name, "sharding": "none", "loss": loss, "gradient_checkpointing": checkpointing}
        for name, loss, checkpointing in (
            ("plain", "plain", "true"), ("kept", "plain", "false"), ("fused", "fused", "true"),
        )
    ]  # fmt: skip
    file = night_database(
        tmp_path, ["meta-llama/Llama-3.1-8B"], "train-full-2k", changes, ["nvidia-h200-sxm-141gb"],
        build=warehouse.build_answers,
    )  # fmt: skip
    query = "SELECT workload, usable_bytes, max_context_tokens, max_sequences FROM fit WHERE precision = 'bf16'"
    with warehouse.connect(file) as connection:
        rows = {workload: numbers for workload, *numbers in connection.execute(query).fetchall()}
    parameters, usable = 8_030_261_248, 139_617_784_152
    forward, backward = usable - 14 * parameters, usable - 16 * parameters
    assert (forward, backward) == (27_194_126_680, 11_133_604_184)
    assert rows["plain"] == [usable, forward // 1_833_984, forward // (2048 * 1_833_984)] == [usable, 14_827, 7]
    assert rows["kept"] == [usable, forward // 7_998_720, forward // (2048 * 7_998_720)] == [usable, 3_399, 1]
    assert rows["fused"] == [usable, backward // 200_840, backward // (2048 * 200_840)] == [usable, 55_435, 27]


@pytest.mark.parametrize(
    ("room", "ratio", "largest"),
    [
        # 10 bytes for each of x, 100 for each token of a chunk, of which there is one for 32 of x
        (420, 32, 32), (510, 32, 32), (519, 32, 32), (520, 32, 32), (530, 32, 33), (840, 32, 64), (1039, 32, 64),
        (1050, 32, 65), (10 * 128 + 400, 32, 128), (10 * 128 + 800, 32, 128), (10 * 129 + 800, 32, 129), (110, 32, 1),
        # two sequences for each of x: a token for 16 of it
        (10 * 16 + 100, 16, 16), (10 * 17 + 200, 16, 17), (10 * 17 + 199, 16, 16),
    ],
)  # fmt: skip
def test_chunks_are_powers_of_two(room: int, ratio: int, largest: int) -> None:
    with duckdb.connect() as connection:
        connection.execute("CREATE SCHEMA internal")
        for statement in connection.extract_statements(warehouse.views_script()):
            if "CREATE MACRO" in statement.query:
                connection.execute(statement)
        bound = f"internal.largest({room}::DOUBLE, 10 + 100 / {ratio}::DOUBLE, 0)"
        query = f"""SELECT floor(internal.largest_in_chunks(
            bound, internal.chunk_below(bound / {ratio}::DOUBLE), {room}::DOUBLE, 10, 0, 100, {ratio}::DOUBLE
        )) FROM (SELECT {bound} AS bound)"""
        assert connection.execute(query).fetchall() == [(largest,)]
