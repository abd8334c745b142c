"""`hubfit plan`: from a demand file to a plan in the terminal, or to one JSON document whatever comes of it."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

import catalogs
from catalogs import CatalogError
from catalogs import demand as files
from catalogs.nearby import did_you_mean
from flows.check_question import Unreadable
from flows.failures import Stop
from flows.prices.in_use import in_use
from flows.procurement import offers, options, tables
from flows.procurement.facts import NoPlan, planned
from flows.procurement.offers import Terms
from flows.procurement.owned import owned
from flows.procurement.problem import Limits
from flows.settings import Settings


@dataclass(frozen=True)
class Asked:
    """The options as they are given: `months` null for those of the policy, `inventory` a file or `auto`."""

    source: str
    engine: str
    catalogs_folder: Path | None
    inventory: Path | None
    months: float | None
    rents: bool
    buys: bool
    vendors: Collection[str]
    providers: Collection[str]
    limits: Limits
    share: bool


def answer(demand: Path, settings: Settings, asked: Asked, *, as_json: bool) -> None:
    """Print the plan; as JSON also why there is none, and what is wrong with a file or an option.

    Raises NoPlan, options.Unserved, check_question.Unreadable, machine.NoDevice, HubUnavailable and
    catalogs.CatalogError.
    """
    try:
        told = _told(demand, settings, asked)
    except NoPlan as why:
        if as_json:
            _print(why.facts)
        raise
    except (Stop, CatalogError, OSError) as error:
        if as_json:
            _print({"status": "error", "error": str(error)})
        raise
    if as_json:
        _print(told)
    else:
        tables.show(told)


def _told(demand: Path, settings: Settings, asked: Asked) -> dict[str, Any]:
    folder = asked.catalogs_folder
    if asked.providers and not asked.rents:
        raise Unreadable("--provider names whom to rent from and --no-rent forbids to rent: leave one of them out")
    catalogs.validate(folder)
    gpus = catalogs.gpus(folder)
    rows = files.demand(demand, catalogs.precisions(folder)["precision"].to_list())
    there = owned(asked.inventory, folder, gpus)
    policy = offers.policy(folder)
    known_prices = in_use(settings.data, folder, datetime.now(UTC).date())
    _require_known("vendor", asked.vendors, gpus["vendor"])
    _require_known("provider", asked.providers, known_prices["provider"].drop_nulls())

    def answers(others: pl.DataFrame) -> options.Answers:
        return options.find(others, settings, asked.source, asked.engine, folder, on_one_node=there.on_one_node)

    try:
        found = answers(rows)
    except options.Unserved as error:
        raise options.Unserved(f"{demand} {error}") from None
    months = policy["horizon_months"] if asked.months is None else asked.months
    terms = Terms(months, asked.rents, asked.buys, asked.vendors, asked.providers)
    return planned(rows, found, there.inventory, policy, terms, asked.limits, share=asked.share, again=answers)


def _print(document: Mapping[str, Any]) -> None:
    print(json.dumps(document, ensure_ascii=False, indent=1))


def _require_known(what: str, asked: Collection[str], among: pl.Series) -> None:
    names = sorted(among.unique().to_list())
    for name in asked:
        if name not in names:
            hint = did_you_mean(name, names) or f"; one of {', '.join(names)}"
            raise Unreadable(f"unknown {what} {name!r}{hint}")
