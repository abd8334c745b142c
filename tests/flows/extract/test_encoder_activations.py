"""What a prompt needs in an encoder, against classes whose allocations were followed (benchmarks/activations).

tests/golden/activations.csv has the bytes of a token in rows `encode`, of the whole class with its head.
"""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import catalogs
from catalogs import architectures
from estimator.activation_slopes import peak_bytes
from flows.extract.read_config import read_architecture

GOLDEN = Path(__file__).parents[2] / "golden" / "activations.csv"
CONFIGS = {row["model_id"]: json.loads(row["config"]) for row in catalogs.hub_snapshot() if row["config"]}
# a second mask of windows, which ModernBERT has, is counted in attention alone
ERROR, ERROR_WITH_WINDOWS = 0.03, 0.05
BERT: dict[str, Any] = {
    "architectures": ["BertModel"], "model_type": "bert", "hidden_size": 1024, "num_hidden_layers": 24,
    "num_attention_heads": 16, "intermediate_size": 4096, "vocab_size": 30522, "max_position_embeddings": 512,
    "type_vocab_size": 2, "hidden_act": "gelu",
}  # fmt: skip
COLUMNS = ("prefill_layer_bytes", "prefill_attention_bytes", "prefill_pair_bytes", "prefill_shared_bytes")


def golden_rows() -> list[dict[str, str]]:
    with GOLDEN.open(encoding="utf-8", newline="") as file:
        return [row for row in csv.DictReader(file) if row["recipe"] == "encode"]


def cut(config: dict[str, Any], changes: dict[str, Any], layers: int) -> dict[str, Any]:
    """As benchmarks/activations/count_encoders.py cuts them."""
    found = {**config, **changes}
    for name in ("num_hidden_layers", "n_layers"):
        if name in found:
            found[name] = layers
    if isinstance(found.get("layer_types"), list):
        found["layer_types"] = found["layer_types"][:layers]
    return found


def columns_of(config: dict[str, Any]) -> dict[str, Any]:
    return {name: read_architecture(config).columns.get(name) for name in COLUMNS}


def named(row: dict[str, str]) -> str:
    return f"{row['model_id']}-{row['changes']}-{row['context_tokens']}"


@pytest.mark.parametrize("row", golden_rows(), ids=named)
def test_prompts_need_what_was_counted(row: dict[str, str]) -> None:
    config = cut(CONFIGS[row["model_id"]], json.loads(row["changes"]), int(row["layers"]))
    layer, attention, pair, shared = columns_of(config).values()
    assert shared == {"deberta": 24, "deberta-v2": 24, "modernbert": 16}.get(config["model_type"], 0)
    context = int(row["context_tokens"])
    slopes = {
        "fixed_bytes": 0.0, "sequence_bytes": 0.0, "layer_bytes": 0.0, "token_bytes": float(layer),
        "attention_bytes": float(attention), "pair_bytes": float(pair), "held_bytes": 16.0, "window_tokens": 0,
    }  # fmt: skip
    needed = peak_bytes(context=pl.lit(context), sequences=pl.lit(1))
    error = ERROR_WITH_WINDOWS if config["model_type"] == "modernbert" else ERROR
    each = pl.DataFrame([slopes]).select(needed).item() / context
    # the mask is gone when all words get a logit, and is counted beside them
    gone = context if layer > attention + pair * context and config["architectures"] == ["ForMaskedLM"] else 0
    assert each - gone == pytest.approx(int(row["bytes_per_token"]), rel=error)


def test_every_encoder_of_the_catalog_was_counted() -> None:
    counted = {cut(CONFIGS[row["model_id"]], json.loads(row["changes"]), 2)["model_type"] for row in golden_rows()}
    encoders = {name for name in architectures.activations() if "family" in architectures.dialects()[name]}
    assert counted == encoders


def test_a_layer_of_bert_by_hand() -> None:
    """4,096 numbers in and out of the activation function, 3 x 1,024 beside them (embeddings, input, attention)."""
    assert columns_of(BERT) == {
        "prefill_layer_bytes": 4 * 4096 + 6 * 1024,
        "prefill_attention_bytes": 12 * 1024 + 4 * 16,
        "prefill_pair_bytes": 2,
        "prefill_shared_bytes": 0,
    }


@pytest.mark.parametrize(
    ("name", "bytes_"),
    [
        ("BertModel", 22_528),
        ("BertForSequenceClassification", 22_528),
        ("BertForMaskedLM", 2 * 30_522 + 4 * 1024),
        ("BertForPreTraining", 2 * 30_522 + 4 * 1024),
    ],
)
def test_classes_that_answer_with_words_have_logits_of_every_token(name: str, bytes_: int) -> None:
    assert columns_of({**BERT, "architectures": [name]})["prefill_layer_bytes"] == bytes_


def test_electra_tells_words_apart_without_logits() -> None:
    electra = {**BERT, "model_type": "electra", "embedding_size": 128, "architectures": ["ElectraForPreTraining"]}
    assert columns_of(electra)["prefill_layer_bytes"] == 22_528
    assert columns_of({**electra, "architectures": ["ElectraForMaskedLM"]})["prefill_layer_bytes"] == 61_044 + 2_304


def test_deberta_counts_what_words_ask_of_distances() -> None:
    """12 heads: scores of words, and of words with distances one way or both."""
    deberta = CONFIGS["microsoft/deberta-v3-base"]
    assert columns_of(deberta)["prefill_pair_bytes"] == 127
    assert columns_of({**deberta, "pos_att_type": "c2p"})["prefill_pair_bytes"] == 103


@pytest.mark.parametrize(
    "config",
    [
        {**BERT, "hidden_act": "never_heard_of"},
        {**BERT, "is_decoder": True},
        {**BERT, "position_embedding_type": "alibi"},
        {**BERT, "architectures": ["BertForSomethingElse"]},
        {**BERT, "model_type": "squeezebert"},
        {**BERT, "model_type": "new"},  # a class of its repositories, and not transformers'
        {**CONFIGS["microsoft/deberta-v3-base"], "relative_attention": False},
        {**CONFIGS["microsoft/deberta-v3-base"], "position_buckets": -1},
        CONFIGS["google/vit-base-patch16-224"],
    ],
)
def test_what_was_not_counted_is_unknown(config: dict[str, Any]) -> None:
    assert set(columns_of(config).values()) == {None}
