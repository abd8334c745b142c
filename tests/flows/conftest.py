"""Fixtures of the flows tests; what they are made of lives in support/."""

from __future__ import annotations

from driver_tools import tools
from local_hub import hub
from prefect_night import prefect_night

__all__ = ["hub", "prefect_night", "tools"]
