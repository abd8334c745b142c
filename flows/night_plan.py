"""The plan of a night: the cheapest hardware for the demand that its folder of catalogs holds.

It speaks of what the night has read, by the night's prices. Nothing that goes wrong with it keeps a night from being
published: the reason is what the plan says then.
"""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from typing import Any

import polars as pl

from catalogs import CatalogError, demand
from catalogs.demand import Wanted
from flows import lake, terminal
from flows.failures import Stop
from flows.night import Night
from flows.night_source import of_night
from flows.procurement import offers, options
from flows.procurement.facts import planned
from flows.procurement.offers import Terms
from flows.procurement.problem import Limits
from flows.raw import Source
from flows.settings import Settings

log = logging.getLogger(__name__)

ENGINE = "vllm"

# Grain: the night's plan, a row where there is a demand. Power as rated; money over all months.
PLANS = pl.Schema(
    {
        "demands": pl.Int64(),
        "months": pl.Float64(),
        "usd": pl.Float64(),
        "usd_at_least": pl.Float64(),
        "devices": pl.Int64(),
        "watts": pl.Float64(),
        "reason": pl.String(),  # why there is no plan, null where there is one
        "facts": pl.String(),  # JSON, as `hubfit plan --json` prints it
    }
)
# Grain: offer that is taken.
PLAN_HARDWARE = pl.Schema(
    {
        "offer": pl.String(),
        "gpu": pl.String(),
        "units": pl.Int64(),
        "devices": pl.Int64(),
        "usd": pl.Float64(),
        "watts": pl.Float64(),
        "price_as_of": pl.String(),  # ISO date, as the facts have it
        "price_age_days": pl.Int64(),
        "price_is_stale": pl.Boolean(),
        "price_origin": pl.String(),
    }
)
# Grain: line of the demand x offer that it runs on.
PLAN_SERVED = pl.Schema(
    {
        "line": pl.Int64(),
        "model_id": pl.String(),
        "context_tokens": pl.Int64(),
        "concurrent_sequences": pl.Int64(),
        "replicas": pl.Int64(),
        "offer": pl.String(),
        "gpu": pl.String(),
        "precision": pl.String(),
        "groups": pl.Int64(),
        "devices_per_group": pl.Int64(),
        "parallelism": pl.String(),
        "replicas_per_device": pl.Int64(),
        "tokens_per_second": pl.Float64(),
        "required_bytes": pl.Int64(),
        "usable_bytes": pl.Int64(),
        "confidence": pl.String(),
    }
)
TABLES = {"plans": PLANS, "plan_hardware": PLAN_HARDWARE, "plan_served": PLAN_SERVED}


def write(night: Night, source: Source) -> None:
    """Write the parts of TABLES, without rows where the night's folder holds no demand. Raises OSError.

    `source` answers for models of the demand that the night has not read.
    """
    rows: dict[str, list[dict[str, Any]]] = {table: [] for table in TABLES}
    facts, plan = dict[str, Any](), dict.fromkeys(PLANS.names())
    try:
        wanted = demand.of_folder(night.catalogs_folder)
        if wanted is not None:
            plan["demands"] = wanted.demand.height
            facts = _planned(night, wanted, source)
    except (Stop, CatalogError) as error:
        plan["reason"] = str(error)
    except Exception as error:  # whatever is wrong with a plan, the night's own answers are not
        log.exception("the night has no plan")
        plan["reason"] = f"{type(error).__name__}: {error}"
    if plan["reason"] is not None:
        terminal.note(f"no plan for the demand: {plan['reason']}")
    if facts or plan["reason"]:
        plan |= {name: facts[name] for name in PLANS.names() if name in facts}
        plan["facts"] = json.dumps(facts) if facts else None
        rows = {"plans": [plan], "plan_hardware": facts.get("hardware", []), "plan_served": facts.get("served", [])}
    for table, schema in TABLES.items():
        told = [{name: row[name] for name in schema.names()} for row in rows[table]]
        lake.write(pl.DataFrame(told, schema=schema), night.part(table, 0), schema)


def _planned(night: Night, wanted: Wanted, source: Source) -> dict[str, Any]:
    """The facts of the plan, by the prices of the day on which the night began."""
    settings, folder = replace(Settings.from_environment(), data=night.data), night.catalogs_folder
    reader = of_night(night, source)
    answers = options.find(wanted.demand, settings, night.source, ENGINE, folder, reader, night.started_at)
    policy = offers.policy(folder)
    return planned(wanted.demand, answers, wanted.inventory, policy, Terms(policy["horizon_months"]), Limits())
