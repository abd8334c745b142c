"""Tables of a plan in words that a buyer reads: titles, units, what is stale, and keys that nobody knew of."""

from __future__ import annotations

from typing import Any

import pytest
from bought import FACTS

from reports.format import STALE
from reports.plan_tables import Told, stale_offers, tables

MINUS, DASH = "\N{MINUS SIGN}", "\N{EN DASH}"
TAKEN = [{"units": 2, "offer": "rent a", "price_is_stale": True}, {"units": 1, "offer": "owned b"}]
TOLD = (f"2 x rent a {STALE}", "1 x owned b")


def shown(told: Told) -> tuple[str, list[str], list[list[object]]]:
    return told.title, [column.title for column in told.columns], [list(row) for row in told.rows]


def test_what_a_plan_says_besides() -> None:
    assert [shown(told) for told in tables(FACTS, "12 months")] == [
        (
            "The next best plans",
            ["Cost for 12 months", "More than the plan", "Devices", "Proven", "Take"],
            [["$36,000.00", "$960.00", "4", "yes", (f"1 x rent 4 x device-a of acme {STALE}",)]],
        ),
        (
            "What it hangs on",
            ["Without", "Line of the demand", "Saves", "Then take"],
            [["speed", "2", "$40.00", ("2 x owned device-b",)]],
        ),
        (
            "Up to which price it stays the cheapest",
            ["Offer", "With power at most", "What ends it"],
            [[f"rent 1 x device-a of acme {STALE}", "any", "the budget"]],
        ),
        (
            "With other rents",
            ["Rents change by", "More than the plan", "Same hardware"],
            [[f"{MINUS}20 %", f"{MINUS}$7,008.00", "yes"]],
        ),
        ("Left out for want of time", ["What"], [["the plan in 4 bits"]]),
    ]


def test_the_next_best_plans() -> None:
    best = [{"usd": 1312.22, "usd_more": 20.33, "is_proven": False, "devices": 1_007, "hardware": TAKEN}]
    [told] = tables({"next_best": best}, "a month")
    assert shown(told) == (
        "The next best plans",
        ["Cost for a month", "More than the plan", "Devices", "Proven", "Take"],
        [["$1,312.22", "$20.33", "1,007", "no", TOLD]],
    )
    assert [column.is_number for column in told.columns] == [True, True, True, False, False]
    assert list(told.prose) == [4]


def test_what_it_hangs_on_is_said_in_words() -> None:
    rows = [
        {"what": "sharing", "line": None, "gpu": None, "usd_saved": 1.5, "usd": 2.0, "hardware": TAKEN},
        {"what": "inventory", "line": None, "gpu": "l4", "usd_saved": 1.0, "usd": 2.5, "hardware": TAKEN},
    ]
    [told] = tables({"binding": rows}, "12 months")
    assert shown(told)[2] == [
        ["the rule to share no device", DASH, "$1.50", "$2.00", TOLD],
        ["the end of the inventory, with one more", "l4", "$1.00", "$2.50", TOLD],
    ]


def test_up_to_which_price_a_plan_holds() -> None:
    """The price of a unit is 100 of its 150; another plan is as cheap at 200, which is half of the price more."""
    known = {"offer": "rent a", "usd_each": 150.0, "price_usd_each": 100.0, "stays_up_to_usd_each": 200.0,
             "stays_up_to_percent": 50.0, "because": "another plan", "then": TAKEN}  # fmt: skip
    endless = {**known, "offer": "buy c", "stays_up_to_usd_each": None, "stays_up_to_percent": None, "because": None,
               "then": None}  # fmt: skip
    [told] = tables({"sensitivity": {"prices": [known, endless], "rents": [], "precision": []}}, "12 months")
    assert shown(told) == (
        "Up to which price it stays the cheapest",
        ["Offer", "Its price may change by", "Price of a unit, for 12 months", "With power", "With power at most",
         "What ends it", "Then take"],
        [
            [f"rent a {STALE}", "+50 %", "$100.00", "$150.00", "$200.00", "another plan", TOLD],
            ["buy c", "any", "$100.00", "$150.00", "any", "nothing", DASH],
        ],
    )  # fmt: skip


def test_other_rents_and_precisions_do_not_list_the_same_hardware_again() -> None:
    same = {"usd": 5.0, "usd_more": 0.0, "is_same_hardware": True, "hardware": TAKEN}
    other = {"usd": 6.0, "usd_more": 1.0, "is_same_hardware": False, "hardware": TAKEN}
    none = {"usd": None, "usd_more": None, "is_same_hardware": False, "hardware": None}
    ways = {"rents": [{"percent": -20, **same}, {"percent": 20, **other}], "precision": [{"bits": 4, **none}]}
    rents, precision = tables({"sensitivity": ways, "hardware": TAKEN}, "12 months")
    assert shown(rents)[1:] == (
        ["Rents change by", "Cost for 12 months", "More than the plan", "Then take"],
        [[f"{MINUS}20 %", "$5.00", "$0.00", "the same"], ["+20 %", "$6.00", "$1.00", TOLD]],
    )
    assert shown(precision)[1:] == (["Bits of a weight", "Cost for 12 months"], [["4", "no plan"]])


def test_shared_devices_have_the_names_that_models_refer_to() -> None:
    holds = [{"line": 2, "model_id": "owner/name", "precision": "bf16", "replicas": 2, "required_bytes_high": 2**30}]
    device = {"offer": "rent a", "gpu": "l4", "devices": 1, "holds": holds, "required_bytes_high": 2**30,
              "assured_bytes": 2**31}  # fmt: skip
    [told] = tables({"shared": [device, device], "hardware": TAKEN}, "12 months")
    assert shown(told)[1] == [
        "Shared", "Device", "Devices", "Each holds", "Needs at most", "Sure to be usable", "Offer",
    ]  # fmt: skip
    assert shown(told)[2][1] == [
        "shared 2", "l4", "1", ("2 x owner/name in bf16 (line 2)",), "1.00 GiB", "2.00 GiB", f"rent a {STALE}",
    ]  # fmt: skip


def test_stale_is_what_any_list_says_of_an_offer() -> None:
    deep = {"a": [{"b": {"hardware": TAKEN}}], "c": [{"offer": "rent d", "price_is_stale": False}]}
    assert stale_offers(deep) == {"rent a"}
    assert stale_offers(None) == frozenset()


@pytest.mark.parametrize(
    ("value", "columns", "rows"),
    [
        (["the speed of line 2"], ["Without"], [["the speed of line 2"]]),
        ("the budget", ["Without"], [["the budget"]]),
        (
            {"budget": {"usd_limit": 10.0, "is_hard": True}, "power": {"watts": None}},
            ["Name", "Limit, USD", "Hard"],
            [["budget", "$10.00", "yes"], ["power", "", ""]],
        ),
        (
            [{"lines": [1, 2], "of": {"room_bytes": 2**30}, "holds": [{"line": 1}, {"line": 2}]}, {"lines": None}],
            ["Lines", "Of", "Holds"],
            [["1, 2", "room bytes 1.00 GiB", "line 1; line 2"], [DASH, "", ""]],
        ),
        ([{"{new}": 1}], ["{new}"], [["1"]]),
        ([{"usd": 1.0, "more_percent": 3, "bytes": None}], ["Cost for 12 months", "More, %"], [["$1.00", "3"]]),
    ],
)
def test_what_nobody_knew_of_is_shown_as_it_is(value: object, columns: list[str], rows: list[list[str]]) -> None:
    [told] = tables({"binding": value}, "12 months")
    assert shown(told) == ("What it hangs on", columns, rows)


def test_a_number_of_a_key_that_nobody_knew_of_is_a_number() -> None:
    [told] = tables({"binding": [{"new_usd": 1.0, "is_new": True, "new": "2"}]}, "12 months")
    assert [column.is_number for column in told.columns] == [True, False, False]


def test_a_table_of_a_new_kind_of_change_has_its_key_for_a_title() -> None:
    [told] = tables({"sensitivity": {"other_power": [{"usd": 1}]}}, "12 months")
    assert shown(told) == ("How far it holds: Other power", ["Cost, USD"], [["$1.00"]])


def test_a_sentence_may_take_several_lines() -> None:
    facts: dict[str, Any] = {"sensitivity": [{"short": "1", "long": "x" * 41}]}
    [told] = tables(facts, "12 months")
    assert list(told.prose) == [1]
