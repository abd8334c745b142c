"""What a plan hangs on: what it would save to ask for less, one condition at a time.

A condition of several lines is lifted for all of them first, and for each only where that saves anything. A budget is
never among them: it may forbid a plan, and makes none dearer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import polars as pl

from catalogs.demand import ANY
from flows.procurement.choice import Choice, choose
from flows.procurement.conditions import INVENTORY, MEMORY, PRECISION, SPEED, terms_and_limits
from flows.procurement.effort import Effort
from flows.procurement.problem import USD_OF_A_DEVICE, Plan
from flows.procurement.request import Request


@dataclass(frozen=True)
class Binding:
    """`what` stands in the way of `plan`, which serves `request`: of a `line`, None of all, or of a `gpu`."""

    what: str
    line: int | None
    gpu: str | None
    request: Request
    plan: Plan
    usd_saved: float


def binding(request: Request, best: Plan, effort: Effort) -> list[Binding]:
    """What saves money where it is lifted, the most first."""
    found = [
        saving
        for what, gpu, asked in without_terms(request)
        if (saving := _saving(what, None, gpu, asked, best, effort)) is not None
    ]
    several = []
    for what, choice, demands in without_conditions(request):
        every = _saving(what, None, None, replace(request, chosen=choice), best, effort)
        if every is not None and len(demands) == 1:
            found.append(replace(every, line=request.demand["line"][demands[0]]))
        elif every is not None:
            found.append(every)
            several += [(what, choice, demand) for demand in demands]
    for what, choice, demand in several:
        if effort.is_over(f"what it would save to lift: {what} of single lines"):
            continue
        one = replace(request, chosen=request.choice.with_demands(choice, [demand]))
        saving = _saving(what, request.demand["line"][demand], None, one, best, effort)
        if saving is not None:
            found.append(saving)
    return sorted(found, key=lambda one: (-one.usd_saved, one.what, one.line or 0, one.gpu or ""))


def without_terms(request: Request) -> Iterator[tuple[str, str | None, Request]]:
    """The request without one of its limits or terms, or with one more device of an inventory."""
    for what, lift in terms_and_limits(request):
        yield what, None, lift(request)
    for gpu in request.inventory["gpu"].to_list():
        one_more = request.inventory.with_columns(devices=pl.col("devices") + (pl.col("gpu") == gpu).cast(pl.Int64))
        yield INVENTORY, gpu, replace(request, inventory=one_more, chosen=request.choice)


def without_conditions(request: Request) -> Iterator[tuple[str, Choice, list[int]]]:
    """What serves the demand without one of its conditions, and the demands that have it."""
    demand, answers = request.demand, request.answers
    rows = demand.with_row_index("demand")
    asks = rows.filter(pl.col("min_tokens_per_second").is_not_null())["demand"].to_list()
    if asks:
        free = demand.with_columns(min_tokens_per_second=pl.lit(None, pl.Float64))
        yield SPEED, choose(free, answers), asks
    named = rows.filter(pl.col("precision") != ANY)["demand"].to_list()
    if named:
        yield PRECISION, choose(demand.with_columns(precision=pl.lit(ANY)), answers), named
    yield MEMORY, choose(demand, answers, is_tight_enough=True), rows["demand"].to_list()


def _saving(what: str, line: int | None, gpu: str | None, asked: Request, best: Plan, effort: Effort) -> Binding | None:
    """What it saves, None where nothing that is not rounding or a plan that was not proven."""
    at = " of single lines" if line is not None else f" of {gpu}" if gpu is not None else ""
    question = f"what it would save to lift: {what}{at}"
    found = None if effort.is_over(question) else effort.ask(question, asked.choice, asked.problem)
    if found is None or found.plan is None:
        return None
    other = found.plan
    if best.at_least_usd - other.usd <= USD_OF_A_DEVICE * max(best.devices, other.devices):
        return None
    return Binding(what, line, gpu, asked, other, best.usd - other.usd)
