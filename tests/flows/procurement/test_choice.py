"""What is chosen for each demand and device, and what may share the device."""

from __future__ import annotations

from typing import Any

import plan_requests
import polars as pl
import pytest
from plan_requests import fit

from flows.procurement.choice import Choice, choose
from flows.procurement.options import Answers
from flows.procurement.problem import Member

ROOMS = [("a", 1, 110), ("a", 2, 100), ("b", 1, 110)]


def answers(*fits: dict[str, Any]) -> Answers:
    return plan_requests.answers(fits, rooms=ROOMS)


def demand(precision: str = "any", speed: float | None = None) -> pl.DataFrame:
    return plan_requests.demand({"precision": precision, "min_tokens_per_second": speed})


def taken(choice: Choice) -> list[tuple[str, int, int, str]]:
    return choice.options.select("gpu", "groups", "degree", "precision").rows()


def test_the_fewest_devices_and_on_those_the_preferred_precision() -> None:
    found = answers(fit("a", "bf16", 2), fit("a", "int4"), fit("a", "fp8"), fit("b", "bf16"), fit("b", "int2"))
    assert taken(choose(demand(), found)) == [("a", 1, 1, "fp8"), ("b", 1, 1, "bf16")]
    assert [p.degree for p in choose(demand(), found).placements] == [1, 1]
    assert taken(choose(demand("bf16"), found)) == [("a", 1, 2, "bf16"), ("b", 1, 1, "bf16")]
    # what nobody would prefer is taken where it is asked for by name
    assert taken(choose(demand("int2"), found)) == [("b", 1, 1, "int2")]


def test_a_repository_with_a_format_of_its_own_is_served_in_it() -> None:
    """Where it is on as few devices as any."""
    found = answers(fit("a", "bf16"), fit("a", "stored", is_own_format=True), fit("b", "stored"), fit("b", "bf16"))
    assert taken(choose(demand(), found)) == [("a", 1, 1, "stored"), ("b", 1, 1, "bf16")]
    split = answers(fit("a", "int4"), fit("a", "stored", 2, is_own_format=True))
    assert taken(choose(demand(), split)) == [("a", 1, 1, "int4")]


def test_what_is_too_slow_or_of_unknown_speed_is_out_where_a_speed_is_asked() -> None:
    found = answers(fit("a", "bf16", 1, 19.9), fit("a", "int4", 1, 20.0), fit("b", "bf16", 1, None))
    assert taken(choose(demand(speed=20.0), found)) == [("a", 1, 1, "int4")]
    assert taken(choose(demand(), found)) == [("a", 1, 1, "bf16"), ("b", 1, 1, "bf16")]


@pytest.mark.parametrize(("degrees", "kept"), [((2, 1, 1), [1, 2]), ((1, 1, 1), [1]), ((4, 4, 2), [1, 4])])
def test_more_groups_are_an_option_where_each_has_fewer_devices(degrees: tuple[int, ...], kept: list[int]) -> None:
    found = answers(
        *(fit("a", "bf16", degree, groups=groups) for groups, degree in zip((1, 2, 4), degrees, strict=True))
    )
    assert choose(demand(), found).options["groups"].to_list() == kept


def test_only_what_is_between_the_bits_where_any_precision_does() -> None:
    found = answers(fit("a", "bf16"), fit("a", "fp8"), fit("a", "int4"), fit("b", "stored"))
    assert taken(choose(demand(), found, bits=(3.0, 6.0))) == [("a", 1, 1, "int4")]
    assert taken(choose(demand(), found, bits=(6.0, 12.0))) == [("a", 1, 1, "fp8")]
    assert taken(choose(demand("bf16"), found, bits=(6.0, 12.0))) == [("a", 1, 1, "bf16")]


def test_what_holds_it_at_the_middle_alone_is_no_option_unless_that_is_enough() -> None:
    found = answers(fit("a", "bf16", is_tight=True), fit("b", "bf16", 2))
    assert taken(choose(demand(), found)) == [("b", 1, 2, "bf16")]
    assert taken(choose(demand(), found, is_tight_enough=True)) == [("a", 1, 1, "bf16"), ("b", 1, 2, "bf16")]
    assert choose(demand(), found, is_tight_enough=True).on_one_device.is_empty()


def test_what_needs_nobody_knows_how_much_shares_no_device() -> None:
    assert choose(demand(), answers(fit("a", required_bytes_high=None))).on_one_device.is_empty()


def test_on_a_shared_device_no_precision_needs_more_and_takes_longer_than_another() -> None:
    """bf16 is larger and slower than int4; fp8 is larger and quicker. Device b has room for one process alone."""
    found = answers(
        fit("a", "bf16", 1, 40.0, required_bytes_high=90), fit("a", "int4", 1, 50.0, required_bytes_high=30),
        fit("a", "fp8", 1, 100.0, required_bytes_high=50), fit("a", "stored", 1, None, required_bytes_high=30),
        fit("a", "int4", 1, groups=2), fit("b", "int4"),
    )  # fmt: skip
    choice = choose(demand(speed=25.0), found)
    [(gpu, shared)] = choice.shared.items()
    assert (gpu, shared.rooms) == ("a", [110, 100])
    assert shared.members == [Member(0, "int4", 30, 0.02, 0.04), Member(0, "fp8", 50, 0.01, 0.04)]
    assert [member.precision for member, _ in choice.member_rows("a", 0)] == ["bf16", "fp8", "int4"]
    unasked = choose(demand(), found).shared["a"].members
    assert unasked == [Member(0, "int4", 30, 0.02), Member(0, "fp8", 50, 0.01)]


def test_some_demands_are_chosen_otherwise() -> None:
    both = pl.concat([demand(), demand()])
    found = answers(fit("a", "bf16"), fit("a", "int4"), fit("a", "bf16", demand=1), fit("a", "int4", demand=1))
    mixed = choose(both, found).with_demands(choose(both, found, bits=(3.0, 6.0)), [1])
    assert mixed.options.select("demand", "precision").rows() == [(0, "bf16"), (1, "int4")]
    assert mixed.on_one_device.select("demand", "precision").rows() == [(0, "bf16"), (0, "int4"), (1, "int4")]
