"""How far a plan holds: what ends it, and that nothing ends it before."""

from __future__ import annotations

from dataclasses import replace

import plan_requests
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plan_requests import demand, fit, inventory, price, request

from flows.procurement.effort import Effort
from flows.procurement.problem import Limits, Plan
from flows.procurement.request import Request
from flows.procurement.second_best import capped
from flows.procurement.sensitivity import BUDGET, ELSEWHERE, PriceHolds, Sensitivity, sensitivity
from flows.procurement.solver import solve


def asked_of(asked: Request, seconds: float = 600.0) -> tuple[Plan, Sensitivity]:
    best = solve(asked.problem)
    assert best is not None
    return best, sensitivity(asked, best, {}, Effort(seconds))


def test_a_price_holds_until_another_plan_is_as_cheap() -> None:
    """Five replicas on a for 10 each, or all on a node of b for 60: from 12 each on the node is as cheap."""
    fits, prices = [fit("a"), fit("b")], [price("a", 10.0), price("b", 7.5, count=8.0)]
    best, found = asked_of(request(demand({"replicas": 5}), plan_requests.answers(fits, prices)))
    assert best.units == {0: 5}
    [holds] = found.prices
    assert holds.then is not None
    assert (holds.offer, holds.usd_each, holds.because) == (0, pytest.approx(12.0), "another plan")
    assert holds.then.units == {1: 1}


def test_a_plan_with_some_of_it_left_may_be_the_first_to_overtake() -> None:
    """Three replicas on a for 10. One device of b is there and costs 11, c 20: at 11 the one of b is taken."""
    fits, prices = [fit("a"), fit("b"), fit("c")], [price("a", 10.0), price("c", 20.0)]
    found = plan_requests.answers(fits, prices)
    best, _ = asked_of(request(demand({"replicas": 3}), found))
    asked = request(demand({"replicas": 3}), found, owned=inventory(b=1))
    dear = [replace(one, usd=11.0) if one.kind == "own" else one for one in asked.offers]
    object.__setattr__(asked, "offers", dear)
    [holds] = sensitivity(asked, solve_(asked), {}, Effort(600.0)).prices
    assert best.usd == pytest.approx(30.0)
    assert holds.usd_each == pytest.approx(11.0)
    assert holds.then is not None
    assert sorted(holds.then.units.values()) == [1, 2]


def test_of_many_plans_that_overtake_the_first_is_told() -> None:
    """Nine lines on a for 10 each, of which each could go elsewhere, for 20, 200 or 2,000, three lines to each price.

    Without a all is 6,660. As dear is a at 740 each, where six lines leave it: 660 elsewhere and three on a. As dear is
    that at 110, where three leave it, for 60; and that is as dear at 20.
    """
    fits = [fit("a", demand=at) for at in range(9)] + [fit("bcd"[at // 3], demand=at) for at in range(9)]
    prices = [price("a", 10.0), price("b", 20.0), price("c", 200.0), price("d", 2000.0)]
    asked = request(demand(*[{}] * 9), plan_requests.answers(fits, prices))
    best = solve_(asked)
    elsewhere = solve(capped(asked.problem, {0: 0}))
    assert elsewhere is not None
    assert (best.units, elsewhere.usd) == ({0: 9}, pytest.approx(6660.0))
    [holds] = sensitivity(asked, best, {asked.offers[0].name: elsewhere}, Effort(600.0)).prices
    assert holds.usd_each == pytest.approx(20.0)
    assert holds.then is not None
    assert holds.then.units == {0: 6, 1: 3}


def test_no_price_is_told_up_to_which_nothing_is_proven(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four replicas on two of a that they share, or on one of a and one of b for 30: so up to 30 each, if no other way
    is cheaper there. Where not all ways to share can be tried nobody knows.
    """
    fits = [fit("a", demand=0), fit("a", demand=1), fit("b", demand=0), fit("b", demand=1)]
    rooms = [(gpu, processes, 300) for gpu in "ab" for processes in (1, 2, 3)]
    found = plan_requests.answers(fits, [price("a", 10.0), price("b", 30.0)], rooms)
    asked = request(demand({"replicas": 2}, {"replicas": 2}), found, share=True)
    best = solve_(asked)
    assert (best.units, best.is_proven) == ({0: 2}, True)
    [holds] = sensitivity(asked, best, {}, Effort(600.0)).prices
    assert (holds.usd_each, holds.because) == (pytest.approx(30.0), "another plan")
    monkeypatch.setattr("flows.procurement.solver.MOST_LISTED", 0)
    effort = Effort(600.0)
    assert sensitivity(asked, best, {}, effort).prices == []
    assert effort.left_out == ["up to which price of everything that it takes the plan stays the cheapest"]


def solve_(asked: Request) -> Plan:
    plan = solve(asked.problem)
    assert plan is not None
    return plan


@pytest.mark.parametrize(
    ("prices", "budget", "expected"),
    [
        ([price("a", 10.0)], None, PriceHolds(0, None, None, None)),
        ([price("a", 10.0), price("a", 13.0, provider="two")], None, PriceHolds(0, 13.0, ELSEWHERE, None)),
        ([price("a", 10.0), price("a", 13.0, provider="two")], 24.0, PriceHolds(0, 12.0, BUDGET, None)),
        # bought is another offer, and twice one of eight is not the same
        ([price("a", 10.0), price("a", 13.0, "purchase")], None, "another plan"),
        ([price("a", 10.0), price("a", 15.0, count=2.0)], None, "another plan"),
    ],
)  # fmt: skip
def test_what_ends_it(prices: list[dict[str, object]], budget: float | None, expected: PriceHolds | str) -> None:
    asked = request(
        demand({"replicas": 2}), plan_requests.answers([fit("a")], prices), limits=Limits(budget_usd=budget)
    )
    _, found = asked_of(asked)
    [holds] = found.prices
    if isinstance(expected, str):
        assert holds.because == expected
    else:
        assert (holds.offer, holds.because, holds.then) == (0, expected.because, None)
        assert holds.usd_each == (None if expected.usd_each is None else pytest.approx(expected.usd_each))


def test_rents_move_together_and_what_is_owned_has_no_price() -> None:
    """Rented for 10, bought for 11: with rents 20 % lower 8, with rents 20 % higher 11."""
    prices = [price("a", 10.0), price("a", 11.0, "purchase")]
    _, found = asked_of(request(demand(), plan_requests.answers([fit("a")], prices)))
    assert [(way.number, way.plan and round(way.plan.usd, 2)) for way in found.rents] == [(-0.2, 8.0), (0.2, 11.0)]
    asked = request(demand(), plan_requests.answers([fit("a")], [price("a", 11.0, "purchase")]), owned=inventory(a=1))
    _, owned = asked_of(asked)
    assert (owned.prices, owned.rents) == ([], [])


def test_precisions_are_forced_where_any_does() -> None:
    """Four bits fit a for 10, sixteen b for 30, eight nothing; the line that asks for bf16 stays on b."""
    fits = [fit("a", "int4"), fit("b", "bf16"), fit("b", "bf16", demand=1), fit("a", "int4", demand=1)]
    found = plan_requests.answers(fits, [price("a", 10.0), price("b", 30.0)])
    _, ways = asked_of(request(demand({}, {"precision": "bf16"}), found))
    assert [(way.number, way.plan and round(way.plan.usd, 2)) for way in ways.precisions] == [
        (4, 40.0), (8, None), (16, 60.0),
    ]  # fmt: skip
    _, named = asked_of(request(demand({"precision": "bf16"}), plan_requests.answers(fits[1:2], [price("b", 30.0)])))
    assert named.precisions == []


def test_of_a_plan_that_is_not_proven_no_price_is_told_and_without_time_nothing() -> None:
    asked = request(demand(), plan_requests.answers([fit("a"), fit("b")], [price("a", 10.0), price("b", 30.0)]))
    effort = Effort(600.0)
    found = sensitivity(asked, replace(solve_(asked), is_proven=False), {}, effort)
    assert found.prices == []
    assert effort.left_out == ["up to which prices the plan stays the cheapest, for it is not proven to be"]
    short = Effort(0.0)
    assert sensitivity(asked, solve_(asked), {}, short) == Sensitivity([], [], [])
    assert len(short.left_out) == 2 + 3 + 1


offered = st.lists(
    st.tuples(st.sampled_from("abc"), st.sampled_from([1, 2, 4]), st.integers(5, 40)), min_size=1, max_size=5
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(offered=offered, degrees=st.lists(st.sampled_from([1, 2]), min_size=3, max_size=3), replicas=st.integers(1, 3))
def test_nothing_is_cheaper_below_that_price_and_something_is_above(
    offered: list[tuple[str, int, int]], degrees: list[int], replicas: int
) -> None:
    fits = [fit(gpu, degree=degree) for gpu, degree in zip("abc", degrees, strict=True)]
    prices = [
        price(gpu, float(usd), count=float(count), provider=str(at)) for at, (gpu, count, usd) in enumerate(offered)
    ]
    asked = request(demand({"replicas": replicas}), plan_requests.answers(fits, prices))
    best = solve(asked.problem)
    if best is None:
        return
    found = sensitivity(asked, best, {}, Effort(600.0))
    assert [holds.offer for holds in found.prices] == list(best.units)
    for holds in found.prices:
        o, units = holds.offer, best.units[holds.offer]
        # all rows of the list, so that the same at its next price takes part
        first = asked.every_offer.index(asked.offers[o])
        every = replace(asked.problem, offers=asked.every_offer)

        def cheapest_at(usd: float, every=every, first=first) -> float:  # type: ignore[no-untyped-def]
            plan = solve(replace(every, offers=[
                replace(one, usd=usd) if at == first else one for at, one in enumerate(every.offers)
            ]))  # fmt: skip
            assert plan is not None
            return plan.usd

        usd = asked.offers[o].usd
        until = 1000.0 if holds.usd_each is None else holds.usd_each
        # a cent a device decides between plans that cost the same
        here = best.usd + units * (until - usd)
        assert cheapest_at(until) >= here - 0.3
        if holds.usd_each is not None:
            assert cheapest_at(until + 1.0) < here + units - 0.3
