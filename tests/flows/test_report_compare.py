"""The page of comparisons of a whole night: its rows are those of the views, whatever is asked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from chromium import CHROMIUM, NO_CHROMIUM, Watched
from playwright.sync_api import expect, sync_playwright
from snapshot_answers import built, keep

import catalogs
from flows import report, warehouse
from flows.report_compare import KNOWN, best
from reports.compare import LETTERS
from reports.format import lowered

GPT2, QWEN, GEMMA, BIG, ADAPTER = MODELS = (
    "openai-community/gpt2", "Qwen/Qwen3-8B", "google/gemma-3-27b-it", "meta-llama/Llama-3.1-70B-Instruct",
    "tloen/alpaca-lora-7b",
)  # fmt: skip
GPUS = ("nvidia-rtx-4090-24gb", "nvidia-h100-sxm-80gb", "nvidia-t4-16gb", "apple-m4-max-40c-128gb")
WORKLOADS = ("min-8k", "chat-8k-x16", "local-8k")


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("night")
    folder = place / "ours"
    folder.mkdir()
    keep(folder, "gpus", GPUS)
    keep(folder, "prices", GPUS)
    keep(folder, "precisions", ("bf16", "fp8_e4m3_block128", "int4_awq_g128", "gguf_q2_k", "gguf_q4_k_m", "stored"))
    keep(folder, "workloads", WORKLOADS)
    return built(place, list(MODELS), folder, warehouse.build)


@pytest.fixture(scope="module")
def site(database: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("site")
    report.write(database, place)
    return place


def rows(site: Path, name: str) -> list[dict[str, Any]]:
    _, script = (site / "compare" / f"{name}.js").read_text(encoding="utf-8").split("] = ", 1)
    data = json.loads(script.removesuffix(";\n"))
    return [dict(zip(data["columns"], row, strict=True)) for row in data["rows"]]


def models(site: Path) -> dict[str, dict[str, Any]]:
    scripts = (site / "compare").glob("models-*.js")
    return {row["model_id"]: row for script in scripts for row in rows(site, script.stem)}


def asked(database: Path, query: str, *parameters: object) -> list[tuple[Any, ...]]:
    with warehouse.connect(database) as connection:
        return connection.execute(query, parameters).fetchall()


@pytest.fixture(scope="module")
def found(site: Path) -> dict[str, dict[str, Any]]:
    return models(site)


def test_one_precision_that_fits_is_enough_and_the_unknown_comes_before_what_cannot_run() -> None:
    assert best([("f", False)]) == "f"
    order = "ft2o?x-"
    for codes in permutations(order, 2):
        first = min(codes, key=order.index)
        assert best([(code, False) for code in codes]) == ("s" if first == "2" else first)
    assert best([("28g", False), ("xxx", False)]) == "sss"
    assert best([("x?-", False), ("t-f", False)]) == "t?f"


def test_what_is_stored_in_a_format_without_a_name_hides_no_answer() -> None:
    assert best([("??f", True), ("x-x", False)]) == "x-f"
    assert best([]) == ""


def test_every_well_known_device_is_in_the_catalog() -> None:
    assert set(KNOWN) <= set(catalogs.gpus()["gpu_id"])


def test_verdicts_are_those_of_best_fit(database: Path, site: Path, found: dict[str, dict[str, Any]]) -> None:
    devices = [row["gpu"] for row in rows(site, "devices")]
    runs = {
        (model, gpu): verdict
        for model, gpu, verdict in asked(
            database, "SELECT model_id, gpu, verdict FROM best_fit WHERE workload = 'chat-8k-x16'"
        )
    }
    assert set(found) == set(MODELS)
    for model, row in found.items():
        told = {gpu: LETTERS[letter] for gpu, letter in zip(devices, row["verdicts"], strict=True)}
        assert {gpu for gpu in devices if (model, gpu) in runs} == {
            gpu for gpu, verdict in told.items() if verdict in ("fits", "tight", "sharded")
        }
        assert all(told[gpu] == verdict for (of, gpu), verdict in runs.items() if of == model)
    assert set(found[ADAPTER]["verdicts"]) == {"-"}, "no adapter is served without its model"
    # 70 billion parameters do not fit on 16 GB of a T4, of which two are no more in a node
    assert found[BIG]["verdicts"][devices.index("nvidia-t4-16gb")] in "sx"


def test_a_device_runs_what_its_page_counts(database: Path, site: Path) -> None:
    names = [row["model_id"] for row in rows(site, "models")]
    assert sorted(names) == sorted(MODELS)
    counted = asked(database, "SELECT gpu, models_on_one, models_sharded FROM models_per_gpu WHERE workload = 'min-8k'")
    assert len(counted) == len(GPUS)
    devices = {row["gpu"]: row for row in rows(site, "devices")}
    for gpu, on_one, sharded in counted:
        [column] = rows(site, f"on-{devices[gpu]['slug']}")
        letters = column["verdicts"]
        assert len(letters) == len(names)
        assert sum(letter in "ft" for letter in letters) == on_one == devices[gpu]["models_on_one"]
        assert letters.count("s") == sharded == devices[gpu]["models_sharded"]
        assert letters[names.index(ADAPTER)] == "?", "nobody knows the size of an adapter without its files"


def test_a_model_s_row_is_what_the_views_say(database: Path, found: dict[str, dict[str, Any]]) -> None:
    row = found[QWEN]
    [(parameters, active, kind)] = asked(
        database, "SELECT parameters, active_parameters, kind FROM models WHERE model_id = ?", QWEN
    )
    assert (row["parameters"], row["active_parameters"], row["kind"]) == (parameters, active, kind)
    needs = {precision: (total, parts) for precision, total, parts in row["needs"]}
    for precision, *parts in asked(
        database,
        "SELECT precision, total_bytes, weights_bytes, kv_cache_bytes, state_bytes, activation_bytes, gradient_bytes,"
        " optimizer_bytes, overhead_bytes FROM requirements WHERE workload = 'chat-8k-x16' AND model_id = ?"
        " AND precision <> 'gguf_q2_k'",
        QWEN,
    ):
        assert needs[precision] == (parts[0], parts[1:])
    [(gpu, devices, usd)] = asked(
        database,
        "SELECT gpu, gpus_needed, usd_per_hour FROM cheapest_assured WHERE workload = 'chat-8k-x16' AND model_id = ?",
        QWEN,
    )
    assert (row["cheapest"][0], row["cheapest"][2], row["cheapest"][4]) == (gpu, devices, usd)
    [(fits,)] = asked(
        database,
        "SELECT count(*) FROM best_fit WHERE workload = 'chat-8k-x16' AND model_id = ? AND verdict = 'fits'",
        QWEN,
    )
    assert row["fits_on"] == fits == row["verdicts"].count("f")
    # of the two well-known devices that this site has, in the order of the page
    speeds = asked(
        database,
        "SELECT precision, gpus_needed, round(decode_tokens_per_second, 1) FROM best_fit"
        " WHERE workload = 'chat-8k-x16' AND model_id = ? AND list_contains(?, gpu)"
        " ORDER BY list_position(?, gpu)",
        QWEN, list(KNOWN), list(KNOWN),
    )  # fmt: skip
    assert [tuple(way[1:4]) for way in row["known"]] == speeds
    assert len(speeds) == 2


def test_a_token_s_cache_is_that_of_one_sequence(found: dict[str, dict[str, Any]]) -> None:
    """The workload has 16. Qwen3-8B: 36 layers, 8 heads of 128, keys and values of two bytes: 147,456.

    Gemma 3 27B: 10 layers of 62 that keep all, 16 heads of 128: 81,920; of the 52 with a window of 1,024 the engine
    makes groups of ten, the last of them padded: 60.
    """
    assert found[QWEN]["token_bytes"] == 2 * 2 * 36 * 8 * 128
    assert found[QWEN]["window_token_bytes"] == 0
    assert found[GEMMA]["token_bytes"] == 2 * 2 * 10 * 16 * 128
    assert found[GEMMA]["window_token_bytes"] == pytest.approx(2 * 2 * 60 * 16 * 128)
    assert found[GEMMA]["window_tokens"] >= 1024
    assert found[ADAPTER]["token_bytes"] is None


def test_a_rate_that_a_device_lacks_is_not_an_unknown_one(site: Path) -> None:
    devices = {row["gpu"]: row for row in rows(site, "devices")}
    assert devices["nvidia-h100-sxm-80gb"]["fp4_tflops"] is False
    assert devices["nvidia-h100-sxm-80gb"]["fp8_tflops"] == 1978.9


@pytest.fixture(scope="module")
def watched() -> Iterator[Watched]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield Watched(browser.new_page())
        browser.close()


@pytest.mark.skipif(CHROMIUM is None, reason=NO_CHROMIUM)
def test_every_model_of_the_night_is_found_by_its_id_and_says_what_its_page_says(site: Path, watched: Watched) -> None:
    page, title = watched.page, catalogs.workloads().filter(workload="chat-8k-x16")["title"].item()
    for model in MODELS:
        page.goto((site / "compare.html").as_uri() + f"?models={model},{GPT2 if model != GPT2 else QWEN}")
        expect(page.locator("#verdict")).to_contain_text(f"For {lowered(title)}, ")
        assert page.locator("#remarks *").count() == 0
    page.locator("#compared thead a").first.click()
    expect(page.locator("h1")).to_have_text(ADAPTER)
    page.get_by_role("link", name="Compare with other models").click()
    expect(page.locator("#chosen li")).to_contain_text([ADAPTER])
    page.goto((site / "compare.html").as_uri() + f"?devices={','.join(GPUS)}")
    expect(page.locator("#verdict")).to_contain_text("Of 5 models")
    assert page.locator("#remarks *").count() == 0
    assert watched.complaints == []


def test_a_night_without_inference_has_a_page_without_models(tmp_path: Path) -> None:
    folder = tmp_path / "ours"
    folder.mkdir()
    keep(folder, "gpus", GPUS)
    keep(folder, "precisions", ("bf16", "nf4_dq", "stored"))
    keep(folder, "workloads", ("train-full-2k",))
    report.write(built(tmp_path, [GPT2], folder, warehouse.build), tmp_path / "site")
    assert rows(tmp_path / "site", "models") == []
    devices = {row["gpu"]: row for row in rows(tmp_path / "site", "devices")}
    told = devices[GPUS[0]]
    assert (told["models_on_one"], told["usable_bytes"], told["bandwidth_gb_per_s"]) == (None, None, 1008.0)
