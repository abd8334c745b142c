"""Rows of what stands side by side, where they lie, and the addresses that name them."""

from __future__ import annotations

from datetime import date

import pytest
from made_up_night import HOSTILE, HOSTILE_NAMES
from side_by_side import DENSE, UNKNOWN, compare_page

from reports import render
from reports.compare import LETTERS, Way, cells, script_of, scripts
from reports.format import VERDICT_WORDS
from reports.paths import compare_href


def test_a_script_has_some_dozens_of_models_and_there_is_always_one() -> None:
    assert [scripts(models) for models in (0, 1, 40, 41, 10_000)] == [1, 1, 1, 2, 250]


def test_models_lie_by_the_check_sum_that_the_page_computes_too() -> None:
    """0xCBF43926 is what the authors of CRC-32 give for these nine digits: 3,421,780,262."""
    assert script_of("123456789", 1000) == 262
    assert script_of("", 7) == 0


def test_every_verdict_has_a_letter_of_its_own() -> None:
    assert sorted(LETTERS.values()) == sorted(VERDICT_WORDS)
    assert all(len(letter) == 1 for letter in LETTERS)


def test_a_way_in_a_row_ends_where_nothing_more_is_known() -> None:
    told = cells(DENSE)
    assert told[:3] == ["owner/dense", "owner--dense", "decoder"]
    assert told[-4:] == [
        ["device-a", "nf4_dq", 1],
        ["device-a", "bf16", 2, None, 0.5, date(2026, 1, 1), 1, False],
        [[None, "bf16", 1, 86.6], [None, "bf16", 2]],
        "fsf",
    ]
    assert cells(UNKNOWN)[-4:] == [None, None, [None, None], "???"]
    assert Way(None, "", 0) == Way(None, "", 0, None, None, None, None, None)


def test_an_address_names_ids() -> None:
    assert compare_href("models", "Qwen/Qwen3-8B", "openai/gpt-oss-20b") == (
        "compare.html?models=Qwen/Qwen3-8B,openai/gpt-oss-20b"
    )
    assert compare_href("devices") == "compare.html?devices="
    assert compare_href("models", "a,b&c=d#e%f+g h") == "compare.html?models=a%2Cb%26c%3Dd%23e%25f%2Bg%20h"


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_a_stranger_s_name_ends_no_script_and_no_attribute(name: str) -> None:
    script = render.compared(name, [name], [[name]])
    assert "</" not in script
    assert "\u2028" not in script
    page = render.compare(compare_page(name))
    assert "<script>alert" not in page
    assert "<img" not in page


def test_the_page_is_light_and_holds_no_rows() -> None:
    page = render.compare(compare_page(HOSTILE))
    assert len(page) < 10_000
    assert "compare/models" not in page
