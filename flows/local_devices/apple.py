"""Apple's chip, of sysctl, and how many cores of its GPU there are, of system_profiler: one name has several sizes."""

from __future__ import annotations

import json

from flows.local_devices import tools
from flows.local_devices.reported import Reported, number

CHIP = ("sysctl", "-n", "machdep.cpu.brand_string", "hw.memsize")
DISPLAYS = ("system_profiler", "SPDisplaysDataType", "-json")


def devices() -> list[Reported]:
    """At most one. Other systems have a sysctl that knows no such names; that is no problem to tell of."""
    chip = tools.answer(CHIP, [])
    return of(chip, tools.answer(DISPLAYS, [])) if chip.startswith("Apple ") else []


def of(chip: str, displays: str) -> list[Reported]:
    """Of two lines, brand and bytes, and of the displays' JSON."""
    brand, _, size = chip.strip().partition("\n")
    size_bytes = number(size.strip())
    if not brand.startswith("Apple ") or size_bytes is None:
        return []
    cores = _cores(displays)
    names = ([f"{brand} ({cores}-core GPU)"] if cores else []) + [brand]
    return [Reported(tuple(names), size_bytes / 2**20, source=CHIP[0])]


def _cores(displays: str) -> int | None:
    try:
        found = json.loads(displays)
    except (ValueError, RecursionError):
        return None
    rows = found.get("SPDisplaysDataType") if isinstance(found, dict) else None
    for row in rows if isinstance(rows, list) else []:
        cores = number(row.get("sppci_cores")) if isinstance(row, dict) else None
        if cores is not None and cores <= 1024:
            return int(cores)
    return None
