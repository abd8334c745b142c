"""Speeds in `fit`: the database's two formulas are the estimator's."""

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

from estimator import host_weights, speculation, speed
from flows import warehouse

STEP = (
    *("weight_bytes", "cache_bytes", "flops", "weight_bytes_per_second", "cache_bytes_per_second"),
    *("flops_per_second", "layers", "layer_seconds", "reduce_seconds", "host_seconds"),
)
PROMPT = (
    *("linear_flops", "attention_flops", "linear_flops_per_second", "attention_flops_per_second"),
    *("reduced_bytes", "reduced_bytes_per_second"),
)
SHARE = ("experts", "per_token", "sequences")
WAIT = ("read", "tokens", "batch", "bytes_per_second")
HOST = ("left_bytes", "held", "dense", "experts", "expert_share")
positive = st.none() | st.floats(1e-3, 1e15)


@pytest.fixture(scope="module")
def macros() -> duckdb.DuckDBPyConnection:
    """The macros of formulas.sql, as the night creates them."""
    connection = duckdb.connect()
    connection.execute("CREATE SCHEMA internal")
    script = warehouse.views_script()
    for name in (
        *("step_seconds", "prompt_seconds", "host_read_bytes", "host_step_seconds", "expert_share"),
        *("prompt_batch_tokens", "host_prompt_seconds", "tokens_of_step"),
    ):
        start = script.index(f"CREATE MACRO internal.{name}(")
        connection.execute(script[start : script.index(";", start)])
    return connection


@pytest.mark.parametrize(("macro", "formula", "names"), [
    ("step_seconds", speed.step_seconds, STEP), ("prompt_seconds", speed.prompt_seconds, PROMPT),
    ("host_read_bytes", host_weights.host_read_bytes, HOST),
    ("host_step_seconds", host_weights.host_step_seconds, ("read", "bytes_per_second")),
    ("host_prompt_seconds", host_weights.host_prompt_seconds, WAIT),
])  # fmt: skip
def test_the_database_says_the_same(macro: str, formula: Any, names: tuple[str, ...], macros: Any) -> None:
    @settings(max_examples=60, deadline=None)
    @given(st.lists(st.tuples(*(positive for _ in names)), min_size=1, max_size=20))
    def agree(rows: list[tuple[float | None, ...]]) -> None:
        frame = pl.DataFrame(rows, schema=dict.fromkeys(names, pl.Float64), orient="row")
        ours = frame.select(seconds=formula(**{name: pl.col(name) for name in names}))["seconds"].to_list()
        columns = ", ".join(f"{name} DOUBLE" for name in names)
        macros.execute(f"CREATE OR REPLACE TABLE rows ({columns})")
        macros.executemany(f"INSERT INTO rows VALUES ({', '.join('?' * len(names))})", rows)
        theirs = [row[0] for row in macros.execute(f"SELECT internal.{macro}({', '.join(names)}) FROM rows").fetchall()]
        for mine, its in zip(ours, theirs, strict=True):
            assert (mine is None) == (its is None)
            assert mine is None or math.isclose(mine, its, rel_tol=1e-12)

    agree()


@settings(max_examples=60, deadline=None)
@given(counts=st.lists(st.tuples(*([st.none() | st.integers(0, 600)] * 3)), min_size=1, max_size=20))
def test_the_database_counts_experts_the_same(counts: list[tuple[int | None, ...]], macros: Any) -> None:
    rows = [(e, None if k is None or e is None else min(k, e), b) for e, k, b in counts]
    frame = pl.DataFrame(rows, schema=dict.fromkeys(SHARE, pl.Int64), orient="row")
    ours = frame.select(share=speed.expert_share(**{name: pl.col(name) for name in SHARE}))["share"].to_list()
    macro = "internal.expert_share($1::BIGINT, $2::BIGINT, $3::BIGINT)"
    theirs = [macros.execute(f"SELECT {macro}", list(row)).fetchone()[0] for row in rows]
    assert theirs == [None if mine is None else pytest.approx(mine, rel=1e-12) for mine in ours]


@settings(max_examples=60, deadline=None)
@given(tokens=st.none() | st.integers(1, 100), acceptance=st.none() | st.floats(0, 1))
def test_the_database_yields_as_many_tokens(tokens: int | None, acceptance: float | None, macros: Any) -> None:
    numbers = {"speculative_tokens": pl.lit(tokens, dtype=pl.Int64), "acceptance": pl.lit(acceptance, dtype=pl.Float64)}
    ours = pl.select(speculation.tokens_of_step(**numbers)).item()
    theirs = macros.execute("SELECT internal.tokens_of_step($1::BIGINT, $2::DOUBLE)", [tokens, acceptance]).fetchone()
    assert theirs == (None if ours is None else pytest.approx(ours, rel=1e-9),)


@pytest.mark.parametrize("engine", ["llamacpp", "vllm", "transformers"])
@pytest.mark.parametrize("batched", [None, 0, 20, 512])
@pytest.mark.parametrize("tokens", [None, 31, 32, 8192])
def test_the_database_cuts_prompts_the_same(engine: str, batched: int | None, tokens: int | None, macros: Any) -> None:
    numbers = {
        name: pl.lit(number, dtype=pl.Int64) for name, number in (("batched_tokens", batched), ("tokens", tokens))
    }
    ours = pl.select(host_weights.prompt_batch_tokens(engine=pl.lit(engine), **numbers)).item()
    theirs = macros.execute(
        "SELECT internal.prompt_batch_tokens($1, $2::BIGINT, $3::BIGINT)", [engine, batched, tokens]
    ).fetchone()
    assert theirs == (ours,)


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dense model and one with experts, for one chat and for 64 at once."""
    chats = [
        {"workload": name, "context_tokens": 8192, "concurrent_sequences": sequences}
        for name, sequences in (("one", 1), ("many", 64))
    ]
    return night_database(
        tmp_path_factory.mktemp("speeds"),
        ["meta-llama/Llama-3.1-70B-Instruct", "Qwen/Qwen3-30B-A3B", "Qwen/Qwen3-8B"],
        "chat-8k",
        chats,
        gpus=["nvidia-a100-sxm-80gb", "nvidia-l40s-48gb"],
        build=warehouse.build_answers,
    )


def test_what_a_token_costs(database: Path) -> None:
    """The price of all devices over what they write, and 0.6 of 400 W of an A100, of 350 W of an L40S."""
    with warehouse.connect(database) as connection:
        found = connection.execute(
            "SELECT gpu, gpus_needed, usd_per_hour, usd_per_million_tokens * total_tokens_per_second * 3600 / 1e6,"
            " joules_per_token * total_tokens_per_second FROM fit"
            " WHERE precision = 'bf16' AND usd_per_million_tokens IS NOT NULL"
        ).fetchall()
    assert {(gpu, count) for gpu, count, *_ in found} >= {("nvidia-a100-sxm-80gb", 1), ("nvidia-l40s-48gb", 4)}
    for gpu, count, price, earned, watts in found:
        assert earned == pytest.approx(price)
        assert watts == pytest.approx(count * 0.6 * {"nvidia-a100-sxm-80gb": 400, "nvidia-l40s-48gb": 350}[gpu])


def test_the_worked_cost_of_a_token(database: Path) -> None:
    """95 tokens a second of one sequence for 2.00 dollars an hour are 5.85 dollars for a million."""
    with warehouse.connect(database) as connection:
        found = connection.execute(
            "SELECT usd_per_million_tokens * decode_tokens_per_second / usd_per_hour FROM fit"
            " WHERE workload = 'one' AND usd_per_million_tokens IS NOT NULL"
        ).fetchall()
    assert len(found) > 10
    for (at_one_token_and_dollar,) in found:
        assert at_one_token_and_dollar * 2.00 / 95 == pytest.approx(5.85, abs=0.005)


def test_what_a_read_token_costs(database: Path) -> None:
    """An hour of all devices over the prompts that they would read in it."""
    with warehouse.connect(database) as connection:
        found = connection.execute(
            "SELECT usd_per_million_input_tokens * prefill_tokens_per_second * 3600 / 1e6, usd_per_hour FROM fit"
            " WHERE usd_per_million_input_tokens IS NOT NULL"
        ).fetchall()
        unknown = connection.execute(
            "SELECT count(*) FROM fit WHERE usd_per_million_input_tokens IS NULL"
            " AND first_token_seconds IS NOT NULL AND usd_per_hour IS NOT NULL"
        ).fetchall()
    assert len(found) > 10
    assert [hour for hour, _ in found] == pytest.approx([hour for _, hour in found])
    assert unknown == [(0,)]


def test_what_owning_costs(database: Path) -> None:
    """An A100 for 15,000 dollars over 4 years of 8,760 hours is 0.428 an hour, its power 0.4 kW x 0.6 x 1.4 x 0.13."""
    a100 = "nvidia-a100-sxm-80gb"
    with warehouse.connect(database) as connection:
        [(price, of_price, of_power, owned)] = connection.execute(
            "SELECT usd_purchase, usd_per_hour_of_price, usd_per_hour_of_power, usd_per_gpu_hour_owned"
            " FROM current_purchases WHERE gpu = ?",
            [a100],
        ).fetchall()
        options = connection.execute(
            "SELECT gpus_needed, usd_purchase, usd_per_hour_owned,"
            " usd_per_million_tokens_owned * total_tokens_per_second * 3600 / 1e6 FROM fit"
            " WHERE gpu = ? AND verdict IN ('fits', 'sharded') AND total_tokens_per_second IS NOT NULL",
            [a100],
        ).fetchall()
    assert price == 15_000
    assert of_price == pytest.approx(0.42808, abs=1e-5)
    assert of_power == pytest.approx(0.04368, abs=1e-5)
    assert owned == pytest.approx(of_price + of_power)
    assert {count for count, *_ in options} >= {1, 2}
    for count, bought, hour, earned in options:  # whatever it costs to rent
        assert bought == count * price
        assert hour == pytest.approx(count * owned)
        assert earned == pytest.approx(hour)


def test_reductions_over_pcie_are_told(database: Path) -> None:
    """Llama-3.1-70B, 8,192 tokens over four L40S: 1.5 x 2 x 2 B x 80 x 8,192^2 at 8.9 GB/s are 3.6 s of 5.1."""
    with warehouse.connect(database) as connection:
        found = connection.execute(
            "SELECT model_id, gpu, parallelism, interconnect_bound FROM fit"
            " WHERE precision = 'bf16' AND workload = 'one' AND NOT contains(model_id, 'A3B') ORDER BY ALL"
        ).fetchall()
    assert found == [
        ("Qwen/Qwen3-8B", "nvidia-a100-sxm-80gb", "single", False),
        ("Qwen/Qwen3-8B", "nvidia-l40s-48gb", "single", False),
        ("meta-llama/Llama-3.1-70B-Instruct", "nvidia-a100-sxm-80gb", "tp2", False),
        ("meta-llama/Llama-3.1-70B-Instruct", "nvidia-l40s-48gb", "tp4", True),
    ]


def test_speed_is_less_sure_of_many_sequences_and_of_experts(database: Path) -> None:
    with warehouse.connect(database) as connection:
        found = connection.execute(
            "SELECT DISTINCT model_id, workload, speed_confidence FROM fit"
            " WHERE precision = 'bf16' AND gpu = 'nvidia-a100-sxm-80gb' AND model_id LIKE 'Qwen/%' ORDER BY ALL"
        ).fetchall()
    assert found == [
        ("Qwen/Qwen3-30B-A3B", "many", "low"), ("Qwen/Qwen3-30B-A3B", "one", "low"),
        ("Qwen/Qwen3-8B", "many", "low"), ("Qwen/Qwen3-8B", "one", "medium"),
    ]  # fmt: skip
