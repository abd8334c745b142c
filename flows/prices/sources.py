"""Asking one provider's price list in its layout: which addresses, how much of them, and who reads the answer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from flows.prices import azure, gpuhunt, skypilot
from flows.prices.offers import BadList, Offers
from flows.prices.web import Web, origin

LARGEST_FILE_BYTES = 128 * 2**20
LARGEST_PAGE_BYTES = 16 * 2**20
MOST_PAGES = 500  # the whole list of GPU families takes 20 to 150


@dataclass(frozen=True)
class Source:
    """One row of price_sources.csv."""

    provider: str
    layout: str
    address: str
    basis: str
    confidence: str
    source: str


def read(source: Source, web: Web, on: date) -> Offers:
    """All offers of the provider. Raises BadList, web.ListFailed or web.ListAway."""
    if source.layout == "azure_retail":
        return azure.parse(list(_pages(source.address, web)), source.provider, on, source.source)
    if source.layout == "skypilot":
        body = web.get(source.address, limit=LARGEST_FILE_BYTES)
        return skypilot.parse(body, source.provider, on, source.source)
    if source.layout == "gpuhunt":
        address = source.address.rstrip("/")
        version, day = gpuhunt.version_date(web.get(f"{address}/version", limit=LARGEST_PAGE_BYTES))
        body = web.get(f"{address}/{version}/catalog.zip", limit=LARGEST_FILE_BYTES)
        told = f"{source.source}, version {version}"
        return gpuhunt.parse(body, source.provider, min(day, on), told)
    raise ValueError(f"unknown layout {source.layout!r}")


def _pages(address: str, web: Web) -> Iterator[bytes]:
    """Pages as their links lead on, each once, on the host that was asked."""
    home, seen, url = origin(address), set[str](), address
    while True:
        if url in seen or len(seen) == MOST_PAGES:
            raise BadList(f"the pages do not end ({len(seen)} read)")
        seen.add(url)
        page = web.get(url, limit=LARGEST_PAGE_BYTES)
        yield page
        following = azure.next_page(page)
        if following is None:
            return
        url = web.same_host(home, following)
