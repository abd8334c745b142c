"""The report for those who use keys, a screen reader or colours of their own, in a real browser."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from chromium import CHROMIUM, NO_CHROMIUM, Watched, write
from made_up import pages
from made_up_night import HOSTILE
from playwright.sync_api import Page

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=NO_CHROMIUM)
PATHS = [*sorted(pages()), "compare.html?models=owner/dense&models=owner/windowed"]
AXE = files("axe_playwright_python").joinpath("axe.min.js").read_text(encoding="utf-8")
LEVEL_AA = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}
COLOURS = {"type": "rule", "values": ["color-contrast", "link-in-text-block"]}
# Of text over any gradient axe says only that it cannot tell: the shades at the edges of boxes are taken out for it.
NO_SHADES = ".scroll, .rows, .map { background: none !important }"
SERIOUS = """async rules => (await axe.run(document, { runOnly: rules, resultTypes: ["violations"] })).violations
    .filter(found => ["serious", "critical"].includes(found.impact))
    .flatMap(found => found.nodes.map(node => [found.id, node.target.join(" "), node.failureSummary]))"""


@pytest.fixture(scope="module")
def small_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("small"), 7, "owner/name")


@pytest.fixture(scope="module")
def small_hostile_site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("small-hostile"), 7, HOSTILE)


def address(site: Path, path: str) -> str:
    name, _, query = path.partition("?")
    return (site / name).as_uri() + ("?" + query if query else "")


def opened(page: Page, site: Path, path: str) -> Page:
    page.goto(address(site, path))
    if "?" in path:
        page.locator("#compared table").first.wait_for()
    page.evaluate("document.querySelectorAll('details').forEach(found => { found.open = true; })")
    return page


def serious(page: Page, rules: dict[str, Any]) -> list[list[str]]:
    found: list[list[str]] = page.evaluate(SERIOUS, rules)
    return found


@pytest.mark.parametrize(("width", "is_hostile"), [(1280, False), (390, True)], ids=["screen", "hostile-on-a-phone"])
@pytest.mark.parametrize("path", PATHS)
def test_axe_finds_nothing_serious(
    small_site: Path, small_hostile_site: Path, watched: Watched, path: str, width: int, is_hostile: bool
) -> None:
    """Light and dark; in the dark the rules that look at colours, as nothing else is another."""
    page = watched.page
    page.set_viewport_size({"width": width, "height": 900})
    opened(page, small_hostile_site if is_hostile else small_site, path)
    page.add_style_tag(content=NO_SHADES)
    page.evaluate(AXE)
    assert serious(page, LEVEL_AA) == []
    page.emulate_media(color_scheme="dark")
    assert serious(page, COLOURS) == []


def test_axe_is_heard_when_something_is_wrong(small_site: Path, watched: Watched) -> None:
    page = opened(watched.page, small_site, "index.html")
    page.evaluate(AXE)
    page.evaluate("document.querySelector('.lead').style.color = '#ccc'")
    page.evaluate("document.querySelector('label[for=q]').remove()")
    page.evaluate("document.querySelector('#q').placeholder = ''")
    assert [rule for rule, *_ in serious(page, COLOURS)] == ["color-contrast"]
    assert sorted({rule for rule, *_ in serious(page, LEVEL_AA)}) == ["color-contrast", "label"]


FOCUSED = """() => {
    const it = document.activeElement, box = it.getBoundingClientRect(), style = getComputedStyle(it);
    const label = it.closest("label"), words = it.tagName === "TD" ? it.getAttribute("aria-label") : it.textContent;
    return {
        name: it.getAttribute("aria-label") || (label ? label.firstChild.data : words.trim()),
        is_seen: box.bottom > 0 && box.top < innerHeight && box.right > 0 && box.left < innerWidth
            && box.width > 4 && box.height > 4,
        is_marked: style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 2,
    };
}"""


def stops(page: Page, number: int) -> list[dict[str, Any]]:
    found = []
    for _ in range(number):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement === document.body"):
            break
        found.append(page.evaluate(FOCUSED))
    return found


@pytest.mark.parametrize("path", PATHS)
def test_every_stop_of_the_tab_key_is_in_sight_and_marked(small_site: Path, watched: Watched, path: str) -> None:
    found = stops(opened(watched.page, small_site, path), 40)
    assert found[0]["name"] == "Skip to content"
    assert [stop["name"] for stop in found[1:11]] == [
        "hubfit", "Devices", "Models", "Compare", "Procurement", "Changes", "Trends", "Quality", "Accuracy", "Method",
    ]  # fmt: skip
    assert [stop for stop in found if not (stop["is_seen"] and stop["is_marked"])] == []


def test_a_big_table_is_reached_in_the_order_that_it_is_read_in(site: Path, watched: Watched) -> None:
    page = watched.page
    page.goto((site / "models/index.html").as_uri())
    assert [stop["name"] for stop in stops(page, 23)[11:]] == [
        "Filter", "Verdict", "Download CSV", "Skip the rows", "What runs here", "Model", "Verdict", "Needs", "Count",
        "Per hour", "owner/name-09999", "owner/name-09998",
    ]  # fmt: skip


def test_keys_scroll_a_big_table_to_its_end(site: Path, watched: Watched) -> None:
    page = watched.page
    page.goto((site / "models/index.html").as_uri())
    page.get_by_role("region", name="What runs here").focus()
    page.keyboard.press("End")
    page.get_by_role("link", name="owner/name-00000").wait_for()
    page.keyboard.press("Home")
    page.get_by_role("link", name="owner/name-09999").wait_for()


def test_the_focus_stays_on_its_row_while_rows_are_drawn_anew(site: Path, watched: Watched) -> None:
    """Tab goes from link to link beyond the rows that were there at first; a mouse that scrolls does not lose it."""
    page = watched.page
    page.goto((site / "models/index.html").as_uri())
    page.get_by_role("link", name="owner/name-09999").focus()
    for number in range(9998, 9998 - 80, -1):
        page.keyboard.press("Tab")
        page.evaluate("() => new Promise(requestAnimationFrame)")
        assert page.evaluate("document.activeElement.textContent") == f"owner/name-{number:05d}"
    box = page.locator("#ranking .rows")
    box.evaluate("box => { box.scrollTop = box.scrollHeight / 2; }")
    page.get_by_role("link", name="owner/name-05000").wait_for()
    assert box.evaluate("box => box === document.activeElement")


def test_a_key_goes_past_the_rows(site: Path, watched: Watched) -> None:
    page = watched.page
    page.goto((site / "devices/device-a.html").as_uri())
    page.locator("#ranking").get_by_role("button", name="Skip the rows").press("Enter")
    assert page.evaluate("document.activeElement.textContent") == "Read from the view best_fit."
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.getAttribute('aria-label')") == (
        "From the label to what an engine may fill"
    )


def test_the_heat_map_is_a_grid_whose_cells_open_devices(small_site: Path, watched: Watched) -> None:
    page = watched.page
    page.goto((small_site / "models/owner--name.html").as_uri())
    grid = page.get_by_role("grid").first
    assert grid.get_by_role("columnheader").all_inner_texts() == ["GiB", "24", ""]
    assert grid.get_by_role("columnheader", name="Device B").count() == 1
    grid.get_by_role("gridcell").first.focus()
    page.keyboard.press("End")
    assert page.evaluate(FOCUSED)["name"] == "Device B: sharded over 2"
    page.keyboard.press("Home")
    assert page.evaluate(FOCUSED) == {"name": "Device A: fits", "is_seen": True, "is_marked": True}


def test_the_search_says_how_many_it_found(small_site: Path, watched: Watched) -> None:
    page = watched.page
    page.goto((small_site / "index.html").as_uri())
    search = page.get_by_label("Find a model or a device")
    said = page.locator("#found[role=status]")
    for words, told in (("e", "2 hits"), ("device", "1 hit"), ("no such thing", "nothing found"), ("", "")):
        search.fill(words)
        assert said.text_content() == told


MOVING = """() => [...document.querySelectorAll("*")].filter(it => {
    const style = getComputedStyle(it);
    return style.animationName !== "none" || parseFloat(style.transitionDuration) || style.scrollBehavior !== "auto";
}).map(it => it.tagName)"""


@pytest.mark.parametrize("path", PATHS)
def test_nothing_moves_by_itself(small_site: Path, watched: Watched, path: str) -> None:
    """For nobody, so that there is nothing to reduce for those who ask for it."""
    assert opened(watched.page, small_site, path).evaluate(MOVING) == []


# Words, glyphs, fills and lines against the paper of a reader who chose white on black.
ERASED = """() => {
    const paper = getComputedStyle(document.body).backgroundColor;
    const drawn = [...document.querySelectorAll(".map td, .key i, .tally li, .verdict span, :is(text, path, rect)")];
    return [paper, drawn.length, drawn.filter(it => {
        const style = getComputedStyle(it), is_svg = it instanceof SVGElement;
        if (!is_svg) return style.color === style.backgroundColor || style.color === paper || !it.textContent.trim();
        return [style.fill, style.stroke].every(colour => colour === paper || colour === "none");
    }).map(it => it.outerHTML)];
}"""


@pytest.mark.parametrize(
    "path",
    ["index.html", "models/owner--name.html", "procurement.html", "validation.html", "trends.html", "quality.html"],
)
def test_colours_of_the_readers_own_keep_glyphs_and_drawings(small_site: Path, watched: Watched, path: str) -> None:
    page = watched.page
    page.emulate_media(forced_colors="active", color_scheme="dark")
    paper, drawn, erased = opened(page, small_site, path).evaluate(ERASED)
    assert paper == "rgb(0, 0, 0)"
    assert drawn > 0
    assert erased == []
    lines = "links => links.filter(link => getComputedStyle(link).borderBottomColor !== 'rgb(0, 0, 0)').length"
    here = page.locator(".top a[aria-current]").count()
    assert here == 1
    assert page.locator(".top a").evaluate_all(lines) == here
