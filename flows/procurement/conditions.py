"""What a buyer may give up: the limits and terms of a request, each with the request without it.

What a plan hangs on and what would make one possible both ask these, one at a time or two together.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from flows.procurement.request import Request

SPEED, MEMORY, PRECISION = "minimum speed", "memory", "precision"
BUDGET, CONTEXT = "budget", "context"
POWER, INVENTORY, VENDORS, PROVIDERS = "power", "inventory", "vendors", "providers"
RENT, BUY, SHARING = "rent", "buy", "sharing"

Lift = Callable[[Request], Request]


def terms_and_limits(request: Request) -> Iterator[tuple[str, Lift]]:
    """Those that the request has, but for its budget and its demands; what serves each demand stays as it is."""
    terms = request.terms
    if request.limits.watts is not None:
        yield POWER, _limit(watts=None)
    if terms.vendors:
        yield VENDORS, _term(vendors=())
    if terms.providers and terms.rents:
        yield PROVIDERS, _term(providers=())
    if not terms.rents:
        yield RENT, _term(rents=True)
    if not terms.buys:
        yield BUY, _term(buys=True)
    if not request.share:
        yield SHARING, lambda asked: replace(asked, share=True, chosen=asked.choice)


def without_budget(request: Request) -> Request:
    return _limit(budget_usd=None)(request)


def _term(**other: Any) -> Lift:
    return lambda asked: replace(asked, terms=replace(asked.terms, **other), chosen=asked.choice)


def _limit(**other: Any) -> Lift:
    return lambda asked: replace(asked, limits=replace(asked.limits, **other), chosen=asked.choice)
