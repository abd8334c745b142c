"""What accelerate measures of a model, from the configuration alone.

tests/golden/automodels.csv has what accelerate's `create_empty_model` built for models of the snapshot: parameters,
buffers in their own types, and the largest of the modules that `get_max_layer_size` does not split, in 32 bit.
"""

from __future__ import annotations

import csv
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any

import pytest

import catalogs
from catalogs import architectures
from flows.extract.automodel import COLUMNS, automodel
from flows.extract.extract import Extracted, extract
from flows.extract.read_config import read_architecture
from flows.raw import RawModel

NOW = datetime(2026, 1, 2, tzinfo=UTC)
GOLDEN = Path(__file__).parents[2] / "golden" / "automodels.csv"
SNAPSHOT = {row["model_id"]: row for row in catalogs.hub_snapshot()}
MEASURED = dict(zip(COLUMNS, ("parameters", "buffer_bytes", "largest_bytes"), strict=True))
LLAMA: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 4096, "num_hidden_layers": 32,
    "num_attention_heads": 32, "num_key_value_heads": 8, "intermediate_size": 14336, "vocab_size": 128256,
    "max_position_embeddings": 131072,
}  # fmt: skip


@cache
def golden_rows() -> list[dict[str, str]]:
    with GOLDEN.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@cache
def columns_of(model_id: str) -> dict[str, Any]:
    row = SNAPSHOT[model_id]
    found = extract(RawModel(model_id, row["revision"], row["info"], row["config"], NOW))
    assert isinstance(found, Extracted)
    return {name: found.shape[name] for name in COLUMNS}


@pytest.mark.parametrize("row", golden_rows(), ids=lambda row: row["model_id"])
def test_what_is_told_is_what_accelerate_measures(row: dict[str, str]) -> None:
    told = {name: value for name, value in columns_of(row["model_id"]).items() if value is not None}
    assert told == {name: int(row[MEASURED[name]]) for name in told}


@pytest.mark.parametrize(
    ("name", "known"),
    [("automodel_parameters", 154), ("automodel_buffer_bytes", 151), ("automodel_layer_bytes", 139)],
)
def test_most_of_what_accelerate_measures_is_told(name: str, known: int) -> None:
    assert len(golden_rows()) == 187
    assert sum(columns_of(row["model_id"])[name] is not None for row in golden_rows()) >= known


def read(**changes: Any) -> dict[str, int | None]:
    config = {**LLAMA, **changes}
    return automodel(config, read_architecture(config))


def test_llama_has_no_head_and_two_vectors_of_frequencies() -> None:
    # 8,030,261,248 less 128,256 x 4,096; twice 64 frequencies of 4 bytes; the embedding is larger than a layer
    assert read() == {
        "automodel_parameters": 7_504_924_672, "automodel_buffer_bytes": 512,
        "automodel_layer_bytes": 525_336_576 * 4,
    }  # fmt: skip
    small = read(vocab_size=1000)
    assert small["automodel_layer_bytes"] == (2 * 4096 * 4096 + 2 * 4096 * 1024 + 3 * 4096 * 14336 + 2 * 4096) * 4


def test_remote_code_may_name_a_class_with_a_head() -> None:
    headed = read(auto_map={"AutoConfig": "a.b", "AutoModelForCausalLM": "a.c"})
    assert headed["automodel_parameters"] == 8_030_261_248
    tied = read(auto_map={"AutoModelForCausalLM": "a.c"}, tie_word_embeddings=True)
    assert tied["automodel_parameters"] == 8_030_261_248, "the tied matrix is built anew"
    other = read(auto_map={"AutoModelForSequenceClassification": "a.c"})
    assert set(other.values()) == {None}
    assert read(auto_map={"AutoModel": "a.c"}) == read(auto_map="a.c") == read()


def test_bert_of_the_documentation() -> None:
    # accelerate's documentation prints 413.18 MB for it. Its largest layer, 84.95 MB there, was the matrix of words;
    # transformers 5 keeps the embedding together: positions, types, a norm and two tables of 512 positions more.
    words, other = 28_996 * 768, (512 + 2) * 768 + 2 * 768
    assert round(words * 4 / 2**20, 2) == 84.95
    assert columns_of("google-bert/bert-base-cased") == {
        "automodel_parameters": 108_310_272, "automodel_buffer_bytes": 8_192,
        "automodel_layer_bytes": (words + other) * 4 + 8_192,
    }  # fmt: skip


@pytest.mark.parametrize("model_type", ["no_such_type", "gptj", "gemma3"])
def test_a_class_without_a_row_is_unknown(model_type: str) -> None:
    assert model_type not in architectures.automodels()
    assert set(read(model_type=model_type).values()) == {None}


def test_rows_name_their_class_and_its_source() -> None:
    for model_type, row in architectures.automodels().items():
        assert row["class"], model_type
        assert row["source"].startswith("transformers "), model_type
        assert row["unsplit"] in ({"nothing"}, {"blocks"}, {"blocks", "embeddings"}), model_type
        assert row["embeddings"] >= 1, model_type


def test_a_copy_of_another_repository_has_no_number() -> None:
    # accelerate reads the repository's own configuration, and a GGUF copy has none
    assert set(columns_of("bartowski/Meta-Llama-3.1-8B-Instruct-GGUF").values()) == {None}
