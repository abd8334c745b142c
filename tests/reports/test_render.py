from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import jinja2
import pytest
from made_up import HOSTILE, NIGHT, device_page, model_page, pages

from reports import charts, render
from reports.model import Bar, Step

GOLDEN = Path(__file__).parents[1] / "golden" / "report"


@pytest.mark.parametrize("path", sorted(pages()))
def test_pages_are_golden(path: str, request: pytest.FixtureRequest) -> None:
    page = pages()[path]
    golden = GOLDEN / path.replace("/", "--")
    if request.config.getoption("--update-golden"):
        golden.parent.mkdir(parents=True, exist_ok=True)
        golden.write_text(page, encoding="utf-8")
    assert page == golden.read_text(encoding="utf-8")


class Elements(HTMLParser):
    """Counts elements and collects the JSON of scripts, as a browser would split the page."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[str] = []
        self.scripts: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        assert not [name for name, _ in attrs if name.startswith("on") and name != "onsubmit"]
        for name, value in attrs:
            assert name != "href" or not (value or "").lower().startswith("javascript:")

    def handle_data(self, data: str) -> None:
        if self.seen and self.seen[-1] == "script" and data.strip().startswith(("{", "[")):
            self.scripts.append(data)


def parsed(page: str) -> Elements:
    elements = Elements()
    elements.feed(page)
    return elements


@pytest.mark.parametrize("path", sorted(pages()))
def test_hostile_text_is_inert(path: str) -> None:
    safe, hostile = parsed(pages()[path]), parsed(pages(HOSTILE)[path])
    assert hostile.seen == safe.seen
    for script in hostile.scripts:
        json.loads(script)
        assert "\u2028" not in script
    assert "<script>alert" not in pages(HOSTILE)[path]


def test_every_page_says_which_night_it_is_and_asks_the_network_for_nothing() -> None:
    for page in pages().values():
        assert NIGHT.run_id in page
        assert not re.search(r"(?:src|href)=\"(?:https?:)?//", page)


def test_a_missing_value_is_an_error() -> None:
    with pytest.raises((jinja2.UndefinedError, AttributeError)):
        render.model(replace(model_page(), groups=[object()]))  # type: ignore[list-item]


def test_unknown_has_its_own_look_and_is_never_empty() -> None:
    page = render.model(model_page())
    assert page.count('class="unknown"') >= 5
    assert "None" not in re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    assert "None" not in re.sub(r"<script.*?</script>", "", render.device(device_page()), flags=re.DOTALL)


def test_bars_share_a_scale_and_unknown_parts_are_not_drawn() -> None:
    long, unknown = charts.stacked(
        [Bar("a", {"weights": 3, "cache": 1}, 4), Bar("b", {"weights": None, "cache": 2}, None)]
    )
    assert [(s.part, s.x, s.width) for s in long.segments] == [("weights", 0.0, 750.0), ("cache", 750.0, 250.0)]
    assert [(s.part, s.width) for s in unknown.segments] == [("cache", 500.0)]
    assert unknown.is_unknown
    assert unknown.total == "unknown"
    assert charts.stacked([]) == ()


def test_the_waterfall_skips_what_is_not_published() -> None:
    first, last = charts.waterfall([Step("a", 4 * 2**30), Step("b", None), Step("c", 2**30)])
    assert (first.width, first.lost) == (1000.0, None)
    assert (last.width, last.lost) == (250.0, "3.00 GiB")


def test_device_list_is_a_script_that_cannot_be_broken_out_of() -> None:
    script = render.device_list([{"name": HOSTILE, "group": "x", "memory": "8 GiB"}])
    assert "</script>" not in script
    assert script.startswith("window.HUBFIT_DEVICES = [")


def test_a_model_page_is_light() -> None:
    assert len(render.model(model_page())) < 20_000
