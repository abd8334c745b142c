"""`hubfit plan`: from a demand file to a plan in the terminal or as JSON."""

from __future__ import annotations

import json
from collections.abc import Collection
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

import catalogs
from catalogs import demand as files
from flows import terminal
from flows.prices.in_use import in_use
from flows.procurement import offers, options, tables
from flows.procurement.facts import NoPlan, planned
from flows.procurement.offers import Terms
from flows.procurement.problem import Limits
from flows.settings import Settings


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
    share: bool,
    as_json: bool,
) -> None:
    """Print the plan. Raises NoPlan, options.Unserved, HubUnavailable and catalogs.CatalogError."""
    catalogs.validate(catalogs_folder)
    gpus = catalogs.gpus(catalogs_folder)
    rows = files.demand(demand, catalogs.precisions(catalogs_folder)["precision"].to_list())
    if inventory is None and catalogs_folder is not None and (catalogs_folder / files.INVENTORY.file).exists():
        inventory = catalogs_folder / files.INVENTORY.file  # as a night counts it
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
    try:
        found = options.find(rows, settings, source, engine, catalogs_folder)
    except options.Unserved as error:
        raise options.Unserved(f"{demand} {error}") from None

    def again(others: pl.DataFrame) -> options.Answers:
        return options.find(others, settings, source, engine, catalogs_folder)

    told = planned(rows, found, owned, policy, terms, limits, share=share, again=again)
    if as_json:
        print(json.dumps(told, ensure_ascii=False, indent=1))
    else:
        tables.show(told)


def _require_known(what: str, asked: Collection[str], among: pl.Series) -> None:
    for name in asked:
        if name not in among.to_list():
            raise NoPlan(f"unknown {what} {name!r}; one of {', '.join(sorted(among.unique().to_list()))}")
