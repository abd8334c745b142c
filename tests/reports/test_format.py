from __future__ import annotations

from datetime import UTC, date, datetime

import pytest

from reports import format


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "unknown"),
        (0, "0.00 GiB"),
        (2**30, "1.00 GiB"),
        (16_060_522_496, "14.96 GiB"),
        (1360 * 2**30, "1,360 GiB"),
        (2**20, "1.00 MiB"),
        (-(2**30), "-1.00 GiB"),
    ],
)
def test_memory_is_gib(value: int | None, shown: str) -> None:
    assert format.gib(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "unknown"),
        (8_030_261_248, "8.03 B"),
        (671_026_404_352, "671 B"),
        (494_032_768, "494 M"),
        (1200, "1,200"),
    ],
)
def test_parameters(value: int | None, shown: str) -> None:
    assert format.billions(value) == shown


@pytest.mark.parametrize(
    ("number", "shown"), [(0, "0 models"), (1, "1 model"), (2, "2 models"), (1200, "1,200 models")]
)
def test_plural(number: int, shown: str) -> None:
    assert format.plural(number, "model") == shown


@pytest.mark.parametrize(
    ("part", "whole", "shown"),
    [(0, 0, "unknown"), (0, 10, "0 %"), (1, 1000, "<1 %"), (999, 1000, ">99 %"), (10, 10, "100 %"), (1, 2, "50 %")],
)
def test_percent(part: int, whole: int, shown: str) -> None:
    assert format.percent(part, whole) == shown


def test_money_dates_and_the_unknown() -> None:
    assert format.usd(None) == "no price"
    assert format.usd(1.5) == "$1.50"
    assert format.day(date(2026, 1, 2)) == "2026-01-02"
    assert format.moment(datetime(2026, 1, 2, 3, 4, tzinfo=UTC)) == "2026-01-02 03:04 UTC"
    assert format.text(None) == format.text("") == "unknown"
    assert format.tokens(None) == "unknown"
    assert format.tokens(1) == "1 token"


def sentence(**changes: object) -> str:
    values: dict[str, object] = {
        "name": "RTX", "models": 171, "fitting": 64, "sharded": 0, "unknown": 0, "largest": None, "precision": None,
        "title": "One chat of 8k tokens",
    }  # fmt: skip
    return format.device_sentence(**{**values, **changes})  # type: ignore[arg-type]


def test_the_sentence_of_a_device() -> None:
    assert sentence() == "Of 171 models, 64 run on one RTX (one chat of 8k tokens)."
    assert sentence(models=1, fitting=1) == "Of 1 model, 1 runs on one RTX (one chat of 8k tokens)."
    assert sentence(models=0).startswith("No model was read this night")
    assert sentence(largest="a/b", precision="bf16").endswith("; the largest is a/b at bf16.")
    assert sentence(sharded=1).endswith("1 more model needs several in one node.")
    assert sentence(unknown=2).endswith("For 2 models too little is known to tell.")


def test_the_sentence_of_a_model() -> None:
    known = format.model_sentence("a/b", 8_030_261_248, 3, 246, "H100", "bf16", "Chat")
    assert known == "a/b has 8.03 B parameters. For chat it fits on 3 of 246 devices; the smallest is H100 at bf16."
    assert format.model_sentence("a/b", None, 0, 246, None, None, "Chat").startswith("The size of a/b is unknown. No")


def test_the_sentence_of_a_night() -> None:
    assert format.overview_sentence(0, 0, 0, 0) == "Nothing was listed for this night."
    assert format.overview_sentence(1, 1, 0, 0) == "1 model of 1 listed was read, none failed."
    assert format.overview_sentence(3, 2, 1, 1) == (
        "2 models of 3 listed were read; 1 could not be. For 1 model the need is at least partly unknown, and says so."
    )


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "unknown"), (0, "$0.00"), (0.0073, "$0.0073"), (0.00731, "$0.0073"), (0.05, "$0.050"), (0.5, "$0.50"),
        (0.999, "$1.00"), (1234.5, "$1,234.50"),
    ],
)  # fmt: skip
def test_small_costs_have_two_digits(value: float | None, shown: str) -> None:
    assert format.cost(value) == shown
    assert format.cell(value, "cost") == shown
