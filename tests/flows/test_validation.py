"""The table `validation`: what was measured beside what the estimator says of the same setting.

Assertions are about rows that no constant of ours was fitted to. Where a target is missed the figure is the real one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import polars as pl
import pytest
from snapshot_answers import night_database

import catalogs
from catalogs.versions import is_in_range
from flows import measured_models, measured_plans, warehouse
from flows.validation import VALIDATION

Row = dict[str, Any]
Select = Callable[..., list[Row]]
MEASURED = catalogs.measurements()
GPUS = ("nvidia-h100-sxm-80gb", "nvidia-h200-sxm-141gb", "nvidia-a100-sxm-80gb")


def rows_of(database: Path) -> list[Row]:
    with warehouse.connect(database) as connection:
        found = connection.execute("FROM validation ORDER BY measurement").fetchall()
    return [dict(zip(VALIDATION.names(), row, strict=True)) for row in found]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> list[Row]:
    """Of a night that lists none of the measured models."""
    place = tmp_path_factory.mktemp("ledger")
    return rows_of(night_database(place, ["BAAI/bge-large-en-v1.5"], "min-8k", [{}], GPUS))


@pytest.fixture
def judged(table: list[Row]) -> Select:
    """Predicted rows of the judging split with some values."""

    def select(**values: str) -> list[Row]:
        found = [
            row
            for row in table
            if row["split"] == "judged"
            and row["predicted_bytes"] is not None
            and all(row[name] == value for name, value in values.items())
        ]
        for row in sorted(found, key=error):
            print(f"{row['measurement']:90} {100 * row['relative_error']:+.2f} %")
        return found

    return select


def error(row: Row) -> float:
    return abs(float(row["relative_error"]))


def test_every_measurement_has_a_row(table: list[Row]) -> None:
    assert [row["measurement"] for row in table] == sorted(MEASURED["measurement"])
    for row in table:
        assert (row["relative_error"] is None) == (row["reason"] is not None)
        assert (row["predicted_seconds"] is None) or (row["predicted_bytes"] is None)


def test_what_is_not_predicted_says_why(table: list[Row]) -> None:
    reasons = {row["measurement"]: row["reason"] for row in table if row["reason"]}
    h100, h200, _ = GPUS
    assert reasons[f"{h200}-copy"] == "a rate of the device alone"
    assert reasons[f"{h200}-qwen-qwen3-8b-decode-step-2048x1"] == "no rates for such a loop"
    assert (
        reasons[f"{h100}-x1-vllm-0.17.0-qwen-qwen3-14b-weights-8192"] == "neither in the snapshot nor read this night"
    )
    assert {reasons[row["measurement"]] for row in table if row["component"] == "cache_held"} == {
        "what slices keep alive is not counted"
    }
    assert set(reasons.values()) == {
        "a rate of the device alone", "no rates for such a loop", "neither in the snapshot nor read this night",
        "no constants for transformers 5.17.0",
        "what slices keep alive is not counted", "longer than the model's context", "not known of such layers",
    }  # fmt: skip


def test_weights_in_vllm(judged: Select) -> None:
    """Targets: 0.5 % in the median, 1 % at worst. The second is missed by two models in one version."""
    found = judged(engine="vllm", component="weights")
    assert len(found) == 42
    assert median(map(error, found)) <= 0.001
    assert max(map(error, found)) <= 0.01
    assert {row["engine_version"] for row in found if "gpt-oss" in row["model_id"]} == {"0.11.0", "0.19.0"}
    assert min(row["relative_error"] for row in found) >= -0.0075
    gemma = [row for row in found if row["model_id"].startswith("google/gemma-3-")]
    assert len(gemma) == 3
    assert max(map(error, gemma)) <= 0.005


def test_a_token_in_the_cache_of_vllm(judged: Select) -> None:
    """Exact to the second decimal of the pool that its tokens divide, Gemma 3's groups of layers included."""
    found = judged(engine="vllm", component="kv_token")
    assert len(found) == 36
    for row in found:
        pool, tokens = re.findall(r"[\d.,]+", row["setting"])[:2]
        counted = row["predicted_bytes"] * int(tokens.replace(",", ""))
        # what is left of the pool is less than a block for each group of layers
        left = 16 * 7 * row["predicted_bytes"]
        assert -0.005 * 2**30 - left <= counted - float(pool) * 2**30 <= 0.005 * 2**30, row["measurement"]
    assert max(map(error, found)) <= 0.002
    assert {row["model_id"] for row in found} >= {"google/gemma-3-4b-it", "google/gemma-3-27b-it"}


def test_activations_of_vllm(judged: Select) -> None:
    """Target: 5 % in the versions whose logs gave the constants."""
    found = judged(engine="vllm", component="activation")
    assert len(found) == 29
    assert {row["engine_version"] for row in found} == {"0.11.0", "0.19.0"}
    assert median(map(error, found)) <= 0.02
    assert max(map(error, found)) <= 0.04
    assert {row["model_id"] for row in found} >= {"openai/gpt-oss-20b", "openai/gpt-oss-120b", "google/gemma-3-27b-it"}


def test_the_pool_of_vllm(judged: Select) -> None:
    """Target: 1 % of the device's memory."""
    found = judged(engine="vllm", component="kv_pool")
    assert len(found) == 27
    [device] = catalogs.gpus().filter(gpu_id=GPUS[0])["visible_bytes"]
    far = [abs(row["predicted_bytes"] - row["measured_bytes"]) / device for row in found]
    assert max(far) <= 0.01
    assert median(far) <= 0.001


def test_terms_of_a_log_add_up_to_what_the_engine_was_given() -> None:
    """Of versions that did not count graphs: a row with a wrong share of the device would blame the estimator."""
    whole = 0
    for pool in MEASURED.filter(engine="vllm", component="kv_pool").to_dicts():
        named = pool["measurement"].split("-kv-pool-")
        terms = MEASURED.filter(
            pl.col("measurement").str.starts_with(named[0] + "-") & pl.col("measurement").str.ends_with("-" + named[1]),
            pl.col("component").is_in(["weights", "activation", "non_torch", "kv_pool"]),
        )
        if terms.height == 4:
            whole += 1
            given = terms["measured_bytes"].sum() / (79.185 * 2**30)
            assert abs(given - pool["memory_utilization"]) <= 0.0005, pool["measurement"]
    assert whole >= 40


def test_no_verdict_that_a_judged_row_refutes(judged: Select) -> None:
    """What `fits` counts on is there: no need is above its upper end, no pool below its lower end."""
    whole = [row for name in ("prefill_peak", "training_peak") for row in judged(component=name)]
    # vLLM's pools judge its weights with all that stands beside them
    whole += [row for row in judged(component="weights") if row["engine"] != "vllm"]
    pools = judged(component="kv_pool")
    assert len(whole) == 134 + 42
    assert len(pools) == 27
    assert [row["measurement"] for row in whole if row["measured_bytes"] > row["cautious_bytes"]] == []
    assert [row["measurement"] for row in pools if row["measured_bytes"] < row["cautious_bytes"]] == []


def test_the_constants_of_vllm_follow_from_the_fitted_rows_alone(table: list[Row]) -> None:
    """Bytes a logit where the sampler is the peak, copies of the hidden state where the forward pass is."""
    [engine] = catalogs.engines().filter(engine="vllm", memory_tier="70_to_160_gib", is_default=True).to_dicts()
    tokens, sequences = engine["batched_tokens"], engine["max_sequences"]
    half_a_digit = 0.005 * 2**30
    fitted = {
        row["model_id"]: row["measured_bytes"]
        for row in table
        if row["component"] == "activation"
        and row["split"] == "fitted"
        and row["precision"] == "bf16"
        and row["engine_version"] == "0.19.0"
    }
    # model, vocabulary, hidden size
    samplers = (("meta-llama/Llama-3.1-8B-Instruct", 128_256, 4096), ("Qwen/Qwen2.5-7B-Instruct", 152_064, 3584))
    for model, vocabulary, hidden in samplers:
        logit_bytes = (fitted[model] + half_a_digit - 2 * tokens * hidden) / (sequences * vocabulary)
        assert round(logit_bytes) == engine["logit_bytes"]
    hidden, ffn = 4096, 11_008
    low, high = (
        (fitted["codellama/CodeLlama-7b-hf"] + away) / (2 * tokens * hidden) - 3 * ffn / hidden
        for away in (-half_a_digit, half_a_digit)
    )
    assert low <= engine["hidden_copies"] <= high
    assert set(fitted) == {*(model for model, *_ in samplers), "codellama/CodeLlama-7b-hf"}


def test_constants_of_older_versions_follow_from_one_model(table: list[Row]) -> None:
    """Bytes a logit of vLLM before 0.17, whose sampler sorted in PyTorch, and what is outside the allocator."""
    [engine] = catalogs.engines().filter(engine="vllm", memory_tier="70_to_160_gib", version_range="-0.16").to_dicts()
    tokens, sequences, vocabulary, hidden = engine["batched_tokens"], engine["max_sequences"], 128_256, 4096
    old = [row for row in table if row["engine"] == "vllm" and row["engine_version"] in ("0.11.0", "0.15.0", "0.16.0")]
    fitted = {row["measurement"]: row for row in old if row["split"] == "fitted"}
    [peak] = [row["measured_bytes"] for row in fitted.values() if row["component"] == "activation"]
    assert round((peak - 2 * tokens * hidden) / (sequences * vocabulary), 1) == engine["logit_bytes"]
    for devices in (1, 2):
        outside = [
            row["measured_bytes"]
            for row in fitted.values()
            if row["component"] == "non_torch" and row["devices"] == devices
        ]
        assert abs(median(outside) - engine[f"non_torch_bytes_{devices}"]) <= 0.006 * 2**30
    assert {row["model_id"] for row in fitted.values() if row["component"] != "non_torch"} == {
        "meta-llama/Llama-3.1-8B-Instruct"
    }


def per_cent(found: list[Row]) -> str:
    errors = [100 * error(row) for row in found]
    return f"{median(errors):.1f} % in the median, {max(errors):.1f} % at worst of {len(found)}"


def gib(found: list[Row]) -> str:
    away = [abs(row["predicted_bytes"] - row["measured_bytes"]) / 2**30 for row in found]
    return f"{median(away):.2f} GiB in the median, {max(away):.2f} GiB at worst of {len(found)}"


@pytest.mark.parametrize(
    ("engine", "range_", "version"),
    [("vllm", "-0.16", "0.11.0"), ("vllm", "0.17-0.26", "0.19.0"), ("transformers", "5.17-5.24", "5.17.0")],
)
def test_the_engine_catalog_says_what_its_constants_are_off_by(
    engine: str, range_: str, version: str, judged: Select, table: list[Row]
) -> None:
    """`residual` of engines.csv is what this table says of the devices that the constants are from."""
    rows = catalogs.engines().filter(engine=engine, version_range=range_, memory_tier="70_to_160_gib")
    [residual] = rows["residual"]
    fitted = [
        row
        for row in table
        if row["engine"] == engine and row["split"] == "fitted" and row["predicted_bytes"] is not None
    ]

    def of(component: str) -> list[Row]:
        return judged(engine=engine, engine_version=version, component=component)

    if engine == "vllm":
        in_range = is_in_range(pl.col("version"), pl.lit(range_))
        versions = pl.DataFrame({"version": [row["engine_version"] for row in fitted]}).filter(in_range)["version"]
        outside = [row for row in fitted if row["component"] == "non_torch" and row["engine_version"] in set(versions)]
        said = [
            f"activations {per_cent(of('activation'))}; pools {gib(of('kv_pool'))}; ",
            f"fitted rows: outside the allocator {gib(outside).split(', ')[1]}; ",
        ]
    else:
        reserved = [row for row in fitted if row["component"] == "training_reserved"]
        contexts = [row for row in fitted if row["component"] == "context"]
        off = max(abs(row["predicted_bytes"] - row["measured_bytes"]) for row in contexts)
        said = [
            f"prefill peaks {per_cent(of('prefill_peak'))}; training peaks {per_cent(of('training_peak'))}; ",
            f"fitted rows: reserved in training {per_cent(reserved)}; context {off} bytes off on both; ",
        ]
    for figures in said:
        assert figures in residual


def test_a_measurement_has_the_constants_of_its_version() -> None:
    engines = pl.DataFrame(
        {"version_range": ["-0.16", "0.18-0.26"], "is_default": [False, True], "graph_bytes": [1, 2]}
    ).with_columns(engine=pl.lit("vllm"), memory_tier=pl.lit("a100"))
    versions = ["0.16.3", "0.17.0", "0.26.1", "0.27.0"]
    rows = pl.DataFrame({"measurement": versions, "engine_version": versions, "engine": "vllm", "memory_tier": "a100"})
    found = measured_plans.with_constants(rows, engines)
    assert found["measurement"].to_list() == versions
    assert found["graph_bytes"].to_list() == [1, 2, 2, 2]
    assert found["is_calibrated"].to_list() == [True, False, True, False]


def test_files_of_llamacpp(judged: Select, table: list[Row]) -> None:
    """Llama-3.1-8B, of which the averages of the formats are, to four decimals; a file of its 70B to the last digit.

    llama.cpp's table of round figures for 70B and 405B is older than its present mixtures.
    """
    fitted = [row for row in table if row["engine"] == "llamacpp" and row["split"] == "fitted"]
    assert len(fitted) == 23
    assert max(map(error, fitted)) <= 0.00004
    errors = {row["model_id"]: error(row) for row in judged(engine="llamacpp", component="weights")}
    assert errors.pop("meta-llama/Llama-3.3-70B-Instruct") <= 0.0002
    assert errors == {
        "meta-llama/Llama-3.1-70B": pytest.approx(0.0136, abs=1e-4),
        "meta-llama/Llama-3.1-405B": pytest.approx(0.0242, abs=1e-4),
    }


def test_weights_and_caches_in_transformers(judged: Select) -> None:
    """To the byte but where transformers keeps something else: tests/flows/test_measurements.py."""
    weights = judged(engine="transformers", component="weights")
    assert {row["model_id"] for row in weights if error(row)} == {"Qwen/Qwen3.5-0.8B"}
    caches = judged(engine="transformers", component="cache")
    assert median(map(error, caches)) == 0
    assert max(map(error, caches)) <= 0.03


def test_prefill_peaks(judged: Select) -> None:
    prefill = judged(engine="transformers", component="prefill_peak")
    assert len({row["model_id"] for row in prefill}) == 22
    assert median(map(error, prefill)) <= 0.0025
    assert max(map(error, prefill)) <= 0.021


@pytest.mark.parametrize(
    ("method", "split", "told"),
    [
        *[("full", "fitted", 8), ("full_bf16", "fitted", 8), ("lora", "fitted", 2)],
        *[("full", "judged", 44), ("full_bf16", "judged", 3), ("lora", "judged", 16)],
    ],
)
def test_peaks_of_training_steps(table: list[Row], method: str, split: str, told: int) -> None:
    """Target: 8 % in the median. Constants of autocast and of PEFT's adapters were read off two models."""
    found = [
        row
        for row in table
        if (row["component"], row["method"], row["split"]) == ("training_peak", method, split) and not row["reason"]
    ]
    assert len(found) == told
    assert median(map(error, found)) <= 0.01
    assert max(map(error, found)) <= 0.05


def test_all_training_steps_that_were_measured_are_told(table: list[Row]) -> None:
    peaks = [row for row in table if row["component"] == "training_peak"]
    assert [row["measurement"] for row in peaks if row["reason"]] == []
    assert len(peaks) == 81


def test_layers_that_a_release_changed_are_not_judged_by_an_earlier_one(table: list[Row]) -> None:
    """transformers 5.17 ran Gemma 2 without its softcap, by a kernel; the layers of 5.24 keep scores."""
    prefill = [row for row in table if row["component"] == "prefill_peak" and row["model_id"] == "google/gemma-2-9b-it"]
    assert {row["reason"] for row in prefill} == {"no constants for transformers 5.17.0"}


def test_what_allocators_reserve_is_within_a_sixth(table: list[Row]) -> None:
    """One ratio for all: fitted, and coarse."""
    found = [row for row in table if row["component"] == "training_reserved" and row["reason"] is None]
    assert len(found) == 81
    assert median(map(error, found)) <= 0.04
    assert max(map(error, found)) <= 0.16


def test_the_ledger_is_the_same_whatever_a_night_lists(tmp_path: Path, table: list[Row]) -> None:
    """Devices that a what-if lacks are left out, files that no device was needed for stay."""
    rows = rows_of(night_database(tmp_path, ["Qwen/Qwen3-0.6B", "Qwen/Qwen3-14B"], "min-8k", [{}], GPUS[:1]))
    assert {row["gpu"] for row in rows} == {GPUS[0], None}
    changed = [row["model_id"] for row in rows if row not in table]
    assert set(changed) == {"Qwen/Qwen3-14B"}, "not in the snapshot, and the night could not read it"
    assert {row["reason"] for row in rows if row["model_id"] == "Qwen/Qwen3-14B"} == {
        "could not be read this night",
        None,  # what is outside the allocator depends on no model
    }


def test_a_night_on_a_device_that_nothing_was_measured_on(tmp_path: Path) -> None:
    rows = rows_of(night_database(tmp_path, ["Qwen/Qwen3-0.6B"], "min-8k", [{}], ["nvidia-l4-24gb"]))
    assert {row["engine"] for row in rows} == {"llamacpp"}, "files, for which no device is needed"


def test_models_that_the_snapshot_lacks_are_those_of_the_night(
    tmp_path: Path, table: list[Row], monkeypatch: pytest.MonkeyPatch
) -> None:
    nothing = measured_models._embedded(())
    monkeypatch.setattr(measured_models, "_embedded", lambda model_ids: nothing)
    models = ["Qwen/Qwen3-0.6B", "Qwen/Qwen3-8B"]
    rows = rows_of(night_database(tmp_path, models, "min-8k", [{}], GPUS))
    assert [row for row in rows if row["model_id"] in models] == [row for row in table if row["model_id"] in models]
    reasons = {row["reason"] for row in rows if row["model_id"] == "microsoft/phi-4" and row["component"] == "weights"}
    assert reasons == {"neither in the snapshot nor read this night"}


@pytest.mark.parametrize(
    ("version", "range_", "expected"),
    [
        *[("0.9.0", "0.17-0.26", False), ("0.17.0", "0.17-0.26", True), ("0.26.3", "0.17-0.26", True)],
        *[("0.27.0", "0.17-0.26", False), ("0.16.9", "0.17-0.26", False), ("5.17.0", "5.17-5.24", True)],
        *[("b9000", "any", True), ("0.21.0", "0.21-", True), ("2", "0.21-", True), ("0.20.2", "0.21-", False)],
        *[("0.16.9", "-0.16", True), ("0.9", "-0.16", True), ("0.17.0", "-0.16", False), ("1.2", "-1", True)],
        *[("0.27.0", "0.27-", True), ("0.16.2", "0.16.1-0.16.1", False), ("0.16.1", "0.16.1", True)],
        *[("0.5.3", "0.5", True), ("0.50.0", "0.5", False), (None, "any", False), ("1.0", None, None)],
    ],
)
def test_versions(version: str | None, range_: str | None, expected: bool | None) -> None:
    frame = pl.DataFrame({"version": [version], "range": [range_]}, schema={"version": pl.String, "range": pl.String})
    assert frame.select(is_in_range(pl.col("version"), pl.col("range"))).item() is expected


@pytest.mark.parametrize("gpu", ["nvidia-rtx-4090-24gb", "google-tpu-v4-32gb"])
def test_a_site_of_whose_devices_nothing_was_measured_has_a_night(tmp_path: Path, gpu: str) -> None:
    """Rows that name other formats and devices are left out of its ledger, and of what is planned."""
    database = night_database(
        tmp_path,
        ["openai-community/gpt2"],
        "train-full-2k",
        [{"gradient_checkpointing": "true"}],
        [gpu],
        precisions=("bf16", "stored"),
    )
    assert {row["gpu"] for row in rows_of(database)} <= {gpu, None}
