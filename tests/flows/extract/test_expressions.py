"""Arithmetic of dialect rows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalogs import architectures
from flows.extract.expressions import _parsed, evaluate

NAMES = {"hidden": 4096, "rank": 64, "none": 0}


def value_of(name: str) -> int:
    if name not in NAMES:
        raise ValueError(f"{name} is missing")
    return NAMES[name]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2 * hidden * rank", 524_288), ("hidden // rank + 3", 67), ("-(-hidden // 100)", 41),
        ("ceil(hidden, 100)", 41),
        ("max(hidden, rank) - min(hidden, rank)", 4032), ("hidden % 100", 96), ("not none", 1), ("not hidden", 0),
        ("none or rank", 1), ("hidden > rank and rank == 64", 1), ("rank != 64", 0), (7, 7),
    ],
)  # fmt: skip
def test_values_by_hand(text: str | int, value: int) -> None:
    assert evaluate(text, value_of) == value


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("hidden // none", "division by zero"), ("missing * 2", "missing is missing"), 
        ("hidden.real.imag", "not an expression"),
        ("open('x')", "not an expression"),
        ("hidden ** 99", "not an expression"), ("'a' * hidden", "not an expression"),
        ("hidden * hidden * hidden * hidden * hidden * hidden", "beyond any model"),
        ("1.5 * hidden", "not an expression"),
        ("[hidden][0]", "not an expression"),
    ],
)  # fmt: skip
def test_anything_else_is_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        evaluate(text, value_of)


@given(st.integers(1, 10**6), st.integers(1, 10**6))
def test_ceil_rounds_up(a: int, b: int) -> None:
    names = {"a": a, "b": b}
    found = evaluate("ceil(a, b)", names.__getitem__)
    assert (found - 1) * b < a <= found * b


def test_every_expression_of_the_catalog_can_be_read() -> None:
    for name, row in architectures.dialects().items():
        for extra in row.get("extra", ()):
            assert extra["part"], name
            assert ("size" in extra) + ("rows" in extra and "columns" in extra) + ("tower" in extra) == 1, name
            for key in ("size", "rows", "columns", "count", "when"):
                if isinstance(extra.get(key), str):
                    _parsed(extra[key])


def test_tables_of_hashed_words_have_a_prime_number_of_rows() -> None:
    assert evaluate("primes(10, 0, 3)", {}.__getitem__) == 11 + 13 + 17
    assert evaluate("primes(11, 1, 2)", {}.__getitem__) == 13 + 17
    assert evaluate("primes(0, 0, 2)", {}.__getitem__) == 2 + 3
    with pytest.raises(ValueError, match="beyond any table"):
        evaluate("primes(1099511627776, 0, 1)", {}.__getitem__)
    with pytest.raises(ValueError, match="beyond any table"):
        evaluate("primes(10, 200, 100)", {}.__getitem__)
