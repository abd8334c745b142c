"""`hubfit plan`: from a demand file to a plan in the terminal or as JSON."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
from rich.console import Console
from rich.table import Table

import catalogs
from catalogs import demand as files
from flows import terminal
from flows.failures import Stop
from flows.prices.in_use import in_use
from flows.procurement import offers, options
from flows.procurement.offers import Terms
from flows.procurement.plan import Outcome, plan
from flows.procurement.program import Limits, NotSolved, Plan, Problem
from flows.settings import Settings

GIB = 2**30


class NoPlan(Stop):
    """Nothing that is allowed serves the demand; the message says what stands in the way."""


def answer(
    demand: Path,
    settings: Settings,
    *,
    source: str,
    engine: str,
    catalogs_folder: Path | None,
    inventory: Path | None,
    terms: Terms,
    limits: Limits,
    as_json: bool,
) -> None:
    """Print the plan. Raises NoPlan, options.Unserved, HubUnavailable and catalogs.CatalogError."""
    catalogs.validate(catalogs_folder)
    gpus = catalogs.gpus(catalogs_folder)
    rows = files.demand(demand, catalogs.precisions(catalogs_folder)["precision"].to_list())
    owned = (
        pl.DataFrame(schema=files.INVENTORY.columns)
        if inventory is None
        else files.inventory(inventory, gpus["gpu_id"].to_list())
    )
    unrated = gpus.filter(pl.col("tdp_watts").is_null())["gpu_id"].implode()
    for gpu in owned.filter(pl.col("gpu").is_in(unrated))["gpu"]:
        terminal.note(
            f"{gpu} of the inventory is left out: nobody knows what it draws; say so in a gpus.csv of your own"
        )
    policy = offers.policy(catalogs_folder)
    known_prices = in_use(settings.data, catalogs_folder, datetime.now(UTC).date())
    _require_known("vendor", terms.vendors, gpus["vendor"])
    _require_known("provider", terms.providers, known_prices["provider"].drop_nulls())
    found = options.find(rows, settings, source, engine, catalogs_folder)
    try:
        outcome = plan(rows, found, offers.offers(found.prices, found.gpus, owned, policy, terms), limits)
    except NotSolved as error:
        raise NoPlan(f"no proof within a minute ({error}); split the demand into smaller files") from None
    if outcome.plan is None:
        raise NoPlan("no plan: " + "; ".join(outcome.reasons))
    told = facts(rows, found.options, outcome, outcome.plan, terms)
    if as_json:
        print(json.dumps(told, ensure_ascii=False, indent=1))
    else:
        _print(told)


def _require_known(what: str, asked: Any, among: pl.Series) -> None:
    for name in asked:
        if name not in among.to_list():
            raise NoPlan(f"unknown {what} {name!r}; one of {', '.join(sorted(among.unique().to_list()))}")


def facts(demand: pl.DataFrame, answers: pl.DataFrame, outcome: Outcome, best: Plan, terms: Terms) -> dict[str, Any]:
    """The plan as plain data. Money in US dollars over all months, power as rated, None where that is unknown."""
    problem = outcome.problem
    served = []
    for (p, o), replicas in sorted(best.placed.items(), key=lambda item: problem.placements[item[0][0]].demand):
        row, option = demand.row(problem.placements[p].demand, named=True), answers.row(p, named=True)
        served.append(
            {
                "line": row["line"], "model_id": row["model_id"], "context_tokens": row["context_tokens"],
                "concurrent_sequences": row["concurrent_sequences"], "replicas": replicas,
                "gpu": option["gpu"], "groups": option["groups"], "devices_per_group": option["degree"],
                "precision": option["precision"], "parallelism": option["parallelism"],
                "tokens_per_second": option["tokens_per_second"], "required_bytes": option["required_bytes"],
                "usable_bytes": option["usable_bytes"], "confidence": option["confidence"],
                "offer": problem.offers[o].name,
            }
        )  # fmt: skip
    return {
        "months": terms.months,
        "usd": round(best.usd, 2),
        "devices": best.devices,
        "watts": best.watts,
        "hardware": _hardware(problem, best),
        "served": served,
        "alternatives": [
            {
                "without": other.without,
                "usd": None if other.plan is None else round(other.plan.usd, 2),
                "hardware": None if other.plan is None else _hardware(problem, other.plan),
            }
            for other in outcome.alternatives
        ],
    }


def _hardware(problem: Problem, of: Plan) -> list[dict[str, Any]]:
    taken = [(problem.offers[o], units) for o, units in sorted(of.units.items())]
    return [
        {"offer": offer.name, "units": units, "devices": units * offer.devices, "usd": round(units * offer.usd, 2),
         "watts": None if offer.watts is None else units * offer.watts}
        for offer, units in taken
    ]  # fmt: skip


def _print(told: dict[str, Any]) -> None:
    out = Console(highlight=False, width=None if sys.stdout.isatty() else 160)
    months = f"{told['months']:g} months"
    power = "power unknown" if told["watts"] is None else f"{told['watts'] / 1000:,.1f} kW rated"
    out.print(f"[bold]{told['usd']:,.2f} USD[/] for {months}: {told['devices']} devices, {power}")
    out.print()
    hardware = Table(box=None, header_style="bold", title="What to take", title_justify="left")
    hardware.add_column("units", justify="right")
    hardware.add_column("offer")
    for name in ("devices", "USD"):
        hardware.add_column(name, justify="right")
    for row in told["hardware"]:
        hardware.add_row(str(row["units"]), _safe(row["offer"]), str(row["devices"]), f"{row['usd']:,.2f}")
    out.print(hardware)
    out.print()
    served = Table(box=None, header_style="bold", title="What runs on it", title_justify="left")
    for name in ("model", "on", "precision"):
        served.add_column(name)
    for name in ("tokens", "sequences", "replicas", "devices each", "tokens/s", "needs GiB", "usable GiB"):
        served.add_column(name, justify="right")
    served.add_column("known")
    for row in told["served"]:
        split = row["parallelism"] if row["devices_per_group"] > 1 else "1"
        served.add_row(
            _safe(row["model_id"]), _safe(row["gpu"]), row["precision"], f"{row['context_tokens']:,}",
            f"{row['concurrent_sequences']:,}", str(row["replicas"]),
            split if row["groups"] == 1 else f"{row['groups']} x {split}",
            "-" if row["tokens_per_second"] is None else f"{row['tokens_per_second']:,.0f}",
            f"{row['required_bytes'] / GIB:,.1f}", f"{row['usable_bytes'] / GIB:,.1f}", row["confidence"],
        )  # fmt: skip
    out.print(served)
    out.print()
    for other in told["alternatives"]:
        cost = "there is no other plan" if other["usd"] is None else f"{other['usd']:,.2f} USD"
        taken = (
            ""
            if other["hardware"] is None
            else ": " + ", ".join(f"{row['units']} x {row['offer']}" for row in other["hardware"])
        )
        out.print(f"[dim]without {_safe(other['without'])}: {cost}{_safe(taken)}[/]", soft_wrap=True)


def _safe(text: str) -> str:
    return terminal.inert(text).replace("[", "\\[")
