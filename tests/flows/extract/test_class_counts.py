"""Every decoder dialect that is called verified against its class, built without weights (catalogs/count_classes.py,
catalogs/count_linear.py).

The goldens hold each class with its own defaults, fewer layers, other widths and every switch turned over; lines that
no published model needs and no dialect meets are not in the file: biases of experts, a class that never ties.
"""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from catalogs import architectures
from flows.extract.read_config import read_architecture

GOLDEN = Path(__file__).parents[2] / "golden"


def lines(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (GOLDEN / name).read_text(encoding="utf-8").splitlines()]


LINES = lines("class_counts.jsonl") + lines("linear_counts.jsonl")
BY_TYPE: dict[str, list[dict[str, Any]]] = defaultdict(list)
for line in LINES:
    BY_TYPE[line["model_type"]].append(line)
# Types that share another's class, or that only configurations of the Hub check (tests/golden/architectures.csv).
CHECKED_ELSEWHERE = {
    "chatglm", "internlm", "internlm2", "kimi_k2", "minicpm", "minimax_text_01", "mllama_text_model", "openelm",
    "phi-msft", "phi4", "qwen", "qwen3_vl_text",
    # published counts (test_published_counts.py, test_published_towers.py)
    "bailing_moe_v2", "deepseek", "hf_olmo", "molmo", "plamo2", "step3_text",
    # text parts, counted inside the whole (multimodal_counts.jsonl)
    "voxtral_realtime_text", "ernie4_5_vl_moe_text", "kosmos_2_text_model", "kosmos_2_5_text_model",
    "step3p5", "muse_glimmer_text", "hy_v4_vl_text", "glm5_next_text", "chameleon_text", "emu3_text_model",
    "qwen2_5_omni_text", "qwen3_omni_moe_text", "unlimited_ocr_text", "paddleocr_vl_text", "granite4_vision_text",
}  # fmt: skip


@pytest.mark.parametrize("model_type", BY_TYPE)
def test_counts_are_those_of_the_class(model_type: str) -> None:
    missed = []
    for line in BY_TYPE[model_type]:
        config = {"model_type": model_type, "architectures": [line["architecture"]], **line["config"]}
        found = read_architecture(config)
        # the classes leave out the blocks that predict further tokens
        if (found.parameters or 0) - (found.mtp_parameters or 0) != line["parameters"]:
            missed.append((line["config"], found.parameters, line["parameters"]))
    assert missed == []


def test_verified_means_checked() -> None:
    verified = {name for name, row in architectures.dialects().items() if row.get("verified") and "family" not in row}
    assert verified - BY_TYPE.keys() - CHECKED_ELSEWHERE == set()
    assert len(verified) >= 120


@pytest.mark.parametrize("line", lines("class_caches.jsonl"), ids=lambda line: line["model_type"])
def test_caches_are_those_of_the_class(line: dict[str, Any]) -> None:
    """What the 17th and the 9,001st token added when transformers 5.24 ran the class on the meta device."""
    config = {"model_type": line["model_type"], "architectures": [line["architecture"]], **line["config"]}
    columns = read_architecture(config).columns
    growing = (columns["kv_full_elements_per_token"] or 0) + (columns["kv_latent_elements_per_token"] or 0)
    assert growing == line["elements_per_token_beyond_windows"]
    assert growing + (columns["kv_window_elements_per_token"] or 0) == line["elements_per_token"]
    if "recurrent_elements" in line:
        assert columns["state_recurrent_elements"] == line["recurrent_elements"]
