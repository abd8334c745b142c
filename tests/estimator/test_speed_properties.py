"""What must hold for every speed: never above the bound, never faster for more, and experts between few and all."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from estimator import host_weights, speed

some = settings(max_examples=40, deadline=None, derandomize=True)
sizes = st.floats(1e6, 1e13)
shares = st.floats(0.01, 1)

Step = dict[str, float]
steps = st.fixed_dictionaries(
    {
        "weight_bytes": sizes,
        "cache_bytes": sizes,
        "flops": st.floats(1e6, 1e16),
        "weight_bytes_per_second": st.floats(1e9, 1e13),
        "cache_bytes_per_second": st.floats(1e9, 1e13),
        "flops_per_second": st.floats(1e11, 1e16),
        "layers": st.integers(1, 128).map(float),
        "layer_seconds": st.floats(0, 1e-3),
        "reduce_seconds": st.floats(0, 1e-3),
        "host_seconds": st.floats(0, 1e-2),
    }
)


def seconds(step: Step) -> float:
    return float(pl.select(speed.step_seconds(**{name: pl.lit(number) for name, number in step.items()})).item())


@some
@given(step=steps, reached=st.tuples(shares, shares, shares))
def test_no_step_is_faster_than_nominal_rates(step: Step, reached: tuple[float, float, float]) -> None:
    bound = {**step, "layer_seconds": 0.0, "reduce_seconds": 0.0, "host_seconds": 0.0}
    rates = ("weight_bytes_per_second", "cache_bytes_per_second", "flops_per_second")
    estimate = {**step, **{name: step[name] * share for name, share in zip(rates, reached, strict=True)}}
    assert seconds(estimate) >= seconds(bound)


@some
@given(step=steps, more=st.floats(1, 100), name=st.sampled_from(["weight_bytes", "cache_bytes", "flops"]))
def test_longer_contexts_and_more_bits_are_never_faster(step: Step, more: float, name: str) -> None:
    """A longer context is more cache and more work, more bits are more weights."""
    assert seconds({**step, name: step[name] * more}) >= seconds(step)


def value(expression: pl.Expr) -> Any:
    return pl.select(expression).item()


@some
@given(
    experts=st.integers(1, 512), per_token=st.integers(1, 16), sequences=st.integers(1, 2048), more=st.integers(0, 2048)
)
def test_experts_that_are_read_lie_between_those_of_a_token_and_all(
    experts: int, per_token: int, sequences: int, more: int
) -> None:
    per_token = min(per_token, experts)

    def share(sequences: int) -> float:
        which = {"experts": pl.lit(experts), "per_token": pl.lit(per_token)}
        return float(value(speed.expert_share(**which, sequences=pl.lit(sequences))))

    assert per_token / experts - 1e-12 <= share(sequences) <= share(sequences + more) <= 1


@some
@given(
    tokens=st.integers(32, 10**6), more=st.integers(0, 10**6), batch=st.integers(32, 16_384),
    left=st.floats(0, 1e12), rate=st.floats(1e9, 1e11),
)  # fmt: skip
def test_a_prompt_waits_longer_for_more_batches_and_never_less_than_for_one(
    tokens: int, more: int, batch: int, left: float, rate: float
) -> None:
    def waited(tokens: int, batched: int | None) -> float:
        number = pl.lit(batched, dtype=pl.Int64)
        batch = host_weights.prompt_batch_tokens(
            engine=pl.lit("llamacpp"), batched_tokens=number, tokens=pl.lit(tokens)
        )
        which = {"read": pl.lit(left), "bytes_per_second": pl.lit(rate)}
        return float(value(host_weights.host_prompt_seconds(tokens=pl.lit(tokens), batch=batch, **which)))

    assert waited(tokens, None) == pytest.approx(left / rate)
    assert waited(tokens, None) <= waited(tokens, batch) <= waited(tokens + more, batch)
    assert waited(tokens, 2 * batch) <= waited(tokens, batch)


@some
@given(
    step=steps, sequences=st.integers(1, 256), more=st.integers(0, 256), experts=st.sampled_from([8, 128]),
    routed=st.floats(0, 1e13),
)  # fmt: skip
def test_more_sequences_are_each_slower_and_together_faster(
    step: Step, sequences: int, more: int, experts: int, routed: float
) -> None:
    """Weights outside experts are read once for all; cache, work and visited experts grow with the sequences."""

    def of(sequences: int) -> float:
        share = value(speed.expert_share(experts=pl.lit(experts), per_token=pl.lit(2), sequences=pl.lit(sequences)))
        return seconds(
            {
                **step,
                "weight_bytes": step["weight_bytes"] + share * routed,
                "cache_bytes": step["cache_bytes"] * sequences,
                "flops": step["flops"] * sequences,
            }
        )

    alone, together = of(sequences), of(sequences + more)
    assert together >= alone * (1 - 1e-12)
    assert (sequences + more) / together >= sequences / alone * (1 - 1e-12)


@some
@given(
    tokens=st.integers(1, 10**6), more=st.integers(0, 10**6), window=st.integers(1, 10**5),
    active=st.integers(0, 10**12), widths=st.tuples(st.integers(0, 10**7), st.integers(0, 10**7)),
)  # fmt: skip
def test_longer_prompts_are_more_work_and_windows_less(
    tokens: int, more: int, window: int, active: int, widths: tuple[int, int]
) -> None:
    full, sliding = widths

    def attention(tokens: int, full: int, sliding: int) -> float:
        which = {"width": pl.lit(full), "window_width": pl.lit(sliding), "window": pl.lit(window)}
        return float(value(speed.prompt_attention_flops(**which, tokens=pl.lit(tokens))))

    def linear(tokens: int) -> float:
        head = pl.lit(active // 10)
        return float(value(speed.prompt_linear_flops(active=pl.lit(active), head=head, tokens=pl.lit(tokens))))

    assert attention(tokens, full, sliding) <= attention(tokens + more, full, sliding) * (1 + 1e-12)
    assert attention(tokens, full, sliding) <= attention(tokens, full + sliding, 0) * (1 + 1e-12)
    assert linear(tokens) <= linear(tokens + more)
