"""The section of a model's page that sets other calculators beside our answer, from a published night."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from snapshot_answers import built

import catalogs
from flows import report, warehouse
from flows.report_calculators import Calculators
from flows.report_rows import Rows
from reports.model import Comparison, Silence

MODELS = ["meta-llama/Llama-3.1-8B", "Qwen/Qwen3-30B-A3B", "bartowski/Meta-Llama-3.1-8B-Instruct-GGUF",
          "black-forest-labs/FLUX.1-dev", "google-bert/bert-base-cased"]  # fmt: skip
KEPT = {"gpus": ("nvidia-h100-sxm-80gb",), "precisions": ("stored", "fp16", "bf16", "nf4")}


def night(place: Path, **kept: tuple[str, ...]) -> Path:
    """The file of a night with few devices and formats."""
    folder, source = place / "what-if", Path(catalogs.__file__).parent
    folder.mkdir()
    for name, keep in {**KEPT, **kept}.items():
        head, *rows = (source / f"{name}.csv").read_text(encoding="utf-8").splitlines()
        chosen = [row for row in rows if row.split(",")[0] in keep]
        (folder / f"{name}.csv").write_text("\n".join([head, *chosen]) + "\n", encoding="utf-8")
    return built(place, MODELS, folder, warehouse.build)


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rows]:
    found = Rows(night(tmp_path_factory.mktemp("calculators")))
    yield found
    found.close()


@pytest.fixture(scope="module")
def calculators(rows: Rows) -> Calculators:
    return Calculators(rows)


def numbers(found: list[Comparison]) -> dict[tuple[str, str, str], tuple[int | None, float]]:
    """(question, precision, tool) -> our bytes and the tool's GiB."""
    return {
        (one.question, one.precision, answer.tool): (one.ours, round(answer.bytes / 2**30, 2))
        for one in found
        for answer in one.answers
    }


def test_llama_has_every_tool_beside_ours(calculators: Calculators) -> None:
    compared, silent = calculators.of("meta-llama/Llama-3.1-8B")
    assert silent == []
    found = numbers(compared)
    assert {key: theirs for key, (_, theirs) in found.items() if key[1] == "fp16"} == {
        ("Serving", "fp16", "1.2 rule"): 17.95,
        ("Serving", "fp16", "can-it-run-llm"): 16.77,
        ("Serving", "fp16", "VRAM Estimator"): 16.27,  # 16,665 MiB
        ("Weights alone", "fp16", "accelerate estimate-memory"): 13.98,
        ("Training with Adam", "fp16", "accelerate estimate-memory"): 55.92,
        ("Training with Adam", "fp16", "can-it-run-llm"): 55.92,
        ("Training with Adam", "fp16", "VRAM Estimator"): 139.15,  # 142,486 MiB
    }
    assert found["Weights alone", "fp16", "accelerate estimate-memory"][0] == 16_060_522_496
    assert {one.workload for one in compared if one.question == "Weights alone"} == {"The weights, nothing beside them"}
    assert all(one.why_unknown is None and one.ours for one in compared)
    assert all(answer.reasons for one in compared for answer in one.answers)


def test_our_numbers_are_those_of_requirements(calculators: Calculators, rows: Rows) -> None:
    for workload, question in (("chat-8k", "Serving"), ("train-full-2k", "Training with Adam")):
        need = rows.one(
            "SELECT total_bytes FROM requirements WHERE model_id = ? AND workload = ? AND precision = 'fp16'",
            MODELS[0],
            workload,
        )
        [ours] = [
            one.ours for one in calculators.of(MODELS[0])[0] if (one.question, one.precision) == (question, "fp16")
        ]
        assert ours == need["total_bytes"]


def test_a_tool_that_cannot_say_is_named_once(calculators: Calculators) -> None:
    compared, silent = calculators.of("Qwen/Qwen3-30B-A3B")
    assert silent == [Silence(["VRAM Estimator"], "it has no entry for experts")]
    assert not any(answer.tool == "VRAM Estimator" for one in compared for answer in one.answers)
    copy = calculators.of("bartowski/Meta-Llama-3.1-8B-Instruct-GGUF")[1]
    [unread] = copy
    assert set(unread.tools) == {"accelerate estimate-memory", "can-it-run-llm"}
    assert unread.reason == "the repository has no configuration for it to read"
    pictures = calculators.of("black-forest-labs/FLUX.1-dev")
    assert {answer.tool for one in pictures[0] for answer in one.answers} == {"1.2 rule"}
    assert {one.ours for one in pictures[0]} == {None}
    assert all(one.why_unknown for one in pictures[0])


def test_the_page_of_a_model_has_the_section(rows: Rows, tmp_path: Path) -> None:
    database = Path(rows.one("SELECT path FROM duckdb_databases() WHERE database_name = 'night'")["path"])
    report.write(database, tmp_path)
    [page] = (tmp_path / "models").glob("meta-llama--llama-3.1-8b-*.html")
    text = page.read_text(encoding="utf-8")
    assert "(<code>chat-8k</code>), " in text  # the map opens with the workload that the page is about
    assert "What other calculators say" in text
    assert "For serving at fp16, 3 tools say 16.27 GiB to 17.95 GiB; ours is " in text
    assert "the output head is missing (6.5 % of the parameters)" in text


def test_a_catalog_without_their_formats_says_so(tmp_path: Path) -> None:
    some = Rows(night(tmp_path, precisions=("stored", "bf16")))
    compared, _ = Calculators(some).of(MODELS[0])
    some.close()
    assert {one.why_unknown for one in compared} == {"the catalog has no such precision"}
    assert {one.ours for one in compared} == {None}


def test_devices_are_counted_by_the_advertised_memory(rows: Rows) -> None:
    counted = rows.all(
        "SELECT precision, quantity, gpus_needed FROM calculator_gpus WHERE model_id = ? AND quantity <> 'lora'"
        " AND precision IN ('fp32', 'fp16') ORDER BY ALL",
        MODELS[0],
    )
    # 55.92 and 111.83 GiB of training over 80
    assert [tuple(row.values()) for row in counted] == [
        ("fp16", "inference", 1), ("fp16", "training_adam", 1), ("fp32", "inference", 1), ("fp32", "training_adam", 2),
    ]  # fmt: skip


def test_bert_has_accelerates_published_row(rows: Rows) -> None:
    printed = rows.all(
        "SELECT precision, quantity, bytes FROM calculators WHERE model_id = 'google-bert/bert-base-cased'"
        " AND calculator = 'accelerate' AND quantity <> 'largest_layer'"
    )
    mib = {(row["precision"], row["quantity"]): round(row["bytes"] / 2**20, 2) for row in printed}
    assert mib == {
        ("fp32", "total"): 413.18, ("fp16", "total"): 206.59, ("int8_bnb", "total"): 103.29, ("nf4", "total"): 51.65,
        ("fp32", "training_adam"): 1652.71, ("fp16", "training_adam"): 826.36,
    }  # fmt: skip
