"""Peaks of training steps that were measured on GPUs against what a night says of the step alone.

Constants of autocast and of PEFT's adapters were read off two models; the others judge them.
"""

from __future__ import annotations

from statistics import median
from typing import Any

import pytest
from snapshot_answers import Answer, night_of

import catalogs

PEAKS = catalogs.measurements().filter(component="training_peak").to_dicts()

# How benchmarks/gpu/memory.py trains: precision of the weights, and what differs from the catalog's workload.
RECIPES: dict[str, tuple[str, dict[str, object]]] = {
    "full": ("fp32", {"method": "full", "recipe": "autocast"}),
    "full_bf16": ("bf16", {"method": "full", "recipe": "pure"}),
    "lora": ("bf16", {"method": "lora", "recipe": "mixed"}),
}


def step(row: dict[str, Any]) -> str:
    checkpointing = "checkpointed" if row["gradient_checkpointing"] else "whole"
    return f"{row['method']}-{row['context_tokens']}x{row['concurrent_sequences']}-{checkpointing}"


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str, str], Answer]:
    copied = ("context_tokens", "concurrent_sequences", "lora_rank")
    workloads = {
        step(row): {
            **{name: row[name] for name in copied},
            **RECIPES[row["method"]][1],
            "workload": step(row).replace("_", "-"),
            "gradient_checkpointing": str(row["gradient_checkpointing"]).lower(),
            "engine": "none",
            "optimizer": "adamw_foreach",
            "sharding": "none",
        }
        for row in PEAKS
    }
    place = tmp_path_factory.mktemp("trained")
    return night_of(place, {row["model_id"] for row in PEAKS}, "train-full-2k", workloads.values())


@pytest.fixture(scope="module")
def errors(answers: dict[tuple[str, str, str], Answer]) -> list[tuple[dict[str, Any], float]]:
    """Told rows with predicted / measured - 1."""
    found = []
    for row in PEAKS:
        told = answers[row["model_id"], RECIPES[row["method"]][0], step(row).replace("_", "-")][-1]
        if told is not None:
            found.append((row, told / row["measured_bytes"] - 1))
    return found


def test_most_of_what_was_measured_is_told(errors: list[tuple[dict[str, Any], float]]) -> None:
    """Unknown are other layers alone: Gemma's four norms, layers without gates, norms as wide as the model."""
    told = {row["model_id"] for row, _ in errors}
    assert {row["model_id"] for row in PEAKS} - told == {
        "allenai/OLMo-2-0425-1B", "allenai/OLMo-2-1124-7B", "google/gemma-3-270m", "google/gemma-3-1b-it",
        "openai-community/gpt2", "EleutherAI/pythia-1.4b", "bigscience/bloom-560m",
    }  # fmt: skip


@pytest.mark.parametrize("method", RECIPES)
@pytest.mark.parametrize("is_judged", [False, True], ids=["fitted", "judged"])
def test_peaks_of_training_steps(method: str, is_judged: bool, errors: list[tuple[dict[str, Any], float]]) -> None:
    ours = [(row, e) for row, e in errors if row["method"] == method and is_judged == (row["split"] == "judged")]
    for row, e in sorted(ours, key=lambda x: x[1]):
        print(f"{row['model_id']:40} {step(row):36} {100 * e:+.1f}")
    assert median(abs(e) for _, e in ours) <= 0.01
    assert max(abs(e) for _, e in ours) <= 0.05
