"""Tables of what a plan says of itself, in words that a buyer reads: titles with units, money, what is stale.

Every key that this version of a plan has is named here. A key that nobody knew of is shown as it is, so that plans of
newer versions stop no page.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from reports.format import MINUS, STALE, count, decimal, gib, usd

# Of what does not apply: the price of what is owned, the line of a limit of the whole plan.
NOTHING = "\N{EN DASH}"
# Characters from which a cell is a sentence.
SENTENCE = 40

# A cell of several parts has each on a line of its own.
Cell = str | tuple[str, ...]
NUMBERS = frozenset({"usd", "count", "percent", "change", "bytes"})


@dataclass(frozen=True)
class Heading:
    """What a column is called and how its cells look; `nothing` where a row has no value.

    kind: word, usd, count, percent, change (percent with a sign), bytes, units (a list of hardware), offer, holds,
    lifted.
    """

    title: str
    kind: str = "word"
    nothing: str = NOTHING

    @property
    def is_number(self) -> bool:
        return self.kind in NUMBERS


@dataclass(frozen=True)
class Told:
    """A table of a plan. The first column says what a row is about."""

    title: str
    columns: Sequence[Heading]
    rows: Sequence[Sequence[Cell]]

    @property
    def prose(self) -> Sequence[int]:
        """Columns with a sentence or a list in them, which may take several lines."""
        return [at for at in range(len(self.columns)) if any(_is_long(row[at]) for row in self.rows)]


# {period} is what the money is for: 12 months.
COST = Heading("Cost for {period}", "usd", "no plan")
MORE = Heading("More than the plan", "usd")
SAME = Heading("Same hardware")
TAKE = Heading("Then take", "units")
NEXT_BEST = {
    "usd": COST, "usd_more": MORE, "devices": Heading("Devices", "count"), "is_proven": Heading("Proven"),
    "hardware": Heading("Take", "units"),
}  # fmt: skip
SHARED = {
    "position": Heading("Shared"), "gpu": Heading("Device"), "devices": Heading("Devices", "count"),
    "holds": Heading("Each holds", "holds"), "required_bytes_high": Heading("Needs at most", "bytes"),
    "assured_bytes": Heading("Sure to be usable", "bytes"), "offer": Heading("Offer", "offer"),
}  # fmt: skip
BINDING = {
    "what": Heading("Without", "lifted"), "line": Heading("Line of the demand", "count"), "gpu": Heading("Device"),
    "usd_saved": Heading("Saves", "usd"), "usd": COST, "hardware": TAKE,
}  # fmt: skip
PRICES = {
    "offer": Heading("Offer", "offer"),
    "stays_up_to_percent": Heading("Its price may change by", "change", "any"),
    "price_usd_each": Heading("Price of a unit, for {period}", "usd"),
    "usd_each": Heading("With power", "usd"),
    "stays_up_to_usd_each": Heading("With power at most", "usd", "any"),
    "because": Heading("What ends it", nothing="nothing"),
    "then": TAKE,
}
RENTS = {
    "percent": Heading("Rents change by", "change"), "usd": COST, "usd_more": MORE, "is_same_hardware": SAME,
    "hardware": TAKE,
}  # fmt: skip
PRECISION = {"bits": Heading("Bits of a weight", "count"), **{key: RENTS[key] for key in RENTS if key != "percent"}}
# Tables besides those that every plan has, by their key, with titles; the order is that of the page.
TABLES: Mapping[str, tuple[str, Mapping[str, Heading]]] = {
    "shared": ("Devices that replicas share", SHARED),
    "next_best": ("The next best plans", NEXT_BEST),
    "binding": ("What it hangs on", BINDING),
    "sensitivity": ("How far it holds", {}),
    "left_out": ("Left out for want of time", {}),
}
# Tables of `sensitivity`.
HOLDS: Mapping[str, tuple[str, Mapping[str, Heading]]] = {
    "prices": ("Up to which price it stays the cheapest", PRICES),
    "rents": ("With other rents", RENTS),
    "precision": ("In other precisions, where a line names none", PRECISION),
}
# Of what a plan is asked without, as the planner calls it.
LIFTED = {
    "minimum speed": "the minimum speed",
    "memory": "memory for the upper end of the estimate",
    "precision": "the precision that is named",
    "power": "the limit of power",
    "inventory": "the end of the inventory, with one more",
    "vendors": "the choice of vendors",
    "providers": "the choice of providers",
    "rent": "the rule to rent nothing",
    "buy": "the rule to buy nothing",
    "sharing": "the rule to share no device",
}


def tables(facts: Mapping[str, Any], period: str) -> list[Told]:
    """What `facts` of a plan say besides what every plan has; `period` is what its money is for, in words."""
    teller = _Teller(period, stale_offers(facts))
    return [
        told for key, (title, known) in TABLES.items() for told in teller.tables(title, known, facts.get(key), HOLDS)
    ]


def stale_offers(facts: Any) -> frozenset[str]:
    """Names of offers with a stale price, wherever in the facts an offer says so: not every list repeats it."""
    return frozenset(_stale(facts))


def _stale(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        if value.get("price_is_stale") and isinstance(value.get("offer"), str):
            yield value["offer"]
        value = list(value.values())
    if isinstance(value, list | tuple):
        for part in value:
            yield from _stale(part)


def marked(offer: str, stale: frozenset[str]) -> str:
    """An offer with the mark of a stale price."""
    return f"{offer} {STALE}" if offer in stale else offer


def units(hardware: Sequence[Mapping[str, Any]], stale: frozenset[str]) -> tuple[str, ...]:
    """Hardware of a plan, an offer a line."""
    return tuple(f"{count(row['units'])} x {marked(row['offer'], stale)}" for row in hardware)


@dataclass(frozen=True)
class _Teller:
    period: str
    stale: frozenset[str]

    def tables(
        self, title: str, known: Mapping[str, Heading], value: Any,
        parts: Mapping[str, tuple[str, Mapping[str, Heading]]],
    ) -> list[Told]:  # fmt: skip
        """One table, or of a mapping of lists one for each of them that is not empty."""
        if isinstance(value, Mapping) and value and all(isinstance(part, list | tuple) for part in value.values()):
            named = {key: parts.get(key, (f"{title}: {_words(key)}", {})) for key in value}
            return [told for key, part in value.items() for told in self.tables(*named[key], part, {})]
        if value is None or value == [] or value == {}:
            return []
        if isinstance(value, Mapping):
            nested = all(isinstance(part, Mapping) for part in value.values())
            rows = [{"name": name, **part} for name, part in value.items()] if nested else [dict(value)]
        elif isinstance(value, list | tuple):
            rows = [dict(part) if isinstance(part, Mapping) else {"what": part} for part in value]
        else:
            rows = [{"what": value}]
        if "position" in known:
            rows = [{"position": f"shared {at}", **row} for at, row in enumerate(rows, start=1)]
        rows = [_once(row) for row in rows]
        there = dict.fromkeys(name for row in rows for name in row)
        new = [name for name in there if name not in known]
        names = [name for name in (*known, *new) if _is_told(name, known.get(name), rows)]
        headings = [known.get(name) or _heading(name, rows) for name in names]
        columns = list(zip(names, headings, strict=True))
        cells = [[self._cell(heading, row, name) for name, heading in columns] for row in rows]
        return [Told(title, [replace(h, title=h.title.replace("{period}", self.period)) for h in headings], cells)]

    def _cell(self, heading: Heading, row: Mapping[str, Any], name: str) -> Cell:
        if name not in row:
            return ""
        value = row[name]
        if value is None:
            return heading.nothing
        if heading.kind == "change" and isinstance(value, int | float):
            return f"{'+' if value > 0 else MINUS if value < 0 else ''}{decimal(abs(value))} %"
        if heading.kind == "percent" and isinstance(value, int | float):
            return f"{decimal(value)} %"
        if heading.kind == "lifted":
            return LIFTED.get(str(value), str(value))
        if heading.kind == "offer":
            return marked(str(value), self.stale)
        if _is_list_of(value, {"units", "offer"}):
            return units(value, self.stale)
        if heading.kind == "holds" and _is_list_of(value, {"line", "model_id", "precision", "replicas"}):
            return tuple(
                f"{count(row['replicas'])} x {row['model_id']} in {row['precision']} (line {row['line']})"
                for row in value
            )
        return _plain(name, value)


def _once(row: dict[str, Any]) -> dict[str, Any]:
    """The same hardware as the plan's is not listed again."""
    if not {"is_same_hardware", "hardware"} <= row.keys():
        return row
    told = {name: value for name, value in row.items() if name != "is_same_hardware"}
    return {**told, "hardware": "the same"} if row["is_same_hardware"] else told


def _heading(name: str, rows: Sequence[Mapping[str, Any]]) -> Heading:
    """Of a key that nobody knew of: its words, and numbers as such."""
    values = [row[name] for row in rows if row.get(name) is not None]
    is_number = all(isinstance(value, int | float) and not isinstance(value, bool) for value in values)
    return Heading(_words(name), "count" if is_number else "word")


def _words(name: str) -> str:
    """A key as a title: usd_limit is "Limit, USD", is_hard "Hard"; bytes say their unit in each cell."""
    parts = [part for part in name.split("_") if part]
    said = [part for at, part in enumerate(parts) if part not in ("usd", "percent", "bytes") and (at or part != "is")]
    unit = ", USD" if "usd" in parts else ", %" if "percent" in parts else ""
    words = " ".join(said) or {", USD": "cost", ", %": "share"}.get(unit, "size")
    return f"{words[:1].upper()}{words[1:]}{unit}"


def _is_long(cell: Cell) -> bool:
    return isinstance(cell, tuple) or len(cell) > SENTENCE


def _is_list_of(value: Any, keys: set[str]) -> bool:
    return (
        isinstance(value, list | tuple)
        and bool(value)
        and all(isinstance(part, Mapping) and keys <= part.keys() for part in value)
    )


def _is_told(name: str, heading: Heading | None, rows: Sequence[Mapping[str, Any]]) -> bool:
    """Columns that no row fills are left out, unless that says something: there is no plan, any price would do."""
    speaks = heading is not None and heading.nothing != NOTHING
    return any(name in row and (speaks or row[name] is not None) for row in rows)


def _plain(name: str, value: Any) -> str:
    """A value of a key in words; units are in the names."""
    if value is None:
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        between = "; " if any(isinstance(part, Mapping) for part in value) else ", "
        return between.join(_plain(name, part) for part in value)
    if isinstance(value, Mapping):
        return ", ".join(f"{key.replace('_', ' ')} {_plain(key, part)}" for key, part in value.items())
    if isinstance(value, int | float):
        if "usd" in name.split("_"):
            return usd(value) if value >= 0 else f"{MINUS}{usd(-value)}"
        return gib(value) if "bytes" in name.split("_") else decimal(value)
    return str(value)
