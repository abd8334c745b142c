"""The integer program: no plan is cheaper, and none is invented."""

from __future__ import annotations

import itertools
import random
from dataclasses import replace

import pytest

from flows.procurement.program import Limits, Offer, Placement, Problem, solve

SINGLE = Offer("single", "a", devices=1, node=8, usd=10.0, watts=300.0)
NODE = Offer("node", "a", devices=8, node=8, usd=60.0, watts=2400.0)


def test_single_devices_until_a_node_is_cheaper() -> None:
    small = Problem([SINGLE, NODE], [Placement("p", "a", 0, degree=1)], needs=[5])
    plan = solve(small)
    assert plan is not None
    assert (plan.usd, plan.units, plan.devices, plan.watts) == (50.0, {0: 5}, 5, 1500.0)
    large = solve(Problem([SINGLE, NODE], [Placement("p", "a", 0, degree=1)], needs=[7]))
    assert large is not None
    assert (large.usd, large.units) == (60.0, {1: 1})


def test_a_node_has_room_for_two_groups_of_three() -> None:
    """Two of three devices each leave two that hold no third group."""
    plan = solve(Problem([NODE], [Placement("p", "a", 0, degree=3)], needs=[3]))
    assert plan is not None
    assert plan.units == {0: 2}


def test_of_equal_cost_the_fewest_devices() -> None:
    offers = [Offer("two", "a", 2, 8, 20.0, 0.0), Offer("one", "b", 1, 8, 20.0, 0.0)]
    plan = solve(Problem(offers, [Placement("p", "a", 0, 2), Placement("q", "b", 0, 1)], needs=[1]))
    assert plan is not None
    assert plan.units == {1: 1}


@pytest.mark.parametrize("limits", [Limits(budget_usd=49.0), Limits(watts=1499.0)], ids=str)
def test_what_a_limit_forbids_is_no_plan(limits: Limits) -> None:
    assert solve(Problem([SINGLE], [Placement("p", "a", 0, 1)], [5], limits)) is None


def test_an_offer_of_unknown_power_is_taken_only_where_power_does_not_count() -> None:
    dark = Offer("dark", "a", 1, 8, 1.0, None)
    problem = Problem([dark, SINGLE], [Placement("p", "a", 0, 1)], [2])
    plan = solve(problem)
    assert plan is not None
    assert (plan.units, plan.watts) == ({0: 2}, None)
    for found in (solve(replace(problem, limits=Limits(watts=600.0))), solve(problem, of_watts=True)):
        assert found is not None
        assert (found.units, found.watts) == ({1: 2}, 600.0)
    assert solve(replace(problem, limits=Limits(watts=599.0))) is None


def test_a_demand_that_nothing_serves_is_no_plan() -> None:
    assert solve(Problem([SINGLE], [Placement("p", "b", 0, 1)], [1])) is None
    assert solve(Problem([SINGLE], [Placement("p", "a", 0, 16)], [1])) is None


def test_what_is_owned_is_used_up_first() -> None:
    owned = Offer("owned", "a", 1, 8, 1.0, 300.0, limit=2)
    plan = solve(Problem([owned, SINGLE], [Placement("p", "a", 0, 1)], [3]))
    assert plan is not None
    assert (plan.units, plan.usd) == ({0: 2, 1: 1}, 12.0)


def cheapest(problem: Problem) -> float | None:
    """By trying every way to place every replica."""
    best: float | None = None
    ways = [
        [(o, placement.groups * offer.share(placement.degree))
         for placement in problem.placements if placement.demand == demand
         for o, offer in enumerate(problem.offers)
         if offer.gpu == placement.gpu and placement.degree <= (offer.devices if offer.devices > 1 else offer.node)]
        for demand, need in enumerate(problem.needs) for _ in range(need)
    ]  # fmt: skip
    for chosen in itertools.product(*ways):
        used = [0.0] * len(problem.offers)
        for o, share in chosen:
            used[o] += share
        units = [-int(-(share - 1e-9) // offer.devices) for share, offer in zip(used, problem.offers, strict=True)]
        if any(offer.limit is not None and n > offer.limit for n, offer in zip(units, problem.offers, strict=True)):
            continue
        usd = sum(n * offer.usd for n, offer in zip(units, problem.offers, strict=True))
        watts = sum(n * (offer.watts or 0) for n, offer in zip(units, problem.offers, strict=True))
        if usd > (problem.limits.budget_usd or 1e18) or watts > (problem.limits.watts or 1e18):
            continue
        best = usd if best is None else min(best, usd)
    return best


@pytest.mark.parametrize("seed", range(60))
def test_no_plan_is_cheaper_than_the_best_of_all(seed: int) -> None:
    rng = random.Random(seed)
    offers = []
    for number in range(4):
        devices = rng.choice([1, 2, 4, 8])
        offers.append(
            Offer(f"o{number}", rng.choice("ab"), devices, 8, round(rng.uniform(1, 10) * devices, 2), 100.0 * devices,
                  rng.choice([None, None, 1, 3]))
        )  # fmt: skip
    needs = [rng.choice([1, 2]) for _ in range(2)]
    placements = [
        Placement(f"p{number}", rng.choice("ab"), number % 2, rng.choice([1, 2, 3, 4]), rng.choice([1, 1, 2]))
        for number in range(5)
    ]
    limits = Limits(rng.choice([None, 40.0]), rng.choice([None, 900.0]))
    problem = Problem(offers, placements, needs, limits)
    plan, best = solve(problem), cheapest(problem)
    if best is None:
        assert plan is None
    else:
        assert plan is not None
        # a cent a device decides between plans that cost the same
        assert best - 1e-6 <= plan.usd <= best + 0.01 * 64
