"""What somebody may have meant: devices and formats as people write them."""

from __future__ import annotations

import pytest

import catalogs
from catalogs.nearby import did_you_mean, nearby


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("4090", "nvidia-rtx-4090-24gb"),
        ("RTX 4090", "nvidia-rtx-4090-24gb"),
        ("rtx4090", "nvidia-rtx-4090-24gb"),
        ("nvidia-rtx4090-24gb", "nvidia-rtx-4090-24gb"),
        ("NVIDIA_H100_SXM", "nvidia-h100-sxm-80gb"),
        # nothing contains it
        ("nvidia-rtx-4090-25gb", "nvidia-rtx-4090-24gb"),
        ("NVIDIA-L4-24G", "nvidia-l4-24gb"),
    ],
)
def test_the_nearest_device_comes_first(written: str, meant: str) -> None:
    assert nearby(written, catalogs.gpus()["gpu_id"])[0] == meant


def test_few_are_named_and_of_nothing_near_none() -> None:
    names = ["a-1", "b-11", "c-111", "d-1", "e-1", "f-1"]
    assert nearby("1", names) == ["a-1", "d-1", "e-1", "f-1", "b-11"]
    assert did_you_mean("b11", names) == "; did you mean b-11?"
    assert did_you_mean("zzz", names) == ""
    assert did_you_mean("-", names) == ""
    assert did_you_mean("", names) == ""
