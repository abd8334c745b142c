"""A plan on the terminal: its words are English, its names are whole."""

from __future__ import annotations

import plan_requests
import pytest
from plan_requests import POLICY, demand, fit, inventory, price

from flows.procurement.facts import NoPlan, planned
from flows.procurement.offers import Terms
from flows.procurement.problem import Limits
from flows.procurement.tables import show


def shown(
    capsys: pytest.CaptureFixture[str],
    *,
    model: str = "m",
    fitting: dict[str, object] | None = None,
    watts: int = 100,
    **offer: object,
) -> list[str]:
    found = plan_requests.answers([fit("a", **(fitting or {}))], [price("a", 10.0, **offer)], a=watts)
    show(planned(demand({"model_id": model}), found, inventory(), POLICY, Terms(1.0), Limits()))
    return capsys.readouterr().out.splitlines()


@pytest.mark.parametrize(
    ("age", "words"),
    [
        ({"age_days": 0}, "today"),
        ({"age_days": 1}, "1 day ago"),
        ({"age_days": 1, "is_stale": True}, "1 day ago, stale"),
        ({"age_days": 1399, "is_stale": True}, "1,399 days ago, stale"),
    ],
)
def test_how_old_a_price_is(age: dict[str, object], words: str, capsys: pytest.CaptureFixture[str]) -> None:
    lines = shown(capsys, **age)
    [row] = [line for line in lines if "rent 1 x a of one" in line and "10.00  " in line]
    assert row.rstrip().endswith(f"  {words}")


@pytest.mark.parametrize(("watts", "words"), [(25, "25 W"), (999, "999 W"), (1000, "1.0 kW"), (12345, "12.3 kW")])
def test_the_first_line_has_one_of_one_and_small_power(
    watts: int, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert shown(capsys, watts=watts)[0] == f"10.00 USD for 1 month: 1 device, {words} rated"


def test_what_is_known_of_an_answer_says_of_what(capsys: pytest.CaptureFixture[str]) -> None:
    """The need first, the speed second; a speed that nobody knows has no word."""
    lines = shown(capsys, fitting={"confidence": "high", "speed_confidence": "low"})
    [row] = [line for line in lines if " bf16 " in line]
    assert row.split()[-2:] == ["high,", "low"]
    title = next(at for at, line in enumerate(lines) if line.startswith("What runs on it"))
    heads = lines[title + 1], lines[title + 2]
    at = row.index("high, low")
    assert [head[at:].strip() for head in heads] == ["how sure:", "GiB, speed"]
    assert any(line.startswith("how sure: how well the need and tokens/s are known") for line in lines)
    lines = shown(capsys, fitting={"tokens_per_second": None, "speed_confidence": None})
    [row] = [line for line in lines if " bf16 " in line]
    assert row.split()[-2:] == ["high,", "-"]


def test_what_is_owned_costs_its_power_alone(capsys: pytest.CaptureFixture[str]) -> None:
    found = plan_requests.answers([fit("a")], [price("a", 10.0)])
    show(planned(demand(), found, inventory(a=1), POLICY, Terms(1.0), Limits()))
    [row] = [line for line in capsys.readouterr().out.splitlines() if "1  owned a " in line]
    assert row.rstrip().endswith("0.00  power alone")


def test_what_a_plan_hangs_on_is_what_it_would_do_without(capsys: pytest.CaptureFixture[str]) -> None:
    """Two replicas at 10 each: bought they cost 4 each, on one device together 10. Neither is saved "without buy"."""
    rooms = [("a", 1, 200), ("a", 2, 190)]
    found = plan_requests.answers([fit("a"), fit("b")], [price("a", 10.0), price("b", 4.0, "purchase")], rooms)
    show(planned(demand({"replicas": 2}), found, inventory(), POLICY, Terms(1.0, buys=False), Limits()))
    lines = capsys.readouterr().out.splitlines()
    first = next(at for at, line in enumerate(lines) if line.startswith("What it hangs on"))
    rows = [line.rstrip() for line in lines[first + 2 : first + 4]]
    assert [" ".join(row.split()) for row in rows] == [
        "--no-buy 12.00 2 x buy b",
        "a device for each (no --share) 10.00 1 x rent 1 x a of one",
    ]


def test_names_are_whole_however_long(capsys: pytest.CaptureFixture[str]) -> None:
    model = "an-owner-with-a-long-name/" + "a-model-" * 20
    lines = shown(capsys, model=model)
    assert "…" not in "".join(lines)
    first = next(at for at, line in enumerate(lines) if line.strip().startswith("an-owner"))
    folded = ""
    for line in lines[first:]:
        folded += line.split()[0]
        if folded == model:
            break
    assert folded == model


@pytest.mark.parametrize(
    ("asked", "fitting", "words"),
    [
        (
            {"context_tokens": 1},
            {"is_tight": True},
            "line 2: m fits no device at 1 token in any precision of four bits or more;"
            " shorten the context or name one of fewer bits;",
        ),
        (
            {"context_tokens": 1200, "concurrent_sequences": 3, "precision": "bf16"},
            {"is_tight": True},
            "line 2: m fits no device at 3 x 1,200 tokens in bf16;"
            " shorten the context, serve fewer sequences at once or allow another precision;",
        ),
        ({"min_tokens_per_second": 1.0}, {"speed": 0.5}, "reaches 1 tokens/s nowhere; the fastest gives 0.5 tokens/s"),
    ],
)
def test_why_there_is_no_plan(asked: dict[str, object], fitting: dict[str, object], words: str) -> None:
    found = plan_requests.answers([fit("a", **fitting)], [price("a", 10.0)])  # type: ignore[arg-type]
    with pytest.raises(NoPlan) as stop:
        planned(demand(asked), found, inventory(), POLICY, Terms(1.0), Limits())
    assert words in str(stop.value)
