"""The page for a buyer in a real browser: on a phone, and with names that a stranger chose."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import replace
from pathlib import Path

import pytest
from bought import procurement_page
from chromium import CHROMIUM, NO_CHROMIUM, Watched, write
from made_up_night import HOSTILE_NAMES

from reports import render

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=NO_CHROMIUM)


def test_rows_beside_the_page_are_drawn_and_their_downloads_are_links(site: Path, watched: Watched) -> None:
    page = watched.page
    page.goto((site / "procurement.html").as_uri())
    assert page.locator("#cheapest .count").inner_text() == "3,334 of 10,000 rows"
    row = page.locator("#cheapest tbody tr:not(.spacer)").nth(1)
    assert row.locator("td").all_inner_texts() == [
        "owner/name-00003", "chat-8k", "Device A", "$0.75", "$0.0030", "yes",
    ]  # fmt: skip
    page.get_by_label("Workload").select_option("any")
    assert page.locator("#cheapest .count").inner_text() == "10,000 rows"
    assert row.locator("a").nth(1).get_attribute("href") == "devices/device-a.html"
    links = page.locator("a[download]")
    assert [link.get_attribute("href") for link in links.all()] == ["procurement.csv", "procurement.xlsx"]


def test_a_page_without_the_script_beside_it_says_so(site: Path, watched: Watched) -> None:
    watched.page.route("**/procurement.js", lambda route: route.abort())
    watched.page.goto((site / "procurement.html").as_uri())
    assert "which is not there" in watched.page.locator("#cheapest").inner_text()


def test_names_in_the_chart_of_prices_do_not_cover_each_other(site: Path, watched: Watched) -> None:
    watched.page.goto((site / "procurement.html").as_uri())
    boxes = watched.page.evaluate(
        "[...document.querySelectorAll('.pareto .name')].map(e => e.getBoundingClientRect().toJSON())"
    )
    assert len(boxes) == 2
    a, b = boxes
    assert a["right"] <= b["left"] or b["right"] <= a["left"] or a["bottom"] <= b["top"] or b["bottom"] <= a["top"]


# Of each cell with money of the plan: its table's title, its words, and whether all of it is in sight.
MONEY = """() => [...document.querySelectorAll("#plan .stacks :is(th, td)")]
    .filter(cell => /\\$\\d/.test(cell.innerText))
    .map(cell => {
        const words = cell.querySelector("span").getBoundingClientRect(), box = cell.closest(".scroll");
        return [cell.innerText, words.left >= 0 && words.right <= innerWidth && box.scrollWidth <= box.clientWidth];
    })"""


@pytest.mark.parametrize(
    "watched",
    [{"width": 390, "scheme": "dark"}, {"width": 360, "scheme": "light"}],
    indirect=True,
    ids=["390", "360"],
)
def test_a_phone_shows_all_money_of_a_plan_and_never_scrolls_sideways(site: Path, watched: Watched) -> None:
    page = watched.page
    page.goto((site / "procurement.html").as_uri())
    page.locator("details summary").click()
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    money = page.evaluate(MONEY)
    assert [words for words, _ in money if re.search("35,040|40,000|36,000|960|40.00|7,008", words)] != []
    assert [words for words, is_seen in money if not is_seen] == []
    # titles stand beside the values, and those who listen still hear a table
    cell = page.get_by_role("cell", name="$35,040.00")
    assert cell.evaluate("cell => getComputedStyle(cell, '::before').content") == '"Cost for 12 months"'
    assert page.get_by_role("columnheader", name="Cost for 12 months").count() == 3


@pytest.mark.parametrize("watched", [{"width": 360, "scheme": "light"}], indirect=True)
def test_a_phone_shows_what_an_hour_costs_before_anything_else(site: Path, watched: Watched) -> None:
    """Wider tables scroll in boxes of their own; the first money of each is in sight before anybody does."""
    page = watched.page
    page.goto((site / "procurement.html").as_uri())
    page.locator("details summary").click()
    right = "cells => cells.map(cell => cell.getBoundingClientRect().right)"
    offers = page.locator("details tbody td:nth-child(2)")
    assert offers.all_inner_texts() == ["$0.50", "$1.00 \u25c7\u00a0stale", "$2.00"]
    assert max(offers.evaluate_all(right)) <= 360
    wide = "boxes => boxes.filter(box => box.scrollWidth > box.clientWidth && !box.closest('.scroll, .rows')).length"
    assert page.locator("main :is(table, svg)").evaluate_all(wide) == 0


def test_a_wide_screen_has_numbers_of_a_plan_below_each_other(site: Path, watched: Watched) -> None:
    page = watched.page
    page.goto((site / "procurement.html").as_uri())
    for words in ("$35,040.00", "$960.00", "\u2212$7,008.00"):
        cell = page.get_by_role("cell", name=words)
        assert cell.evaluate("cell => getComputedStyle(cell).textAlign") == "right"
        assert cell.evaluate("cell => getComputedStyle(cell).display") == "table-cell"


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_names_of_strangers_are_words_on_the_page(name: str, watched: Watched, tmp_path: Path) -> None:
    """For models, devices and providers, in the plan, the chart and the tables; and as the reason of no plan."""
    place = write(tmp_path, 3, name)
    refused = replace(procurement_page(name), plan=None, why_no_plan=f"line 2: {name} fits no device")
    (place / "refused.html").write_bytes(render.procurement(refused).encode())
    page = watched.page
    for path in ("procurement.html", "refused.html"):
        page.goto((place / path).as_uri())
        assert page.locator("main").evaluate("(main, name) => main.textContent.includes(name)", name)
        assert page.locator("script:not([src]), img, iframe, object, embed, base, form").count() == 0
        events = "found => found.flatMap(e => e.getAttributeNames()).filter(name => name.startsWith('on'))"
        assert page.locator("*").evaluate_all(events) == []
        schemes = "links => [...new Set(links.map(link => link.protocol))]"
        assert page.locator("a[href]").evaluate_all(schemes) == ["file:"]
    page.goto((place / "procurement.html").as_uri())
    shown = page.locator("#cheapest tbody a").first.evaluate("link => link.textContent")
    assert shown == f"{name}-00000"
    assert [url for url in watched.requests if not url.startswith(("file:", "data:"))] == []
    assert watched.complaints == []


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_names_of_strangers_start_nothing_in_a_saved_table(name: str, watched: Watched, tmp_path: Path) -> None:
    """Neither a formula in a spreadsheet nor a command of a terminal that prints the file."""
    watched.page.goto((write(tmp_path, 3, name) / "procurement.html").as_uri())
    with watched.page.expect_download() as download:
        watched.page.locator("#cheapest").get_by_role("button", name="CSV").click()
    text = Path(download.value.path()).read_text(encoding="utf-8")
    read = list(csv.reader(io.StringIO(text, newline="")))
    assert [row[3] for row in read] == ["usd_per_hour", "0"]
    assert not [cell for row in read for cell in row if re.match(r"[=+\-@\t\r\n]", cell)]
    assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]", text)
