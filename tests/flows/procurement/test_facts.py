"""A plan as data, as a report would ask for it, and in words where there is none."""

from __future__ import annotations

from typing import Any

import plan_requests
import pytest
from plan_requests import POLICY, demand, fit, inventory, price

from flows.procurement import effort
from flows.procurement.facts import NoPlan, planned
from flows.procurement.offers import Terms
from flows.procurement.problem import Limits

ROOMS = [("a", 1, 200), ("a", 2, 190), ("a", 3, 180)]


def told(*fits: dict[str, Any], share: bool, replicas: int = 2, speed: float | None = 10.0) -> dict[str, Any]:
    found = plan_requests.answers(fits, [price("a", 10.0, as_of="2026-10-02", is_stale=True)], ROOMS)
    rows = demand({"replicas": replicas, "min_tokens_per_second": speed})
    return planned(rows, found, inventory(), POLICY, Terms(1.0), Limits(), share=share)


def test_replicas_with_devices_of_their_own() -> None:
    facts = told(fit("a"), share=False)
    assert (facts["usd"], facts["usd_at_least"], facts["is_proven"], facts["devices"]) == (20.0, 20.0, True, 2)
    [served], [hardware] = facts["served"], facts["hardware"]
    assert served == {
        "line": 2, "model_id": "m", "context_tokens": 8192, "concurrent_sequences": 1, "replicas": 2, "gpu": "a",
        "groups": 1, "devices_per_group": 1, "precision": "bf16", "parallelism": "tp1", "tokens_per_second": 50.0,
        "required_bytes": 80, "usable_bytes": 120, "confidence": "high", "speed_confidence": "medium",
        "shared": None, "replicas_per_device": 1,
        "offer": hardware["offer"],
    }  # fmt: skip
    assert facts["shared"] == []
    assert hardware == {
        "offer": "rent 1 x a of one (any region, 2026-10-02)", "gpu": "a", "units": 2, "devices": 2, "usd": 20.0,
        "usd_outlay": 0.0, "watts": 200.0,
        "price_as_of": "2026-10-02", "price_age_days": 30, "price_is_stale": True, "price_origin": "seed",
    }  # fmt: skip
    assert [(one["what"], one["usd_saved"]) for one in facts["binding"]] == [("sharing", 10.0)]
    assert facts["next_best"] == []
    assert facts["left_out"] == []


def test_replicas_that_share_devices() -> None:
    """Five replicas of 60 bytes: three fill 180 of 180, two in twice as many bits 190 of 190."""
    facts = told(
        fit("a", "int4", required_bytes_high=60), fit("a", "fp8", required_bytes_high=95, speed=40.0),
        fit("a", "bf16", required_bytes_high=120, speed=30.0), share=True, replicas=5,
    )  # fmt: skip
    assert facts["usd"] == 20.0
    by_number = sorted(facts["shared"], key=lambda device: -device["holds"][0]["replicas"])
    assert [(device["devices"], device["required_bytes_high"], device["assured_bytes"]) for device in by_number] == [
        (1, 180, 180),
        (1, 190, 190),
    ]
    assert [device["holds"] for device in by_number] == [
        [{"line": 2, "model_id": "m", "precision": "int4", "replicas": 3, "required_bytes_high": 60}],
        [{"line": 2, "model_id": "m", "precision": "fp8", "replicas": 2, "required_bytes_high": 95}],
    ]
    speeds = {row["replicas"]: row["tokens_per_second"] for row in facts["served"]}
    assert speeds == {3: pytest.approx(50 / 3), 2: pytest.approx(40 / 2)}
    for row in facts["served"]:
        assert facts["shared"][row["shared"]]["holds"][0]["replicas"] == row["replicas_per_device"]


def test_shared_devices_that_are_alike_are_one_row() -> None:
    """Six replicas of 60 bytes fill two devices of 180."""
    facts = told(fit("a", "int4", required_bytes_high=60), share=True, replicas=6)
    assert [(device["devices"], len(device["holds"])) for device in facts["shared"]] == [(2, 1)]
    assert [(row["replicas"], row["replicas_per_device"]) for row in facts["served"]] == [(6, 3)]


def test_a_price_holds_up_to_a_share_of_the_price_and_not_of_the_power() -> None:
    """10 of price and 10 of power; the same is sold for 12: a fifth more of the price."""
    found = plan_requests.answers([fit("a")], [price("a", 10.0, "purchase"), price("a", 12.0, "purchase")])
    policy = POLICY | {"usd_per_kwh": 0.1}
    [row] = planned(demand(), found, inventory(), policy, Terms(1.0), Limits())["sensitivity"]["prices"]
    assert (row["usd_each"], row["price_usd_each"], row["stays_up_to_usd_each"]) == (20.0, 10.0, 22.0)
    assert row["stays_up_to_percent"] == 20.0


def test_hardware_at_other_prices_still_says_whether_its_own_is_stale() -> None:
    facts = told(fit("a"), share=False)
    for way in facts["sensitivity"]["rents"]:
        assert [(row["units"], row["price_is_stale"]) for row in way["hardware"]] == [(2, True)]


def test_what_is_bought_is_paid_whole() -> None:
    """A month of 50 counts of 500 USD, which are paid for each of two devices."""
    found = plan_requests.answers([fit("a")], [price("a", 10.0, "purchase")])
    facts = planned(demand({"replicas": 2}), found, inventory(), POLICY, Terms(1.0), Limits())
    assert (facts["usd"], facts["usd_outlay"], facts["hardware"][0]["usd_outlay"]) == (20.0, 1000.0, 1000.0)


def test_alternatives_that_there_are_come_first() -> None:
    rows = [fit("a"), fit("b", demand=1), fit("c", demand=1)]
    found = plan_requests.answers(rows, [price("a", 10.0), price("b", 10.0), price("c", 15.0)])
    facts = planned(demand({}, {"model_id": "n"}), found, inventory(), POLICY, Terms(1.0), Limits())
    assert [other["usd"] for other in facts["alternatives"]] == [25.0, None]


def test_a_speed_of_nobody_knows_what_is_not_promised() -> None:
    facts = told(fit("a", speed=None), share=True, speed=None)
    assert [(row["replicas"], row["tokens_per_second"]) for row in facts["served"]] == [(2, None)]
    assert facts["usd"] == 10.0


def test_no_plan_says_why() -> None:
    found = plan_requests.answers([fit("a")], [price("a", 10.0)])
    with pytest.raises(NoPlan, match=r"^no plan: the budget stands in the way: 20\.00 USD would do") as stop:
        planned(demand({"replicas": 2}), found, inventory(), POLICY, Terms(1.0), Limits(budget_usd=19.0))
    words = "the budget stands in the way: 20.00 USD would do (+5.3%)"  # 1 of 19
    assert stop.value.facts == {
        "status": "infeasible", "reasons": [], "left_out": [],
        "relaxations": [
            {"what": ["budget"], "words": words, "usd": 20.0, "change": {"budget_usd": 20.0}, "percent": 5.3}
        ],
    }  # fmt: skip
    assert stop.value.exit_status == 1


def test_a_change_by_many_times_is_readable() -> None:
    """From a hundredth of a dollar to 10: 999 times more."""
    found = plan_requests.answers([fit("a")], [price("a", 10.0)])
    with pytest.raises(NoPlan, match=r"10\.00 USD would do \(\+99,900\.0%\)$"):
        planned(demand(), found, inventory(), POLICY, Terms(1.0), Limits(budget_usd=0.01))


def test_no_plan_and_no_proof_of_none_is_no_infeasible_demand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a second for it a solver cannot say."""
    monkeypatch.setattr(effort, "SECONDS", 0.0)
    found = plan_requests.answers([fit("a")], [price("a", 10.0)])
    with pytest.raises(NoPlan, match="no proof within a minute") as stop:
        planned(demand(), found, inventory(), POLICY, Terms(1.0), Limits())
    assert stop.value.facts == {
        "status": "undecided", "reasons": [str(stop.value)], "relaxations": [], "left_out": [],
    }  # fmt: skip


def test_what_there_was_no_time_for_is_told() -> None:
    found = plan_requests.answers([fit("a"), fit("b")], [price("a", 10.0), price("b", 11.0)])
    facts = planned(demand(), found, inventory(), POLICY, Terms(1.0), Limits(), seconds_beside=0.0)
    assert facts["usd"] == 10.0
    assert (facts["alternatives"], facts["next_best"], facts["binding"]) == ([], [], [])
    assert facts["sensitivity"] == {"prices": [], "rents": [], "precision": []}
    assert "the next best plans" in facts["left_out"]
