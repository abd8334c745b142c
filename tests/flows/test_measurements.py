"""What was measured on GPUs against what a night says, to the byte: weights, and cache with state."""

from __future__ import annotations

from operator import itemgetter
from typing import Any

import polars as pl
import pytest
from snapshot_answers import Answer, requirements, workload

import catalogs

Answers = dict[tuple[str, str, str], Answer]

OURS = catalogs.measurements().filter(pl.col("source").str.starts_with("benchmarks/gpu/memory.py"))
WEIGHTS = OURS.filter(component="weights").to_dicts()
CACHES = OURS.filter(component="cache").to_dicts()
PEAKS = OURS.filter(component="prefill_peak").to_dicts()
SIZE = itemgetter("context_tokens", "concurrent_sequences")

# AutoModelForCausalLM builds its language model alone: no vision tower, no block of multi-token prediction.
PARTLY_LOADED = {"Qwen/Qwen3.5-0.8B"}

# transformers keeps as many columns of a convolution's input as its kernel has, serving engines one fewer.
# Layers times channels times two bytes.
CONVOLUTION_COLUMN_BYTES = {
    "AntonV/mamba2-2.7b-hf": 64 * (5120 + 2 * 128) * 2,
    "state-spaces/mamba-2.8b-hf": 64 * 5120 * 2,
    "ai21labs/Jamba-v0.1": 28 * 8192 * 2,
    "nvidia/Nemotron-H-8B-Base-8K": 24 * (8192 + 2 * 8 * 128) * 2,
    "tiiuae/Falcon-H1-34B-Instruct": 72 * (4096 + 2 * 2 * 256) * 2,
    "ibm-granite/granite-4.0-h-small": 36 * (8192 + 2 * 128) * 2,
    "LiquidAI/LFM2-1.2B": 10 * 2048 * 2,
    "Qwen/Qwen3.5-0.8B": 18 * (3 * 2048) * 2,
}

# In transformers a layer of a sliding window keeps the window less one once the prompt is as long (the next token
# completes it), and a counter of 8 bytes. Window, layers with a window, bytes of one token in one of them.
SLIDING = {
    "mistralai/Mistral-7B-v0.1": (4096, 32, 2 * 8 * 128 * 2),
    "bigcode/starcoder2-15b": (4096, 40, 2 * 4 * 128 * 2),
    "google/gemma-2-9b-it": (4096, 21, 2 * 8 * 256 * 2),
    "google/gemma-3-12b-it": (1024, 40, 2 * 8 * 256 * 2),
    "google/gemma-3n-E4B-it": (512, 16, 2 * 2 * 256 * 2),  # the last 15 layers share
    "google/gemma-4-E2B-it": (512, 12, 2 * 1 * 256 * 2),  # the last 20 layers share
    "openai/gpt-oss-20b": (128, 12, 2 * 8 * 64 * 2),
}

# Measured beyond the context that the model declares, where a night answers for that context instead.
DECLARED_TOKENS = {"allenai/OLMoE-1B-7B-0125-Instruct": 4096, "allenai/OLMo-2-1124-7B": 4096, "tiiuae/falcon-7b": 2048}


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Answers:
    sizes = [(row["context_tokens"], row["concurrent_sequences"], "bf16") for row in CACHES]
    return requirements(tmp_path_factory.mktemp("measured"), OURS["model_id"].drop_nulls(), sizes)


@pytest.mark.parametrize("row", WEIGHTS, ids=lambda row: row["measurement"])
def test_weights_are_those_that_were_loaded(row: dict[str, Any], answers: Answers) -> None:
    predicted = answers[row["model_id"], "bf16", workload(2048, 1, "bf16")][0]
    if row["model_id"] in PARTLY_LOADED:
        assert predicted > row["measured_bytes"]
    else:
        assert predicted == row["measured_bytes"]


@pytest.mark.parametrize("row", CACHES, ids=lambda row: row["measurement"])
def test_cache_and_state_are_those_that_were_kept(row: dict[str, Any], answers: Answers) -> None:
    model, tokens, sequences = row["model_id"], row["context_tokens"], row["concurrent_sequences"]
    _, cache, state, *_ = answers[model, "bf16", workload(tokens, sequences, "bf16")]
    if tokens > (declared := DECLARED_TOKENS.get(model, tokens)):
        cache = cache * tokens // declared
    window, layers, token_bytes = SLIDING.get(model, (0, 0, 0))
    if tokens >= window:
        cache -= sequences * layers * token_bytes
    kept = cache + layers * 8 + state + sequences * CONVOLUTION_COLUMN_BYTES.get(model, 0)
    assert kept == row["measured_bytes"]


@pytest.fixture(scope="module")
def prefills(tmp_path_factory: pytest.TempPathFactory) -> Answers:
    sizes = [(row["context_tokens"], row["concurrent_sequences"], "bf16") for row in PEAKS]
    models = OURS["model_id"].drop_nulls()
    return requirements(tmp_path_factory.mktemp("prefill"), models, sizes, engine="transformers")


def test_prefill_peaks_are_met_where_they_are_told(prefills: Answers) -> None:
    """Beyond weights and what is kept. The first 512 tokens of a small model have other peaks: within 9 per cent."""
    kept = {(row["gpu"], row["model_id"], *SIZE(row)): row["measured_bytes"] for row in CACHES}
    errors: dict[str, list[float]] = {}
    for row in PEAKS:
        told = prefills[row["model_id"], "bf16", workload(*SIZE(row), "bf16")][3]
        if told is not None and row["context_tokens"] <= DECLARED_TOKENS.get(row["model_id"], row["context_tokens"]):
            measured = row["measured_bytes"] - kept[row["gpu"], row["model_id"], *SIZE(row)]
            errors.setdefault(row["model_id"], []).append(100 * (told / measured - 1))
    del errors["google/gemma-2-9b-it"]  # run without its softcap by 5.17; the layers of 5.24 keep scores
    assert len(errors) == 22
    assert {model for model, found in errors.items() if max(map(abs, found)) > 9} == set()
    ours = [abs(error) for found in errors.values() for error in found]
    assert sorted(ours)[len(ours) // 2] <= 0.5


def test_a_device_shows_what_its_row_says() -> None:
    """Usable memory is the runtime's total, to the two decimals of the catalog."""
    seen = OURS.filter(component="visible").join(catalogs.gpus(), left_on="gpu", right_on="gpu_id")
    assert seen.height == 2
    for row in seen.to_dicts():
        assert round(row["measured_bytes"] / 2**30, 2) == row["memory_gib_runtime"]
    totals = OURS.filter(component="driver_total").join(catalogs.gpus(), left_on="gpu", right_on="gpu_id")
    assert totals.height == 2
    for row in totals.to_dicts():
        assert row["measured_bytes"] == row["memory_mib_driver"] * 2**20


def test_a_context_is_what_engines_count_for_it() -> None:
    """Half a GiB is counted; CUDA 13 with a matrix library takes 0.67."""
    seen = OURS.filter(component="context")["measured_bytes"] / 2**30
    engine = catalogs.engines().filter(engine="vllm", memory_tier="70_to_160_gib", is_default=True)
    counted = engine["context_bytes"].item() / 2**30
    assert seen.is_between(counted, counted + 0.2).all()
