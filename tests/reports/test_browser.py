"""Every kind of page in a real browser, from disk."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from made_up import HOSTILE, pages
from playwright.sync_api import Browser, Page, sync_playwright

from reports import render

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine: install Debian's chromium")
PATHS = sorted(pages())


def write(folder: Path, rows: int, name: str) -> Path:
    files = {**render.assets(), **{path: page.encode() for path, page in pages(name, rows).items()}}
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
    cells = page.locator(".heat tbody td")
    assert cells.count() == 4
    cells.first.focus()
    assert "bf16 on Device A (24 GiB): fits" in page.locator(".heat output").inner_text()
    page.keyboard.press("ArrowRight")
    assert "Device B (24 GiB): sharded over 2" in page.locator(".heat output").inner_text()
    page.keyboard.press("ArrowDown")
    assert "nvfp4 on Device B (24 GiB): too big" in page.locator(".heat output").inner_text()
    page.get_by_label("Workload").select_option("1")
    assert page.locator(".heat tbody td").count() == 2


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
