"""Every encoder dialect that is called verified against all classes of its type (catalogs/count_encoders.py).

The goldens hold the base class with its own defaults, fewer layers, every switch turned over and every dimension
changed by itself, and each class with a head with its defaults, fewer layers and all dimensions changed at once.
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from catalogs import architectures
from flows.extract.read_config import read_architecture

GOLDEN = Path(__file__).parents[2] / "golden" / "encoder_counts.jsonl"
BY_TYPE: dict[str, list[dict[str, Any]]] = defaultdict(list)
for text in GOLDEN.read_text(encoding="utf-8").splitlines():
    row = json.loads(text)
    BY_TYPE[row["model_type"]].append(row)
# Parts of CLIP and its like: their numbers are checked inside the whole.
CHECKED_ELSEWHERE = {
    # inside the whole, against published counts (test_multimodal.py)
    "florence2_language",
    "clip_text_model", "siglip_text_model", "siglip2_text_model", "owlvit_text_model", "owlv2_text_model",
    "chinese_clip_text_model",
}  # fmt: skip


@pytest.mark.parametrize("model_type", BY_TYPE)
def test_counts_are_those_of_the_class(model_type: str) -> None:
    missed = []
    for line in BY_TYPE[model_type]:
        found = read_architecture({"model_type": model_type, "architectures": [line["architecture"]], **line["config"]})
        if found.parameters != line["parameters"] or not found.is_verified:
            missed.append((line["architecture"], line["config"], found.parameters, line["parameters"]))
    assert missed == []


def test_verified_means_checked() -> None:
    verified = {name for name, row in architectures.dialects().items() if row.get("verified") and "family" in row}
    assert verified - BY_TYPE.keys() - CHECKED_ELSEWHERE == set()
    assert len(verified) >= 40
