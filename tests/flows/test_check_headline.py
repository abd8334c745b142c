"""The sentence above the tables: what is needed, the smallest device, the cheapest way, and what is not known."""

from __future__ import annotations

from typing import Any

import pytest

from flows.check_headline import headline, is_twin, nowhere, smallest

GIB = 2**30


def need(precision: str, gib: float | None) -> dict[str, Any]:
    return {"precision": precision, "total_bytes": None if gib is None else int(gib * GIB), "weights_basis": precision}


def fit(precision: str, name: str, memory: int, **facts: Any) -> dict[str, Any]:
    return {
        "precision": precision, "gpu": name.lower(), "name": name, "memory_gib_nominal": memory, "gpus_needed": 1,
        "verdict": "fits", "segment": "consumer", "usd_per_hour": None, **facts,
    }  # fmt: skip


def way(precision: str, name: str, usd: float, **facts: Any) -> dict[str, Any]:
    return {
        "precision": precision, "name": name, "gpus_needed": 1, "usd_per_hour": usd, "price_age_days": 1_345,
        "price_is_stale": False, **facts,
    }  # fmt: skip


def answer(**facts: Any) -> dict[str, Any]:
    return {
        "model": {"stored_precision": "bf16"},
        "workload": {"title": "One chat of 8k tokens", "engine": "vllm"},
        "requirements": [need("stored", 20), need("int4", 10)],
        "fit": [fit("stored", "Large", 24), fit("int4", "Small", 12, verdict="tight"), fit("int4", "Large", 24)],
        "cheapest": [way("int4", "Small", 0.125)],
        "asked_gpus": [],
        "verdicts": {"stored": {"fits": 1, "too_big": 1}, "int4": {"fits": 1, "tight": 1}},
        **facts,
    }


def test_what_it_needs_the_smallest_device_and_the_cheapest_way() -> None:
    assert headline(answer()) == (
        "Needs 20.00 GiB as stored (bf16) or 10.00 GiB as int4 for one chat of 8k tokens (vllm)."
        " Smallest device: Large as stored, or Small (tight) as int4. Cheapest: Small as int4 at 0.12 USD/h."
    )


def test_a_smaller_precision_that_helps_nobody_is_not_named() -> None:
    everywhere = [fit("stored", "Small", 12), fit("int4", "Small", 12)]
    assert "Smallest device: Small as stored. " in headline(answer(fit=everywhere))
    nowhere_small = answer(fit=[fit("stored", "Large", 24)])  # int4 runs on no device
    assert headline(nowhere_small).startswith("Needs 20.00 GiB as stored (bf16) for one chat of 8k tokens (vllm). ")


def test_several_devices_and_an_old_price_say_so() -> None:
    several = [fit("stored", "Large", 24, gpus_needed=2, verdict="sharded")]
    said = headline(answer(fit=several, cheapest=[way("stored", "Large", 3, gpus_needed=2, price_is_stale=True)]))
    assert "Smallest devices: 2 x Large as stored. " in said
    assert said.endswith("Cheapest: 2 x Large as stored at 3.00 USD/h, a price 1,345 days old.")
    assert headline(answer(cheapest=[])).endswith("No price is known for any way to run it.")


def test_what_is_not_known_is_said_to_be_unknown_and_nothing_is_named() -> None:
    unknown = answer(requirements=[need("stored", None)], fit=[], cheapest=[], verdicts={"stored": {"unknown": 9}})
    assert headline(unknown) == (
        "How much memory it needs for one chat of 8k tokens (vllm) is unknown. Where it runs is unknown."
    )


def test_the_first_precision_that_is_known_is_that_of_the_sentence() -> None:
    packed = answer(requirements=[need("stored", None), need("int4", 10)])
    assert headline(packed).startswith("Needs 10.00 GiB as int4 for")
    assert "Smallest device: Small (tight) as int4. " in headline(packed)


@pytest.mark.parametrize(
    ("verdicts", "gpus", "words"),
    [
        ({"too_big": 3}, [], "No device of the catalog holds it."),
        ({"too_big": 3, "unsupported": 2, "unknown": 1}, ["x"], "None of these devices holds it."),
        ({"unsupported": 3}, [], "It is not supported by vllm."),
        ({"unsupported": 3, "unknown": 1}, [], "Where it runs is unknown."),
    ],
)
def test_without_a_device_it_says_why(verdicts: dict[str, int], gpus: list[str], words: str) -> None:
    told = answer(fit=[fit("stored", "X", 8, verdict="too_big")] if gpus else [], asked_gpus=gpus, cheapest=[])
    assert headline(told | {"verdicts": {"stored": verdicts, "int4": verdicts}}).endswith(words)


def test_precisions_that_run_nowhere_are_named() -> None:
    told = answer(verdicts={"a": {"unsupported": 2}, "b": {"unsupported": 1}, "c": {"too_big": 1}})
    assert nowhere(told, ["a", "b"]) == "a, b are not supported by vllm"
    assert nowhere(told, ["c"]) == "no device of the catalog holds c"


def test_a_whole_device_before_a_slice_and_of_two_the_cheaper() -> None:
    rows = [
        fit("x", "Slice", 10, segment="slice"),
        fit("x", "Two", 8, gpus_needed=2),
        fit("x", "Dear", 16, usd_per_hour=2.0),
        fit("x", "Unpriced", 16),
        fit("x", "Cheap", 16, usd_per_hour=1.0),
        fit("x", "No", 4, verdict="too_big"),
    ]
    names = []
    while (found := smallest(rows)) is not None:
        names.append(found["name"])
        rows.remove(found)
    assert names == ["Cheap", "Dear", "Unpriced", "Slice", "Two"]


def test_twins_have_the_same_numbers_and_devices() -> None:
    fits = [fit("stored", "X", 8), fit("bf16", "X", 8)]
    same = answer(requirements=[need("stored", 20), need("bf16", 20)], fit=fits)
    assert is_twin(same)
    assert "as stored at" in headline(same | {"cheapest": [way("bf16", "X", 1.0)]})
    assert not is_twin(same | {"fit": fits[:1]})
    assert not is_twin(same | {"requirements": [need("stored", 20), need("bf16", 20.001)]})
    assert not is_twin(same | {"model": {"stored_precision": None}})
    assert not is_twin(same | {"model": {"stored_precision": "fp16"}})
