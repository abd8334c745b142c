"""A plan as the page shows it: from the plain facts of `hubfit plan --json`, of whichever version wrote them.

What every plan has is typed. What newer ones say besides (what comes next, what binds, how far a price may move) is
in the tables of plan_tables, so that a key that is missing or new stops no page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from reports.format import STALE, count, decimal, gib, plural, text, usd, usd_or_unknown
from reports.plan_tables import NOTHING, Cell, Heading, Told, stale_offers, tables, units


@dataclass(frozen=True)
class Taken:
    """Units of an offer, over all months; `watts` null where nobody knows them, `price_as_of` of what is owned."""

    offer: str
    units: int
    devices: int | None
    usd: float | None
    watts: float | None
    price_as_of: str | None = None
    price_age_days: int | None = None
    price_is_stale: bool | None = None


@dataclass(frozen=True)
class Served:
    """A line of the demand and what it runs on."""

    line: int | None
    model_id: str
    gpu: str
    precision: str
    split: str
    replicas: int
    context_tokens: int | None
    concurrent_sequences: int | None
    tokens_per_second: float | None
    required_bytes: int | None
    usable_bytes: int | None
    confidence: str | None


@dataclass(frozen=True)
class Alternative:
    """The cheapest plan without one of the offers; null where there is no other."""

    without: str
    usd: float | None
    hardware: tuple[str, ...]


@dataclass(frozen=True)
class PlanResult:
    """The cheapest hardware for a demand. Money in US dollars over all months."""

    months: float
    usd: float
    devices: int
    watts: float | None
    hardware: Sequence[Taken] = ()
    served: Sequence[Served] = ()
    alternatives: Sequence[Alternative] = ()
    more: Sequence[Told] = ()
    usd_outlay: float | None = None  # what is paid for what is bought
    usd_at_least: float | None = None  # what any plan costs, where this one is not proven to be the cheapest

    @property
    def period(self) -> str:
        """What the money is for, in words."""
        return "a month" if self.months == 1 else f"{decimal(self.months)} months"

    def tables(self) -> Sequence[Told]:
        """What the page shows below the sentence."""
        found = [self._hardware(), self._served()]
        return [*found, *([self._alternatives()] if self.alternatives else []), *self.more]

    def _hardware(self) -> Told:
        columns = (
            Heading("Offer"), Heading("Units", "count"), Heading("Devices", "count"),
            Heading(f"Cost for {self.period}", "usd"), Heading("Rated power, W", "count"), Heading("Price of"),
        )  # fmt: skip
        rows = [
            [
                row.offer, count(row.units), count(row.devices), usd_or_unknown(row.usd), count(row.watts),
                _price(row),
            ]
            for row in self.hardware
        ]  # fmt: skip
        return Told("What to take", columns, rows)

    def _served(self) -> Told:
        columns = (
            Heading("Model"), Heading("Device"), Heading("Precision"), Heading("Split"), Heading("Replicas", "count"),
            Heading("Context, tokens", "count"), Heading("Sequences", "count"), Heading("Tokens/s each", "count"),
            Heading("Needs each", "bytes"), Heading("Usable each", "bytes"), Heading("Confidence"),
        )  # fmt: skip
        rows = [
            [
                row.model_id, row.gpu, row.precision, row.split, count(row.replicas), count(row.context_tokens),
                count(row.concurrent_sequences), count(row.tokens_per_second), gib(row.required_bytes),
                gib(row.usable_bytes), text(row.confidence),
            ]
            for row in self.served
        ]  # fmt: skip
        return Told("What runs on it", columns, rows)

    def _alternatives(self) -> Told:
        columns = (Heading("Without"), Heading(f"Cost for {self.period}", "usd"), Heading("Then take", "units"))
        rows: list[list[Cell]] = [
            [row.without, "no other plan" if row.usd is None else usd(row.usd), row.hardware or "nothing"]
            for row in self.alternatives
        ]
        return Told("What else would do", columns, rows)


def from_facts(facts: Mapping[str, Any]) -> PlanResult:
    """Read the facts of a plan. Raises KeyError without months, usd and devices, which every plan has."""
    stale = stale_offers(facts)
    result = PlanResult(
        months=facts["months"],
        usd=facts["usd"],
        devices=facts["devices"],
        watts=facts.get("watts"),
        hardware=[
            Taken(
                row["offer"], row["units"], row.get("devices"), row.get("usd"), row.get("watts"),
                row.get("price_as_of"), row.get("price_age_days"), row.get("price_is_stale"),
            )
            for row in facts.get("hardware") or ()
        ],
        served=[_served(row) for row in facts.get("served") or ()],
        alternatives=[
            Alternative(row["without"], row.get("usd"), units(row.get("hardware") or (), stale))
            for row in facts.get("alternatives") or ()
        ],
        usd_outlay=facts.get("usd_outlay"),
        usd_at_least=facts.get("usd_at_least") if facts.get("is_proven") is False else None,
    )  # fmt: skip
    return replace(result, more=tables(facts, result.period))


def sentence(plan: PlanResult) -> str:
    """The verdict of a plan, in words."""
    power = "power unknown" if plan.watts is None else f"{decimal(round(plan.watts / 1000, 1))} kW rated"
    lines = plural(len({row.line for row in plan.served}), "line")
    said = f"{usd(plan.usd)} for {plan.period} serves {lines} of the demand: {plural(plan.devices, 'device')}, {power}."
    if plan.usd_outlay:
        said += f" {usd(plan.usd_outlay)} are paid for what is bought; of it only the share of these months counts."
    if plan.usd_at_least is not None:
        said += f" It is not proven to be the cheapest: no plan costs less than {usd(plan.usd_at_least)}."
    priced = [row for row in plan.hardware if row.price_as_of is not None]
    if stale := sum(row.price_is_stale is True for row in priced):
        said += f" {_stale(stale, len(priced))}: ask for an offer, or run hubfit prices."
    return said


def _stale(stale: int, priced: int) -> str:
    """How many of the prices behind a plan are stale."""
    if priced == 1:
        return "Its one price is stale"
    if stale == priced:
        return f"All of its {count(priced)} prices are stale"
    return f"{count(stale)} of its {count(priced)} prices {'is' if stale == 1 else 'are'} stale"


def _price(row: Taken) -> str:
    """Of which day, and how old."""
    if row.price_as_of is None:
        return NOTHING
    age = "" if row.price_age_days is None else f", {plural(row.price_age_days, 'day')} old"
    return f"{row.price_as_of}{age}{f' {STALE}' if row.price_is_stale else ''}"


def _served(row: Mapping[str, Any]) -> Served:
    degree, groups = row.get("devices_per_group") or 1, row.get("groups") or 1
    split = row.get("parallelism") or str(degree) if degree > 1 else "one"
    if row.get("shared") is not None:
        split = f"shared {row['shared'] + 1}"
    return Served(
        row.get("line"), row["model_id"], row["gpu"], row["precision"],
        split if groups == 1 else f"{groups} x {split}",
        row.get("replicas") or 1, row.get("context_tokens"), row.get("concurrent_sequences"),
        row.get("tokens_per_second"), row.get("required_bytes"), row.get("usable_bytes"), row.get("confidence"),
    )  # fmt: skip
