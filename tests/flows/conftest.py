"""Fixtures of the flows tests; the local Hub lives in support/local_hub.py."""

from __future__ import annotations

from local_hub import hub

__all__ = ["hub"]
