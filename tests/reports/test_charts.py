from __future__ import annotations

from dataclasses import replace

from made_up_night import NIGHT

from reports import charts, findings
from reports.model import Bar, Finding, Heat, Overview, Step, Workload

CHAT = Workload("chat", "Chat")
HELD = Finding("RTX", "d", 24.0, "a/b", "m", 8 * 10**9, "bf16")
NONE = Finding("B", "b", 24.0, None, None, None, None)


def test_bars_share_a_scale_and_unknown_parts_are_not_drawn() -> None:
    bars = [Bar("a", {"weights": 3, "cache": 1, "state": 0}, 4), Bar("b", {"weights": None, "cache": 2}, None)]
    stack = charts.stacked(bars)
    long, unknown = stack.bars
    assert stack.parts == ("weights", "cache")
    assert [(s.part, s.x, s.width) for s in long.segments] == [("weights", 0.0, 750.0), ("cache", 750.0, 250.0)]
    assert [(s.part, s.width) for s in unknown.segments] == [("cache", 500.0)]
    assert unknown.values == (None, 2)
    assert unknown.is_unknown
    assert unknown.total == "unknown"
    assert charts.stacked([]) == charts.Stack((), ())


def test_the_waterfall_skips_what_is_not_published() -> None:
    first, last = charts.waterfall([Step("a", 4 * 2**30), Step("b", None), Step("c", 2**30)])
    assert (first.width, first.lost, first.lost_width) == (1000.0, None, 0.0)
    assert (last.width, last.lost, last.lost_width) == (250.0, "3.00 GiB", 750.0)
    assert charts.waterfall([]) == ()


def test_the_heat_map_has_an_alternative_in_numbers() -> None:
    [row] = charts.tallies(Heat(CHAT, [("bf16", "ff2t?gx-o")]))
    assert row.devices == (2, 1, 2, 1, 1, 1, 1)


def test_strip_and_shares_have_bars_on_one_scale() -> None:
    assert charts.reach([HELD, replace(HELD, parameters=16 * 10**9), NONE]) == (500.0, 1000.0, None)
    assert charts.shares([("bf16", 1, 2), ("nvfp4", 0, 0)]) == (500.0, 0.0)


def test_headlines_say_nothing_about_the_unknown() -> None:
    page = Overview(NIGHT, CHAT, 0, 1, [HELD, NONE], [("bf16", 1, 2), ("nvfp4", 2, 2)], [])
    assert findings.headlines(page) == (
        "2 of 2 models fit on some single device at nvfp4; at bf16 it is 1.",
        "One device of 24 GiB holds at most 8.00 B parameters: a/b at bf16 on RTX.",
        "Parameter counts are exact for 50 % of 2 models.",
    )
    night = replace(NIGHT, models_read=0, models_listed=0)
    assert findings.headlines(replace(page, night=night, strip=[], precision_share=[])) == ()


def test_headlines_of_a_site_with_scores_name_no_largest() -> None:
    scored = replace(HELD, model="c/d", score=71.5)
    strip = [HELD, scored, replace(HELD, memory_gib=80.0), replace(scored, device="H", score=-2.0, memory_gib=96.0)]
    page = Overview(NIGHT, CHAT, 0, 1, strip, [("bf16", 1, 2)], [], is_scored=True)
    assert findings.headlines(page)[1:3] == (
        "The best model by score on one device of 24 GiB is c/d (71.5) at bf16 on RTX.",
        "The best model by score on one device of 96 GiB is c/d (-2) at bf16 on H.",
    )


def test_headlines_count_one_as_one() -> None:
    page = Overview(NIGHT, CHAT, 0, 1, [HELD, replace(HELD, device="H", memory_gib=80.0)], [("bf16", 1, 1)], [])
    reach, *_, largest = findings.headlines(page)[:4]
    assert reach == "1 of 1 model fits on some single device at bf16."
    assert largest == "The largest model on a single device is a/b (8.00 B) on RTX."
