"""Sentences of the page for a buyer, the efficient frontier, and what the page does with and without a plan."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from bought import cheapest, offer, procurement_page

from reports import render
from reports.format import STALE
from reports.procurement import finding, frontier, verdicts

NONE: dict[str, Any] = {
    "priced": 0, "median_usd_per_hour": None, "highest_usd_per_hour": None, "confidence": [], "stale": 0,
    "youngest_days": None, "oldest_days": None,
}  # fmt: skip
ONE: dict[str, Any] = {
    "priced": 1, "median_usd_per_hour": 0.5, "highest_usd_per_hour": 0.5, "confidence": [("medium", 1)], "stale": 0,
    "youngest_days": 1, "oldest_days": 1,
}  # fmt: skip


ASKED = "one chat, at the model's own context where that is shorter"


def said(**changes: Any) -> tuple[str, ...]:
    return verdicts(replace(procurement_page(), cheapest=cheapest(**changes)))


def test_the_verdict_says_how_dear_how_sure_and_how_old() -> None:
    assert said() == (
        f"Of 3 models that write text, 2 run on devices with an on-demand price ({ASKED}); half of them for $0.75 an"
        " hour or less, the dearest for $1.00.",
        "These needs are at the upper end of the estimate, 1 with high and 1 with low confidence.",
        "The prices are 1 to 40 days old; 1 of 2 is stale.",
    )


def test_the_verdict_of_one_and_of_none() -> None:
    assert said(models=1, **ONE) == (
        f"Of 1 model that writes text, 1 runs on devices with an on-demand price ({ASKED}), at $0.50 an hour.",
        "This need is at the upper end of the estimate, 1 with medium confidence.",
        "The prices are 1 day old; none is stale.",
    )
    assert said(**NONE) == (
        f"None of 3 models that write text is sure to run on a device with an on-demand price ({ASKED}).",
    )
    assert said(models=0, **NONE) == ("No model was read this night, so there is nothing to buy for.",)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"shorter": 1}, "where that is shorter, as for 1 of them);"),
        ({"shorter": 2}, "where that is shorter, as for all of them);"),
        ({**ONE, "shorter": 1}, "where that is shorter, as here),"),
    ],
)
def test_how_many_models_are_not_asked_for_the_whole_context(changes: dict[str, Any], words: str) -> None:
    assert words in said(**changes)[0]


@pytest.mark.parametrize(
    ("others", "priced", "sentence"),
    [
        (1, 0, "1 model that is not known to write text, such as encoders, is not counted here; none has a price."),
        (1, 1, "1 model that is not known to write text, such as encoders, is not counted here; it has a price."),
        (3, 3, "3 models that are not known to write text, such as encoders, are not counted here; all have a price."),
        (3, 1, "3 models that are not known to write text, such as encoders, are not counted here; 1 has a price."),
        (3, 2, "3 models that are not known to write text, such as encoders, are not counted here; 2 have a price."),
    ],
)
def test_what_chats_with_nobody_is_counted_apart(others: int, priced: int, sentence: str) -> None:
    assert said(others=others, others_priced=priced)[-1] == sentence
    assert said(models=0, others=others, others_priced=priced, **NONE) == (
        "No model that was read this night is known to write text, so nothing is asked to chat.",
        sentence,
    )


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"stale": 2}, "The prices are 1 to 40 days old; all are stale: ask for an offer, or run hubfit prices."),
        ({**ONE, "stale": 1}, "The prices are 1 day old; it is stale: ask for an offer, or run hubfit prices."),
        ({"youngest_days": 0, "oldest_days": 0, "stale": 0}, "The prices are 0 days old; none is stale."),
        ({"youngest_days": None, "oldest_days": None}, "How old the prices are is unknown; 1 of 2 is stale."),
        ({"priced": 5, "stale": 2}, "The prices are 1 to 40 days old; 2 of 5 are stale."),
    ],
)
def test_how_old_the_prices_are(changes: dict[str, Any], sentence: str) -> None:
    assert said(**changes)[-1] == sentence


def test_equal_prices_and_unknown_confidence() -> None:
    first, *others = said(median_usd_per_hour=1.0, confidence=[])
    assert first.endswith(f"({ASKED}), each for $1.00 an hour or less.")
    assert len(others) == 1, "nothing is said about confidence that nobody knows"
    assert said(confidence=[("low", 2), ("high", 1), ("medium", 4)])[1].endswith(
        "1 with high, 4 with medium and 2 with low confidence."
    )


def test_the_frontier_holds_more_for_each_step_of_price() -> None:
    offers = [
        offer("dear", 4.0, 9), offer("small", 1.0, 5), offer("same-price", 1.0, 7), offer("no-more", 2.0, 7),
        offer("unknown", 0.1, None), offer("best", 3.0, 20),
    ]  # fmt: skip
    assert [found.gpu for found in frontier(offers)] == ["same-price", "best"]
    assert frontier([]) == ()


def test_the_title_of_the_chart_is_what_it_shows() -> None:
    small, large = offer("small", 0.5, 8 * 10**9), offer("large", 2.0, 70 * 10**9)
    assert finding([large, small]) == (
        "8.00 B parameters fit on one small for $0.50 an hour; the most, 70.00 B, takes one large for $2.00"
    )
    assert (
        finding([small]) == "8.00 B parameters fit on one small for $0.50 an hour, and nothing with a price holds more"
    )
    old = offer("old", 3.0, 80 * 10**9, is_stale=True)
    assert finding([small, old]).endswith("takes one old for $3.00 (stale)")
    assert finding([old]).startswith("80.00 B parameters fit on one old for $3.00 (stale) an hour, and nothing")
    assert finding([offer("none", 1.0, None)]) == "No device has both a price and a model that is sure to fit"


def test_a_page_without_a_plan_says_how_to_get_one() -> None:
    page = procurement_page()
    with_plan, without = render.procurement(page), render.procurement(replace(page, plan=None))
    assert "hubfit plan DEMAND.csv" in without
    assert "hubfit plan DEMAND.csv" not in with_plan
    assert 'id="plan"' not in without
    refused = render.procurement(replace(page, plan=None, why_no_plan="line 2: <owner/name> fits no device"))
    assert "line 2: &lt;owner/name&gt; fits no device" in refused
    assert "hubfit plan DEMAND.csv" not in refused


def test_a_stale_price_says_so_beside_the_money() -> None:
    html = render.procurement(procurement_page())
    assert f'<td class="n">$1.00 <span class="stale">{STALE}</span></td>' in html
    assert f'<td class="n">$1,999.00 <span class="stale">{STALE}</span></td>' in html
    assert f'<td class="n">$0.25 <span class="stale">{STALE}</span></td>' in html
    assert '<td class="n">$0.50</td>' in html, "a price of yesterday has no mark"
    assert f"2 x buy device-b {STALE}" in html
    assert f"1 x rent 4 x device-a of acme {STALE}" in html


def test_nothing_known_is_said_in_words() -> None:
    page = procurement_page(rows=0)
    page = replace(page, offers=[], ages=[], plan=None, cheapest=cheapest(models=0, **NONE))
    html = render.procurement(page)
    assert "<svg" not in html
    assert "No prices in this run." in html
    assert "None" not in html


def test_a_page_for_a_part_of_the_models_says_so() -> None:
    assert "Here and in the files are the 1 most downloaded of 2 models; the view has all." in render.procurement(
        procurement_page()
    )


def test_rows_beside_a_page_have_each_word_once() -> None:
    page = procurement_page(rows=4)
    script = render.rows_beside(page.options)
    start = script.index(" = ", script.index('["cheapest"]')) + 3
    data = json.loads(script[start:].rstrip(";\n"))
    assert data["words"]["1"] == ["chat-8k", "other"]
    assert data["words"]["2"] == [["Device A", "devices/device-a.html"]]
    assert data["rows"][3] == [3, 0, 0, 0.75, 0.003, 1]
    assert len(page.options.rows[3]) == 6, "the table itself is as it was"
    assert page.options.rows[3][1] == "chat-8k"
