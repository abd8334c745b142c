from __future__ import annotations

import json
import re
import time
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import jinja2
import pytest
from made_up import device_page, model_page, pages
from made_up_night import HOSTILE, NIGHT

from reports import render
from reports.model import Column, Table

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
        assert not [name for name, _ in attrs if name.startswith("on")]
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


def test_the_first_page_of_a_site_with_scores_shows_them() -> None:
    page = pages(scored=True)["index.html"]
    assert "The best model that one device holds" in page
    assert (
        "Ranked by the scores of this site (arena), where no model with a score fits by effective parameters." in page
    )
    assert '<td class="n">1,071.5</td>' in page
    assert '<td class="n">by parameters</td>' in page
    assert "Read from the view <code>best_models</code>." in page
    assert "argest" not in page


def test_a_missing_value_is_an_error() -> None:
    with pytest.raises((jinja2.UndefinedError, AttributeError)):
        render.model(replace(model_page(), groups=[object()]))  # type: ignore[list-item]


def test_unknown_has_its_own_look_and_is_never_empty() -> None:
    page = render.model(model_page())
    assert page.count('class="unknown"') >= 5
    assert "None" not in re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    assert "None" not in re.sub(r"<script.*?</script>", "", render.device(device_page()), flags=re.DOTALL)


def test_device_list_is_a_script_that_cannot_be_broken_out_of() -> None:
    script = render.device_list([{"name": HOSTILE, "group": "x", "memory": "8 GiB"}])
    assert "</script>" not in script
    assert script.startswith("window.HUBFIT_DEVICES = [")


def test_a_model_page_is_light() -> None:
    assert len(render.model(model_page())) < 20_000


def test_a_model_page_is_fast() -> None:
    render.model(model_page())
    began = time.process_time()
    for _ in range(20):
        render.model(model_page())
    assert (time.process_time() - began) / 20 < 0.006  # 10,000 pages a minute


def rows_of(table: Table) -> list[str]:
    return [row[0].text for row in render.static_rows(table)]


def test_rows_without_scripts_are_picked_and_sorted_with_unknown_last() -> None:
    columns = (Column("id", "Id"), Column("size", "Size", "bytes"), Column("use", "Use", is_filter=True))
    made = Table("t", "T", "v", columns, [["a", 1, "x"], ["b", None, "x"], ["c", 3, "x"], ["d", 9, "y"]], sort="-size")
    assert rows_of(made) == ["d", "c", "a", "b"]
    assert rows_of(replace(made, picked={"use": "x"})) == ["c", "a", "b"]
    assert rows_of(replace(made, sort="size", picked={"use": "y"})) == ["d"]
    assert rows_of(replace(made, rows=[])) == []
    assert len(rows_of(replace(made, rows=[["a", 1, "x"]] * 99))) == render.STATIC_ROWS
    unknown = render.static_rows(made)[-1][1]
    assert (unknown.text, unknown.is_unknown) == ("unknown", True)


def test_a_ranking_starts_with_the_workload_of_its_sentence() -> None:
    page = device_page()
    columns = (Column("workload", "Workload", is_filter=True), *page.ranking.columns)
    rows = [["chat-8k", *page.ranking.rows[0]], ["other", *page.ranking.rows[1]]]
    html = render.device(replace(page, ranking=replace(page.ranking, columns=columns, rows=rows)))
    assert '"picked":{"workload":"chat-8k"}' in html


def test_nothing_known_of_a_model_is_said_in_words() -> None:
    page = replace(
        model_page(),
        parameters=None,
        fits_on=0,
        bars=[],
        heats=[],
        groups=[],
        options=[],
        artifacts=[],
        confidence=None,
    )
    html = render.model(page)
    assert html.count('<span class="unknown">unknown</span>') >= 3
    assert "No weight files were listed." in html
