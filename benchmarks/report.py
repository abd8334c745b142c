"""The report in a real browser: how heavy each kind of page is, when it is painted, and how long a keystroke takes.

A night of `night.py` is estimated, built and rendered; then headless Chromium opens a page of each kind from the disk,
three times, and the median counts. Prints every figure with the floor it is compared with.

    python benchmarks/report.py [MODELS]
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

from night import prepared
from playwright.sync_api import Browser, sync_playwright

from flows import inputs, night_plan, report, stages, warehouse
from flows.changes.compare import compare
from flows.settings import Settings

TRIES = 3
KINDS = (
    *("index.html", "models/index.html", "devices/index.html", "devices/nvidia-h100-sxm-80gb.html", "procurement.html"),
    *("compare.html", "changes.html", "trends.html", "validation.html", "quality.html", "method.html"),
)
PAINTED = """() => new Promise(answer => {
    const seen = () => performance.getEntriesByName("first-contentful-paint")[0];
    if (seen()) return answer(seen().startTime);
    new PerformanceObserver((list, observer) => {
        if (seen()) { observer.disconnect(); answer(seen().startTime); }
    }).observe({type: "paint", buffered: true});
})"""
# From the event to the end of the layout that it causes, median over what somebody types.
TYPED = """() => {
    const input = document.querySelector(".big-table input[type=search], form.search input");
    if (!input) return null;
    const times = ["q", "qw", "qwe", "qwen", "qwe", "a", "7b", ""].map(text => {
        const began = performance.now();
        input.value = text;
        input.dispatchEvent(new Event("input", {bubbles: true}));
        document.body.getBoundingClientRect();
        return performance.now() - began;
    });
    return times.sort((a, b) => a - b)[Math.floor(times.length / 2)];
}"""


def rendered(place: Path, models: int) -> Path:
    """The report of a night of so many models."""
    target = prepared(place, models)
    for shard in range(stages.shapes(target)):
        stages.estimate(target, shard)
    night_plan.write(target, inputs.open_source("snapshot", Settings(data=place / "data")))
    database, folder = place / "built.duckdb", place / "report"
    warehouse.build(target, database)
    compare(database, None)
    started = time.perf_counter()
    report.write(database, folder)
    files = [path for path in folder.rglob("*") if path.is_file()]
    size = sum(path.stat().st_size for path in files)
    print(f"{len(files):,} files, {size / 1e6:,.0f} MB, rendered in {time.perf_counter() - started:.1f} s")
    return folder


def opened(browser: Browser, page: Path) -> tuple[float, float | None]:
    """Milliseconds to the first paint with content, and of a keystroke where the page has a filter."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    try:
        tab = context.new_page()
        tab.goto(page.as_uri())
        return tab.evaluate(PAINTED), tab.evaluate(TYPED)
    finally:
        context.close()


def main() -> None:
    models = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        sys.exit("no Chromium on this machine: install Debian's chromium")
    with tempfile.TemporaryDirectory(prefix="hubfit-bench-") as name, sync_playwright() as playwright:
        folder = rendered(Path(name), models)
        pages = [folder / kind for kind in KINDS]
        of_models = [path for path in (folder / "models").glob("*.html") if path.name != "index.html"]
        pages.append(max(of_models, key=lambda path: path.stat().st_size))
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        print("floors: a page under 300 kB without its rows beside it, painted in 1,000 ms, a keystroke in 100 ms")
        for page in pages:
            tries = [opened(browser, page) for _ in range(TRIES)]
            typed = [key for _, key in tries if key is not None]
            key = f"{statistics.median(typed):>7.1f} ms" if typed else "   no filter"
            shown = page.relative_to(folder).as_posix()
            shown = "the largest page of a model" if shown.startswith("models/") and "index" not in shown else shown
            print(
                f"{shown:<42}{page.stat().st_size / 1000:>8.0f} kB"
                f"   painted {statistics.median(paint for paint, _ in tries):>6.0f} ms   keystroke {key}"
            )
        browser.close()


if __name__ == "__main__":
    main()
