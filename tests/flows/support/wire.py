"""Asking the live source, with time that passes only by sleeping."""

from __future__ import annotations

from pathlib import Path

from flows import hub as live
from flows.failures import Failure
from flows.hub_http import HubHttp
from flows.raw import RawModel
from flows.settings import Settings

SETTINGS = Settings(data=Path("unused"), workers=4, connect_seconds=1, read_seconds=0.5, total_seconds=2)


class Clock:
    """Time that passes only by sleeping."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def ask(*model_ids: str, clock: Clock | None = None) -> dict[str, RawModel | Failure]:
    clock = clock or Clock()
    http = HubHttp(SETTINGS, clock=clock, sleep=clock.sleep)
    try:
        return dict(live.hub_source(SETTINGS, http)(model_ids))
    finally:
        http.close()
