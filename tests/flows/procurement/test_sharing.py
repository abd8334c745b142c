"""Which replicas fit on one device together, and which of those are looked at."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flows.procurement.problem import Member, Pattern, Shared
from flows.procurement.sharing import MOST_PROCESSES, Search, fits, shared_step, widened

QUICK = Member(0, "bf16", 40, 0.010, 0.030)
SLOW = Member(1, "bf16", 30, 0.020)
UNKNOWN = Member(2, "bf16", 10, None)
ROOMS = [80, 70, 50]


@pytest.mark.parametrize(
    ("members", "together"),
    [
        ([QUICK], True),
        ([QUICK, SLOW], True),  # 70 of 70 bytes, 30 of 30 ms
        ([QUICK, QUICK], False),  # 80 of 70 bytes
        ([Member(0, "x", 41, 0.010), SLOW], False),  # 71 of 70 bytes
        ([QUICK, Member(1, "x", 30, 0.0201)], False),  # 30.1 of 30 ms
        ([QUICK, UNKNOWN], False),  # asks for a speed that nobody knows
        # 35 ms, of which one allows 50 and the other 30
        ([Member(0, "x", 10, 0.010, 0.030), Member(1, "x", 10, 0.025, 0.050)], False),
        ([SLOW, UNKNOWN], True),
        ([UNKNOWN, UNKNOWN, SLOW], True),  # 50 of 50 bytes
        ([UNKNOWN] * 4, False),  # no room is known for four processes
        ([], False),
    ],
)
def test_memory_is_added_and_turns_are_taken(members: list[Member], together: bool) -> None:
    assert fits(members, ROOMS) is together
    assert fits(members[::-1], ROOMS) is together


def test_a_step_takes_those_of_all() -> None:
    """100 and 50 tokens a second alone are 33.3 for each together."""
    step = shared_step([QUICK, SLOW])
    assert step is not None
    assert 1 / step == pytest.approx(100 / 3)
    assert shared_step([QUICK, UNKNOWN]) is None
    assert MOST_PROCESSES == 4


def test_the_preferred_precision_that_still_fits_is_taken_for_all_replicas_of_a_demand() -> None:
    small, middle, wide = (Member(0, name, need) for name, need in (("int4", 10), ("fp8", 20), ("bf16", 40)))
    other = Member(1, "int4", 20)
    choices = {0: [wide, middle, small], 1: [Member(1, "bf16", 40), other]}
    assert widened([small, small, other], choices, [100, 90, 80]) == [middle, middle, choices[1][0]]
    assert widened([small, other], choices, [100, 90, 80]) == [wide, choices[1][0]]
    assert widened([small, small, other], choices, [100, 90, 40]) == [small, small, other]


needs_of = st.lists(st.integers(0, 3), min_size=3, max_size=3)
member = st.builds(
    Member, st.integers(0, 2), st.just("x"), st.integers(1, 40), st.sampled_from([None, 0.01, 0.02]),
    st.sampled_from([None, 0.02, 0.05]),
)  # fmt: skip


@given(
    members=st.lists(member, min_size=1, max_size=5),
    needs=needs_of,
    worths=st.lists(st.sampled_from([0.0, 1.0, 2.5, 4.0]), min_size=3, max_size=3),
    above=st.sampled_from([0.0, 1.0, 3.0, 6.0]),
)
def test_no_pattern_is_missed(members: list[Member], needs: list[int], worths: list[float], above: float) -> None:
    """The best is worth as much as the best of all sets; all are those that nothing can be added to."""
    shared = Shared(members, [60, 50, 45])

    def is_allowed(chosen: tuple[int, ...]) -> bool:
        demands = [members[at].demand for at in chosen]
        return fits([members[at] for at in chosen], shared.rooms) and all(
            demands.count(demand) <= needs[demand] for demand in demands
        )

    def worth(chosen: tuple[int, ...]) -> float:
        return sum(worths[members[at].demand] for at in chosen)

    places = range(len(members))
    every = [
        chosen
        for size in (1, 2, 3)
        for chosen in itertools.combinations_with_replacement(places, size)
        if is_allowed(chosen)
    ]
    most = max((worth(chosen) for chosen in every), default=0.0)
    best = Search("a", shared, needs, worths).best(above)
    if best is None:
        assert most <= above
    else:
        assert best.members in every
        assert worth(best.members) >= most > above
    full = {chosen for chosen in every if not any(tuple(sorted((*chosen, at))) in every for at in places)}
    found = list(Search("a", shared, needs, worths).all(above))
    assert sorted(found) == sorted(Pattern("a", chosen) for chosen in full if worth(chosen) >= above)
