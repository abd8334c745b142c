"""The next best plans: none is skipped, none has hardware to spare, none comes twice."""

from __future__ import annotations

import itertools
from dataclasses import replace

import plan_requests
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from plan_requests import demand, fit, price, request

from flows.procurement.effort import Effort
from flows.procurement.problem import Plan, Problem
from flows.procurement.request import Request
from flows.procurement.second_best import capped, next_best
from flows.procurement.solver import solve


def best_of(asked: Request) -> Plan:
    plan = solve(asked.problem)
    assert plan is not None
    return plan


def test_the_next_three_by_what_they_take() -> None:
    """Two replicas on devices for 10, 11 and 15: both for 10; then 10 + 11, then both for 11, then 10 + 15."""
    fits = [fit("a"), fit("b"), fit("c")]
    prices = [price("a", 10.0), price("b", 11.0), price("c", 15.0)]
    asked = request(demand({"replicas": 2}), plan_requests.answers(fits, prices))
    best = best_of(asked)
    assert best.units == {0: 2}
    found = next_best(asked, best, Effort())
    assert [(plan.usd, plan.units) for plan in found] == [
        (pytest.approx(21.0), {0: 1, 1: 1}),
        (pytest.approx(22.0), {1: 2}),
        (pytest.approx(25.0), {0: 1, 2: 1}),
    ]
    assert len(next_best(asked, best, Effort(), count=1)) == 1


def test_there_may_be_fewer_and_there_may_be_no_time() -> None:
    asked = request(demand(), plan_requests.answers([fit("a"), fit("b")], [price("a", 10.0), price("b", 11.0)]))
    assert [plan.units for plan in next_best(asked, best_of(asked), Effort())] == [{1: 1}]
    short = Effort(seconds=0.0)
    assert next_best(asked, best_of(asked), short) == []
    assert short.left_out == ["the next best plans"]


small = st.lists(
    st.tuples(st.sampled_from("abcd"), st.sampled_from([1, 2, 4]), st.integers(5, 40)), min_size=2, max_size=4
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(offered=small, degrees=st.lists(st.sampled_from([1, 2]), min_size=4, max_size=4), replicas=st.integers(1, 3))
def test_no_plan_between_two_that_are_told(
    offered: list[tuple[str, int, int]], degrees: list[int], replicas: int
) -> None:
    fits = [fit(gpu, degree=degree) for gpu, degree in zip("abcd", degrees, strict=True)]
    prices = [price(gpu, float(usd), count=float(count)) for gpu, count, usd in offered]
    asked = request(demand({"replicas": replicas}), plan_requests.answers(fits, prices))
    plan = solve(asked.problem)
    if plan is None:
        return
    told = [plan, *next_best(asked, plan, Effort(seconds=600.0))]
    for known in range(1, len(told) + 1):
        expected = cheapest_beside(asked.problem, told[:known])
        if known < len(told):
            assert expected is not None
            # a cent a device decides between plans that cost the same
            assert told[known].usd == pytest.approx(expected, abs=0.2)
        elif len(told) < 4:
            assert expected is None


def cheapest_beside(problem: Problem, told: list[Plan]) -> float | None:
    """By trying every number of units of every offer that has less of something than each plan that was told."""
    best = None
    for units in itertools.product(*[range(-(-6 // offer.devices) + 1) for offer in problem.offers]):
        if any(all(units[o] >= n for o, n in plan.units.items()) for plan in told):
            continue
        usd = sum(n * offer.usd for n, offer in zip(units, problem.offers, strict=True))
        if (best is None or usd < best) and solve(capped(problem, dict(enumerate(units)))) is not None:
            best = usd
    return best


def test_a_cap_is_a_limit_of_that_offer_alone() -> None:
    asked = request(demand(), plan_requests.answers([fit("a"), fit("b")], [price("a", 10.0), price("b", 11.0)]))
    offers = asked.problem.offers
    assert capped(asked.problem, {1: 3}).offers == [offers[0], replace(offers[1], limit=3)]
