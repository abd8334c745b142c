"""A plan on the terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from flows import terminal

GIB = 2**30


def show(told: Mapping[str, Any]) -> None:
    """Print what `facts.planned` tells."""
    out = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
    _headline(out, told)
    out.print(_hardware(told["hardware"]))
    out.print()
    out.print(_served(told["served"]))
    out.print()
    _shared(out, told["shared"])
    for other in told["alternatives"]:
        cost = "there is no other plan" if other["usd"] is None else f"{other['usd']:,.2f} USD"
        taken = "" if other["hardware"] is None else ": " + _units(other["hardware"])
        out.print(f"[dim]without {_safe(other['without'])}: {cost}{_safe(taken)}[/]", soft_wrap=True)
    for what in told["left_out"]:
        out.print(f"[dim]left out for want of time: {_safe(what)}[/]", soft_wrap=True)


def _headline(out: Console, told: Mapping[str, Any]) -> None:
    months = f"{told['months']:g} months"
    power = "power unknown" if told["watts"] is None else f"{told['watts'] / 1000:,.1f} kW rated"
    out.print(f"[bold]{told['usd']:,.2f} USD[/] for {months}: {told['devices']} devices, {power}")
    if not told["is_proven"]:
        gap = told["usd"] - told["usd_at_least"]
        out.print(
            f"not proven to be the cheapest: no plan costs less than {told['usd_at_least']:,.2f} USD,"
            f" so at most {gap:,.2f} USD ({gap / told['usd']:.2%}) could be saved"
        )
    out.print()


def _hardware(rows: Iterable[Mapping[str, Any]]) -> Table:
    hardware = _table("What to take", ("units", "offer", "devices", "USD"), left=("offer",))
    for row in rows:
        hardware.add_row(str(row["units"]), _safe(row["offer"]), str(row["devices"]), f"{row['usd']:,.2f}")
    return hardware


def _served(rows: Iterable[Mapping[str, Any]]) -> Table:
    numbers = ("tokens", "sequences", "replicas", "devices each", "tokens/s", "needs GiB", "usable GiB")
    words = ("model", "on", "precision")
    served = _table("What runs on it", (*words, *numbers, "known"), left=(*words, "known"))
    for row in rows:
        split = row["parallelism"] if row["devices_per_group"] > 1 else "1"
        each = split if row["groups"] == 1 else f"{row['groups']} x {split}"
        served.add_row(
            _safe(row["model_id"]), _safe(row["gpu"]), row["precision"], f"{row['context_tokens']:,}",
            f"{row['concurrent_sequences']:,}", str(row["replicas"]),
            each if row["shared"] is None else f"shared {row['shared'] + 1}",
            "-" if row["tokens_per_second"] is None else f"{row['tokens_per_second']:,.0f}",
            f"{row['required_bytes'] / GIB:,.1f}", f"{row['usable_bytes'] / GIB:,.1f}", row["confidence"],
        )  # fmt: skip
    return served


def _shared(out: Console, devices: Iterable[Mapping[str, Any]]) -> None:
    for number, device in enumerate(devices, start=1):
        holds = ", ".join(f"{held['replicas']} x {held['model_id']} ({held['precision']})" for held in device["holds"])
        out.print(
            f"shared {number}: {device['devices']} x {_safe(device['gpu'])} with {_safe(holds)} each,"
            f" {device['required_bytes_high'] / GIB:,.1f} of {device['assured_bytes'] / GIB:,.1f} GiB at the upper end",
            soft_wrap=True,
        )
    if devices:
        out.print()


def _table(title: str, columns: Iterable[str], left: Iterable[str]) -> Table:
    table = Table(box=None, header_style="bold", title=title, title_justify="left")
    for name in columns:
        table.add_column(name, justify="left" if name in left else "right")
    return table


def _units(rows: Iterable[Mapping[str, Any]]) -> str:
    return ", ".join(f"{row['units']} x {row['offer']}" for row in rows)


def _safe(text: str) -> str:
    return terminal.inert(text).replace("[", "\\[")
