"""Every kind of page in a real browser, from disk."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from bought import procurement_page
from made_up import pages
from made_up_night import CHAT, HOSTILE, NIGHT
from playwright.sync_api import Browser, Page, sync_playwright

from reports import format, render
from reports.model import Column, IndexPage, Table

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: install Debian's chromium")
PATHS = sorted(pages())

# Every element with text of its own against the first painted background below it: 4.5 to 1 as WCAG AA asks. The
# glyphs of the map repeat what the cell's colour and its label say, and stay out.
CONTRAST = """() => {
    const level = rgb => {
        const [r, g, b] = rgb.map(v => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
        return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const numbers = text => (text.match(/[\\d.]+/g) || []).map(Number);
    const faint = new Set();
    for (const element of document.querySelectorAll("body *")) {
        if (element.closest(".map td, .key i, noscript, script, svg, .vh, .skip")) continue;
        if (![...element.childNodes].some(node => node.nodeType === 3 && node.data.trim())) continue;
        const colour = numbers(getComputedStyle(element).color);
        let under = element, paper = [0, 0, 0, 0];
        while (under && (paper.length > 3 && paper[3] === 0)) {
            paper = numbers(getComputedStyle(under).backgroundColor);
            under = under.parentElement;
        }
        const [a, b] = [level(colour.slice(0, 3)), level(paper.slice(0, 3))];
        const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (ratio < 4.5) faint.add(element.tagName + "." + element.className + " " + ratio.toFixed(1));
    }
    return [...faint];
}"""


def write(folder: Path, rows: int, name: str) -> Path:
    files = {**render.assets(), **{path: page.encode() for path, page in pages(name, rows).items()}}
    files["procurement.js"] = render.rows_beside(procurement_page(name, rows).options).encode()
    devices = [{"name": n, "group": n, "memory": "24 GiB"} for n in ("Device A", "Device B")]
    files["assets/devices.js"] = render.device_list(devices).encode()
    for path, content in files.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return folder


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("site"), 10_000, "owner/name")


@pytest.fixture(scope="module")
def hostile_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("hostile"), 50, HOSTILE)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()


class Watched:
    """A page that remembers every complaint and every request."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        self.requests: list[str] = []
        page.on("console", lambda message: self.complaints.append(message.text))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", lambda dialog: (self.complaints.append("dialog"), dialog.dismiss()))
        page.on("request", lambda request: self.requests.append(request.url))


@pytest.fixture
def watched(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Watched]:
    options = getattr(request, "param", {"width": 1280, "scheme": "light"})
    context = browser.new_context(
        viewport={"width": options["width"], "height": 900}, color_scheme=options["scheme"], accept_downloads=True
    )
    yield Watched(context.new_page())
    context.close()


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


def test_a_keystroke_in_ten_thousand_rows_is_quick(site: Path, watched: Watched) -> None:
    page = watched.page
    page.goto((site / "devices/device-a.html").as_uri())
    times = page.evaluate(
        """() => {
            const input = document.querySelector("#ranking input");
            return ["0", "09", "099", "0999", ""].map(text => {
                const began = performance.now();
                input.value = text;
                input.dispatchEvent(new Event("input", {bubbles: true}));
                return performance.now() - began;
            });
        }"""
    )
    assert sorted(times)[2] < 100


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
@pytest.mark.parametrize("path", ["devices/device-a.html", "models/owner--name.html", "procurement.html"])
def test_paper_is_white_even_where_the_screen_is_dark(site: Path, watched: Watched, path: str) -> None:
    watched.page.goto((site / path).as_uri())
    watched.page.emulate_media(media="print")
    paper = "getComputedStyle(document.body).backgroundColor"
    assert watched.page.evaluate(paper) == "rgb(255, 255, 255)"
    assert watched.page.evaluate(CONTRAST) == []


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
