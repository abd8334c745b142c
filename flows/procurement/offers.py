"""Ways to get devices over a horizon: rent them, buy them, use those that are there."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

import catalogs
from flows.procurement.problem import Offer

# Devices of one node where the catalog does not say.
ONE_NODE = 1
RENT, BUY, OWN = "rent", "buy", "own"


@dataclass(frozen=True)
class Terms:
    """What a buyer allows: `vendors` and `providers` empty for all."""

    months: float
    rents: bool = True
    buys: bool = True
    vendors: Collection[str] = ()
    providers: Collection[str] = ()


def policy(folder: Path | None) -> dict[str, float]:
    """Each parameter of policy.csv with its value. Errors: CatalogError."""
    return dict(catalogs.policy(folder).select("parameter", "value").iter_rows())


def cheapest(every: Sequence[Offer]) -> list[Offer]:
    """Of `every` offer the cheapest of each device, kind and size of unit."""
    first: dict[tuple[str, str, int], Offer] = {}
    for offer in every:
        first.setdefault((offer.gpu, offer.kind, offer.devices), offer)
    return list(first.values())


def every(
    prices: pl.DataFrame, gpus: pl.DataFrame, inventory: pl.DataFrame, policy: Mapping[str, float], terms: Terms
) -> list[Offer]:
    """Offers of every device in US dollars over the horizon, those of one device, kind and size the cheapest first.

    A rented unit costs its hours. A device that is bought costs its share of the years of amortisation and, like one
    that is owned, the power it draws. Without a price there is no offer, and without a rated power none to buy or to
    use, for what they cost is not known.
    """
    c = pl.col
    allowed = gpus.filter(c("vendor").is_in(list(terms.vendors))) if terms.vendors else gpus
    known = allowed.with_columns(
        node=c("max_gpus_per_node").fill_null(ONE_NODE), power=c("watts").cast(pl.Float64), gpu="gpu_id"
    ).select("gpu", "node", "power")
    hours = policy["hours_per_month"] * terms.months
    per_watt = hours / 1000 * policy["usd_per_kwh"] * policy["power_usage_effectiveness"] * policy["power_share"]
    found: list[Offer] = []
    with_power = known.drop_nulls("power")
    owned = inventory.filter(c("devices") > 0).join(with_power, on="gpu")
    for row in owned.sort("gpu").iter_rows(named=True):
        usd = row["power"] * per_watt
        name = f"owned {row['gpu']}"
        found.append(Offer(name, row["gpu"], 1, row["node"], usd, row["power"], row["devices"], kind=OWN))
    if terms.rents:
        found += _rented(prices, known, hours, terms.providers)
    if terms.buys:
        share = min(1.0, terms.months / (12 * policy["amortisation_years"]))
        bought = prices.filter(c("kind") == "purchase").sort("gpu", "usd_purchase", "as_of", "source")
        for row in bought.join(with_power, on="gpu", maintain_order="left").iter_rows(named=True):
            devices = int(row["gpu_count"])  # of one board
            price = row["usd_purchase"] * devices * share
            watts = row["power"] * devices
            board = f"board of {devices} " if devices > 1 else ""
            name = f"buy {board}{row['gpu']} ({row['basis']} price of {row['as_of']})"
            usd = price + watts * per_watt
            found.append(
                Offer(
                    name, row["gpu"], devices, row["node"], usd, watts, None, BUY, price, row["usd_purchase"] * devices,
                    _listed(row),
                )
            )  # fmt: skip
    return found


def _rented(prices: pl.DataFrame, known: pl.DataFrame, hours: float, providers: Collection[str]) -> list[Offer]:
    """On demand, as many devices as come together; slices are other devices."""
    c = pl.col
    hourly = prices.filter(c("kind") == "on_demand", c("gpu_count") >= 1)
    if providers:
        hourly = hourly.filter(c("provider").is_in(list(providers)))
    hourly = hourly.sort("gpu", "gpu_count", "usd_per_gpu_hour", "provider", "region")
    found = []
    for row in hourly.join(known, on="gpu", maintain_order="left").iter_rows(named=True):
        devices = int(row["gpu_count"])
        name = f"rent {devices} x {row['gpu']} of {row['provider']} ({row['region'] or 'any region'}, {row['as_of']})"
        usd = row["usd_per_gpu_hour"] * devices * hours
        # who rents one device gets no node that it could share with others
        watts = None if row["power"] is None else devices * row["power"]
        found.append(Offer(name, row["gpu"], devices, devices, usd, watts, None, RENT, usd, 0.0, _listed(row)))
    return found


def _listed(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row of the price list that an offer is made of: where the price is from and how old."""
    return {name: row[name] for name in ("as_of", "age_days", "is_stale", "origin", "provider")}
