"""Extraction of 10,000 cached raw rows on one core: the snapshot's answers again and again, in parts of 250.

    python benchmarks/extract.py [MODELS]

Floor: 10,000 rows in 20 s. Baseline of the same run: parsing the same JSON texts and nothing else.
"""

from __future__ import annotations

import json
import os
import sys
import time
from datetime import UTC, datetime
from itertools import cycle, islice

import polars as pl

import catalogs
from flows.extract.parts import extract_part
from flows.raw import HUB

MODELS = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
PART = 250
FLOOR_SECONDS = 20.0


def rows() -> list[dict[str, object]]:
    """MODELS raw rows; equal answers under different names are no cheaper, nothing is remembered between rows."""
    now = datetime.now(UTC)
    found = []
    for number, row in enumerate(islice(cycle(catalogs.hub_snapshot()), MODELS)):
        empty = dict.fromkeys(HUB.names())
        info = row["info"] if isinstance(row["info"], str) else json.dumps(row["info"])
        name = f"{row['model_id']}-{number}"
        found.append({**empty, "model_id": name, "info": info, "config": row["config"], "fetched_at": now})
    return found


def main() -> None:
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    raw = rows()
    parts = [pl.DataFrame(raw[at : at + PART], schema=HUB) for at in range(0, MODELS, PART)]
    extract_part(parts[0])  # catalogs and dialects are read once
    started = time.perf_counter()
    for row in raw:
        json.loads(str(row["info"]))
        json.loads(str(row["config"] or "{}"))
    parsing = time.perf_counter() - started
    started = time.perf_counter()
    read = sum(extract_part(part).models.height for part in parts)
    took = time.perf_counter() - started
    print(f"{read:,} of {MODELS:,} rows in {took:.1f} s on one core: {took / MODELS * 1e3:.2f} ms a row")
    print(f"  {took / parsing:.1f} times as long as parsing the JSON alone ({parsing:.1f} s)")
    limit = FLOOR_SECONDS * MODELS / 10_000
    print(f"  floor {limit:.0f} s: {'met' if took <= limit else 'MISSED'}")


if __name__ == "__main__":
    main()
