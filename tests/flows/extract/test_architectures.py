"""Configurations against hand-checked numbers and, where the facts are at hand, against oracles."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cache_bytes import kept
from hypothesis import given, settings
from hypothesis import strategies as st

import catalogs
from catalogs import architectures
from flows.extract.architecture import Architecture, is_sane
from flows.extract.read_config import read_architecture

GOLDEN = Path(__file__).parents[2] / "golden" / "architectures.csv"


def snapshot() -> dict[str, dict[str, Any]]:
    return {row["model_id"]: json.loads(row["config"]) for row in catalogs.hub_snapshot() if row["config"]}


SNAPSHOT = snapshot()
LLAMA = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 4096, "num_hidden_layers": 32,
    "num_attention_heads": 32, "num_key_value_heads": 8, "intermediate_size": 14336, "vocab_size": 128256,
    "max_position_embeddings": 131072,
}  # fmt: skip


def read(**changes: Any) -> Architecture:
    return read_architecture({**LLAMA, **changes})


def test_llama_by_component() -> None:
    columns = read().columns
    assert read().parameters == 8_030_261_248
    assert columns["p_attn"] == 32 * (2 * 4096 * 4096 + 2 * 4096 * 1024)
    assert columns["p_kv_proj"] == 32 * 2 * 4096 * 1024
    assert columns["p_mlp"] == 32 * 3 * 4096 * 14336
    assert columns["p_embed"] == columns["p_lm_head"] == 128256 * 4096
    assert columns["p_norm"] == 65 * 4096
    assert columns["kv_full_elements_per_token"] == 65_536
    assert columns["rope_cache_elements"] == 131_072 * 128
    # 1, 2, 4, 8 and 16 devices, at which the 8 key/value heads are copied
    assert columns["tp_ok_mask"] == 0b1000_0000_1000_1011
    assert columns["ep_ok_mask"] == 0  # no experts to keep whole
    assert (columns["kv_full_layers"], columns["kv_window_layers"], columns["state_layers"]) == (32, 0, 0)
    assert columns["active_read_parameters"] == 8_030_261_248 - 128256 * 4096


def test_a_vocabulary_divides_too() -> None:
    """A fifth of 40 heads, of 10 for keys and of 17,920 columns, but not of 100,352 tokens."""
    phi = {"num_attention_heads": 40, "num_key_value_heads": 10, "hidden_size": 5120, "intermediate_size": 17_920}
    assert read(**phi, vocab_size=100_352).columns["tp_ok_mask"] == 0b0_0011
    assert read(**phi, vocab_size=100_480).columns["tp_ok_mask"] == 0b1_0011
    # 50,257 are padded to 64 x 786
    gpt = {"num_attention_heads": 12, "num_key_value_heads": 12, "hidden_size": 768, "intermediate_size": 3072}
    assert read(**gpt, vocab_size=50_257).columns["tp_ok_mask"] == 0b10_1111


@pytest.mark.parametrize(
    ("model_id", "parameters", "active"),
    [
        ("Qwen/Qwen3-30B-A3B", 30_532_122_624, 3_353_032_704),
        ("mistralai/Mixtral-8x7B-v0.1", 46_702_792_704, 12_879_925_248),
        ("openai/gpt-oss-20b", 20_914_757_184, 4_187_440_704),
        ("openai/gpt-oss-120b", 116_829_156_672, 5_711_982_912),
        ("Qwen/Qwen3-Next-80B-A3B-Instruct", 79_674_391_296, 3_874_929_408),
        ("ai21labs/Jamba-v0.1", 51_570_323_328, 12_110_311_296),
        ("MiniMaxAI/MiniMax-Text-01-hf", 456_089_655_296, 48_403_306_496),
        ("ibm-granite/granite-4.0-h-small", 32_207_337_984, None),
        ("tiiuae/Falcon-H1-34B-Instruct", 33_642_221_312, None),
        ("state-spaces/mamba-2.8b-hf", 2_768_345_600, None),
        ("openai/whisper-large-v3", 1_543_490_560, None),
        ("google/flan-t5-xxl", 11_135_332_352, None),
        ("google/gemma-3-27b-it", 27_432_406_640, None),
        ("tiiuae/falcon-7b", 6_921_720_704, None),
        ("openai-community/gpt2", 124_439_808, None),
        ("stabilityai/stablelm-2-1_6b-chat", 1_644_515_328, None),
        ("facebook/nllb-200-distilled-600M", 615_073_792, None),
        ("facebook/bart-large-cnn", 406_290_432, None),
        ("MiniMaxAI/MiniMax-Text-01", 456_089_655_296, 48_403_306_496),
        # the published 49,122,681,728 also counts 26 x 256 router score biases, which are buffers
        ("moonshotai/Kimi-Linear-48B-A3B-Instruct", 49_122_675_072, None),
    ],
)
def test_famous_counts(model_id: str, parameters: int, active: int | None) -> None:
    found = read_architecture(SNAPSHOT[model_id])
    assert found.parameters == parameters
    if active is not None:
        assert found.active_parameters == active


@pytest.mark.parametrize(
    ("model_id", "blocks"),
    [
        ("meta-llama/Llama-3.1-8B", 0),
        ("moonshotai/Kimi-K2-Instruct", 0),
        ("zai-org/GLM-4.5", 1),
        ("Qwen/Qwen3.5-0.8B", None),  # announced, and not counted
        ("MiniMaxAI/MiniMax-M2.5", None),
    ],
)
def test_blocks_that_predict(model_id: str, blocks: int | None) -> None:
    columns = read_architecture(SNAPSHOT[model_id]).columns
    assert columns["mtp_layers"] == blocks
    assert (columns["mtp_parameters"] is None) == (blocks is None)
    assert (columns["mtp_parameters"] == 0) == (blocks == 0)


def test_deepseek_counts_its_prediction_block_apart() -> None:
    found = read_architecture(SNAPSHOT["deepseek-ai/DeepSeek-V3"])
    assert found.mtp_parameters == 11_610_068_224 - 256  # the routers' score-correction biases are buffers
    assert found.columns["parameters_resident"] == 671_026_404_352
    assert found.columns["mtp_parameters"] == found.mtp_parameters
    assert found.columns["mtp_expert_parameters"] == 256 * 3 * 7168 * 2048
    assert found.columns["mtp_layers"] == 1
    assert found.active_parameters == 37_552_282_624
    assert found.columns["kv_latent_elements_per_token"] == 61 * 576
    assert found.columns["kv_full_elements_per_token"] == 0
    assert [group.kind for group in found.groups] == ["latent"]


@pytest.mark.parametrize(
    ("model_id", "full", "sliding", "window", "state"),
    [
        ("google/gemma-3-27b-it", 40_960, 212_992, 1024, 0),
        ("openai/gpt-oss-20b", 12_288, 12_288, 128, 0),
        ("ai21labs/Jamba-v0.1", 8_192, 0, 0, 28 * (8192 * 3 * 2 + 8192 * 16 * 4)),
        ("tiiuae/Falcon-H1-34B-Instruct", 73_728, 0, 0, 304_201_728),
        ("MiniMaxAI/MiniMax-Text-01-hf", 20_480, 0, 0, 293_601_280),
        ("ibm-granite/granite-4.0-h-small", 8_192, 0, 0, 152_819_712),
        ("Qwen/Qwen3-Next-80B-A3B-Instruct", 12_288, 0, 0, 77_266_944),
    ],
)
def test_caches_and_states(model_id: str, full: int, sliding: int, window: int, state: int) -> None:
    found = read_architecture(SNAPSHOT[model_id])
    assert found.columns["kv_full_elements_per_token"] == full
    assert found.columns["kv_window_elements_per_token"] == sliding
    assert found.columns["window_tokens"] == window
    assert sum(group.state_bytes or 0 for group in found.groups) == state
    kept = [group.elements_per_token or 0 for group in found.groups if group.kind in ("full", "sliding", "chunked")]
    assert sum(kept) == full + sliding


def test_gemma_3n_shares_the_caches_of_its_last_layers() -> None:
    found = read_architecture(SNAPSHOT["google/gemma-3n-E4B-it"])
    # 35 layers, every fifth full; the last 15 keep nothing: 4 full and 16 sliding ones own 2 x 2 x 256 elements each
    assert found.columns["kv_full_elements_per_token"] == 4 * 1024
    assert found.columns["kv_window_elements_per_token"] == 16 * 1024
    assert found.columns["window_tokens"] == 512
    # those last layers have no key and value projections either
    assert found.columns["p_kv_proj"] == 20 * 2 * 512 * 2048


def test_deepseek_v4_keeps_fractions_of_an_element() -> None:
    """31 layers keep one entry of 512 for 128 tokens, 30 one of 512 and an indexer key of 128 for 4 tokens."""
    ratios = [128, 128] + [4, 128] * 29 + [4]
    found = read_architecture(
        {
            "model_type": "deepseek_v4", "architectures": ["DeepseekV4ForCausalLM"], "hidden_size": 7168,
            "num_hidden_layers": 61, "num_attention_heads": 128, "q_lora_rank": 1536, "o_groups": 16,
            "n_routed_experts": 384, "moe_intermediate_size": 3072, "compress_ratios": ratios,
        }
    )  # fmt: skip
    assert found.parameters == 1_572_997_179_491
    assert found.active_parameters == 49_779_058_787
    assert found.columns["kv_latent_elements_per_token"] == 31 * 512 / 128 + 30 * (512 + 128) / 4
    assert found.columns["kv_window_elements_per_token"] == 61 * 512
    assert found.columns["window_tokens"] == 128
    assert found.columns["kv_full_elements_per_token"] == 0
    assert [(group.kind, group.layers) for group in found.groups] == [("sliding", 61), ("latent", 31), ("latent", 30)]


def test_a_layer_that_attends_to_the_image_keeps_nothing_of_the_text() -> None:
    found = read(model_type="mllama_text_model", num_hidden_layers=40, architectures=["MllamaForCausalLM"])
    assert found.parameters == 9_775_192_080
    assert found.columns["kv_full_elements_per_token"] == 32 * 2048
    assert [(group.kind, group.layers) for group in found.groups] == [("full", 32), ("cross", 8)]
    # each image adds 1,601 tokens a tile to these layers; a conversation without images adds none
    assert found.columns["kv_cross_elements_per_token"] == 8 * 2048
    assert found.columns["cross_tokens"] == 0


def test_a_shared_block_is_counted_once_and_kept_every_time() -> None:
    plan = ["mamba", "hybrid", "mamba", "hybrid", "hybrid"]
    zamba = {"model_type": "zamba2", "num_hidden_layers": 5, "layers_block_type": plan, "hidden_size": 64,
             "num_attention_heads": 4, "n_mamba_heads": 2}  # fmt: skip
    one, two = (read_architecture({**zamba, "num_mem_blocks": blocks}) for blocks in (1, 2))
    assert one.columns["kv_full_elements_per_token"] == two.columns["kv_full_elements_per_token"] == 3 * 2 * 128
    # a block: four projections over both inputs, a gated feed-forward, two norms
    assert two.parameters - one.parameters == 4 * 128 * 128 - 64 * 128 + 3 * 64 * 256 + 3 * 64  # type: ignore[operator]


def test_layers_that_run_again_keep_a_cache_each_time() -> None:
    looped = {**LLAMA, "model_type": "ouro", "num_hidden_layers": 4}
    assert read_architecture(looped).columns["kv_full_elements_per_token"] == 4 * 4 * 2048
    assert read_architecture({**looped, "total_ut_steps": 2}).columns["kv_full_elements_per_token"] == 2 * 4 * 2048
    with pytest.raises(ValueError, match="runs 0 times"):
        read_architecture({**looped, "total_ut_steps": 0})


def test_sliding_layers_of_step_have_heads_of_their_own() -> None:
    step = {
        "model_type": "step3p5", "architectures": ["Step3p5ForCausalLM"], "hidden_size": 4096, "num_hidden_layers": 45,
        "num_attention_heads": 64, "num_attention_groups": 8, "head_dim": 128, "intermediate_size": 11264,
        "moe_num_experts": 288, "moe_top_k": 8, "moe_intermediate_size": 1280, "share_expert_dim": 1280,
        "moe_layers_enum": ",".join(map(str, range(3, 45))), "vocab_size": 128896, "sliding_window": 512,
        "layer_types": (["full_attention"] + ["sliding_attention"] * 3) * 12,
        "attention_other_setting": {"attention_type": "sliding_attention", "num_attention_heads": 96},
    }  # fmt: skip
    found = read_architecture(step)
    assert found.parameters == 196_956_118_272
    assert found.active_parameters == 11_987_311_872
    assert [(group.kind, group.layers) for group in found.groups] == [("full", 12), ("sliding", 33)]


def test_absent_takes_the_class_default_and_null_switches_off() -> None:
    mistral = {**LLAMA, "model_type": "mistral"}
    assert read_architecture(mistral).columns["window_tokens"] == 4096
    assert read_architecture({**mistral, "sliding_window": None}).columns["window_tokens"] == 0
    assert read_architecture({**mistral, "sliding_window": None}).columns["kv_full_elements_per_token"] == 65_536


def test_qwen_windows_need_their_switch() -> None:
    qwen = {**LLAMA, "model_type": "qwen2", "sliding_window": 4096, "max_window_layers": 30}
    assert read_architecture(qwen).columns["kv_window_elements_per_token"] == 0
    assert read_architecture({**qwen, "use_sliding_window": True}).columns["kv_window_elements_per_token"] == 2 * 2048


def test_an_unknown_type_is_never_a_verified_decoder() -> None:
    found = read(model_type="brand_new")
    assert not found.is_verified
    assert found.notes


@pytest.mark.parametrize(
    "strange",
    [
        {"kv_lora_rank": 512}, {"mamba_d_state": 16}, {"linear_num_key_heads": 4}, {"num_experts": 8},
        {"compress_ratios": [4]}, {"attn_type_list": [0, 1]}, {"index_n_heads": 64},
    ],
)  # fmt: skip
def test_a_strange_key_makes_an_unknown_type_unknown(strange: dict[str, Any]) -> None:
    found = read(model_type="brand_new", **strange)
    assert found.parameters is None
    assert found.columns.get("kv_full_elements_per_token") is None
    assert [group.kind for group in found.groups] == ["unknown"]


def test_an_unknown_layer_kind_leaves_the_cache_unknown() -> None:
    found = read(layer_types=["full_attention"] * 31 + ["telepathy"])
    assert found.columns["kv_full_elements_per_token"] is None
    assert found.parameters is None
    assert not found.is_verified


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("hidden_size", -1), ("hidden_size", "4096"), ("hidden_size", True), ("num_hidden_layers", 10**30),
        ("num_hidden_layers", 1e30), ("vocab_size", float("nan")), ("vocab_size", [1, 2]), ("num_hidden_layers", 10**6),
        ("intermediate_size", None), ("layer_types", ["full_attention"]), ("layer_types", "full"),
    ],
)  # fmt: skip
def test_damaged_configurations_say_what_is_wrong(key: str, value: Any) -> None:
    with pytest.raises(ValueError, match=r"\S"):
        read(**{key: value})


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


TYPES = [*architectures.dialects(), *architectures.multimodal(), "brand_new"]
PLANS = [
    "layer_types", "per_layer_config", "num_attention_heads_per_layer", "mlp_layer_types", "compress_ratios",
    "linear_attn_config", "attn_type_list", "full_attn_idxs", "block_types", "attention_types", "hybrid_layer_pattern",
    "moe_layer_freq", "cross_attention_layers", "attn_layer_indices", "indexer_types", "id2label", "num_labels",
    "rope_parameters", "num_kv_shared_layers", "block_configs", "ffn_multipliers", "mlp_only_layers",
    "index_topk_pattern", "hybrid_override_pattern", "layers_block_type", "text_config", "vision_config",
    "audio_config",
]  # fmt: skip


@given(model_type=st.sampled_from(TYPES), is_whole=st.booleans(), data=st.data())
@settings(max_examples=400, deadline=None)
def test_nothing_but_a_value_error_ever(model_type: str, is_whole: bool, data: st.DataObject) -> None:
    """Any JSON value under any key that a type knows, beside a whole configuration or the defaults of the class."""
    own = architectures.classes().get(model_type, {"defaults": {}})["defaults"]
    changes = data.draw(st.dictionaries(st.sampled_from([*LLAMA, *PLANS, *own]), json_values, max_size=5))
    config = {**(LLAMA if is_whole else {"num_hidden_layers": 3}), **changes, "model_type": model_type}
    try:
        found = read_architecture(config)
    except ValueError:
        return
    if is_sane(found):  # absurd numbers are whoever asks' to refuse
        assert all(value is None or abs(value) < 2**63 for value in found.columns.values())


def test_every_dialect_has_a_source_and_reads_its_own_defaults() -> None:
    for name, row in architectures.dialects().items():
        assert row["source"], name
    for name in architectures.multimodal():
        assert architectures.multimodal()[name]["source"]


def golden_rows() -> Iterator[dict[str, str]]:
    with GOLDEN.open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


@pytest.mark.parametrize("row", list(golden_rows()), ids=lambda row: row["model_id"])
def test_snapshot_models_match_built_classes(row: dict[str, str]) -> None:
    """Counts of the transformers 5.23 class on the meta device; the block that predicts further tokens apart."""
    found = read_architecture(SNAPSHOT[row["model_id"]])
    assert (found.parameters or 0) - (found.mtp_parameters or 0) == int(row["parameters"])
    assert found.active_parameters == int(row["active_parameters"])


def cache_rows() -> list[dict[str, str]]:
    with GOLDEN.with_name("caches.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("model_id", sorted({row["model_id"] for row in cache_rows()}))
def test_snapshot_caches_match_at_every_context(model_id: str) -> None:
    columns = read_architecture(SNAPSHOT[model_id]).columns
    for row in cache_rows():
        if row["model_id"] == model_id:
            at = (int(row["context_tokens"]), int(row["sequences"]), row["dtype"])
            assert kept(columns, *at) == (int(row["kv_bytes"]), int(row["state_bytes"])), at
