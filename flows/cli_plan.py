"""`hubfit plan`, as people write it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows.cli_options import CatalogsOption, SourceName, SourceOption


def plan(
    demand: Annotated[Path, typer.Argument(help="CSV: model_id, context_tokens, concurrent_sequences, …")],
    months: Annotated[
        float | None, typer.Option(help="How long the demand lasts; horizon_months of policy.csv unless said.", min=0.1)
    ] = None,
    inventory: Annotated[
        Path | None, typer.Option(help="CSV of what is there: gpu, devices; or auto: the devices of this machine.")
    ] = None,
    budget: Annotated[float | None, typer.Option(help="USD at most, over all months.", min=0)] = None,
    watts: Annotated[float | None, typer.Option(help="Rated power of all devices at most.", min=0)] = None,
    vendor: Annotated[list[str] | None, typer.Option("--vendor", help="Only this one. Repeatable.")] = None,
    provider: Annotated[list[str] | None, typer.Option("--provider", help="Rent only here. Repeatable.")] = None,
    rent: Annotated[bool, typer.Option(help="Whether devices may be rented.")] = True,
    buy: Annotated[bool, typer.Option(help="Whether devices may be bought.")] = True,
    share: Annotated[bool, typer.Option(help="Whether models may take turns on one device.")] = False,
    engine: Annotated[str, typer.Option(help="What serves the models.")] = "vllm",
    source: SourceOption = SourceName.hub,
    catalogs: CatalogsOption = None,
    data: Annotated[Path | None, typer.Option("--data", help="Whose refreshed prices count; nothing is kept.")] = None,
    json: Annotated[
        bool,
        typer.Option("--json", help="One JSON document whatever comes of it: planned, infeasible, undecided, error."),
    ] = False,
) -> None:
    """The cheapest hardware that serves a demand: what to rent, buy or use, and what runs on it.

    hubfit plan demand.csv --source snapshot

    hubfit plan demand.csv --months 36 --no-rent --vendor nvidia --budget 200000

    hubfit plan demand.csv --inventory ours.csv --share --watts 12000 --json

    hubfit plan demand.csv --inventory auto --no-rent

    Exit status: 0 a plan, 1 no plan and what would make one possible, 2 a wrong file or option, 3 the Hub is away.
    """
    from flows.procurement import command
    from flows.procurement.problem import Limits
    from flows.settings import Settings

    asked = command.Asked(
        source=source.value,
        engine=engine,
        catalogs_folder=catalogs,
        inventory=inventory,
        months=months,
        rents=rent,
        buys=buy,
        vendors=vendor or [],
        providers=provider or [],
        limits=Limits(budget, watts),
        share=share,
    )
    command.answer(demand, Settings.from_environment(data=data), asked, as_json=json)
