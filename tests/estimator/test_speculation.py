"""Blocks that predict further tokens: what they take, what a step checks and yields, and who has none."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import catalogs
import estimator
from estimator import speculation

Build = Callable[..., pl.DataFrame]
some = settings(max_examples=60, deadline=None, derandomize=True)

# Llama-3.1-8B with a block of its own: one of its layers and a projection of 2 x 4,096 x 4,096, and no experts
BLOCK = 218_112_000 + 2 * 4096**2
WITH_BLOCK: dict[str, Any] = {"mtp_parameters": BLOCK, "mtp_expert_parameters": 0, "mtp_layers": 1}
# 8 of 64 experts of 10,000,000 parameters in each of 32 layers, and in the block
MIXTURE: dict[str, Any] = {
    **WITH_BLOCK, "p_expert": 32 * 640_000_000, "p_mlp": 0, "experts": 64, "experts_per_token": 8,
    "parameters_resident": 8_030_261_248 - 5_637_144_576 + 32 * 640_000_000, "mtp_expert_parameters": 640_000_000,
    "mtp_parameters": 640_000_000 + 50_000_000, "active_read_parameters": 1_867_780_096 + 32 * 80_000_000,
    "expert_layers": 32, "expert_ffn_size": 800,
}  # fmt: skip


def value(expression: pl.Expr) -> Any:
    return pl.select(expression).item()


def yielded(tokens: int | None, acceptance: float | None) -> Any:
    return value(
        speculation.tokens_of_step(
            speculative_tokens=pl.lit(tokens, dtype=pl.Int64), acceptance=pl.lit(acceptance, dtype=pl.Float64)
        )
    )


@pytest.mark.parametrize(
    ("tokens", "acceptance", "expected"),
    [
        (1, 0.8, 1.8),
        (3, 0.5, 1 + 0.5 + 0.25 + 0.125),
        (2, 1.0, 3.0),
        (5, 0.0, 1.0),
        (None, None, 1.0),
        (2, None, None),
    ],
)
def test_tokens_of_a_step(tokens: int | None, acceptance: float | None, expected: float | None) -> None:
    assert yielded(tokens, acceptance) == (None if expected is None else pytest.approx(expected, rel=1e-12))


@some
@given(tokens=st.integers(1, 100), more=st.integers(0, 100), acceptance=st.floats(0, 1), better=st.floats(0, 1))
def test_a_step_yields_more_of_more_that_are_right_more_often(
    tokens: int, more: int, acceptance: float, better: float
) -> None:
    low, high = sorted((acceptance, better))
    least = yielded(tokens, low)
    assert least * (1 + 1e-9) >= 1
    assert least <= yielded(tokens, high) * (1 + 1e-9) <= (tokens + 1) * (1 + 1e-8)
    assert least <= yielded(tokens + more, low) * (1 + 1e-9)


@pytest.mark.parametrize(
    ("kind", "parameters", "tokens", "answer"),
    [
        ("decoder", BLOCK, 2, True),
        ("decoder", 0, 2, False),
        ("decoder", None, 2, None),
        ("decoder", 0, None, True),
        ("decoder", None, None, True),
        ("encoder", None, 1, False),
    ],
)
def test_who_has_blocks(kind: str, parameters: int | None, tokens: int | None, answer: bool | None) -> None:
    found = speculation.predicts(
        kind=pl.lit(kind),
        parameters=pl.lit(parameters, dtype=pl.Int64),
        speculative_tokens=pl.lit(tokens, dtype=pl.Int64),
    )
    assert value(found) is answer


def held(
    shapes: pl.DataFrame, workloads: pl.DataFrame, precisions: pl.DataFrame, overrides: pl.DataFrame
) -> dict[tuple[int, str, int], dict[str, Any]]:
    """(workload, precision, degree) -> its weight plan."""
    residencies = estimator.residencies(workloads).collect()
    plans = estimator.weight_plans(shapes, overrides, precisions, residencies).collect()
    rows = plans.join(precisions.select("precision", "precision_ix"), on="precision_ix").join(
        residencies.select("workload_ix", "residency_ix"), on="residency_ix"
    )
    return {(row["workload_ix"], row["precision"], row["degree"]): row for row in rows.to_dicts()}


def test_blocks_are_resident_where_they_predict(
    shapes_of: Build, workloads_of: Build, precisions: pl.DataFrame, no_overrides: pl.DataFrame
) -> None:
    """Llama-3.1-8B in bf16: 2 bytes for each parameter of its block, and three reads of it and of the head."""
    workloads = workloads_of(
        {}, {"speculative_tokens": 3, "acceptance": 0.8}, {"speculative_tokens": 1, "acceptance": 1.0}
    )
    rows = held(shapes_of(WITH_BLOCK), workloads, precisions, no_overrides)
    plain, three, one = (rows[workload, "bf16", 1] for workload in range(3))
    assert three["weights_bytes"] == one["weights_bytes"] == plain["weights_bytes"] + 2 * BLOCK
    head = 2 * 128_256 * 4096
    assert three["step_dense_bytes"] == plain["step_dense_bytes"] + 3 * (2 * BLOCK + head)
    assert one["step_dense_bytes"] == plain["step_dense_bytes"] + 2 * BLOCK + head
    # half on each of two devices; the upper end is 0.1 % more of it
    assert rows[1, "bf16", 2]["weights_bytes"] == rows[0, "bf16", 2]["weights_bytes"] + BLOCK
    assert three["margin_bytes"] - plain["margin_bytes"] == pytest.approx(2 * BLOCK / 1000, abs=2)
    # files have the block already
    assert rows[1, "stored", 1]["weights_bytes"] == rows[0, "stored", 1]["weights_bytes"] == 16_060_522_496
    assert rows[1, "stored", 1]["step_dense_bytes"] == three["step_dense_bytes"]


def test_a_quantised_model_may_leave_its_block_in_16_bits(
    shapes_of: Build, workloads_of: Build, precisions: pl.DataFrame, no_overrides: pl.DataFrame
) -> None:
    """AWQ: 5,727,854,592 bytes of 8,030,261,248 parameters, 0.713 for one of the block, and 2 at the upper end."""
    workloads = workloads_of({}, {"speculative_tokens": 1, "acceptance": 0.8})
    rows = held(shapes_of(WITH_BLOCK), workloads, precisions, no_overrides)
    plain, speculating = (rows[workload, "int4_awq_g128", 1] for workload in range(2))
    more = speculating["weights_bytes"] - plain["weights_bytes"]
    assert more == pytest.approx(BLOCK * 5_727_854_592 / 8_030_261_248, abs=1)
    wider = speculating["margin_bytes"] - plain["margin_bytes"] - 0.02 * more
    assert wider == pytest.approx(2 * BLOCK - more, abs=2)


def test_experts_of_a_block_are_read_as_they_are_visited(
    shapes_of: Build, workloads_of: Build, precisions: pl.DataFrame, no_overrides: pl.DataFrame
) -> None:
    workloads = workloads_of({}, {"speculative_tokens": 1, "acceptance": 0.8, "concurrent_sequences": 4})
    shapes = shapes_of(MIXTURE)
    rows = held(shapes, workloads, precisions, no_overrides)
    assert rows[1, "bf16", 1]["step_expert_bytes"] - rows[0, "bf16", 1]["step_expert_bytes"] == 2 * 640_000_000
    work = estimator.work_plans(shapes, workloads).filter(split_ix=0).sort("workload_ix").collect()
    alone, checked = work["expert_share"].to_list()
    # four sequences and one predicted token of each: eight tokens
    assert (alone, checked) == (1 / 8, pytest.approx(1 - (7 / 8) ** 8))
    attention = 2 * 32 * 32 * 256 * 8192
    active = 1_867_780_096 + 32 * 80_000_000
    draft = 50_000_000 + 80_000_000 + 525_336_576
    assert work["step_flops"].to_list() == pytest.approx(
        [2 * active + attention, 8 * (2 * active + attention) + 4 * 2 * draft], rel=1e-12
    )


def test_caches_and_states_of_what_is_predicted(shapes_of: Build, workloads_of: Build) -> None:
    """33 layers of attention instead of 32; a state more for each predicted token, of which a step writes every one."""
    hybrid = {**WITH_BLOCK, "state_recurrent_elements": 24 * 1_000_000, "state_layers": 24}
    predicting = {"speculative_tokens": 2, "acceptance": 0.8}
    workloads = workloads_of({}, predicting, predicting | {"engine": "vllm", "engine_options": "prefix_caching"})
    shapes = shapes_of(WITH_BLOCK, hybrid, {**WITH_BLOCK, "mtp_layers": None})
    plans = estimator.cache_plans(shapes, workloads, catalogs.kv_precisions()).filter(split_ix=0).collect()
    rows = {(row["shape_ix"], row["workload_ix"]): row for row in plans.to_dicts()}
    assert rows[0, 1]["kv_cache_bytes"] * 32 == rows[0, 0]["kv_cache_bytes"] * 33
    assert rows[0, 1]["step_cache_bytes"] * 32 == rows[0, 0]["step_cache_bytes"] * 33
    state = rows[1, 0]["state_bytes"]
    assert state == 24 * 1_000_000 * 4
    assert rows[1, 1]["state_bytes"] == 3 * state
    assert rows[1, 1]["step_cache_bytes"] - rows[0, 1]["step_cache_bytes"] == 4 * state
    # pages of attention as large as a state: 4,096 bytes a token and layer, 977 tokens in 62 blocks of 16
    assert rows[1, 2]["block_tokens"] == 992
    assert rows[1, 2]["state_bytes"] == 4 * 33 * 992 * 4096  # 24 and 33 layers are near enough for groups of 33
    assert rows[2, 1]["kv_cache_bytes"] is None
    assert rows[2, 0]["kv_cache_bytes"] == rows[0, 0]["kv_cache_bytes"]


def test_vllm_may_take_as_many_logits_again(shapes_of: Build, workloads_of: Build) -> None:
    """1,024 sequences of 128,256 words at 15 bytes, at the upper end alone."""
    workloads = workloads_of({"engine": "vllm"}, {"engine": "vllm", "speculative_tokens": 1, "acceptance": 0.8})
    engines = catalogs.engines().filter("is_default")
    plans = estimator.overhead_plans(shapes_of(WITH_BLOCK), workloads, engines)
    plain, checking = plans.filter(memory_tier_ix=2, split_ix=0).sort("workload_ix").collect().to_dicts()
    assert checking["margin_bytes"] - plain["margin_bytes"] == 1024 * 128_256 * 15
    assert checking["activation_bytes"] == plain["activation_bytes"]
