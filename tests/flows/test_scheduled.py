"""How a run that nobody waits for says that it ended."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any, NoReturn

import pytest

from flows import scheduled
from flows.failures import Failure, HubUnavailable
from flows.locks import Refused
from flows.prices.web import ListAway
from flows.prices_flow import NoPrices


def raising(error: Exception) -> Any:
    def work() -> NoReturn:
        raise error

    return work


def test_prices_that_came_are_told_line_by_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert scheduled.prices(lambda: ["aws: 3 prices", "gcp: 1 prices"]) == ["aws: 3 prices", "gcp: 1 prices"]
    assert capsys.readouterr().err.splitlines() == ["prices of aws: 3 prices", "prices of gcp: 1 prices"]


def test_a_night_that_was_published_is_told(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert scheduled.night(lambda: tmp_path) == str(tmp_path)
    assert capsys.readouterr().err == f"night published: {tmp_path / 'report' / 'index.html'}\n"


@pytest.mark.parametrize(
    ("error", "kind", "said"),
    [
        (NoPrices("no list answered"), "FAILED", "refresh of prices failed: no list answered"),
        (OSError(28, "no space"), "FAILED", "refresh of prices failed: [Errno 28] no space"),
        (Refused("another is at work"), "CANCELLED", "refresh of prices skipped: another is at work"),
    ],
)
def test_an_expected_end_is_a_state(error: Exception, kind: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    ended = scheduled.prices(raising(error))
    assert not isinstance(ended, list)
    assert ended.type.value == kind
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "is_told_whole"),
    [
        (HubUnavailable("away"), False),
        (ListAway(Failure("timeout", "away")), False),
        (ZeroDivisionError("by nothing"), True),
    ],
)
def test_prefect_tells_what_is_expected_in_a_line(error: Exception, is_told_whole: bool) -> None:
    scheduled.prices(lambda: [])
    about = (type(error), error, None)
    record = logging.LogRecord("prefect.task_runs", logging.ERROR, "engine.py", 1, "failed: %s", (error,), about)
    assert logging.getLogger("prefect.task_runs").filter(record)
    assert record.getMessage() == f"failed: {error}"
    assert bool(record.exc_info) == is_told_whole


def test_a_fault_of_ours_is_told_and_raised(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ZeroDivisionError):
        scheduled.night(raising(ZeroDivisionError("by nothing")))
    assert "night failed: ZeroDivisionError: by nothing; the previous one stays" in capsys.readouterr().err
