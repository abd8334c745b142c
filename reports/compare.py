"""What compare.html puts side by side: a row for each model and device, in scripts that the page loads when asked.

No script of a page can read another page from disk, so the rows are written once more: models by the hash of their id,
some dozens in a script, and all devices in one. An address names ids; where their rows are is this night's own affair.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import date

from reports.model import Night, Workload

# Models side by side, and models whose rows share a script: some 40 KB, for one that is asked about.
MOST = 4
MODELS_IN_SCRIPT = 40

# Verdicts of one model on all devices, or of all models on one device: a letter each.
LETTERS = {
    "f": "fits", "t": "tight", "s": "sharded", "o": "offload", "x": "too_big", "-": "unsupported", "?": "unknown",
}  # fmt: skip


@dataclass(frozen=True)
class Way:
    """A way to run a model, as one of its row's cells. `gpu` is null where the place of the cell says which."""

    gpu: str | None
    precision: str
    devices: int
    tokens_per_second: float | None = None  # of one sequence
    usd_per_hour: float | None = None
    as_of: date | None = None
    age_days: int | None = None
    is_stale: bool | None = None


@dataclass(frozen=True)
class ComparedModel:
    """A model's row, by its id. Null is unknown, but for `smallest` and `cheapest`, of which there may be none."""

    model_id: str
    slug: str
    kind: str | None
    parameters: int | None
    active_parameters: int | None
    max_context_tokens: int | None
    confidence: str | None
    license: str | None
    token_bytes: float | None  # that one more token of a sequence adds to the cache, in layers that keep all
    window_token_bytes: float | None  # and in layers with a window, until it is full
    window_tokens: int | None
    needs: Sequence[tuple[str, int | None, Sequence[int | None]]]  # precision, total, bytes by part
    fits_on: int | None  # devices
    smallest: Way | None
    cheapest: Way | None  # that is sure to hold it
    known: Sequence[Way | None]  # on the page's well-known devices; null where it does not run
    verdicts: str  # a letter a device, in the order of the devices' script


@dataclass(frozen=True)
class ComparedDevice:
    """A device's row. A rate is null where nobody knows it, and false where the device does not compute in it."""

    gpu: str
    slug: str
    name: str
    segment: str | None
    memory_bytes: int | None
    visible_bytes: int | None
    usable_bytes: int | None
    bandwidth_gb_per_s: float | None
    bf16_tflops: float | bool | None
    fp8_tflops: float | bool | None
    int8_tops: float | bool | None
    fp4_tflops: float | bool | None
    max_gpus_per_node: int | None
    tdp_watts: float | None
    usd_per_gpu_hour: float | None
    provider: str | None
    as_of: date | None
    age_days: int | None
    is_stale: bool | None
    usd_purchase: float | None
    purchase_as_of: date | None
    purchase_age_days: int | None
    purchase_is_stale: bool | None
    models_on_one: int | None
    models_sharded: int | None
    largest_model: str | None
    largest_slug: str | None
    largest_parameters: int | None
    largest_precision: str | None


@dataclass(frozen=True)
class ComparePage:
    """compare.html. Models are about the workload `served`, devices about the `first`, as on their own pages."""

    night: Night
    served: Workload
    first: Workload
    scripts: int  # of models' rows
    known: Sequence[tuple[str, str]]  # well-known devices: id, name
    models: Sequence[str] = ()  # ids to begin with
    devices: Sequence[tuple[str, str]] = ()  # the same: id, name


def scripts(models: int) -> int:
    """How many scripts the rows of so many models are in."""
    return max(1, -(-models // MODELS_IN_SCRIPT))


def script_of(model_id: str, count: int) -> int:
    """In which of `count` scripts a model's row is; compare.js computes the same."""
    return zlib.crc32(model_id.encode(errors="replace")) % count


def cells(row: ComparedModel | ComparedDevice) -> list[object]:
    """A row as its script has it, in the order of the fields."""
    return [_cell(getattr(row, field.name)) for field in fields(row)]


def _cell(value: object) -> object:
    if isinstance(value, Way):
        told = [getattr(value, field.name) for field in fields(Way)]
        while told[-1] is None:  # 10,000 models have seven each
            told.pop()
        return told
    return [_cell(part) for part in value] if isinstance(value, list | tuple) else value
