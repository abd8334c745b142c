"""A plan as the page shows it: from the plain facts of `hubfit plan --json`, of whichever version wrote them.

What every plan has is typed. What newer ones say besides (what comes next, what binds, how far a price may move,
how old its prices are) is shown as the table that it is, so that a key that is missing or new stops no page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from reports.format import MINUS, count, decimal, gib, plural, text, usd, usd_or_unknown

# Keys besides those that every plan has, and what they are called; the order is that of the page.
MORE = {
    "shared": "Devices that replicas share",
    "next_best": "The next best plans",
    "binding": "What it hangs on",
    "sensitivity": "How far it holds",
    "left_out": "Left out for want of time",
}
# Tables of `sensitivity`, by their keys; of one that is not here the key is the title.
HOLDS = {
    "prices": "Up to which price it stays the cheapest",
    "rents": "With other rents",
    "precision": "In other precisions, where a line names none",
}
# Of what does not apply: the price of what is owned, the line of a limit of the whole plan.
NOTHING = "\N{EN DASH}"
# Characters from which a cell is a sentence.
SENTENCE = 40


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
    hardware: str


@dataclass(frozen=True)
class Told:
    """A table of words, of a key that only some plans have."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]

    @property
    def prose(self) -> Sequence[int]:
        """Columns with a sentence in them, which may take several lines."""
        return [at for at in range(len(self.columns)) if any(len(row[at]) > SENTENCE for row in self.rows)]


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

    def hardware_cells(self) -> list[list[str]]:
        return [
            [
                row.offer, count(row.units), count(row.devices), usd_or_unknown(row.usd), count(row.watts),
                _price(row),
            ]
            for row in self.hardware
        ]  # fmt: skip

    def served_cells(self) -> list[list[str]]:
        return [
            [
                row.model_id, row.gpu, row.precision, row.split, count(row.replicas), count(row.context_tokens),
                count(row.concurrent_sequences), count(row.tokens_per_second), gib(row.required_bytes),
                gib(row.usable_bytes), text(row.confidence),
            ]
            for row in self.served
        ]  # fmt: skip

    def alternative_cells(self) -> list[list[str]]:
        return [
            [row.without, "no other plan" if row.usd is None else usd(row.usd), row.hardware or "nothing"]
            for row in self.alternatives
        ]


def from_facts(facts: Mapping[str, Any]) -> PlanResult:
    """Read the facts of a plan. Raises KeyError without months, usd and devices, which every plan has."""
    return PlanResult(
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
            Alternative(row["without"], row.get("usd"), _listed(row.get("hardware") or ()))
            for row in facts.get("alternatives") or ()
        ],
        more=[told for key, title in MORE.items() for told in _tables(title, facts.get(key))],
        usd_outlay=facts.get("usd_outlay"),
        usd_at_least=facts.get("usd_at_least") if facts.get("is_proven") is False else None,
    )  # fmt: skip


def sentence(plan: PlanResult) -> str:
    """The verdict of a plan, in words."""
    months = "a month" if plan.months == 1 else f"{decimal(plan.months)} months"
    power = "power unknown" if plan.watts is None else f"{decimal(round(plan.watts / 1000, 1))} kW rated"
    lines = plural(len({row.line for row in plan.served}), "line")
    said = f"{usd(plan.usd)} for {months} serves {lines} of the demand: {plural(plan.devices, 'device')}, {power}."
    if plan.usd_outlay:
        said += f" {usd(plan.usd_outlay)} are paid for what is bought; of it only the share of these months counts."
    if plan.usd_at_least is None:
        return said
    return f"{said} It is not proven to be the cheapest: no plan costs less than {usd(plan.usd_at_least)}."


def _price(row: Taken) -> str:
    """Of which day, and how old."""
    if row.price_as_of is None:
        return NOTHING
    age = "" if row.price_age_days is None else f", {plural(row.price_age_days, 'day')} old"
    return f"{row.price_as_of}{age}{', stale' if row.price_is_stale else ''}"


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


def _listed(hardware: Sequence[Mapping[str, Any]]) -> str:
    return ", ".join(f"{count(row['units'])} x {row['offer']}" for row in hardware)


def _tables(title: str, value: Any) -> list[Told]:
    """One table, or of a mapping of lists one for each of them that is not empty."""
    if isinstance(value, Mapping) and value and all(isinstance(part, list | tuple) for part in value.values()):
        return [told for key, part in value.items() for told in _tables(HOLDS.get(key, f"{title}: {key}"), part)]
    if value is None or value == [] or value == {}:
        return []
    if isinstance(value, Mapping):
        nested = all(isinstance(part, Mapping) for part in value.values())
        rows = [{"name": name, **part} for name, part in value.items()] if nested else [dict(value)]
    elif isinstance(value, list | tuple):
        rows = [dict(part) if isinstance(part, Mapping) else {title: part} for part in value]
    else:
        rows = [{title: value}]
    names = [name for name in dict.fromkeys(name for row in rows for name in row) if _is_told(name, rows)]
    cells = [[_cell(name, row[name]) if name in row else "" for name in names] for row in rows]
    return [Told(title, [name.replace("_", " ") for name in names], cells)]


def _is_told(name: str, rows: Sequence[Mapping[str, Any]]) -> bool:
    """Columns that no row fills are left out."""
    return any(row.get(name) is not None for row in rows)


def _cell(name: str, value: Any) -> str:
    """A value of a key in words; units are in the names."""
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        if value and all(isinstance(part, Mapping) and {"units", "offer"} <= part.keys() for part in value):
            return _listed(value)
        return ("; " if any(isinstance(part, Mapping) for part in value) else ", ").join(
            _cell(name, part) for part in value
        )
    if isinstance(value, Mapping):
        return ", ".join(f"{key.replace('_', ' ')} {_cell(key, part)}" for key, part in value.items())
    if isinstance(value, int | float):
        if "usd" in name.split("_"):
            return usd(value) if value >= 0 else f"{MINUS}{usd(-value)}"
        return gib(value) if "bytes" in name.split("_") else decimal(value)
    return str(value)
