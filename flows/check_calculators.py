"""What the seed calculators print for the one model of `hubfit check`, for its context and sequences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl
from rich.table import Table

import estimator
from estimator import calculators
from estimator.calculator_rows import PRECISIONS, SEQUENCES, TOKENS

GIB = 2**30
# What a reader asks for, in this order; every other quantity is a term of the last sum before it.
SUMS = (
    "total", "largest_layer", "inference", "lora", "training_adam", "training_sgd_momentum", "training_sgd",
)  # fmt: skip


def answer(
    shapes: pl.DataFrame,
    gpus: pl.DataFrame,
    asked_gpus: Sequence[str],
    *,
    tokens: int | None,
    sequences: int | None,
    fsdp: int | None,
    lora_percent: float,
) -> dict[str, Any]:
    """The rows of the one shape, and for each device asked about how many of them can_it_run wants.

    Only vram_estimator asks for tokens and sequences; without any, it is asked what its page is set to. can_it_run
    trains `lora_percent` of the parameters.
    """
    asked: dict[str, Any] = {
        "tokens": tokens or TOKENS, "sequences": sequences or SEQUENCES, "devices": fsdp or 1,
        "is_sharded": fsdp is not None, "lora_percent": lora_percent,
    }  # fmt: skip
    rows = estimator.calculator_rows(shapes, **asked).drop("shape_ix").collect()
    devices = gpus.filter(pl.col("gpu_id").is_in(list(asked_gpus))).select("gpu_id", "memory_gib_nominal")
    counts = (
        rows.filter(calculator="can_it_run")
        .join(devices, how="cross")
        .select(
            "precision",
            "quantity",
            gpu="gpu_id",
            gpus_needed=calculators.devices_needed(need_bytes=pl.col("bytes"), memory_gib=pl.col("memory_gib_nominal")),
        )
    )
    return {**asked, "rows": rows.to_dicts(), "gpus": counts.to_dicts()}


def table(found: Mapping[str, Any]) -> Table:
    """A row for each number that a tool prints, a column for each dtype; what a number is made of stands below it."""
    sizes = {(row["calculator"], row["quantity"], row["precision"]): row["bytes"] for row in found["rows"]}
    counts = {(row["quantity"], row["gpu"], row["precision"]): row["gpus_needed"] for row in found["gpus"]}
    shown = Table(box=None, header_style="bold", title="What other calculators say, GiB", title_justify="left")
    shown.add_column("tool")
    shown.add_column("answers")
    for precision in PRECISIONS.values():
        shown.add_column(precision, justify="right")
    before = None
    for tool, quantity in sorted({(tool, quantity) for tool, quantity, _ in sizes}, key=_order):
        cells = (_gib(sizes.get((tool, quantity, precision))) for precision in PRECISIONS.values())
        shown.add_row("" if tool == before else tool, _words(quantity), *cells)
        before = tool
        if tool == "can_it_run":
            for gpu in dict.fromkeys(gpu for asked, gpu, _ in counts if asked == quantity):
                needed = (counts.get((quantity, gpu, precision)) for precision in PRECISIONS.values())
                shown.add_row("", f"  devices {gpu}", *("-" if count is None else f"{count:,}" for count in needed))
    return shown


def remark(found: Mapping[str, Any]) -> str:
    """What the numbers are for; of a model without any, that there are none."""
    if not found["rows"]:
        return "no tool prints a number for it, or none that can be told"
    devices = f"first of {found['devices']:,} devices with FSDP" if found["is_sharded"] else "one device"
    return (
        f"can_it_run: LoRA of {found['lora_percent']:g} %; vram_estimator: {found['sequences']:,} x"
        f" {found['tokens']:,} tokens, {devices}; tools that say GB mean GiB"
    )


def _order(key: tuple[str, str]) -> tuple[str, int, bool, str]:
    """Tools by name; serving before training, sums before their terms."""
    tool, quantity = key
    if quantity in SUMS:
        return tool, SUMS.index(quantity), False, quantity
    last = "inference" if quantity.startswith("inference_") else SUMS[-1]
    return tool, SUMS.index(last), True, quantity


def _words(quantity: str) -> str:
    use, _, term = quantity.partition("_")
    return quantity.replace("_", " ") if quantity in SUMS else f"  {use}: {term.replace('_', ' ')}"


def _gib(size: int | None) -> str:
    return "-" if size is None else f"{size / GIB:,.2f}"
