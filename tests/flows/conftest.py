"""Fixtures of the flows tests; what they are made of lives in support/."""

from __future__ import annotations

from local_hub import hub
from prefect_night import prefect_night

__all__ = ["hub", "prefect_night"]
