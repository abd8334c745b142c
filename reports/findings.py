"""Headline findings of the overview: one sentence each, from numbers that the pages below it show."""

from __future__ import annotations

import math
from collections.abc import Sequence

from reports.format import billions, count, decimal, percent, plural
from reports.model import Finding, Overview

# What a reader owns or rents most often; a finding is about the first device of these sizes.
SIZES_GIB = (24.0, 80.0, 96.0)


def headlines(page: Overview) -> tuple[str, ...]:
    """Up to four sentences; none about what is not known."""
    held = _scored(page.strip) if page.is_scored else [*_sizes(page.strip), _largest(page.strip)]
    found = [_reach(page.precision_share), *held, _exact(page)]
    return tuple(dict.fromkeys(sentence for sentence in found if sentence))[:4]


def _reach(shares: Sequence[tuple[str, int, int]]) -> str | None:
    """How far 16 bit goes, and the format that goes furthest."""
    known = {precision: (fitting, models) for precision, fitting, models in shares if models}
    if not known:
        return None
    best, (fitting, models) = max(known.items(), key=lambda item: item[1][0])
    sentence = (
        f"{count(fitting)} of {plural(models, 'model')} {'fits' if fitting == 1 else 'fit'} on some single device"
    )
    sentence += f" at {best}"
    if best != "bf16" and "bf16" in known:
        sentence += f"; at bf16 it is {count(known['bf16'][0])}"
    return sentence + "."


def _sizes(strip: Sequence[Finding]) -> list[str | None]:
    found: list[str | None] = []
    for size in SIZES_GIB:
        held = [row for row in strip if row.memory_gib == size and row.model and row.parameters is not None]
        if held:
            best = max(held, key=lambda row: row.parameters or 0)
            found.append(
                f"One device of {size:g} GiB holds at most {billions(best.parameters)} parameters:"
                f" {best.model} at {best.precision} on {best.device}."
            )
    return found[:2]


def _scored(strip: Sequence[Finding]) -> list[str | None]:
    """The best of the scored models on devices of the usual sizes."""
    found: list[str | None] = []
    for size in SIZES_GIB:
        held = [row for row in strip if row.memory_gib == size and row.score is not None]
        if held:
            best = max(held, key=lambda row: -math.inf if row.score is None else row.score)
            found.append(
                f"The best model by score on one device of {size:g} GiB is {best.model} ({decimal(best.score or 0)})"
                f" at {best.precision} on {best.device}."
            )
    return found[:2]


def _largest(strip: Sequence[Finding]) -> str | None:
    """The other end of the range."""
    held = [row for row in strip if row.model and row.parameters is not None]
    if len(held) < 2:
        return None
    best = max(held, key=lambda row: row.parameters or 0)
    return f"The largest model on a single device is {best.model} ({billions(best.parameters)}) on {best.device}."


def _exact(page: Overview) -> str | None:
    read = page.night.models_read
    if not read:
        return None
    return f"Parameter counts are exact for {percent(page.exact_models, read)} of {plural(read, 'model')}."
