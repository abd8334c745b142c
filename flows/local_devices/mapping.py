"""From what a driver says to one row of gpus.csv: by name, and by memory where a name has several sizes."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from flows.local_devices.reported import Reported

# ECC takes a sixteenth of what the same board has without it.
OF_DRIVER = (0.92, 1.08)
# What a driver leaves of the size on the box, and systems of the memory that they share.
OF_NOMINAL = (0.88, 1.03)
# Two rows of the same size, of which one has the size on the box alone.
SAME = 0.02

_MARKS = re.compile(r"\((?:tm|r)\)|[™®]")
_ASIDE = re.compile(r"\([^()]*\)")
_SIZE = re.compile(r"(?<![\w.])\d+\s?gi?b(?![\w.])")
_WORD = re.compile(r"[a-z0-9.+]+")
_MAKERS = {"nvidia", "amd", "intel", "tesla", "corporation"}


def key(name: str) -> tuple[str, ...]:
    """What identifies a device in its name: its words without maker, remarks and size, for memory tells sizes better.

    The size of the board stays in names of MIG instances, of which nothing else is told.
    """
    text = _MARKS.sub(" ", name.casefold())
    text = _ASIDE.sub(lambda found: found[0] if "core" in found[0] else " ", text)
    if " mig " not in text:
        text = _SIZE.sub(" ", text)
    return tuple(word for word in _WORD.findall(text) if word not in _MAKERS)


class Names:
    """The devices of a catalog by the names that they have there and in drivers."""

    def __init__(self, gpus: pl.DataFrame, names: pl.DataFrame) -> None:
        facts = gpus.select("gpu_id", "name", "memory_mib_driver", "memory_gib_nominal", "is_unified_memory")
        self._rows: dict[str, Mapping[str, Any]] = {row["gpu_id"]: row for row in facts.iter_rows(named=True)}
        self._by_key: dict[tuple[str, ...], list[str]] = {}
        for name, gpu in [*facts.select("name", "gpu_id").iter_rows(), *names.select("name", "gpu").iter_rows()]:
            known = self._by_key.setdefault(key(name), [])
            if gpu not in known:
                known.append(gpu)

    def candidates(self, device: Reported) -> list[str]:
        """The row that it is; several where it may be any of them, none where it is unknown.

        A name that means no row of about that memory is passed over for the next.
        """
        for name in device.names:
            rows = [self._rows[gpu] for gpu in self._by_key.get(key(name), [])]
            # with what is set apart for the device, for what remains may be as large as a smaller system
            for size in _shared(device):
                if found := _nearest([row for row in rows if row["is_unified_memory"]], size):
                    return found
            if found := _nearest(rows, device.memory_mib):
                return found
        return []


def _nearest(rows: Sequence[Mapping[str, Any]], size_mib: float | None) -> list[str]:
    """Those of about that memory, the nearest alone; all where it is not told, as of instances."""
    if size_mib is None:
        return sorted(row["gpu_id"] for row in rows)
    apart = {}
    for row in rows:
        whole, (low, high) = row["memory_mib_driver"], OF_DRIVER
        if whole is None or row["is_unified_memory"]:
            whole, (low, high) = row["memory_gib_nominal"] * 1024, OF_NOMINAL
        if low <= size_mib / whole <= high:
            apart[row["gpu_id"]] = abs(math.log(size_mib / whole))
    return sorted(gpu for gpu, off in apart.items() if off <= min(apart.values()) + SAME)


def _shared(device: Reported) -> list[float]:
    """Sizes of the memory of a whole system, which integrated devices share."""
    if device.host_mib is None:
        return []
    return [device.host_mib + (device.memory_mib or 0), device.host_mib]
