"""Fixtures of what documents are held against; what they are made of lives in support/."""

from __future__ import annotations

from whole_night import whole_night

__all__ = ["whole_night"]
