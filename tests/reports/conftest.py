"""A browser a module, and reports for it to open."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from chromium import CHROMIUM, Watched, write
from made_up_night import HOSTILE
from playwright.sync_api import Browser, sync_playwright


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


@pytest.fixture
def watched(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Watched]:
    options = getattr(request, "param", {"width": 1280, "scheme": "light"})
    context = browser.new_context(
        viewport={"width": options["width"], "height": 900}, color_scheme=options["scheme"], accept_downloads=True
    )
    yield Watched(context.new_page())
    context.close()
