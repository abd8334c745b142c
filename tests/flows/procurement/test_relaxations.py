"""What would make a plan possible: each condition by itself, by hand, and two where only two do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import plan_requests
import polars as pl
import pytest
from plan_requests import demand, fit, inventory, price, request

from flows.procurement.effort import Effort
from flows.procurement.offers import Terms
from flows.procurement.options import Answers, Unserved
from flows.procurement.problem import Limits
from flows.procurement.relaxations import CONTEXTS, Relaxation, relaxations
from flows.procurement.request import Request
from flows.procurement.solver import solve

# a for 10 and b for 30 a month, of 100 and 40 W; c of amd for 20 from another provider
PRICES = [price("a", 10.0), price("b", 30.0), price("c", 20.0, provider="two")]
FITS = [fit("a"), fit("b"), fit("c")]


def would_do(asked: Request, again: Any = None) -> list[Relaxation]:
    assert solve(asked.problem) is None
    return relaxations(asked, Effort(seconds=600.0), again)


def only(asked: Request, again: Any = None) -> Relaxation:
    [found] = would_do(asked, again)
    return found


def test_how_much_more_money() -> None:
    found = only(request(demand({"replicas": 2}), plan_requests.answers(FITS, PRICES), limits=Limits(16.0), share=True))
    assert (found.what, found.usd, found.change) == (("budget",), pytest.approx(20.0), {"budget_usd": 20.0})
    assert found.share == pytest.approx(0.25)
    assert found.words == "the budget stands in the way: 20.00 USD would do (+25.0%)"


def test_how_much_more_power() -> None:
    """The least power of all, on b, and what that costs."""
    asked = request(
        demand({"replicas": 2}), plan_requests.answers(FITS, PRICES, b=40), limits=Limits(watts=64.0), share=True
    )
    least = only(asked)
    assert (least.what, least.usd, least.change) == (("power",), pytest.approx(60.0), {"watts": 80.0})
    assert least.share == pytest.approx(0.25)
    assert least.words == "the power limit stands in the way: 80 W would do (+25.0%)"


def test_how_many_more_devices() -> None:
    """Three groups of two on a, of which five are there; on b each would take four."""
    fits = [fit("a", degree=2), fit("b", degree=4)]
    found = plan_requests.answers(fits, PRICES)
    asked = request(
        demand({"replicas": 3}), found, owned=inventory(a=5, b=1), terms=Terms(1.0, rents=False, buys=False), share=True
    )
    inventories = [one for one in would_do(asked) if one.what == ("inventory",)]
    assert [(one.change, one.share) for one in inventories] == [({"a": 1}, pytest.approx(1 / 6))]
    assert inventories[0].words == "the inventory stands in the way: 1 more a would do"


def test_the_fewest_more_devices_cost_what_their_plan_costs() -> None:
    """Three replicas, two devices of a for each or four of b; two of a and four of b are there, for 10 each in power.
    With plenty of a all three are on six of a, for 60. Two more of a do: two replicas on four of a, one on b, for 80;
    of b, which is asked first, it would take four more.
    """
    found = plan_requests.answers([fit("a", degree=2), fit("b", degree=4)], PRICES)
    asked = replace(
        request(
            demand({"replicas": 3}), found, owned=inventory(b=4, a=2), terms=Terms(1.0, rents=False, buys=False),
            share=True,
        ),
        policy={**plan_requests.POLICY, "usd_per_kwh": 0.1},
    )  # fmt: skip
    [fewest] = [one for one in would_do(asked) if one.what == ("inventory",)]
    assert (fewest.change, fewest.share) == ({"a": 2}, pytest.approx(2 / 6))
    assert fewest.usd == pytest.approx(80.0)


@pytest.mark.parametrize(
    ("fastest", "part", "words"), [(14.0, 0.7, "70% of the"), (1.0, 0.0, "a plan without a minimum speed would")]
)
def test_how_much_slower(fastest: float, part: float, words: str) -> None:
    asked = request(
        demand({"min_tokens_per_second": 20.0}), plan_requests.answers([fit("a", speed=fastest)], PRICES), share=True
    )
    found = only(asked)
    assert (found.what, found.change, found.share) == (("minimum speed",), {"part": part}, pytest.approx(1 - part))
    assert found.words.startswith(words)


def test_which_vendor_and_which_provider() -> None:
    asked = request(
        demand(), plan_requests.answers([fit("c")], PRICES), terms=Terms(1.0, vendors=["nvidia"]), share=True
    )
    assert (only(asked).what, only(asked).change) == (("vendors",), {"vendors": ["amd"]})
    asked = request(
        demand(), plan_requests.answers([fit("c")], PRICES), terms=Terms(1.0, providers=["one"]), share=True
    )
    found = only(asked)
    assert (found.what, found.change, found.share) == (("providers",), {"providers": ["two"]}, None)
    assert found.words == "provider two would do, for 20.00 USD"


def test_what_is_allowed_already_is_no_change() -> None:
    """One line on a, of nvidia and rented from one, the other on c, of amd and rented from two."""
    found = plan_requests.answers([fit("a"), fit("c", demand=1)], PRICES)
    asked = request(demand({}, {}), found, terms=Terms(1.0, vendors=["nvidia"]), share=True)
    assert only(asked).change == {"vendors": ["amd"]}
    assert only(asked).words == "vendor amd would do, for 30.00 USD"
    asked = request(demand({}, {}), found, terms=Terms(1.0, providers=["one"]), share=True)
    assert only(asked).change == {"providers": ["two"]}


@pytest.mark.parametrize(
    ("kind", "terms", "what"),
    [
        ("on_demand", Terms(1.0, rents=False), "rent"),
        ("purchase", Terms(1.0, buys=False), "buy"),
    ],
)
def test_renting_or_buying(kind: str, terms: Terms, what: str) -> None:
    found = plan_requests.answers([fit("a")], [price("a", 10.0, kind)])
    assert [one.what for one in would_do(request(demand(), found, terms=terms, share=True))] == [(what,)]


def test_another_precision() -> None:
    found = only(request(demand({"precision": "bf16"}), plan_requests.answers([fit("a", "int4")], PRICES), share=True))
    assert (found.what, found.usd) == (("precision",), pytest.approx(10.0))


def test_taking_turns() -> None:
    found = plan_requests.answers([fit("a")], [price("a", 1.0, "spot")], [("a", 1, 200), ("a", 2, 190)])
    asked = request(demand({"replicas": 2}), found, owned=inventory(a=1), terms=Terms(1.0, rents=False, buys=False))
    assert [one.what for one in would_do(asked)] == [("inventory",), ("sharing",)]


def test_the_longest_context_that_does() -> None:
    """Half of 8,192 fits; the other line is asked about with half of its own."""
    asked_about: list[list[int]] = []

    def again(rows: pl.DataFrame) -> Answers:
        asked_about.append(rows["context_tokens"].to_list())
        lines = rows["line"].to_list()
        return plan_requests.answers(
            [fit("a", demand=at) for at, tokens in enumerate(asked_about[0]) if lines[at] == 3 or tokens <= 4096],
            PRICES,
        )

    asked = request(
        demand({}, {"context_tokens": 1000}), plan_requests.answers([fit("a", demand=1)], PRICES), share=True
    )
    found = only(asked, again)
    assert (found.what, found.change, found.share) == (("context",), {"part": 0.5}, 0.5)
    assert found.words == "50% of the contexts would do, for 20.00 USD"
    assert asked_about == [[6144, 750, 4096, 500, 2048, 250, 1024, 125]]
    assert CONTEXTS == (0.75, 0.5, 0.25, 0.125)


def test_contexts_that_cannot_be_asked_about_are_told() -> None:
    def again(rows: pl.DataFrame) -> Answers:
        raise Unserved("too many")

    asked = request(demand(), plan_requests.answers([], PRICES), share=True)
    effort = Effort(600.0)
    assert relaxations(asked, effort, again) == []
    assert effort.left_out == ["whether shorter contexts would do"]


def test_the_smallest_change_is_first() -> None:
    """A quarter of the budget more; a tenth of the speed less; buying, renting and sharing follow by their cost."""
    fits = [fit("a"), fit("b", speed=18.5), fit("c")]
    prices = [price("a", 20.0), price("b", 10.0), price("a", 12.0, "purchase")]
    asked = request(
        demand({"min_tokens_per_second": 20.0}),
        plan_requests.answers(fits, prices),
        limits=Limits(16.0),
        terms=Terms(1.0, buys=False),
        share=True,
    )
    assert [(one.what, one.share) for one in would_do(asked)] == [
        (("minimum speed",), pytest.approx(0.1)),
        (("budget",), pytest.approx(0.25)),
        (("buy",), None),
    ]


def test_two_together_where_neither_does_alone() -> None:
    """On c alone, of amd, for 20 with 15 to spend."""
    asked = request(
        demand(), plan_requests.answers([fit("c")], PRICES), limits=Limits(15.0), terms=Terms(1.0, vendors=["nvidia"]),
        share=True,
    )  # fmt: skip
    found = only(asked)
    assert (found.what, found.usd, found.share) == (("budget", "vendors"), pytest.approx(20.0), None)
    assert found.words == "budget and vendors together stand in the way: 20.00 USD and 100 W would do without both"


def test_where_nothing_would_do_nothing_is_told() -> None:
    assert would_do(request(demand(), plan_requests.answers([], PRICES), limits=Limits(1.0))) == []


def test_without_time_it_says_so() -> None:
    effort = Effort(seconds=0.0)
    effort.begin_all()
    asked = request(demand(), plan_requests.answers([fit("a")], PRICES), limits=Limits(1.0), share=True)
    assert relaxations(asked, effort) == []
    assert effort.left_out == ["whether another budget would do"]
