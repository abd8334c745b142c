"""What procurement.html shows: offers of devices, the cheapest way to run each model, and how old the prices are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from reports.format import billions, count, lowered, plural, usd
from reports.model import Night, Table, Workload
from reports.plans import PlanResult

# As the estimator has them, the best first.
CONFIDENCES = ("high", "medium", "low")


@dataclass(frozen=True)
class Offer:
    """A device with the cheapest on-demand price of one, and the largest model that it is sure to hold.

    Where it comes in instances of several, the price is that of an instance.
    """

    gpu: str
    name: str
    href: str
    usd_per_hour: float
    provider: str | None
    as_of: date | None
    age_days: int | None
    origin: str
    is_stale: bool
    memory_gib: float | None
    models_on_one: int
    largest_model: str | None
    largest_href: str | None
    parameters: int | None
    precision: str | None
    usd_purchase: float | None = None
    usd_per_hour_owned: float | None = None  # its price over its years, and its power
    purchase_is_stale: bool = False
    devices_per_instance: int = 1


@dataclass(frozen=True)
class PriceAge:
    """Prices of a provider and a kind; `provider` is null for list prices of devices to buy."""

    provider: str | None
    kind: str
    prices: int
    devices: int
    newest: date | None
    oldest: date | None
    stale: int
    origins: Sequence[str]


@dataclass(frozen=True)
class Cheapest:
    """The cheapest ways to run models that write text for one workload, summed up; of the others only how many.

    `models` counts all that write text, `shorter` those of `priced` whose own context is shorter than the workload's
    and that were sized for that; `others` were read, too, and `others_priced` of them have a price.
    """

    models: int
    priced: int
    median_usd_per_hour: float | None
    highest_usd_per_hour: float | None
    confidence: Sequence[tuple[str, int]]  # high | medium | low, models
    stale: int
    youngest_days: int | None
    oldest_days: int | None
    shorter: int = 0
    others: int = 0
    others_priced: int = 0


@dataclass(frozen=True)
class ProcurementPage:
    """procurement.html: what to buy. `options` are drawn from a script beside the page and are the downloads' rows."""

    night: Night
    workload: Workload
    cheapest: Cheapest
    offers: Sequence[Offer]
    options: Table
    models_shown: int
    ages: Sequence[PriceAge]
    limits: str  # how long prices hold, in words
    plan: PlanResult | None = None
    why_no_plan: str | None = None  # of a demand that nothing serves


def verdicts(page: ProcurementPage) -> tuple[str, ...]:
    """What a buyer asks first: how dear, how sure, how old, and of which models. The first sentence is always there."""
    found = page.cheapest
    said = (_price(found, page.workload), _sure(found), _age(found), _others(found))
    return tuple(sentence for sentence in said if sentence)


def _price(found: Cheapest, workload: Workload) -> str:
    if not found.models and not found.others:
        return "No model was read this night, so there is nothing to buy for."
    if not found.models:
        return "No model that was read this night is known to write text, so nothing is asked to chat."
    use = asked(workload)
    models = plural(found.models, "model that writes text", "models that write text")
    if not found.priced:
        return f"None of {models} is sure to run on a device with an on-demand price ({use})."
    runs = "runs" if found.priced == 1 else "run"
    if found.shorter:
        use = f"{use}, as {_of(found.shorter, found.priced)}"
    start = f"Of {models}, {count(found.priced)} {runs} on devices with an on-demand price ({use})"
    if found.priced == 1:
        return f"{start}, at {_money(found.median_usd_per_hour)} an hour."
    middle, most = _money(found.median_usd_per_hour), _money(found.highest_usd_per_hour)
    if middle == most:
        return f"{start}, each for {most} an hour or less."
    return f"{start}; half of them for {middle} an hour or less, the dearest for {most}."


def asked(workload: Workload) -> str:
    """What is asked of each model, inside a sentence: nobody is asked for more context than the model has."""
    return f"{lowered(workload.title)}, at the model's own context where that is shorter"


def _of(part: int, whole: int) -> str:
    if part < whole:
        return f"for {count(part)} of them"
    return "here" if whole == 1 else "for all of them"


def _others(found: Cheapest) -> str | None:
    """Encoders, diffusion and the like are sized and priced, and chat with nobody."""
    if not found.others:
        return None
    which = "model that is" if found.others == 1 else "models that are"
    counted = "is" if found.others == 1 else "are"
    said = f"{count(found.others)} {which} not known to write text, such as encoders, {counted} not counted here"
    if not found.others_priced:
        return f"{said}; none has a price."
    if found.others_priced == found.others:
        return f"{said}; {'it has' if found.others == 1 else 'all have'} a price."
    return f"{said}; {count(found.others_priced)} {'has' if found.others_priced == 1 else 'have'} a price."


def _sure(found: Cheapest) -> str | None:
    """How well the needs are known behind those prices."""
    known = dict(found.confidence)
    told = [f"{count(known[level])} with {level}" for level in CONFIDENCES if known.get(level)]
    if not told:
        return None
    listed = told[0] if len(told) == 1 else f"{', '.join(told[:-1])} and {told[-1]}"
    needs = "This need is" if found.priced == 1 else "These needs are"
    return f"{needs} at the upper end of the estimate, {listed} confidence."


def _age(found: Cheapest) -> str | None:
    if not found.priced:
        return None
    if found.youngest_days is None or found.oldest_days is None:
        age = "How old the prices are is unknown"
    elif found.youngest_days == found.oldest_days:
        age = f"The prices are {plural(found.oldest_days, 'day')} old"
    else:
        age = f"The prices are {count(found.youngest_days)} to {plural(found.oldest_days, 'day')} old"
    if not found.stale:
        return f"{age}; none is stale."
    if found.stale == found.priced:
        stale = "it is stale" if found.stale == 1 else "all are stale"
        return f"{age}; {stale}: ask for an offer, or run hubfit prices."
    return f"{age}; {count(found.stale)} of {count(found.priced)} {'is' if found.stale == 1 else 'are'} stale."


def _money(value: float | None) -> str:
    return "an unknown price" if value is None else usd(value)


def frontier(offers: Sequence[Offer]) -> tuple[Offer, ...]:
    """Offers that hold more than every cheaper one, cheapest first. What holds nothing known is on no frontier."""
    known = [offer for offer in offers if offer.parameters is not None]
    known.sort(key=lambda offer: (offer.usd_per_hour, -(offer.parameters or 0), offer.gpu))
    best: list[Offer] = []
    for offer in known:
        if not best or (offer.parameters or 0) > (best[-1].parameters or 0):
            best.append(offer)
    return tuple(best)


def finding(offers: Sequence[Offer]) -> str:
    """What the chart shows: the ends of the frontier."""
    best = frontier(offers)
    if not best:
        return "No device has both a price and a model that is sure to fit"
    first, last = best[0], best[-1]
    start = f"{billions(first.parameters)} parameters fit on one {first.name} for {_marked(first)} an hour"
    if len(best) == 1:
        return f"{start}, and nothing with a price holds more"
    return f"{start}; the most, {billions(last.parameters)}, takes one {last.name} for {_marked(last)}"


def _marked(offer: Offer) -> str:
    return f"{usd(offer.usd_per_hour)}{' (stale)' if offer.is_stale else ''}"
