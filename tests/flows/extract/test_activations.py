"""What layers keep for a backward pass, against classes whose allocations were followed (benchmarks/activations).

tests/golden/activations.csv has the bytes of a token in the layers after the second, of configurations cut to a few.
"""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import catalogs
from catalogs import architectures
from estimator import activations, training_activations
from flows.extract.read_config import read_architecture

Columns = dict[str, Any]
GOLDEN = Path(__file__).parents[2] / "golden" / "activations.csv"
CONFIGS = {row["model_id"]: json.loads(row["config"]) for row in catalogs.hub_snapshot() if row["config"]}
BOUNDARY = 2
COUNTED = ("full", "autocast", "fp32", "adapters", "adapters_qv")
# CPU and GPU differ in what they need for a moment beside the tensors of a layer.
PREFILL_ERROR = 0.03
METHODS = {
    "full": ("full", "mixed"), "autocast": ("full", "autocast"), "adapters": ("lora", "mixed"),
    "adapters_qv": ("lora", "mixed"), "fp32": ("full", "fp32"),
}  # fmt: skip
LLAMA: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 4096, "num_hidden_layers": 32,
    "num_attention_heads": 32, "num_key_value_heads": 8, "intermediate_size": 14336, "vocab_size": 128256,
    "max_position_embeddings": 131072,
}  # fmt: skip


def golden_rows(*recipes: str) -> list[dict[str, str]]:
    with GOLDEN.open(encoding="utf-8", newline="") as file:
        return [row for row in csv.DictReader(file) if row["recipe"] in recipes]


def cut(config: dict[str, Any], changes: dict[str, Any], layers: int) -> dict[str, Any]:
    """As benchmarks/activations/count.py cuts them."""
    text = {**config, **(config.get("text_config") or {}), **changes}
    for name in ("num_hidden_layers", "n_layer", "num_layers"):
        if name in text:
            text[name] = layers
    for name in ("layer_types", "mlp_layer_types", "indexer_types"):
        if isinstance(text.get(name), list):
            text[name] = text[name][:layers]
    if isinstance(text.get("attention_types"), list):
        text["attention_types"] = [[kinds, layers // len(kinds)] for kinds, _ in text["attention_types"]]
    return {name: value for name, value in text.items() if name not in ("text_config", "vision_config")}


def columns_of(config: dict[str, Any]) -> Columns:
    return dict(read_architecture(config).columns)


def kept(columns: Columns, recipe: str, rank: int | None, context: int) -> float:
    """What the estimator makes of the columns: bytes of a token in all layers."""
    method, name = METHODS[recipe]
    c = {column: pl.lit(columns[column], dtype=pl.Int64) for column in columns if column.startswith("train_")}
    of_token = training_activations.token_bytes(
        method=pl.lit(method), recipe=pl.lit(name), full=c["train_full_bytes"], autocast=c["train_autocast_bytes"],
        fp32=c["train_fp32_bytes"],
        adapted=training_activations.adapted_bytes(
            targets=pl.lit("attention_qv" if recipe == "adapters_qv" else "all_linear"),
            adapters=c["train_adapter_bytes"], rank_bytes=c["train_rank_bytes"], qv=c["train_adapter_qv_bytes"],
            layers=pl.lit(columns["layers"]), rank=pl.lit(rank, dtype=pl.Int64),
        ),
    )  # fmt: skip
    of = "train_fp32" if recipe == "fp32" else "train"
    of_sequence = training_activations.sequence_bytes(
        context=pl.lit(context), window=pl.lit(columns["window_tokens"]), pair=c[f"{of}_pair_bytes"],
        masked=c[f"{of}_masked_bytes"], masked_pair=c[f"{of}_masked_pair_bytes"],
    )  # fmt: skip
    return float(pl.select(of_token + of_sequence).item())


def named(row: dict[str, str]) -> str:
    return f"{row['model_id']}-{row['changes']}-{row['recipe']}"


@pytest.mark.parametrize("row", golden_rows(*COUNTED), ids=named)
def test_layers_keep_what_was_counted(row: dict[str, str]) -> None:
    changes = json.loads(row["changes"] or "{}")
    config = CONFIGS[row["model_id"]]
    rank = int(row["rank"]) if row["rank"] else None
    whole, first = (
        kept(columns_of(cut(config, changes, layers)), row["recipe"], rank, int(row["context_tokens"]))
        for layers in (int(row["layers"]), BOUNDARY)
    )
    assert whole - first == int(row["bytes_per_token"])


@pytest.mark.parametrize("row", golden_rows("prefill"), ids=named)
def test_prompts_need_what_was_counted(row: dict[str, str]) -> None:
    config = cut(CONFIGS[row["model_id"]], json.loads(row["changes"] or "{}"), int(row["layers"]))
    columns = columns_of(config)
    context = int(row["context_tokens"])
    needed = activations.prompt_bytes(
        tokens=pl.lit(1), context=pl.lit(context), layer=pl.lit(columns["prefill_layer_bytes"]),
        attention=pl.lit(columns["prefill_attention_bytes"]), pair=pl.lit(columns["prefill_pair_bytes"]),
    )  # fmt: skip
    assert pl.select(needed).item() == pytest.approx(int(row["bytes_per_token"]), rel=PREFILL_ERROR)


def test_every_type_and_recipe_of_the_catalog_was_counted() -> None:
    counted = Counter(
        (cut(CONFIGS[row["model_id"]], json.loads(row["changes"] or "{}"), 2)["model_type"], row["recipe"])
        for row in golden_rows(*COUNTED, "prefill")
    )  # fmt: skip
    for name, row in architectures.activations().items():
        if "family" in architectures.dialects()[name]:
            continue  # tests/flows/extract/test_encoder_activations.py
        part = row.get("sparse") if "sparse" in row else row["dense"]
        for recipe in COUNTED:
            if row["layer"].get(recipe) and part.get(recipe):
                assert counted[name, recipe], (name, recipe)
        assert counted[name, "prefill"], name


def test_a_layer_of_llama_by_hand() -> None:
    """16·4,096 + 4·(32 + 8)·128 + 8·14,336 + 4·32 + 8, in each of 32 layers; a prompt 6·14,336 + 8·4,096."""
    columns = columns_of(LLAMA)
    assert columns["train_full_bytes"] == 32 * 200_840
    assert columns["train_autocast_bytes"] == 32 * (200_840 + 10 * 4096)
    # 18·4,096, and the inputs of the output projection 2·4,096 for its adapter
    assert columns["train_adapter_bytes"] == 32 * (200_840 + 2 * 4096 + 2 * 4096)
    assert columns["train_rank_bytes"] == 32 * 2 * 7
    # groups of queries have no kernel in fp32: queries, keys and values of every head, scores, and what goes out
    assert columns["train_fp32_bytes"] == 32 * (24 * 4096 + 16 * 4096 + 16 * 14_336 + 8)
    assert columns["train_fp32_pair_bytes"] == 32 * 4 * 32
    # inputs of the other modules are not kept, and the feed-forward's product neither
    assert columns["train_adapter_qv_bytes"] == 32 * 155_784
    assert columns["prefill_layer_bytes"] == 118_784
    assert columns["train_pair_bytes"] == columns["train_masked_bytes"] == columns["prefill_pair_bytes"] == 0
    assert columns["train_logit_bytes"] == 12


@pytest.mark.parametrize(
    ("model_id", "rank", "parameters"),
    [("meta-llama/Llama-3.1-8B", 8, 3_407_872), ("meta-llama/Llama-3.2-3B", 32, 9_175_040)],
)
def test_adapters_on_queries_and_values(model_id: str, rank: int, parameters: int) -> None:
    columns = columns_of(CONFIGS[model_id])
    assert rank * columns["lora_qv_io"] == parameters
    # inputs of both are as wide as the hidden state
    assert columns["lora_qv_io"] - columns["lora_qv_rows"] == 2 * columns["layers"] * columns["hidden_size"]


@pytest.mark.parametrize(
    "model_id",
    ["microsoft/phi-4", "openai-community/gpt2", "EleutherAI/pythia-1.4b", "deepseek-ai/DeepSeek-V2-Lite"],
)
def test_queries_and_values_that_are_one_module_or_were_not_counted_are_unknown(model_id: str) -> None:
    columns = columns_of(CONFIGS[model_id])
    assert columns["train_adapter_qv_bytes"] is None
    assert "lora_qv_io" not in columns


def test_windows_add_masks_and_copies() -> None:
    mistral = columns_of({**LLAMA, "model_type": "mistral", "sliding_window": 4096})
    assert mistral["train_masked_bytes"] == 32 * 4 * (32 - 8) * 128
    assert mistral["train_masked_pair_bytes"] == 32 * 2
    assert columns_of({**LLAMA, "model_type": "mistral", "sliding_window": None})["train_masked_pair_bytes"] == 0


@pytest.mark.parametrize(
    "changes",
    [
        {"model_type": "apertus"},  # llama's parameters, but not its modules
        {"model_type": "never_heard_of"},
        {"hidden_act": "xielu"},
        {"model_type": "arcee", "hidden_act": "silu"},  # counted with the square of relu alone
    ],
)
def test_what_was_not_counted_is_unknown(changes: dict[str, Any]) -> None:
    columns = columns_of({**LLAMA, **changes})
    assert columns["train_full_bytes"] is None
    assert columns["train_autocast_bytes"] is None
    assert columns["train_adapter_bytes"] is None


@pytest.mark.parametrize(
    ("model_id", "changes"),
    [
        ("stabilityai/stablelm-2-1_6b-chat", {"use_parallel_residual": True}),
        ("CohereForAI/c4ai-command-r-v01", {"use_qk_norm": True}),
        ("tiiuae/falcon-40b", {"alibi": True}),
        ("tiiuae/falcon-40b", {"parallel_attn": False}),
        ("tiiuae/falcon-40b", {"new_decoder_architecture": False}),
        ("google/gemma-4-31B-it", {"hidden_size_per_layer_input": 256}),
    ],
)
def test_switches_that_were_not_counted_leave_a_type_unknown(model_id: str, changes: dict[str, Any]) -> None:
    counted, not_counted = (columns_of(cut(CONFIGS[model_id], each, 2)) for each in ({}, changes))
    for name in ("train_full_bytes", "train_rank_bytes", "prefill_layer_bytes"):
        assert counted[name] is not None
        assert not_counted[name] is None


def test_experts_of_llama_4_by_hand() -> None:
    """All 16 experts see every token, in one layer with chunks (norms of heads) and one of four without."""
    scout = columns_of(cut(CONFIGS["meta-llama/Llama-4-Scout-17B-16E-Instruct"], {}, 4))
    experts = 16 * (8 * 8192 + 4 * 5120 + 6) + 8 * 8192 + 8
    layer = 16 * 5120 + 4 * (40 + 8) * 128 + 4 * 40 + 8
    normed = layer + 4 * (40 + 8) * 128 + 4 * (40 + 8)
    assert scout["train_full_bytes"] == 4 * experts + 3 * normed + layer
    # fp32 between layers; inputs of projections, the router and the shared expert in 16 bits, those of experts in both
    assert scout["train_autocast_bytes"] == scout["train_full_bytes"] + 4 * (10 * 5120 + 2 * 5120 + 16 * 2 * 5120)
    assert scout["train_rank_bytes"] == 4 * 2 * (4 + 3)
    assert scout["train_masked_pair_bytes"] == 3 * 2


def test_recipes_that_a_class_refuses_are_unknown() -> None:
    """Grouped products take no fp32 weights, and PEFT adapts DeepSeek's experts."""
    mixtral = {**LLAMA, "model_type": "mixtral", "num_local_experts": 8, "num_experts_per_tok": 2}
    columns = columns_of(mixtral)
    assert columns["train_autocast_bytes"] is None
    # 2 of 8 experts: inputs, gate and up, their product, outputs in and out of order; routing
    assert columns["train_full_bytes"] == 32 * (200_840 - 8 * 14_336 + 2 * (8 * 14_336 + 4 * 4096) + 4 * 8 + 84)
    deepseek = CONFIGS["deepseek-ai/DeepSeek-V2-Lite"]
    assert columns_of(deepseek)["train_adapter_bytes"] is None
    assert columns_of(deepseek)["train_full_bytes"] == 149_068 + 26 * 209_444
