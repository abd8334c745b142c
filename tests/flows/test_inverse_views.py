"""Longest context and most sequences: the database's inverse beside the estimator's need."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from snapshot_answers import night_database

from estimator.activation_slopes import peak_bytes
from flows import warehouse

SLOPES = (
    *("fixed_bytes", "sequence_bytes", "layer_bytes", "token_bytes", "attention_bytes", "pair_bytes"),
    "held_bytes",
)
LONGEST = 1 << 17


@pytest.fixture(scope="module")
def macros() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("CREATE SCHEMA internal")
    script = warehouse.views_script()
    for name in ("largest", "from_window", "most_sequences"):
        start = script.index(f"CREATE MACRO internal.{name}(")
        connection.execute(script[start : script.index(";", start)])
    return connection


def ask(connection: duckdb.DuckDBPyConnection, macro: str, *values: float | None) -> float | None:
    places = ", ".join("?::DOUBLE" for _ in values)
    found = connection.execute(f"SELECT internal.{macro}({places})", values).fetchone()
    assert found is not None
    return found[0]  # type: ignore[no-any-return]


def longest_context(
    connection: duckdb.DuckDBPyConnection, room: float, token: float, window_token: float, window: float,
    sequences: float, slopes: tuple[float, ...],
) -> float:  # fmt: skip
    """The three places in which the view inverts a need, each below the window and beyond it."""
    fixed, each, layer, layer_token, attention_token, pair, held = slopes
    token, window_token, held = sequences * token, sequences * window_token, sequences * held
    found = []
    for left, more, square, kept in (
        (room - fixed - sequences * each, 0, 0, 0),
        (room - layer, sequences * layer_token, 0, held),
        (room - layer, sequences * attention_token, sequences * pair, held),
    ):
        below = ask(connection, "largest", left, token + window_token + more, square)
        mask = sequences if kept > 0 else 0
        beyond = ask(connection, "largest", left + (kept - window_token) * window, token + more + kept, square + mask)
        answer = ask(connection, "from_window", below, beyond, window, kept)
        assert answer is not None
        found.append(answer)
    return min(found)


@pytest.mark.parametrize(
    ("room", "token", "pair", "largest"),
    [
        (100, 10, 0, 10), (109, 10, 0, 10.9), (100, 0, 1, 10), (110, 1, 1, 10), (0, 10, 0, 0), (-1, 10, 0, -1),
        (0, 0, 10, 0), (5, 0, 0, math.inf), (-1, 0, 0, -1), (None, 0, 0, None), (5, None, 0, None),
    ],
)  # fmt: skip
def test_the_largest_root(
    room: float | None, token: float | None, pair: float, largest: float | None, macros: Any
) -> None:
    assert ask(macros, "largest", room, token, pair) == largest


@pytest.mark.parametrize(
    ("room", "held", "longest"),
    [
        # 3 bytes a token up to 8, then 1, beside 10 at the ends of the model
        (10 + 24, 0, 8), (10 + 23, 0, 23 / 3), (10 + 25, 0, 9),
        # a window that is full is beyond itself: 24 and a mask of 64 bytes, then 1 + 2 for a token and the mask
        (24, 2, 7), (87, 2, 7), (88, 2, 8), (24 + 3 + 81, 2, 9),
    ],
)  # fmt: skip
def test_beyond_the_window(room: float, held: float, longest: float, macros: Any) -> None:
    fixed = 0 if held else 10
    assert longest_context(macros, room, 1, 2, 8, 1, (fixed, 0, 0, 0, 0, 0, held)) == pytest.approx(longest)


whole = st.integers(0, 1 << 20)


@settings(max_examples=150, deadline=None)
@given(
    room=st.integers(0, 1 << 40), token=whole, window_token=whole, window=st.integers(0, 1 << 14),
    sequences=st.integers(1, 64), slopes=st.tuples(*(whole for _ in SLOPES[:5]), st.integers(0, 64), whole),
    each=whole, context=st.integers(0, LONGEST), batch=st.integers(0, 1 << 14),
)  # fmt: skip
def test_nothing_is_longer_and_nothing_more_than_it_says(
    room: int, token: int, window_token: int, window: int, sequences: int, slopes: tuple[int, ...], each: int,
    context: int, batch: int, macros: Any,
) -> None:  # fmt: skip
    if window_token == 0 or window == 0:
        slopes, window_token = (*slopes[:-1], 0), 0  # what is held is held for a window
    each += window_token * min(window, context)
    if any(slopes[2:]):
        batch = 0  # no engine has both batches in flight and layers whose activations grow with prompts

    def activations(tokens: int, count: int) -> int:
        row = {name: float(value) for name, value in zip(SLOPES, slopes, strict=True)} | {"window_tokens": window}
        needed = peak_bytes(context=pl.lit(tokens), sequences=pl.lit(count))
        return int(pl.DataFrame([row]).select(needed).item())

    def cache(tokens: int) -> int:
        return sequences * (token * tokens + window_token * min(tokens, window))

    longest = longest_context(macros, room, token, window_token, window, sequences, slopes)
    tokens = math.floor(min(longest, LONGEST))
    if tokens >= 0:
        assert cache(tokens) + activations(tokens, sequences) <= room
    if -1 <= tokens < LONGEST:
        assert cache(tokens + 1) + activations(tokens + 1, sequences) > room
    beyond = window_token * max(0, context - window)
    most = ask(macros, "most_sequences", room, each, context, window, window_token * batch, beyond, *slopes)

    def need(count: int) -> int:
        in_flight = min(window_token * batch, count * beyond)
        return count * each + in_flight + activations(context, count)

    if need(1) > room:
        return  # the view asks only where the workload fits
    if most is None:
        assert need(2) == need(1)
    elif most >= 1:
        count = math.floor(most)
        assert need(count) <= room < need(count + 1)


# model, engine with an option, precision, device, tokens, sequences
CASES = [
    ("Qwen/Qwen3-8B", "llamacpp", "gguf_q4_k_m", "nvidia-rtx-4090-24gb", 4096, 8),
    ("google/gemma-3-27b-it", "llamacpp", "gguf_q4_k_m", "nvidia-rtx-4090-24gb", 2048, 1),
    ("Qwen/Qwen3-8B", "llamacpp no_flash_attention", "gguf_q4_k_m", "nvidia-rtx-4090-24gb", 4096, 4),
    ("Qwen/Qwen3-8B", "transformers", "bf16", "nvidia-h100-sxm-80gb", 2048, 40),
    ("google/gemma-3-27b-it", "transformers", "bf16", "nvidia-h100-sxm-80gb", 512, 1),
    ("meta-llama/Llama-3.1-8B", "vllm", "bf16", "nvidia-h100-sxm-80gb", 2048, 4),
    ("google/gemma-3-27b-it", "vllm", "bf16", "nvidia-h100-sxm-80gb", 2048, 4),
    ("openai/gpt-oss-20b", "vllm", "stored", "nvidia-rtx-4090-24gb", 4096, 2),
    ("meta-llama/Llama-3.1-8B", "trtllm", "bf16", "nvidia-h100-sxm-80gb", 2048, 4),
    ("google/gemma-3-27b-it", "trtllm", "bf16", "nvidia-h100-sxm-80gb", 2048, 2),
    ("Qwen/Qwen3-8B", "mlx", "mlx_4bit_g64", "apple-m4-16gb", 2048, 8),
    ("google/gemma-3-27b-it", "mlx", "mlx_4bit_g64", "apple-m3-max-30c-36gb", 4096, 2),
    ("deepseek-ai/DeepSeek-V2-Lite", "mlx", "mlx_4bit_g64", "apple-m3-pro-18gb", 512, 2),
]
Answers = dict[str, dict[str, Any]]


def of_cases(place: Path, asked: dict[str, tuple[int, int, int]]) -> Answers:
    """Rows of `fit` by workload, of one night: each workload is a case with tokens and sequences of its own."""
    changes = []
    for name, (case, tokens, sequences) in asked.items():
        engine, _, option = CASES[case][1].partition(" ")
        changes.append(
            {"workload": name, "engine": engine, "context_tokens": tokens, "concurrent_sequences": sequences,
             "kv_precision": "fp16" if engine == "llamacpp" else "bf16", "max_gpus": 1,
             "engine_options": option or None}
        )  # fmt: skip
    models, _, precisions, gpus = ({case[at] for case in CASES} for at in range(4))
    place.mkdir()
    file = night_database(
        place, models, "min-8k", changes, gpus, warehouse.build_answers, precisions | {"mxfp4"}  # what is stored
    )  # fmt: skip
    with warehouse.connect(file) as connection:
        result = connection.execute("FROM fit")
        names = [column[0] for column in result.description or []]
        rows = [dict(zip(names, row, strict=True)) for row in result.fetchall()]
    case_of = {name: CASES[case] for name, (case, _, _) in asked.items()}
    found = {}
    for row in rows:
        model, _, precision, gpu, *_ = case_of[row["workload"]]
        if (row["model_id"], row["precision"], row["gpu"]) == (model, precision, gpu):
            found[row["workload"]] = row
    return found


@pytest.fixture(scope="module")
def said(tmp_path_factory: pytest.TempPathFactory) -> Answers:
    asked = {f"{case}-asked": (case, tokens, sequences) for case, (*_, tokens, sequences) in enumerate(CASES)}
    return of_cases(tmp_path_factory.mktemp("said") / "night", asked)


@pytest.fixture(scope="module")
def again(said: Answers, tmp_path_factory: pytest.TempPathFactory) -> Answers:
    """The needs at the numbers that were given, and one step beyond them."""
    asked = {}
    for case, (_, engine, _, _, tokens, sequences) in enumerate(CASES):
        row = said[f"{case}-asked"]
        longest, most = row["max_context_tokens"], row["max_sequences"]
        block = {"llamacpp": 256, "mlx": 256, "trtllm": 32}.get(engine.split()[0], 1)
        asked |= {
            f"{case}-longest": (case, longest, sequences), f"{case}-longer": (case, longest + block, sequences),
            f"{case}-most": (case, tokens, most), f"{case}-more": (case, tokens, most + 1),
        }  # fmt: skip
    return of_cases(tmp_path_factory.mktemp("again") / "night", asked)


@pytest.mark.parametrize("case", range(len(CASES)), ids=lambda case: "-".join(map(str, CASES[case])))
def test_one_more_does_not_fit(case: int, said: Answers, again: Answers) -> None:
    """A night's own need at the numbers that another gave, and one step beyond them."""
    first = said[f"{case}-asked"]
    assert first["verdict"] in ("fits", "tight")
    assert again[f"{case}-longest"]["headroom_bytes"] >= 0
    assert again[f"{case}-most"]["headroom_bytes"] >= 0
    assert again[f"{case}-more"]["headroom_bytes"] < 0
    assert again[f"{case}-longer"]["context_tokens"] > first["max_context_tokens"], "the model's own limit"
    assert again[f"{case}-longer"]["headroom_bytes"] < 0


def test_groups_of_their_own_hold_sequences_each(tmp_path: Path) -> None:
    """Eight devices with attention for other sequences on each: 64 more sequences are eight more on each device."""
    changes = [
        {"workload": f"x{count}", "context_tokens": 2048, "concurrent_sequences": count,
         "attention_parallelism": "data"}
        for count in (64, 128)
    ]  # fmt: skip
    model, gpu = "deepseek-ai/DeepSeek-V3", "nvidia-h200-sxm-141gb"
    file = night_database(tmp_path, [model], "chat-8k", changes, [gpu], build=warehouse.build_answers)
    query = """SELECT parallelism, usable_bytes, required_bytes, max_sequences FROM fit WHERE precision = 'stored'
               ORDER BY workload = 'x128'"""
    with warehouse.connect(file) as connection:
        [(split, usable, needed, most), (as_split, _, needed_for_more, _)] = connection.execute(query).fetchall()
    assert split == as_split == "dp8+ep"
    each = (needed_for_more - needed) / 8
    on_a_device = most // 8
    assert most % 8 == 0
    assert needed + (on_a_device - 8) * each <= usable < needed + (on_a_device - 7) * each
