"""Which addresses a source is asked at, and of which day its prices are."""

from __future__ import annotations

from datetime import date
from typing import Any, cast

import pytest
from price_lists import gpuhunt

from flows.prices import sources
from flows.prices.sources import Source
from flows.prices.web import Web

DAY = date(2026, 11, 30)
OFFER = "a1,us,2.5,8,64,1,H100,80,False,100,nvidia,"


class Shelf:
    """Answers by address."""

    def __init__(self, **answers: bytes) -> None:
        self.answers, self.asked = answers, list[str]()

    def get(self, address: str, **_: Any) -> bytes:
        self.asked.append(address)
        return self.answers[address.rsplit("/", 1)[1].partition(".")[0]]


@pytest.mark.parametrize(("version", "as_of"), [("20261122-17", date(2026, 11, 22)), ("20261224-1", DAY)])
def test_a_catalog_is_of_its_own_day_and_of_no_day_to_come(version: str, as_of: date) -> None:
    shelf = Shelf(version=version.encode(), catalog=gpuhunt(OFFER))
    source = Source("nebius", "gpuhunt", "https://example.org/v1/", "list", "high", "a test")
    found = sources.read(source, cast(Web, shelf), DAY)
    assert found.rows["as_of"].to_list() == [as_of]
    assert shelf.asked == ["https://example.org/v1/version", f"https://example.org/v1/{version}/catalog.zip"]


def test_a_layout_that_nobody_reads_is_a_fault() -> None:
    with pytest.raises(ValueError, match="unknown layout 'html'"):
        sources.read(Source("aws", "html", "https://example.org", "list", "high", "x"), cast(Web, Shelf()), DAY)
