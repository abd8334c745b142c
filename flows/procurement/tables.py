"""A plan on the terminal."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from flows import terminal
from flows.procurement.conditions import BUY, RENT, SHARING
from reports.format import plural

GIB = 2**30
# What is named by what it would allow, said as what it forbids: to do without that is to be allowed more.
FORBIDS = {RENT: "--no-rent", BUY: "--no-buy", SHARING: "a device for each (no --share)"}
SURE = "how sure:\nGiB, speed"


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
        without = terminal.plain(f"without {_short(other['without'])}: {cost}{taken}")
        out.print(f"[dim]{without}[/]", soft_wrap=True)
    for other in told["next_best"]:
        taken = terminal.plain(_units(other["hardware"]))
        out.print(f"[dim]next best, {other['usd_more']:,.2f} USD more: {taken}[/]", soft_wrap=True)
    out.print()
    _binding(out, told["binding"])
    _sensitivity(out, told["sensitivity"])
    for what in told["left_out"]:
        out.print(f"[dim]left out for want of time: {terminal.plain(what)}[/]", soft_wrap=True)


def _headline(out: Console, told: Mapping[str, Any]) -> None:
    months = "1 month" if told["months"] == 1 else f"{told['months']:g} months"
    out.print(
        f"[bold]{told['usd']:,.2f} USD[/] for {months}: {plural(told['devices'], 'device')}, {_power(told['watts'])}"
    )
    if told["usd_outlay"]:
        out.print(
            f"[bold]{told['usd_outlay']:,.2f} USD[/] are paid for what is bought, of which the share of these months"
            " and the power count above (policy.csv); hosts and networks are not counted",
            soft_wrap=True,
        )
    if not told["is_proven"]:
        gap = told["usd"] - told["usd_at_least"]
        out.print(
            f"not proven to be the cheapest: no plan costs less than {told['usd_at_least']:,.2f} USD,"
            f" so at most {gap:,.2f} USD ({gap / told['usd']:.2%}) could be saved"
        )
    out.print()


def _power(watts: float | None) -> str:
    if watts is None:
        return "power unknown"
    return f"{watts:,.0f} W rated" if watts < 1000 else f"{watts / 1000:,.1f} kW rated"


def _hardware(rows: Iterable[Mapping[str, Any]]) -> Table:
    columns = ("units", "offer", "devices", "USD", "price of")
    hardware = _table("What to take", columns, left=("offer", "price of"))
    for row in rows:
        hardware.add_row(
            str(row["units"]), terminal.plain(row["offer"]), str(row["devices"]), f"{row['usd']:,.2f}",
            _age(row["price_age_days"]) + (", stale" if row["price_is_stale"] else ""),
        )  # fmt: skip
    return hardware


def _age(days: int | None) -> str:
    """Of a price; what is owned costs no more than its power."""
    return "power alone" if days is None else "today" if days == 0 else f"{plural(days, 'day')} ago"


def _served(rows: Iterable[Mapping[str, Any]]) -> Table:
    numbers = ("tokens x\nsequences", "replicas", "devices\neach", "tokens/s", "GiB of\nusable")
    words = ("model", "on", "precision")
    served = _table("What runs on it", (*words, *numbers, SURE), left=(*words, SURE))
    served.caption = "how sure: how well the need and tokens/s are known, which are computed and were not measured here"
    served.caption_justify = "left"
    for row in rows:
        split = row["parallelism"] if row["devices_per_group"] > 1 else "1"
        each = split if row["groups"] == 1 else f"{row['groups']} x {split}"
        served.add_row(
            terminal.plain(row["model_id"]), terminal.plain(row["gpu"]), row["precision"],
            f"{row['context_tokens']:,} x {row['concurrent_sequences']:,}", str(row["replicas"]),
            each if row["shared"] is None else f"shared {row['shared'] + 1}",
            "-" if row["tokens_per_second"] is None else f"{row['tokens_per_second']:,.0f}",
            f"{row['required_bytes'] / GIB:,.1f} of {row['usable_bytes'] / GIB:,.1f}",
            f"{row['confidence']}, {row['speed_confidence'] or '-'}",
        )  # fmt: skip
    return served


def _shared(out: Console, devices: Iterable[Mapping[str, Any]]) -> None:
    for number, device in enumerate(devices, start=1):
        holds = ", ".join(f"{held['replicas']} x {held['model_id']} ({held['precision']})" for held in device["holds"])
        out.print(
            f"shared {number}: {device['devices']} x {terminal.plain(device['gpu'])} with {terminal.plain(holds)} each,"
            f" {device['required_bytes_high'] / GIB:,.1f} of {device['assured_bytes'] / GIB:,.1f} GiB at the upper end",
            soft_wrap=True,
        )
    if devices:
        out.print()


def _binding(out: Console, rows: Collection[Mapping[str, Any]]) -> None:
    if not rows:
        return
    table = _table(
        "What it hangs on", ("without", "of", "saves USD", "then takes"), left=("without", "of", "then takes")
    )
    for row in rows:
        of = f"line {row['line']}" if row["line"] is not None else row["gpu"] or ""
        table.add_row(
            FORBIDS.get(row["what"], row["what"]),
            terminal.plain(of),
            f"{row['usd_saved']:,.2f}",
            terminal.plain(_units(row["hardware"])),
        )
    out.print(table)
    out.print()


def _sensitivity(out: Console, told: Mapping[str, Any]) -> None:
    table = _table("How far it holds", ("if", "then"), left=("if", "then"))
    for row in told["prices"]:
        until = row["stays_up_to_percent"]
        said = "no other plan" if until is None else f"up to {until:+,.1f} % this plan, then {row['because']}"
        if row["then"] is not None:
            said += f": {_units(row['then'])}"
        table.add_row(f"dearer: {terminal.plain(_short(row['offer']))}", terminal.plain(said))
    for row in told["rents"]:
        table.add_row(f"rents {row['percent']:+d} %", terminal.plain(_other(row)))
    for row in told["precision"]:
        table.add_row(f"{row['bits']} bits in every line that names no precision", terminal.plain(_other(row)))
    if table.row_count:
        out.print(table)
        out.print()


def _other(row: Mapping[str, Any]) -> str:
    if row["usd"] is None:
        return "no plan"
    taken = "the same hardware" if row["is_same_hardware"] else _units(row["hardware"])
    return f"{row['usd']:,.2f} USD ({row['usd_more']:+,.2f}): {taken}"


def _table(title: str, columns: Iterable[str], left: Iterable[str]) -> Table:
    table = Table(box=None, header_style="bold", title=title, title_justify="left")
    for name in columns:
        # names stay whole, for somebody has to order and start what they name
        table.add_column(name, justify="left" if name in left else "right", overflow="fold")
    return table


def _units(rows: Iterable[Mapping[str, Any]]) -> str:
    """Without where and of when: the table of what to take has that of the plan, JSON of the rest."""
    return ", ".join(f"{row['units']} x {_short(row['offer'])}" for row in rows)


def _short(offer: str) -> str:
    return offer.split(" (")[0]
