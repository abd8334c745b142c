from __future__ import annotations

from datetime import date

import pytest

from reports import format


@pytest.mark.parametrize(
    ("value", "kind", "shown"),
    [
        (None, "bytes", "unknown"),
        (None, "usd", "no price"),
        (["a/b", "x.html"], "link", "a/b"),
        ("too_big", "verdict", "○ too big"),
        (2**30, "bytes", "1.00 GiB"),
        (7_615_616_512, "parameters", "7.62 B"),
        (1008.5, "count", "1,008.5"),
        (131_072, "count", "131,072"),
        (0, "count", "0"),
        ("bf16", "text", "bf16"),
    ],
)
def test_a_cell_has_the_unit_of_its_kind(value: object, kind: str, shown: str) -> None:
    assert format.cell(value, kind) == shown


@pytest.mark.parametrize(
    ("oldest", "newest", "shown"),
    [
        (None, None, "No prices in this run."),
        (date(2026, 1, 1), None, "Dates of the prices: unknown."),
        (date(2026, 1, 1), date(2026, 1, 1), "Prices of 2026-01-01."),
        (date(2026, 1, 1), date(2026, 2, 1), "Prices from 2026-01-01 to 2026-02-01."),
    ],
)
def test_the_age_of_prices(oldest: date | None, newest: date | None, shown: str) -> None:
    assert format.price_sentence(oldest, newest) == shown


@pytest.mark.parametrize(
    ("title", "shown"), [("One chat", "one chat"), ("LoRA run", "LoRA run"), ("RAG run", "RAG run"), ("", "")]
)
def test_titles_inside_a_sentence(title: str, shown: str) -> None:
    assert format.lowered(title) == shown


def test_a_sparse_model_says_what_is_active() -> None:
    sparse = format.model_sentence("a/b", 21 * 10**9, 0, 2, None, None, "Chat", active=4 * 10**9)
    assert sparse.startswith("a/b has 21.00 B parameters, 4.00 B of them active per token. No single device of 2")
    dense = format.model_sentence("a/b", 4 * 10**9, 0, 1, None, None, "Chat", active=4 * 10**9)
    assert "active" not in dense
    assert "of 1 catalogued device is" in dense
