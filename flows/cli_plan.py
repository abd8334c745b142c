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
    inventory: Annotated[Path | None, typer.Option(help="CSV of what is there: gpu, devices.")] = None,
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
    json: Annotated[bool, typer.Option("--json", help="Machine-readable.")] = False,
) -> None:
    """The cheapest hardware that serves a demand: what to rent, buy or use, and what runs on it.

    hubfit plan demand.csv --source snapshot

    hubfit plan demand.csv --months 36 --no-rent --vendor nvidia --budget 200000

    hubfit plan demand.csv --inventory ours.csv --share --watts 12000 --json
    """
    from flows.procurement import command
    from flows.procurement.offers import Terms, policy
    from flows.procurement.problem import Limits
    from flows.settings import Settings

    lasts = policy(catalogs)["horizon_months"] if months is None else months
    command.answer(
        demand,
        Settings.from_environment(data=data),
        source=source.value,
        engine=engine,
        catalogs_folder=catalogs,
        inventory=inventory,
        terms=Terms(lasts, rents=rent, buys=buy, vendors=vendor or [], providers=provider or []),
        limits=Limits(budget, watts),
        share=share,
        as_json=json,
    )
