"""What a plan hangs on: by hand, one condition at a time."""

from __future__ import annotations

import dataclasses
from typing import Any

import plan_requests
import pytest
from plan_requests import demand, fit, inventory, price, request

from flows.procurement.binding import binding
from flows.procurement.effort import Effort
from flows.procurement.offers import Terms
from flows.procurement.problem import Limits
from flows.procurement.request import Request
from flows.procurement.solver import solve

CHEAP, DEAR = [price("a", 10.0)], [price("b", 30.0)]


def savings(asked: Request) -> list[tuple[str, int | str | None, float]]:
    best = solve(asked.problem)
    assert best is not None
    found = binding(asked, best, Effort(seconds=600.0))
    for one in found:
        assert one.usd_saved == best.usd - one.plan.usd
    return [(one.what, one.line or one.gpu, round(one.usd_saved, 2)) for one in found]


def test_a_minimum_speed_binds_the_line_that_has_it() -> None:
    """Both lines want 60 tokens a second, which a does not give; the second line would be on b at any speed."""
    fits = [
        fit("a", speed=50.0), fit("b", speed=70.0), fit("b", speed=70.0, demand=1),
    ]  # fmt: skip
    asked = request(
        demand({"min_tokens_per_second": 60.0}, {"min_tokens_per_second": 60.0}),
        plan_requests.answers(fits, CHEAP + DEAR),
    )
    assert savings(asked) == [("minimum speed", None, 20.0), ("minimum speed", 2, 20.0)]


def test_of_a_single_line_it_is_told_once() -> None:
    fits = [fit("a", speed=None), fit("b", speed=70.0), fit("b", demand=1)]
    asked = request(demand({"min_tokens_per_second": 60.0}, {}), plan_requests.answers(fits, CHEAP + DEAR))
    assert savings(asked) == [("minimum speed", 2, 20.0)]


def test_memory_binds_where_the_middle_of_the_need_would_do() -> None:
    asked = request(demand(), plan_requests.answers([fit("a", is_tight=True), fit("b")], CHEAP + DEAR))
    assert savings(asked) == [("memory", 2, 20.0)]


def test_a_precision_binds_where_another_is_cheaper() -> None:
    fits = [fit("a", "int4"), fit("b", "bf16"), fit("a", "int2")]
    assert savings(request(demand({"precision": "bf16"}), plan_requests.answers(fits, CHEAP + DEAR))) == [
        ("precision", 2, 20.0)
    ]
    assert savings(request(demand({"precision": "int2"}), plan_requests.answers(fits, CHEAP + DEAR))) == []


def test_what_saves_most_is_first() -> None:
    """On c for 30; the middle of the need is on b for 15, another precision on a for 10."""
    fits = [fit("a", "int4"), fit("b", "bf16", is_tight=True), fit("c", "bf16")]
    prices = [price("a", 10.0), price("b", 15.0), price("c", 30.0)]
    asked = request(demand({"precision": "bf16"}), plan_requests.answers(fits, prices))
    assert savings(asked) == [("precision", 2, 20.0), ("memory", 2, 15.0)]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"limits": Limits(watts=90.0)}, "power"),
        ({"terms": Terms(1.0, vendors=["amd"])}, "vendors"),
        ({"terms": Terms(1.0, providers=["two"])}, "providers"),
        ({"terms": Terms(1.0, rents=False)}, "rent"),
    ],
)
def test_terms_and_limits_bind(change: dict[str, Any], what: str) -> None:
    """a is rented from one for 10 and draws 100 W; c draws 50 W and costs 30, rented from two or bought."""
    prices = [price("a", 10.0), price("c", 30.0, provider="two"), price("c", 31.0, "purchase")]
    found = plan_requests.answers([fit("a"), fit("c")], prices, c=50)
    asked = request(demand(), found, **change)
    assert savings(asked) == [(what, None, 21.0 if what == "rent" else 20.0)]


def test_buying_binds_where_only_renting_is_allowed() -> None:
    found = plan_requests.answers([fit("a")], [price("a", 10.0), price("a", 4.0, "purchase")])
    assert savings(request(demand(), found, terms=Terms(1.0, buys=False))) == [("buy", None, 6.0)]


def test_one_more_of_what_is_there_saves_what_it_replaces() -> None:
    found = plan_requests.answers([fit("a"), fit("b")], CHEAP + DEAR)
    asked = request(demand({"replicas": 3}), found, owned=inventory(a=1, b=0))
    assert savings(asked) == [("inventory", "a", 10.0), ("inventory", "b", 10.0)]
    assert savings(request(demand(), found, owned=inventory(a=1))) == []


def test_sharing_binds_until_it_is_allowed() -> None:
    rooms = [("a", 1, 200), ("a", 2, 190)]
    found = plan_requests.answers([fit("a")], CHEAP, rooms)
    asked = request(demand({"replicas": 2}), found)
    assert savings(asked) == [("sharing", None, 10.0)]
    assert savings(dataclasses.replace(asked, share=True)) == []
    # 180 bytes of 179
    tight = plan_requests.answers([fit("a")], CHEAP, [("a", 1, 200), ("a", 2, 179)])
    assert savings(request(demand({"replicas": 2}), tight)) == []


def test_a_budget_makes_nothing_dearer_and_what_saves_nothing_is_left_out() -> None:
    found = plan_requests.answers([fit("a"), fit("b")], CHEAP + DEAR)
    asked = request(
        demand({"min_tokens_per_second": 20.0}), found, limits=Limits(10.0, 100.0), terms=Terms(1.0, vendors=["nvidia"])
    )
    assert savings(asked) == []


def test_what_is_not_proven_saves_nothing_that_may_be_had_anyway() -> None:
    found = plan_requests.answers([fit("a", is_tight=True), fit("b")], CHEAP + DEAR)
    asked = request(demand(), found)
    best = solve(asked.problem)
    assert best is not None
    assert binding(asked, dataclasses.replace(best, at_least_usd=10.0), Effort()) == []
    short = Effort(seconds=0.0)
    assert binding(asked, best, short) == []
    assert "what it would save to lift: memory" in short.left_out
