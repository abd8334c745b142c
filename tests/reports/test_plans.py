"""Plans of whichever version: what every plan has, what only newer ones say, and what is missing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from bought import FACTS, procurement_page

from reports import plans, render


def test_a_plan_in_words() -> None:
    plan = plans.from_facts(FACTS)
    said = "$35,040.00 for 12 months serves 1 line of the demand: 3 devices, power unknown."
    assert plans.sentence(plan) == f"{said} It is not proven to be the cheapest: no plan costs less than $35,000.00."
    assert plans.sentence(plans.from_facts({**FACTS, "is_proven": True})) == said
    bought = plans.sentence(plans.from_facts({**FACTS, "is_proven": True, "usd_outlay": 120_000.0}))
    assert bought == f"{said} $120,000.00 are paid for what is bought; of it only the share of these months counts."
    one = replace(plan, months=1.0, devices=1, watts=1400.0, served=[], usd_at_least=None)
    assert plans.sentence(one) == "$35,040.00 for a month serves 0 lines of the demand: 1 device, 1.4 kW rated."


def test_a_line_on_two_offers_is_one_line() -> None:
    twice = plans.from_facts({**FACTS, "served": FACTS["served"] * 2, "is_proven": True})
    assert "serves 1 line of the demand" in plans.sentence(twice)


def test_what_every_plan_has() -> None:
    plan = plans.from_facts(FACTS)
    assert plan.hardware_cells() == [
        ["rent 1 x device-a of acme", "3", "3", "$35,040.00", "unknown", "2026-01-01, 1 day old, stale"]
    ]
    assert plan.served_cells() == [
        ["owner/name", "device-a", "bf16", "pp3", "1", "8,192", "16", "unknown", "20.00 GiB", "22.00 GiB", "medium"]
    ]
    assert plan.alternative_cells() == [
        ["rent 1 x device-a of acme", "no other plan", "nothing"],
        ["owned device-b", "$40,000.00", "2 x buy device-b"],
    ]
    owned = {"offer": "owned device-b", "units": 1}
    assert plans.from_facts({**FACTS, "hardware": [owned]}).hardware_cells() == [
        ["owned device-b", "1", "unknown", "unknown", "unknown", "\N{EN DASH}"]
    ]


def test_what_a_plan_hangs_on_and_how_far_it_holds() -> None:
    more = plans.from_facts(FACTS).more
    assert [(told.title, list(told.columns), [list(row) for row in told.rows]) for told in more] == [
        (
            "What it hangs on",
            ["what", "line", "usd saved", "hardware"],
            [["speed", "2", "$40.00", "2 x owned device-b"]],
        ),
        (
            "Up to which price it stays the cheapest",
            ["offer", "because"],
            [["rent 1 x device-a of acme", "the budget"]],
        ),
        (
            "With other rents",
            ["percent", "usd more", "is same hardware"],
            [["-20", "\N{MINUS SIGN}$7,008.00", "yes"]],
        ),
        ("Left out for want of time", ["Left out for want of time"], [["the plan in 4 bits"]]),
    ]


@pytest.mark.parametrize(
    ("changes", "split"),
    [
        ({"devices_per_group": 1, "parallelism": "single"}, "one"),
        ({"groups": 2}, "2 x pp3"),
        ({"groups": 4, "devices_per_group": 1}, "4 x one"),
        ({"shared": 0, "devices_per_group": 1}, "shared 1"),
    ],
)
def test_how_a_model_is_split(changes: dict[str, object], split: str) -> None:
    [row] = plans.from_facts({**FACTS, "served": [{**FACTS["served"][0], **changes}]}).served_cells()
    assert row[3] == split


@pytest.mark.parametrize(
    ("value", "columns", "rows"),
    [
        (["the speed of line 2"], ["What it hangs on"], [["the speed of line 2"]]),
        ("the budget", ["What it hangs on"], [["the budget"]]),
        (
            {"budget": {"usd_limit": 10.0, "is_hard": True}, "power": {"watts": None}},
            ["name", "usd limit", "is hard"],
            [["budget", "$10.00", "yes"], ["power", "", ""]],
        ),
        (
            [{"lines": [1, 2], "of": {"room_bytes": 2**30}, "holds": [{"line": 1}, {"line": 2}]}, {"lines": None}],
            ["lines", "of", "holds"],
            [["1, 2", "room bytes 1.00 GiB", "line 1; line 2"], ["\N{EN DASH}", "", ""]],
        ),
    ],
)
def test_what_nobody_knew_of_is_shown_as_it_is(value: object, columns: list[str], rows: list[list[str]]) -> None:
    [told] = plans.from_facts({**FACTS, "sensitivity": None, "left_out": [], "binding": value}).more
    assert (told.title, list(told.columns), [list(row) for row in told.rows]) == ("What it hangs on", columns, rows)


def test_a_table_of_a_new_kind_of_change_has_its_key_for_a_title() -> None:
    facts = {**FACTS, "binding": None, "left_out": None, "sensitivity": {"power": [{"usd": 1}]}}
    assert [told.title for told in plans.from_facts(facts).more] == ["How far it holds: power"]


def test_a_sentence_may_take_several_lines() -> None:
    facts = {**FACTS, "sensitivity": [{"short": "1", "long": "x" * 41}], "binding": None, "left_out": None}
    [told] = plans.from_facts(facts).more
    assert list(told.prose) == [1]


def test_a_plan_with_the_least_that_there_can_be_is_a_page() -> None:
    least = plans.from_facts({"months": 1, "usd": 0, "devices": 0})
    html = render.procurement(replace(procurement_page(), plan=least))
    assert "$0.00 for a month serves 0 lines of the demand: 0 devices, power unknown." in html
    assert "What else would do" not in html
    with pytest.raises(KeyError):
        plans.from_facts({"months": 1})
