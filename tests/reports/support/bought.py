"""A made-up page for a buyer: offers, the cheapest ways to run two models, ages of prices and a plan."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

from made_up_night import CHAT, NIGHT

from reports import model as m
from reports import plans
from reports.procurement import Cheapest, Offer, PriceAge, ProcurementPage

COLUMNS = (
    m.Column("model_id", "Model", "link"), m.Column("workload", "Workload", is_filter=True),
    m.Column("gpu", "Device", "link"), m.Column("usd_per_hour", "Per hour", "usd"),
    m.Column("usd_per_million_tokens", "Per million tokens", "cost"), m.Column("is_stale", "Stale", is_filter=True),
)  # fmt: skip
# As `hubfit plan --json` prints it, with keys that only newer versions have.
FACTS: dict[str, Any] = {
    "months": 12.0,
    "usd": 35_040.0,
    "devices": 3,
    "watts": None,
    "usd_at_least": 35_000.0,
    "is_proven": False,
    "hardware": [
        {"offer": "rent 1 x device-a of acme", "units": 3, "devices": 3, "usd": 35_040.0, "watts": None,
         "price_as_of": "2026-01-01", "price_age_days": 1, "price_is_stale": True},
    ],
    "served": [
        {
            "line": 2, "model_id": "owner/name", "context_tokens": 8192, "concurrent_sequences": 16, "replicas": 1,
            "gpu": "device-a", "groups": 1, "devices_per_group": 3, "precision": "bf16", "parallelism": "pp3",
            "tokens_per_second": None, "required_bytes": 20 * 2**30, "usable_bytes": 22 * 2**30,
            "confidence": "medium", "offer": "rent 1 x device-a of acme",
        }
    ],
    "alternatives": [
        {"without": "rent 1 x device-a of acme", "usd": None, "hardware": None},
        {"without": "owned device-b", "usd": 40_000.0, "hardware": [
            {"offer": "buy device-b", "units": 2, "price_is_stale": True},
            {"offer": "owned device-c", "units": 1, "price_is_stale": None},
        ]},
    ],
    "next_best": [
        {"usd": 36_000.0, "usd_more": 960.0, "is_proven": True, "devices": 4, "hardware": [
            {"offer": "rent 4 x device-a of acme", "units": 1, "devices": 4, "price_is_stale": True},
        ]},
    ],
    "binding": [{"what": "speed", "line": 2, "gpu": None, "usd_saved": 40.0,
                 "hardware": [{"units": 2, "offer": "owned device-b"}]}],
    "sensitivity": {
        "prices": [{"offer": "rent 1 x device-a of acme", "stays_up_to_usd_each": None, "because": "the budget"}],
        "rents": [{"percent": -20, "usd_more": -7008.0, "is_same_hardware": True}],
        "precision": [],
    },
    "left_out": ["the plan in 4 bits"],
}  # fmt: skip


def offer(
    gpu: str, usd: float, parameters: int | None, *, is_stale: bool = False, model: str = "owner/name",
) -> Offer:  # fmt: skip
    return Offer(
        gpu=gpu, name=gpu, href=f"devices/{gpu}.html", usd_per_hour=usd, provider=None if is_stale else "acme",
        as_of=None if is_stale else date(2026, 1, 1), age_days=None if is_stale else 1, origin="seed",
        is_stale=is_stale, memory_gib=24.0, models_on_one=1, largest_model=model if parameters else None,
        largest_href="models/owner--name.html" if parameters else None, parameters=parameters,
        precision="bf16" if parameters else None, usd_purchase=1999.0 if is_stale else None,
        usd_per_hour_owned=0.25 if is_stale else None, purchase_is_stale=is_stale,
    )  # fmt: skip


def cheapest(**changes: Any) -> Cheapest:
    values: dict[str, Any] = {
        "models": 3, "priced": 2, "median_usd_per_hour": 0.75, "highest_usd_per_hour": 1.0,
        "confidence": [("high", 1), ("low", 1)], "stale": 1, "youngest_days": 1, "oldest_days": 40,
    }  # fmt: skip
    return Cheapest(**{**values, **changes})


def _renamed(value: Any, name: str) -> Any:
    """The same facts with `name` for provider and device."""
    if isinstance(value, dict):
        return {key: _renamed(part, name) for key, part in value.items()}
    if isinstance(value, list):
        return [_renamed(part, name) for part in value]
    return value.replace("acme", name).replace("device-a", name) if isinstance(value, str) else value


def procurement_page(name: str = "owner/name", rows: int = 3, *, is_planned: bool = True) -> ProcurementPage:
    """With `name` wherever a stranger's text can come in."""
    is_odd = name != "owner/name"
    table = m.Table(
        "cheapest", "The cheapest sure way to run each model", "cheapest_assured", COLUMNS,
        [
            [
                [f"{name}-{n:05d}", "models/owner--name.html"], "other" if n % 3 else CHAT.id,
                [name if is_odd else "Device A", "devices/device-a.html"], n / 4, None if n % 7 == 6 else n / 1000,
                "yes" if n % 2 else "no",
            ]
            for n in range(rows)
        ],
        picked={"workload": CHAT.id}, beside="procurement.js",
    )  # fmt: skip
    facts: dict[str, Any] = _renamed(FACTS, name) if is_odd else FACTS
    facts = {**facts, "left_out": [name], "served": [{**facts["served"][0], "model_id": name}]}
    first = offer("device-a", 0.5, 8 * 10**9, model=name)
    return ProcurementPage(
        night=NIGHT,
        workload=CHAT,
        cheapest=cheapest(),
        offers=[
            replace(first, name=name, provider=name) if is_odd else first,
            offer("device-b", 1.0, 70 * 10**9, is_stale=True),
            offer("device-c", 2.0, None),
        ],
        options=table,
        models_shown=1,
        ages=[
            PriceAge(name, "on_demand", 3, 2, date(2026, 1, 1), None, 1, ["seed", "snapshot"]),
            PriceAge(None, "purchase", 1, 1, None, None, 0, ["seed"]),
        ],
        limits="on_demand 30 days",
        plan=plans.from_facts(facts) if is_planned else None,
    )  # fmt: skip
