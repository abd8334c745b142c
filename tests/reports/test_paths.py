from __future__ import annotations

from pathlib import PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.paths import device_path, model_path, slug


@pytest.mark.parametrize(
    ("identifier", "expected"), [("owner/name", "owner--name"), ("gpt2", "gpt2"), ("a.b_c/d-1", "a.b_c--d-1")]
)
def test_plain_ids_stay_readable(identifier: str, expected: str) -> None:
    assert slug(identifier) == expected


@pytest.mark.parametrize(
    "identifier", ["Qwen/Qwen3", "con", "index", "../../etc", "a/b/c", "", ".", "x" * 500, "é", "a\0b"]
)
def test_others_carry_a_hash_and_stay_inside(identifier: str) -> None:
    path = PurePosixPath(model_path(identifier))
    assert "~" in path.name
    assert path.parts[0] == "models"
    assert len(path.parts) == 2
    assert len(path.name) < 140


def test_devices_have_their_own_folder() -> None:
    assert device_path("nvidia-h100-sxm-80gb") == "devices/nvidia-h100-sxm-80gb.html"


@given(st.lists(st.text(max_size=30), unique=True, min_size=2, max_size=8))
def test_different_ids_never_share_a_page_even_without_case(identifiers: list[str]) -> None:
    assert len({slug(identifier).lower() for identifier in identifiers}) == len(identifiers)


@given(st.text(alphabet="abAB/-.~", min_size=1, max_size=12), st.text(alphabet="abAB/-.~", min_size=1, max_size=12))
def test_near_twins_never_share_a_page(one: str, other: str) -> None:
    assert one == other or slug(one).lower() != slug(other).lower()
