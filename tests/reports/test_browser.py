"""Every kind of page in a real browser, from disk."""

from __future__ import annotations

from pathlib import Path

import pytest
from chromium import CHROMIUM, CONTRAST, NO_CHROMIUM, Watched
from history import nights, trends_page
from made_up import pages
from made_up_night import CHAT, NIGHT
from playwright.sync_api import Browser, Page

from reports import format, render
from reports.model import Column, IndexPage, Table

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=NO_CHROMIUM)
PATHS = sorted(pages())


@pytest.mark.parametrize(
    "watched",
    [{"width": 1280, "scheme": "light"}, {"width": 1280, "scheme": "dark"}, {"width": 360, "scheme": "light"}],
    indirect=True,
    ids=["light", "dark", "phone"],
)
@pytest.mark.parametrize("path", PATHS)
def test_pages_open_without_a_complaint_or_a_request(site: Path, watched: Watched, path: str) -> None:
    watched.page.goto((site / path).as_uri())
    assert watched.complaints == []
    assert [url for url in watched.requests if not url.startswith(("file:", "data:"))] == []
    assert watched.page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert watched.page.evaluate(CONTRAST) == []


@pytest.mark.parametrize("path", PATHS)
def test_hostile_names_are_inert(hostile_site: Path, watched: Watched, path: str) -> None:
    watched.page.goto((hostile_site / path).as_uri())
    assert watched.complaints == []


def test_a_table_of_ten_thousand_rows_draws_few_and_finds_all(site: Path, watched: Watched) -> None:
    page = watched.page
    page.goto((site / "devices/device-a.html").as_uri())
    assert page.locator("#ranking tbody tr").count() < 120
    assert page.locator("#ranking .count").inner_text() == "10,000 rows"
    page.get_by_label("Filter").first.fill("09999")
    assert page.locator("#ranking .count").inner_text() == "1 of 10,000 rows"
    assert page.locator("#ranking tbody a").inner_text() == "owner/name-09999"
    assert "q=09999" in page.url
    page.reload()
    assert page.locator("#ranking .count").inner_text() == "1 of 10,000 rows"


def test_shares_read_the_same_with_and_without_scripts(site: Path, watched: Watched) -> None:
    values = [0, 0.00002, 0.0004, 0.0077, 0.0282, 0.1183, 1.2, -0.001, None]
    table = Table("lost", "Lost", "v", (Column("lost", "Lost", "share"),), [[value] for value in values])
    page = render.listing(IndexPage(NIGHT, "devices", CHAT, table))
    (site / "devices" / "shares.html").write_text(page, encoding="utf-8")
    watched.page.goto((site / "devices" / "shares.html").as_uri())
    shown = watched.page.locator("#lost tbody tr:not(.spacer) td").all_inner_texts()
    assert shown == [format.cell(value, "share") for value in values]


def first_cell(page: Page, column: int) -> str:
    return page.locator("#ranking tbody tr:not(.spacer)").first.locator("td").nth(column).inner_text()


def test_sorting_by_mouse_and_keyboard_keeps_the_unknown_last(site: Path, watched: Watched) -> None:
    page = watched.page
    page.goto((site / "devices/device-a.html").as_uri())
    assert first_cell(page, 3) == "9,999"
    head = page.locator("#ranking thead th").nth(2)
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    assert first_cell(page, 2).endswith("GiB")
    head.get_by_role("button").press("Enter")
    assert head.get_attribute("aria-sort") == "ascending"
    assert first_cell(page, 2) == "0.00 GiB"
    page.locator("#ranking .rows").evaluate("box => { box.scrollTop = box.scrollHeight; }")
    page.wait_for_timeout(100)
    assert page.locator("#ranking tbody tr:not(.spacer)").last.locator("td").nth(2).inner_text() == "unknown"


def test_selecting_a_verdict_filters(site: Path, watched: Watched) -> None:
    page = watched.page
    page.goto((site / "devices/device-a.html").as_uri())
    page.get_by_label("Verdict").select_option("◫ sharded")
    assert page.locator("#ranking .count").inner_text() == "3,333 of 10,000 rows"


def test_csv_is_what_is_shown_and_starts_no_formula(hostile_site: Path, watched: Watched, tmp_path: Path) -> None:
    page = watched.page
    page.goto((hostile_site / "models/index.html").as_uri())
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV").click()
    text = Path(download.value.path()).read_text(encoding="utf-8")
    assert text.splitlines()[0] == "model_id,verdict,bytes,count,usd"
    assert len(text.splitlines()) >= 51


def test_the_heat_map_speaks_and_walks(site: Path, watched: Watched) -> None:
    page = watched.page
    page.goto((site / "models/owner--name.html").as_uri())
    cells = page.locator("#heat tbody td")
    assert cells.count() == 4
    cells.first.focus()
    assert "bf16 on Device A (24 GiB): fits" in page.locator(".heat output").inner_text()
    page.keyboard.press("ArrowRight")
    assert "Device B (24 GiB): sharded over 2" in page.locator(".heat output").inner_text()
    page.keyboard.press("ArrowDown")
    assert "nvfp4 on Device B (24 GiB): too big" in page.locator(".heat output").inner_text()
    page.get_by_label("Workload").select_option("1")
    assert page.locator("#heat tbody td").count() == 2


def test_the_search_finds_models_and_devices(site: Path, watched: Watched) -> None:
    page = watched.page
    page.goto((site / "index.html").as_uri())
    page.get_by_label("Find a model or a device").fill("device")
    assert page.locator("#hits a").all_inner_texts() == ["Device A"]
    page.locator("#hits a").click()
    assert page.locator("h1").inner_text() == "owner/name"
    page.goto((site / "index.html").as_uri())
    page.get_by_label("Find a model or a device").fill("no such thing")
    assert page.locator("#hits").inner_text() == "nothing found"


def test_every_table_keeps_its_state_in_the_address(site: Path, watched: Watched) -> None:
    page = watched.page
    page.goto((site / "quality.html").as_uri())
    page.locator("#errors").get_by_label("Filter").fill("00001")
    page.locator("#unknowns").get_by_label("Filter").fill("00002")
    page.locator("#unknowns thead button").nth(3).click()
    assert page.url.endswith("#q=00001&unknowns.q=00002&unknowns.sort=count")
    page.reload()
    assert page.locator("#errors .count").inner_text() == "1 of 10,000 rows"
    assert page.locator("#unknowns thead th").nth(3).get_attribute("aria-sort") == "ascending"


def test_a_filter_without_a_match_says_so(site: Path, watched: Watched) -> None:
    page = watched.page
    page.goto((site / "models/index.html").as_uri())
    page.get_by_label("Filter").fill("no such thing")
    assert page.locator("#ranking .none").inner_text() == "No row matches the filter."


def test_rows_are_one_line_high_so_that_scrolling_is_true(site: Path, watched: Watched) -> None:
    page = watched.page
    page.goto((site / "devices/device-a.html").as_uri())
    box = page.locator("#ranking .rows")
    before = box.evaluate("box => box.scrollHeight")
    box.evaluate("box => { box.scrollTop = box.scrollHeight / 2; }")
    page.wait_for_timeout(100)
    assert abs(box.evaluate("box => box.scrollHeight") - before) <= 2 + before * 0.001
    assert page.locator("#ranking tbody a").first.inner_text() < "owner/name-05050"


def test_without_scripts_the_first_rows_are_there(site: Path, browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False, viewport={"width": 360, "height": 900})
    page = context.new_page()
    page.goto((site / "devices/device-a.html").as_uri())
    assert page.locator("#ranking tbody tr").count() == render.STATIC_ROWS
    assert page.locator("#ranking tbody a").first.inner_text() == "owner/name-09999"
    assert page.locator("footer").is_visible()
    context.close()


def test_enter_opens_the_first_hit(site: Path, watched: Watched) -> None:
    page = watched.page
    page.goto((site / "index.html").as_uri())
    page.get_by_label("Find a model or a device").fill("owner")
    page.get_by_label("Find a model or a device").press("Enter")
    page.wait_for_url("**/models/owner--name.html")


def test_the_numbers_behind_the_heat_map_open_by_keyboard(site: Path, watched: Watched) -> None:
    page = watched.page
    page.goto((site / "models/owner--name.html").as_uri())
    page.locator(".heat summary").press("Enter")
    cells = page.locator(".heat details tbody tr").first.locator("td").all_inner_texts()
    assert cells == ["1", "0", "1", "0", "0", "0", "0"]


@pytest.mark.parametrize("watched", [{"width": 800, "scheme": "dark"}], indirect=True)
@pytest.mark.parametrize(
    "path", ["devices/device-a.html", "models/owner--name.html", "procurement.html", "trends.html"]
)
def test_paper_is_white_even_where_the_screen_is_dark(site: Path, watched: Watched, path: str) -> None:
    watched.page.goto((site / path).as_uri())
    watched.page.emulate_media(media="print")
    paper = "getComputedStyle(document.body).backgroundColor"
    assert watched.page.evaluate(paper) == "rgb(255, 255, 255)"
    assert watched.page.evaluate(CONTRAST) == []


# Boxes of words in a chart that lie over one another, or outside of the drawing, by the letters of a real font.
CROWDED = """() => [...document.querySelectorAll(".trend svg")].flatMap(svg => {
    const frame = svg.getBoundingClientRect();
    const words = [...svg.querySelectorAll("text")].map(text => [text.textContent, text.getBoundingClientRect()]);
    const out = words.filter(([, a]) => a.left < frame.left || a.right > frame.right || a.bottom > frame.bottom);
    // lines of text have room above and below their letters
    const over = ([, a], [, b]) => a.left < b.right && b.left < a.right && a.top + 3 < b.bottom && b.top + 3 < a.bottom;
    const crowded = words.filter((a, n) => words.slice(n + 1).some(b => over(a, b)));
    return [...out, ...crowded].map(([text]) => text);
})"""


@pytest.mark.parametrize(
    "watched",
    [{"width": 1280, "scheme": "dark"}, {"width": 360, "scheme": "light"}],
    indirect=True,
    ids=["screen", "phone"],
)
@pytest.mark.parametrize("number", [1, 2, 40, 400])
def test_trends_of_few_and_many_nights_have_room(site: Path, watched: Watched, number: int) -> None:
    made = nights(number, without=tuple(range(20, 26)))
    (site / "trends-of.html").write_text(render.trends(trends_page(nights=made)), encoding="utf-8")
    watched.page.goto((site / "trends-of.html").as_uri())
    assert watched.complaints == []
    assert [url for url in watched.requests if not url.startswith(("file:", "data:"))] == []
    assert watched.page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert watched.page.locator(".trend svg").count() == (0 if number == 1 else 4)
    assert watched.page.evaluate(CROWDED) == []
    assert watched.page.evaluate(CONTRAST) == []


@pytest.mark.parametrize("watched", [{"width": 360, "scheme": "light"}], indirect=True)
def test_a_phone_sees_the_names_of_the_lines_first(site: Path, watched: Watched) -> None:
    watched.page.goto((site / "trends.html").as_uri())
    figure, name = (watched.page.locator(it).first.bounding_box() for it in (".trend", ".trend .name"))
    assert figure is not None
    assert name is not None
    assert figure["x"] <= name["x"]
    assert name["x"] + name["width"] <= figure["x"] + figure["width"]
