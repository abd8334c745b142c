"""The page of trends: its sentences, its findings, what it leaves out, and how large it is."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

from history import nights, trends_page
from made_up_night import NIGHT

from reports import render
from reports.trend_charts import MOST_NIGHTS, charts, thinned
from reports.trend_words import classes, figures, marks, sentences
from reports.trends import TrendsPage, device, percent, shown_classes


def test_one_night_says_so_and_shows_no_chart() -> None:
    page = trends_page(1)
    assert sentences(page) == (
        "This is the first published night; a trend begins with the second.",
        "In this night: 218 models read; one consumer device of 24 GiB holds 58 % of those whose need is known.",
    )
    html = render.trends(page)
    assert "<svg" not in html
    assert "First night" not in html
    assert '<td>float</td><td class="n">82 %</td>' in html
    assert '<th scope="row">consumer 24 GiB</th><td class="n">5</td><td class="n">58 %</td>' in html


def test_what_moved_is_said_in_words() -> None:
    page = trends_page(12)
    assert sentences(page) == (
        "Over 12 nights since 2025-12-22: models 177 → 218; one consumer device of 24 GiB holds 61 % of those whose"
        " need is known, 58 % before.",
        "Parameters of the decoder in the middle: 8.00 B, 7.00 B before; of the largest: 1,040 B, 671 B before.",
        "1 night had another list of models than the night before: a step there says more of the list than of the"
        " models.",
    )
    assert [chart.title for chart in charts(page)] == [
        "What one device holds moved most for the datacenter device of 256 GiB: 94 %, 91 % before",
        "Parameters of the decoder in the middle: 8.00 B, 7.00 B before",
        "Most models are stored as float: 72 %, 82 % before",
        "Models that are read: 218, 177 before; that fail: 3, as before",
    ]


def test_a_figure_that_began_later_says_since_when() -> None:
    page = trends_page(3)
    first = page.nights[0].run_id
    fit = {run_id: value for run_id, value in page.figures["fit", "consumer 24 GiB"].items() if run_id != first}
    page = replace(page, figures={**page.figures, ("fit", "consumer 24 GiB"): fit})
    assert "holds 61 % of those whose need is known, 60 % on 2026-01-01." in sentences(page)[0]


def test_nothing_moved() -> None:
    page = trends_page(2)
    before, now = page.nights
    same = {key: dict.fromkeys((before.run_id, now.run_id), values[now.run_id]) for key, values in page.figures.items()}
    page = replace(page, figures=same, nights=[replace(before, models_listed=221), now])
    assert sentences(page)[0] == (
        "Over 2 nights since 2026-01-01: models 218, as before; one consumer device of 24 GiB holds 61 % of those whose"
        " need is known, as before."
    )
    assert charts(page)[0].title == "What one device holds moved by less than a point"


def test_nothing_is_known() -> None:
    """Every night is older than trends are, or reads no decoder."""
    page = trends_page(2)
    bare = {key: values for key, values in page.figures.items() if key[0] == "models"}
    page = replace(page, figures=bare, workload=None)
    assert sentences(page)[:2] == (
        "Over 2 nights since 2026-01-01: models 218, as before; what devices hold is unknown.",
        "How many parameters decoders have is unknown.",
    )
    html = render.trends(page)
    assert html.count("no two nights have these figures") == 3
    assert "What models are stored in is unknown" in html
    assert "No class of devices in this run." in html


def test_other_methods_and_workloads_are_told() -> None:
    page = trends_page(2, elsewhere=2)
    page = replace(page, nights=[replace(page.nights[0], code_version="older"), page.nights[1]])
    assert sentences(page)[-2:] == (
        "2 versions of hubfit counted these nights: a step may also come of another method.",
        "2 nights asked another workload, so what devices held then is not compared.",
    )


def listing(*listed: int, source: str = "snapshot") -> TrendsPage:
    made = [replace(then, models_listed=number) for then, number in zip(nights(len(listed)), listed, strict=True)]
    return trends_page(nights=[*made[:-1], replace(made[-1], source=source)])


def test_another_list_is_marked_and_a_few_models_are_none() -> None:
    """A tenth is another list, as is another source of as many models."""
    assert marks(listing(200, 219, 200, 180, 180)) == ("2026-01-01 (200 → 180 listed)",)
    assert marks(listing(200, 200, source="hub")) == ("2026-01-02 (200 → 200 listed, snapshot → hub)",)
    assert marks(listing(0, 1)) == ("2026-01-02 (0 → 1 listed)",)
    assert marks(listing(0, 0)) == ()


def test_of_many_other_lists_the_largest_are_marked() -> None:
    page = listing(*(100 if n % 2 else 200 + n for n in range(40)))
    assert len(marks(page)) == 12
    assert marks(page)[-1] == "2026-01-01 (100 → 238 listed)"
    assert sentences(page)[2].startswith("39 nights had another list")


def test_a_chart_has_a_class_of_each_band_of_memory() -> None:
    """Workstations have as much memory as a consumer device that stands for them; eight are drawn of nine bands."""
    page = trends_page(2)
    assert shown_classes(page) == [
        "datacenter 256 GiB", "datacenter 192 GiB", "datacenter 128 GiB", "datacenter 80 GiB", "datacenter 48 GiB",
        "consumer 24 GiB", "consumer 16 GiB", "consumer 12 GiB",
    ]  # fmt: skip
    only = {key: values for key, values in page.figures.items() if not key[1].startswith(("consumer", "datacenter"))}
    assert shown_classes(replace(page, figures=only)) == ["workstation 24 GiB"]


def test_rare_families_are_drawn_together() -> None:
    """Ten families: seven lines, and one for the other three at 3 % each."""
    precisions = charts(trends_page(2))[2]
    assert len(precisions.columns) == 8
    assert precisions.columns[0] == "float"
    assert precisions.columns[-1] == "other"
    newest, cells = precisions.rows[0]
    assert (newest, cells[0], cells[-1]) == ("2026-01-02", "72 %", "9 %")


def test_a_family_that_went_is_none_of_the_models_and_not_unknown() -> None:
    page = trends_page(2)
    before = page.nights[0].run_id
    gone = {**page.figures, ("stored precision", "gone"): {before: 0.5}}
    rows = charts(replace(page, figures=gone))[2]
    at = list(rows.columns).index("gone")
    assert [cells[at] for _, cells in rows.rows] == ["0 %", "50 %"]


def test_four_hundred_nights_are_thinned_and_the_page_is_small() -> None:
    page = trends_page(400)
    html = render.trends(page)
    assert len(html.encode()) < 300_000
    assert "103 of 400 nights" in html
    first, *_, last = (label for label, _ in charts(page)[0].rows[::-1])
    assert (first, last) == ("2024-11-29", "2026-01-02")


def test_thinning_keeps_the_ends_and_what_is_marked_with_the_night_before() -> None:
    times = [then.started_at for then in nights(1000)]
    kept, pace = thinned(times, [501, 777])
    assert {0, 500, 501, 776, 777, 999} <= set(kept)
    assert len(kept) <= MOST_NIGHTS + 5
    assert all(0 < after - before <= 10 for before, after in pairwise(kept))
    assert timedelta(days=9) < pace < timedelta(days=10)
    assert thinned(times[:MOST_NIGHTS], []) == (list(range(MOST_NIGHTS)), timedelta(days=1))


def test_a_thinned_line_is_whole() -> None:
    chart = charts(trends_page(400))[0].chart
    assert chart is not None
    assert {line.d.count("M") for line in chart.lines} == {1}


def test_nights_of_one_day_are_told_by_the_minute() -> None:
    page = trends_page(nights=nights(3, every=timedelta(hours=2)))
    assert [label for label, _ in charts(page)[0].rows] == ["2026-01-02 03:00", "2026-01-02 01:00", "2026-01-01 23:00"]


def test_classes_are_sorted_by_segment_and_memory_and_say_what_is_stale() -> None:
    found = classes(trends_page(2))
    assert [row.item for row in found][:4] == [
        "consumer 8 GiB",
        "consumer 12 GiB",
        "consumer 16 GiB",
        "consumer 24 GiB",
    ]
    assert (found[3].fit, found[3].before, found[3].price, found[3].stale) == ("61 %", "58 %", "$0.35", 1)
    assert (found[0].price, found[0].stale) == ("no price", 0)


def test_a_class_that_the_engine_does_not_run_on_holds_no_share() -> None:
    page = trends_page(2)
    mac = {**page.figures, ("devices", "unified 24 GiB"): {then.run_id: 6.0 for then in page.nights}}
    [row] = [row for row in classes(replace(page, figures=mac)) if row.item == "unified 24 GiB"]
    assert (row.devices, row.before, row.fit) == ("6", "\N{EN DASH}", "\N{EN DASH}")


def test_figures_say_what_was_and_what_is() -> None:
    assert ("models", "read", "218", "218") in figures(trends_page(2))
    assert ("parameters", "largest", "671 B", "1,040 B") in figures(trends_page(2))
    assert ("known", "something unknown", "\N{EN DASH}", ">99 %") in figures(trends_page(1))


def test_words_of_shares_and_devices() -> None:
    assert [percent(value) for value in (0, 0.004, 0.5, 0.995, 1)] == ["0 %", "<1 %", "50 %", ">99 %", "100 %"]
    assert device("consumer 24 GiB") == "consumer device of 24 GiB"
    assert device("edge below 8 GiB") == "edge device below 8 GiB"


def test_every_chart_has_words_a_source_and_its_numbers() -> None:
    html = render.trends(trends_page(5))
    assert html.count("<svg ") == html.count("<desc ") == html.count("<details>") == 4
    assert html.count("Read from the table <code>trends</code>") == 5
    assert len(re.findall(r'aria-labelledby="(\S+)-title \1-desc"', html)) == 4
    assert NIGHT.run_id in html
