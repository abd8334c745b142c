"""What is not known: reading it raises, so that no sum can go on without it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

Answer = TypeVar("Answer")
Row = Mapping[str, Any]


class Unknown(Exception):
    """A number that the answer depends on is null."""


class Facts(dict[str, Any]):
    """One row, of which a null cell cannot be read by accident; `get` asks whether it is there."""

    def __getitem__(self, name: str) -> Any:
        cell = super().__getitem__(name)
        if cell is None:
            raise Unknown(name)
        return cell


def or_none(answer: Callable[[], Answer]) -> Answer | None:
    """The answer, or None where something that it depends on is null."""
    try:
        return answer()
    except Unknown:
        return None


def up(quantity: float) -> int:
    """Whole bytes: the only rounding, at the end of a formula."""
    return math.ceil(quantity)
