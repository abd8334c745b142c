from __future__ import annotations

from datetime import date

import pytest

from reports import comparisons, format
from reports.model import Answer, Comparison


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
        *[(0.0282, "share", "2.82 %"), (0.0, "share", "0 %"), (-0.001, "share", "-0.10 %"), (None, "share", "unknown")],
        (0, "count", "0"),
        ("bf16", "text", "bf16"),
    ],
)
def test_a_cell_has_the_unit_of_its_kind(value: object, kind: str, shown: str) -> None:
    assert format.cell(value, kind) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        *[(None, "unknown"), (0.0, "0 %"), (0.00002, "<0.01 %"), (0.0038, "0.38 %"), (0.0592, "5.92 %")],
        *[(0.158, "15.8 %"), (0.923, "92.3 %")],
    ],
)
def test_an_error_as_a_share(value: float | None, shown: str) -> None:
    assert format.share(value) == shown


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
    ("origins", "stale", "shown"),
    [
        (["snapshot"], 0, "Prices of 2026-01-01, by the last refresh."),
        (["seed"], 1, "Prices of 2026-01-01, by the list that comes with hubfit; stale for 1 device."),
        (["site"], 0, "Prices of 2026-01-01, by the list of this site."),
        (
            ["seed", "snapshot"],
            1200,
            "Prices of 2026-01-01, by the last refresh and the list that comes with hubfit; stale for 1,200 devices.",
        ),
    ],
)
def test_where_prices_are_from(origins: list[str], stale: int, shown: str) -> None:
    assert format.price_sentence(date(2026, 1, 1), date(2026, 1, 1), origins, stale) == shown


@pytest.mark.parametrize(
    ("title", "shown"), [("One chat", "one chat"), ("LoRA run", "LoRA run"), ("RAG run", "RAG run"), ("", "")]
)
def test_titles_inside_a_sentence(title: str, shown: str) -> None:
    assert format.lowered(title) == shown


def test_by_what_models_are_ranked() -> None:
    told = format.ranking_sentence(False, ())
    assert told.startswith("Ranked by verdict and effective parameters (of a mixture of experts the geometric mean")
    assert told.endswith("a rule of thumb, for this site brought no scores.")
    assert format.ranking_sentence(True, ["arena", "ours"]).startswith(
        "Ranked by verdict and the scores of this site (arena, ours); models without one follow by effective parameters"
    )
    assert "this site; models" in format.ranking_sentence(True, ())


def test_a_sparse_model_says_what_is_active() -> None:
    sparse = format.model_sentence("a/b", 21 * 10**9, 0, 2, None, None, "Chat", active=4 * 10**9)
    assert sparse.startswith("a/b has 21.00 B parameters, 4.00 B of them active per token. No single device of 2")
    dense = format.model_sentence("a/b", 4 * 10**9, 0, 1, None, None, "Chat", active=4 * 10**9)
    assert "active" not in dense
    assert "of 1 catalogued device is" in dense


@pytest.mark.parametrize(
    ("theirs", "ours", "shown"),
    [
        (109, 100, "+9.0 %"), (56, 100, "\N{MINUS SIGN}44 %"), (100_000, 100_001, "the same"), (2500, 100, "+2,400 %"),
        (None, 100, "unknown"), (100, None, "unknown"), (100, 0, "unknown"),
    ],
)  # fmt: skip
def test_how_far_another_number_is(theirs: int | None, ours: int | None, shown: str) -> None:
    assert format.difference(theirs, ours) == shown


def asked(ours: int | None, *sizes: int) -> Comparison:
    why = "its cache is unknown" if ours is None else None
    return Comparison("Serving", "One chat", "fp16", ours, why, [Answer("a tool", size * 2**30, []) for size in sizes])


@pytest.mark.parametrize(
    ("found", "shown"),
    [
        ([], "No calculator has a number for it."),
        ([asked(20 * 2**30, 16, 18)], "For serving at fp16, 2 tools say 16.00 GiB to 18.00 GiB; ours is 20.00 GiB."),
        ([asked(20 * 2**30, 16)], "For serving at fp16, one tool says 16.00 GiB; ours is 20.00 GiB."),
        ([asked(None, 16, 16)], "For serving at fp16, 2 tools say 16.00 GiB; ours is unknown."),
        ([asked(0, 16), asked(1, 18)], "For serving at fp16, one tool says 16.00 GiB; ours is 0.00 GiB."),
    ],
)
def test_what_other_calculators_say(found: list[Comparison], shown: str) -> None:
    assert comparisons.sentence(found) == shown
