"""The decision, in words: one device, then ever more in one node (method, section 9)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from scalar.known import Unknown

Outcome = tuple[str, int | None]


@dataclass(frozen=True)
class Need:
    """Bytes of one device, all in all; `resident` of them are weights."""

    middle: int
    high: int
    resident: int


@dataclass(frozen=True)
class Host:
    """What weights may be left in: bytes of a host's memory, and the layers of which one stays on the device."""

    memory: int
    layers: int | None

    def helps(self, alone: Need, usable: int) -> bool:
        if alone.middle - math.floor(0.8 * self.memory) > usable:
            return False
        beside = alone.high - alone.resident
        if beside > usable or self.layers == 0:
            return False
        if self.layers is None:
            raise Unknown("layers")
        return beside + alone.resident / self.layers <= usable


def decide(
    *,
    is_supported: bool | None,
    need: Callable[[int], Need | None],
    degrees: Iterable[int],
    usable: int | None,
    assured: int | None,
    most: int | None,
    host: Host | None,
) -> Outcome:
    """`need` of a degree is None where that split does not exist, and raises Unknown where it cannot be told."""
    if is_supported is False:
        return ("unsupported", None)
    if is_supported is None or usable is None or assured is None:
        return ("unknown", None)
    try:
        alone = need(1)
        assert alone is not None
        if alone.high <= assured:
            return ("fits", 1)
        if alone.middle <= usable:
            return ("tight", 1)
        if most is None:
            return ("unknown", None)
        for degree in degrees:
            if 1 < degree <= most:
                each = need(degree)
                if each is not None and each.high <= assured:
                    return ("sharded", degree)
        if host is not None and host.helps(alone, usable):
            return ("offload", None)
    except Unknown:
        return ("unknown", None)
    return ("too_big", None)
