"""What the environment decides about a run, read once. huggingface_hub reads its own variables."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """Where nights are kept and how patiently the Hub is asked."""

    data: Path
    workers: int = 8
    connect_seconds: float = 10.0
    read_seconds: float = 10.0
    total_seconds: float = 60.0

    @classmethod
    def from_environment(cls, *, data: Path | None = None) -> Settings:
        """`data` (or HUBFIT_DATA, or ./data) as an absolute path."""
        return cls(data=(data or Path(os.environ.get("HUBFIT_DATA") or "data")).absolute())
