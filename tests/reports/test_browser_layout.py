"""Every kind of page from a small phone to a wall, and on paper, in a real browser."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from chromium import CHROMIUM, NO_CHROMIUM, Watched, write
from made_up import pages
from made_up_night import CHAT, NIGHT
from playwright.sync_api import Page

from reports import render
from reports.model import Column, IndexPage, Table

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=NO_CHROMIUM)
PATHS = sorted(pages())
WIDTHS = (360, 390, 768, 1280, 1920, 3840)
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
# Letters a line of paragraphs of three lines or more, by the height of the lines.
LETTERS = """() => [...document.querySelectorAll("main p, footer p")].map(p => {
    const lines = Math.round(p.getBoundingClientRect().height / parseFloat(getComputedStyle(p).lineHeight));
    return lines < 3 ? 0 : Math.round(p.textContent.replace(/\\s+/g, " ").length / lines);
})"""


@pytest.fixture(scope="module")
def long_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A name as long as the Hub allows, without a place to break at."""
    return write(tmp_path_factory.mktemp("long"), 50, "owner/" + "n" * 90)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("kind", ["long", "hostile"])
def test_no_page_is_wider_than_its_window(
    long_site: Path, hostile_site: Path, watched: Watched, path: str, kind: str
) -> None:
    """With names that are harder than usual ones."""
    page, place = watched.page, {"long": long_site, "hostile": hostile_site}[kind]
    page.goto((place / path).as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(found => { found.open = true; })")
    over = {}
    for width in WIDTHS:
        page.set_viewport_size({"width": width, "height": 900})
        over[width] = page.evaluate(OVERFLOW)
    assert over == dict.fromkeys(WIDTHS, 0)


@pytest.mark.parametrize("path", PATHS)
def test_lines_of_text_are_no_longer_than_an_eye_follows(site: Path, watched: Watched, path: str) -> None:
    page = watched.page
    page.goto((site / path).as_uri())
    for width in (1280, 3840):
        page.set_viewport_size({"width": width, "height": 900})
        assert max(page.evaluate(LETTERS), default=0) <= 90


def test_a_wall_has_larger_letters_and_tables_that_use_it(site: Path, watched: Watched) -> None:
    page = watched.page
    page.goto((site / "devices/device-a.html").as_uri())
    sizes = {}
    for width in (1920, 3840):
        page.set_viewport_size({"width": width, "height": 2160})
        size = page.evaluate("parseFloat(getComputedStyle(document.body).fontSize)")
        sizes[width] = (size, page.locator("main").evaluate("main => main.clientWidth"))
    assert sizes == {1920: (16, 1920), 3840: (22, 2860)}


@pytest.mark.parametrize("watched", [{"width": 360, "scheme": "light"}], indirect=True)
@pytest.mark.parametrize("path", PATHS)
def test_a_phone_has_the_whole_navigation_and_all_controls_in_sight(site: Path, watched: Watched, path: str) -> None:
    page = watched.page
    page.goto((site / path).as_uri())
    edges = "found => found.map(it => it.getBoundingClientRect()).filter(box => box.right > innerWidth || box.left < 0)"
    assert page.locator(".top a").count() == 10
    assert page.locator(".top a").evaluate_all(edges) == []
    assert page.locator(":is(.controls, form) :is(input, select, button:not(.over))").evaluate_all(edges) == []


@pytest.mark.parametrize("watched", [{"width": 360, "scheme": "light"}], indirect=True)
def test_a_phone_shows_which_model_a_device_holds(site: Path, watched: Watched) -> None:
    page = watched.page
    page.goto((site / "index.html").as_uri())
    model = page.locator(".reach").first.get_by_role("link", name="owner/name").bounding_box()
    assert model is not None
    assert model["x"] + model["width"] <= 360


def printed(page: Page) -> Page:
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    return page


@pytest.mark.parametrize("path", PATHS)
def test_on_paper_there_is_nothing_to_press(site: Path, watched: Watched, path: str) -> None:
    watched.page.goto((site / path).as_uri())
    page = printed(watched.page)
    assert page.locator("h1").is_visible()
    controls = page.locator(":is(nav a, button, input, .skip, .heat output):not(thead *)")
    assert [it.evaluate("it => it.outerHTML") for it in controls.all() if it.is_visible()] == []
    assert page.locator("tr").evaluate_all(
        "rows => [...new Set(rows.map(it => getComputedStyle(it).breakInside))]"
    ) in (
        ["avoid"],
        [],
    )


def test_on_paper_a_big_table_has_its_first_rows_and_says_so(site: Path, watched: Watched) -> None:
    watched.page.goto((site / "devices/device-a.html").as_uri())
    note = watched.page.locator("#ranking .on-paper")
    assert not note.is_visible()
    watched.page.get_by_label("Verdict").select_option("◫ sharded")
    page = printed(watched.page)
    assert page.locator("#ranking tbody tr:not(.spacer)").count() == 40
    assert page.locator("#ranking tbody tr.spacer").first.is_hidden()
    assert note.is_visible()
    assert note.inner_text() == (
        "On paper: the first 40 of 3,333 of 10,000 rows, as the page was filtered and sorted; all are on the page, "
        "with a CSV file."
    )
    page.emulate_media(media="screen")
    page.evaluate("dispatchEvent(new Event('afterprint'))")
    assert not note.is_visible()
    assert 40 < page.locator("#ranking tbody tr").count() < 120


def test_on_paper_a_small_table_is_whole_and_says_what_was_filtered_away(watched: Watched, tmp_path: Path) -> None:
    watched.page.goto((write(tmp_path, 30, "owner/name") / "models/index.html").as_uri())
    page = printed(watched.page)
    rows, note = page.locator("#ranking tbody tr:not(.spacer)"), page.locator("#ranking .on-paper")
    assert rows.count() == 30
    assert not note.is_visible()
    page.get_by_label("Filter").evaluate("it => { it.value = '-0000'; it.dispatchEvent(new Event('input')); }")
    printed(page)
    assert rows.count() == 10
    assert note.inner_text().startswith("On paper: 10 of 30 rows, as the page was filtered")


def test_on_paper_the_map_keeps_its_workload_and_its_colours(site: Path, watched: Watched) -> None:
    watched.page.goto((site / "models/owner--name.html").as_uri())
    page = printed(watched.page)
    assert page.get_by_label("Workload").is_visible()
    assert page.locator(".map td").first.evaluate("it => getComputedStyle(it).printColorAdjust") == "exact"


def test_a_report_of_ten_thousand_rows_is_a_few_sheets(site: Path, watched: Watched) -> None:
    """As Chromium prints it, by the pages in the file."""
    watched.page.goto((site / "devices/device-a.html").as_uri())
    sheets = re.findall(rb"/Type\s*/Page\b", watched.page.pdf(format="A4"))
    assert 1 <= len(sheets) <= 5


def test_on_paper_a_table_of_many_columns_lies_across(site: Path, watched: Watched) -> None:
    columns = tuple(Column(f"c{n}", f"Column {n}", "text") for n in range(10))
    for name, shown in (("wide", columns), ("narrow", columns[:9])):
        table = Table("wide", "Wide", "v", shown, [["words"] * len(shown)])
        (site / "devices" / f"{name}.html").write_text(
            render.listing(IndexPage(NIGHT, "devices", CHAT, table)), encoding="utf-8"
        )
        watched.page.goto((site / "devices" / f"{name}.html").as_uri())
        file = watched.page.pdf(prefer_css_page_size=True)
        boxes = re.findall(rb"/MediaBox \[0 0 (\d+) (\d+)\]", file)
        assert any(int(width) > int(height) for width, height in boxes) == (name == "wide")
