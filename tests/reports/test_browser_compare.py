"""compare.html in a real browser, from disk: chosen by address, search and link, and what it says of it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from chromium import CHROMIUM, CONTRAST, NO_CHROMIUM, Watched
from made_up_night import HOSTILE, HOSTILE_NAMES
from playwright.sync_api import Browser, Page, expect

from reports import render

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason=NO_CHROMIUM)
BOTH = "?models=owner/dense,owner/windowed"
SIZES = [{"width": 1280, "scheme": "light"}, {"width": 1280, "scheme": "dark"}, {"width": 360, "scheme": "light"}]


def opened(watched: Watched, site: Path, query: str) -> Page:
    watched.page.goto((site / "compare.html").as_uri() + query)
    return watched.page


def row(page: Page, title: str) -> list[str]:
    found = page.locator("#compared tr", has=page.get_by_role("rowheader", name=title, exact=True)).first
    return [" ".join(text.split()) for text in found.locator("td").all_inner_texts()]


def loaded(watched: Watched) -> set[str]:
    return {url.rsplit("/compare/", 1)[1] for url in watched.requests if "/compare/" in url}


def test_models_are_chosen_by_the_address(site: Path, watched: Watched) -> None:
    page = opened(watched, site, BOTH)
    expect(page.locator("#verdict")).to_have_text(
        "For one chat, owner/dense fits on 2 of 2 devices and owner/windowed on 1;"
        " the cheapest sure way costs $0.50 per hour for owner/dense and $2.00 (stale) for owner/windowed."
    )
    assert row(page, "Parameters") == ["8.03 B", "20.91 B"]
    assert row(page, "Active per token") == ["8.03 B", "4.19 B"]
    assert row(page, "Longest context, tokens") == ["131,072", "131,072"]
    assert row(page, "Confidence of the counts") == ["■ exact", "▣ derived"]
    # 131,072,000 bytes of 2^30; 24,576,000 of them, and 144 x 24,576 = 3,538,944 of 2^20
    assert row(page, "KV cache per 1,000 tokens") == [
        "0.12 GiB",
        "0.02 GiB and up to 3.38 MiB in windows of 144 tokens",
    ]
    assert row(page, "Smallest device") == ["Device A at nf4_dq", "Device C at bf16"]
    assert row(page, "Cheapest sure way") == [
        "$0.50 per hour 2 \N{MULTIPLICATION SIGN} Device A at bf16 price of 2026-01-01, 1 day old",
        "$2.00 per hour ◇ stale Device C at bf16 price of 2025-01-01, 366 days old",
    ]
    assert row(page, "Device A") == ["● fits at bf16, 86.6 tokens/s", "○ too big"]
    assert row(page, "Device B") == ["◫ sharded over 2 at bf16, speed unknown", "◐ tight at bf16, 20 tokens/s"]
    assert watched.complaints == []
    assert page.title() == "owner/dense and owner/windowed · hubfit"


def test_what_each_needs_is_stacked_on_one_scale(site: Path, watched: Watched) -> None:
    page = opened(watched, site, BOTH)
    table = page.locator("table.stack")
    heads = [text.strip() for text in table.locator("thead th").all_inner_texts()]
    assert heads[-4:] == ["weights", "cache", "activation", "overhead"]
    bodies = table.locator("tbody")
    assert bodies.nth(0).locator("tr").nth(1).locator(".total").inner_text() == "20.00 GiB"
    assert bodies.nth(0).locator("tr").nth(2).locator(".total").inner_text() == "40.00 GiB"
    # 15 of 40 GiB, and 35
    widths = [bodies.nth(0).locator("tr").nth(at).locator("rect.p-weights").get_attribute("width") for at in (1, 2)]
    assert widths == ["375.0", "875.0"]
    assert bodies.nth(1).locator("tr").nth(2).locator(".total").inner_text() == "unknown", "it has no 4 bits"


def test_which_devices_hold_one_and_not_another(site: Path, watched: Watched) -> None:
    page = opened(watched, site, BOTH)
    assert page.locator("#difference .headlines li").all_inner_texts() == [
        "only owner/dense: 1 device: Device A",
        "both: 1 device: Device C",
        "neither: 1 device: Device B",
    ]
    page.get_by_label("Who fits").select_option("only owner/dense")
    assert page.locator("#difference .count").inner_text() == "1 of 3 rows"
    assert "difference.fits=only+owner" in page.url
    page.reload()
    assert page.locator("#difference .count").inner_text() == "1 of 3 rows"


def test_a_table_that_is_gone_listens_no_more(site: Path, watched: Watched) -> None:
    """It would take the filter of the new one, which it does not know, out of the address."""
    page = opened(watched, site, BOTH)
    page.get_by_label("Add a model").fill("name")
    page.get_by_label("Add a model").press("Enter")
    expect(page.get_by_label("Who fits")).to_contain_text("only owner/dense and owner/name")
    page.evaluate("location.hash = 'difference.fits=only owner/dense and owner/name'")
    expect(page.locator("#difference .count")).to_have_text("1 of 3 rows")
    assert "difference.fits=only" in page.url


def test_devices_are_chosen_by_the_address(site: Path, watched: Watched) -> None:
    page = opened(watched, site, "?devices=device-a,device-b,device-c")
    expect(page.locator("#verdict")).to_have_text(
        "Of 2 models (weights alone) one Device A runs 1 and one Device B 2; how many run on Device C is unknown;"
        " the largest is owner/dense on Device A and owner/windowed on Device B; an hour costs $0.35 for Device A and"
        " $2.50 (stale) for Device B; no price to rent is known for Device C."
    )
    assert row(page, "Memory a process sees") == ["23.00 GiB", "23.00 GiB", "unknown"]
    assert row(page, "Bandwidth, GB/s") == ["1,008", "1,008", "unknown"]
    assert row(page, "FP4, dense, TFLOP/s") == ["does not compute in it"] * 3
    assert row(page, "BF16, dense, TFLOP/s")[2] == "unknown"
    assert row(page, "Models on one") == ["1", "2", "unknown"]
    assert row(page, "Largest model on one")[2] == "none that is known"
    assert row(page, "Cheapest on demand") == [
        "$0.35 per hour by acme price of 2026-01-01, 1 day old",
        "$2.50 per hour ◇ stale by acme price of 2026-01-01, 1 day old",
        "no price",
    ]
    assert row(page, "To buy")[0] == "$1,400.00 ◇ stale price of 2025-06-01, 214 days old"
    assert watched.complaints == []


def test_what_one_device_runs_and_another_does_not(site: Path, watched: Watched) -> None:
    page = opened(watched, site, "?devices=device-a,device-b")
    assert page.locator("#difference .headlines li").all_inner_texts() == [
        "only Device B: 1 model: owner/windowed",
        "both: 2 models: owner/dense and owner/name",
        "unknown of at least one: 1 model: owner/unknown",
    ]
    first = page.locator("#difference tbody tr:not(.spacer)").first.locator("td")
    assert first.all_inner_texts() == ["owner/windowed", "only Device B", "20.91 B", "○ too big", "● fits"]
    assert first.locator("a").get_attribute("href") == "models/owner--windowed.html"


def test_models_are_chosen_by_search_and_keyboard_and_the_back_button_leads_back(site: Path, watched: Watched) -> None:
    page = opened(watched, site, "")
    expect(page.locator("#verdict")).to_have_text("Choose 2 to 4 models, or 2 to 4 devices.")
    page.get_by_label("Add a model").fill("dense")
    page.get_by_label("Add a model").press("Enter")
    expect(page.locator("#verdict")).to_have_text("Choose one more model to put beside owner/dense.")
    assert page.evaluate("document.activeElement.id") == "q"
    page.keyboard.type("wind")
    page.locator("#hits a").click()
    expect(page.locator("#verdict")).to_contain_text("owner/dense fits on 2 of 2 devices and owner/windowed on 1")
    assert page.url.endswith(BOTH)
    page.go_back()
    expect(page.locator("#verdict")).to_contain_text("one more model")
    assert page.url.endswith("?models=owner/dense")
    page.go_back()
    expect(page.locator("#verdict")).to_have_text("Choose 2 to 4 models, or 2 to 4 devices.")
    page.go_forward()
    page.go_forward()
    expect(page.locator("#compared table.stack")).to_be_visible()
    page.get_by_label("Take away owner/dense").click()
    expect(page.locator("#verdict")).to_contain_text("beside owner/windowed")
    assert watched.complaints == []


def test_a_search_says_what_it_found(site: Path, watched: Watched) -> None:
    page = opened(watched, site, "?models=owner/dense")
    page.get_by_label("Add a model").fill("owner")
    expect(page.locator("#hits li")).to_have_text(["owner/windowed", "owner/unknown", "owner/name"])
    expect(page.locator("#found")).to_have_text("3 names found")
    page.get_by_label("Add a model").fill("no such thing")
    expect(page.locator("#hits")).to_have_text("nothing found")
    page.get_by_label("Add a model").fill("")
    expect(page.locator("#hits li")).to_have_count(0)


def test_enter_takes_the_name_that_was_typed_and_not_a_longer_one(site: Path, watched: Watched) -> None:
    index = site / "compare" / "models.js"
    usual = index.read_text(encoding="utf-8")
    more = [[f"other/dense-{n}", f"other--dense-{n}", None] for n in range(20)]
    rows = [*more, ["owner/dense", "owner--dense", None]]
    index.write_text(render.compared("models", ["model_id", "slug", "parameters"], rows), encoding="utf-8")
    try:
        page = opened(watched, site, "")
        page.get_by_label("Add a model").fill(" Dense")
        expect(page.locator("#hits li").first).to_have_text("owner/dense")
        assert page.locator("#hits li").count() == 12
        page.get_by_label("Add a model").press("Enter")
        expect(page.locator("#verdict")).to_have_text("Choose one more model to put beside owner/dense.")
    finally:
        index.write_text(usual, encoding="utf-8")


def test_links_of_models_and_devices_lead_here(site: Path, watched: Watched) -> None:
    page = watched.page
    page.goto((site / "models/owner--name.html").as_uri())
    page.get_by_role("link", name="Compare with other models").click()
    expect(page.locator("#verdict")).to_have_text("Choose one more model to put beside owner/name.")
    page.goto((site / "devices/device-a.html").as_uri())
    page.get_by_role("link", name="Compare with other devices").click()
    expect(page.locator("#verdict")).to_have_text("Choose one more device to put beside Device A.")
    page.get_by_role("link", name="Compare", exact=True).click()
    page.locator("#examples a:visible").click()
    expect(page.locator("#verdict")).to_contain_text("owner/dense fits on 2 of 2 devices and owner/name on 2")
    page.get_by_role("navigation", name="What to compare").get_by_role("link", name="Devices").click()
    expect(page.get_by_label("Add a device")).to_be_visible()
    assert watched.complaints == []


@pytest.mark.parametrize("id_", [*HOSTILE_NAMES, "__proto__", "constructor", "nobody/nothing", "%E0%A4%A"])
@pytest.mark.parametrize("kind", ["models", "devices"])
def test_an_id_that_nobody_has_is_named_and_starts_nothing(site: Path, watched: Watched, kind: str, id_: str) -> None:
    good = "owner/dense" if kind == "models" else "device-a"
    asked = id_ if id_.startswith("%") else quote(id_, safe="/")
    page = opened(watched, site, f"?{kind}={asked},{good}")
    expect(page.locator("#remarks code")).to_have_text(id_)
    expect(page.locator("#verdict")).to_contain_text("Choose one more")
    assert page.locator("#compared h2").first.is_visible()
    assert page.locator("main img, main script:not([type])").count() == 0
    assert watched.complaints == []


def test_nothing_that_is_named_is_there(site: Path, watched: Watched) -> None:
    page = opened(watched, site, "?models=a/b,c/d")
    expect(page.locator("#verdict")).to_have_text("Nothing that the address names is in this night.")
    expect(page.locator("#remarks a")).to_have_count(2)
    assert page.locator("#compared *").count() == 0


def test_more_than_four_are_told_and_not_drawn(site: Path, watched: Watched) -> None:
    page = opened(watched, site, "?models=a/1,a/2,owner/dense,owner/unknown,owner/windowed,a/3")
    expect(page.locator("#remarks p").last).to_have_text(
        "No more than 4 stand side by side; left out: owner/windowed, a/3."
    )
    assert page.get_by_label("No more than 4 models stand side by side").is_disabled()


def test_a_messenger_s_comma_and_an_id_named_twice(site: Path, watched: Watched) -> None:
    page = opened(watched, site, "?models=owner%2Fdense%2Cowner%2Fwindowed%2Cowner%2Fdense")
    expect(page.locator("#chosen li")).to_have_count(2)
    expect(page.locator("#verdict")).to_contain_text("owner/windowed on 1")


def test_only_what_is_asked_for_is_loaded(site: Path, watched: Watched) -> None:
    page = opened(watched, site, "")
    expect(page.get_by_label("Add a model")).to_be_visible()
    assert loaded(watched) == set()
    page = opened(watched, site, "?models=owner/dense")
    expect(page.locator("#compared h2").first).to_be_visible()
    rows = {name for name in loaded(watched) if name != "devices.js"}
    assert len(rows) == 1
    assert re.fullmatch(r"models-\d\.js", rows.pop()), "the list of all models is for who searches"
    assert all(url.startswith(("file:", "data:")) for url in watched.requests)


def test_a_script_that_is_missing_is_told(site: Path, watched: Watched) -> None:
    (site / "compare" / "on-device-c.js").rename(site / "compare" / "away.js")
    try:
        page = opened(watched, site, "?devices=device-a,device-c")
        expect(page.locator("#verdict")).to_have_text(
            "Nothing can be put side by side: compare/on-device-c.js beside this page is not there."
        )
    finally:
        (site / "compare" / "away.js").rename(site / "compare" / "on-device-c.js")


def test_unknown_is_told_as_unknown(site: Path, watched: Watched) -> None:
    page = opened(watched, site, "?models=owner/unknown,owner/dense")
    expect(page.locator("#verdict")).to_have_text(
        "For one chat, owner/dense fits on 2 of 2 devices; no single device is known to hold owner/unknown;"
        " the cheapest sure way costs $0.50 per hour for owner/dense; none with a price is known for owner/unknown."
    )
    for title in ("Kind", "Parameters", "Active per token", "Longest context, tokens", "License", "Fits on"):
        assert row(page, title)[0] == "unknown", title
    assert row(page, "Confidence of the counts")[0] == "? unknown"
    assert row(page, "KV cache per 1,000 tokens")[0] == "unknown"
    assert row(page, "Device A")[0] == "? unknown"
    assert page.locator("#difference .headlines li").all_inner_texts() == [
        "unknown of at least one: 3 devices: Device A, Device B and Device C"
    ]
    text = page.locator("#compared").inner_text()
    assert not re.search(r"null|undefined|NaN|\[object", text)


def words(page: Page, name: str, *arguments: Any) -> Any:
    return page.evaluate("([name, rest]) => window.HUBFIT.words[name](...rest)", [name, list(arguments)])


def test_sentences_for_one_for_none_and_for_all(site: Path, watched: Watched) -> None:
    page = opened(watched, site, "")
    told = {"served": ["w", "one chat"], "first": ["v", "a cache"], "devices": 1, "models": 1}
    a = {"model_id": "a", "fits_on": 1, "cheapest": None}
    b = {"model_id": "b", "fits_on": 0, "cheapest": None}
    assert words(page, "models", [a, b], told) == (
        "For one chat, a fits on 1 of 1 device; no single device is known to hold b; no sure way with a price is known."
    )
    assert words(page, "models", [b, {**b, "model_id": "c"}, {**b, "model_id": "d"}], told) == (
        "For one chat, no single device is known to hold b, c or d; no sure way with a price is known."
    )
    x = {"name": "X", "models_on_one": 0, "largest_model": None, "usd_per_gpu_hour": None}
    y = {**x, "name": "Y", "models_on_one": 1, "usd_per_gpu_hour": 1}
    assert words(page, "devices", [x, y], told) == (
        "Of 1 model (a cache) one X runs none and one Y 1; an hour costs $1.00 for Y; no price to rent is known for X."
    )
    assert words(page, "devices", [x, y], {**told, "models": 0}) == (
        "No model was read this night, so nothing can be said about X and Y."
    )
    assert [words(page, "who", answers, ["a", "b", "c"]) for answers in (
        [True, True, True], [False, False, False], [True, False, True], [False, True, False], [True, None, False],
    )] == ["all", "none", "only a and c", "only b", None]  # fmt: skip
    assert words(page, "tallied", "only a", ["1", "2", "3", "4", "5", "6"], "model") == (
        "only a: 6 models, such as 1, 2, 3, 4 and 5"
    )


@pytest.mark.parametrize("watched", SIZES, indirect=True, ids=["light", "dark", "phone"])
@pytest.mark.parametrize(
    "query",
    ["?models=owner/dense,owner/windowed,owner/unknown,owner/name", "?devices=device-a,device-b,device-c", "?devices="],
)
def test_it_is_readable_on_every_screen_and_on_paper(site: Path, watched: Watched, query: str) -> None:
    page = opened(watched, site, query)
    if query != "?devices=":
        expect(page.locator("#difference tbody tr").first).to_be_attached()
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert page.evaluate(CONTRAST) == []
    page.emulate_media(media="print")
    assert page.evaluate(CONTRAST) == []
    assert not page.get_by_role("searchbox").first.is_visible()


def test_hostile_names_are_inert_wherever_they_stand(hostile_site: Path, watched: Watched) -> None:
    page = opened(watched, hostile_site, f"?models={quote(HOSTILE, safe='')},owner/dense")
    expect(page.locator("#verdict")).to_contain_text(f"{HOSTILE} fits on 2 of 2 devices".replace("\u2028", " "))
    assert page.locator("#difference .headlines li").count() > 0
    opened(watched, hostile_site, "?devices=device-a,device-b")
    expect(page.locator("#verdict")).to_contain_text("</script>")
    page.get_by_label("Add a device").fill("script")
    expect(page.locator("#hits li")).to_have_text("nothing found")
    opened(watched, hostile_site, "?models=owner/dense")
    page.get_by_label("Add a model").fill("script")
    page.locator("#hits a").click()
    expect(page.locator("#verdict")).to_contain_text("fits on 2")
    assert page.locator("main img, main script:not([type])").count() == 0
    assert watched.complaints == []


def test_without_scripts_the_page_says_what_it_needs(site: Path, browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False, viewport={"width": 360, "height": 900})
    page = context.new_page()
    page.goto((site / "compare.html").as_uri() + BOTH)
    assert "This page needs scripts" in page.locator("noscript").inner_text()
    assert not page.locator("#q").is_visible()
    assert page.locator("noscript a").count() == 2
    context.close()
