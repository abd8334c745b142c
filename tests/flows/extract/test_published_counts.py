"""Remote-code types against parameter counts that their makers published: there is no class to build."""

from __future__ import annotations

from typing import Any

import pytest

from flows.extract.read_config import read_architecture

# The text of DeepSeek-OCR and of DeepSeek-VL2-tiny, and the tower of DeepSeek-VL2.
DEEPSEEK_TINY = {
    "model_type": "deepseek_v2", "use_mla": False, "hidden_size": 1280, "num_hidden_layers": 12,
    "num_attention_heads": 10, "num_key_value_heads": 10, "intermediate_size": 6848, "moe_intermediate_size": 896,
    "n_routed_experts": 64, "n_shared_experts": 2, "num_experts_per_tok": 6, "first_k_dense_replace": 1,
    "vocab_size": 129280, "kv_lora_rank": None, "q_lora_rank": None, "qk_nope_head_dim": 0, "qk_rope_head_dim": 0,
    "v_head_dim": 0,
}  # fmt: skip
DEEPSEEK_TOWER = {"model_type": "vision", "model_name": "siglip_so400m_patch14_384", "layers": 27, "width": 1152,
                  "mlp_ratio": 3.7362, "patch_size": 14}  # fmt: skip
GATED = {"num_attention_heads": 16, "num_key_value_heads": 4, "head_dim": 128, "tie_word_embeddings": False}
PUBLISHED: list[tuple[str, int, dict[str, Any]]] = [
    (
        "Ling-mini-2.0", 16_255_643_392,
        GATED | {
            "model_type": "bailing_moe_v2", "architectures": ["BailingMoeV2ForCausalLM"], "hidden_size": 2048,
            "num_hidden_layers": 20, "intermediate_size": 5120, "moe_intermediate_size": 512, "num_experts": 256,
            "num_shared_experts": 1, "num_experts_per_tok": 8, "first_k_dense_replace": 1, "use_qk_norm": True,
            "use_qkv_bias": False, "use_bias": False, "vocab_size": 157184,
        },
    ),
    (
        "Ling-lite", 16_801_974_272,
        GATED | {
            "model_type": "bailing_moe", "architectures": ["BailingMoeForCausalLM"], "hidden_size": 2048,
            "num_hidden_layers": 28, "intermediate_size": 5632, "moe_intermediate_size": 1408, "num_experts": 64,
            "num_shared_experts": 2, "num_experts_per_tok": 6, "first_k_dense_replace": 0, "use_qkv_bias": False,
            "use_bias": False, "vocab_size": 126464,
        },
    ),
    (
        "MiMo-7B", 7_833_409_536,
        {
            "model_type": "mimo", "architectures": ["MiMoForCausalLM"], "hidden_size": 4096, "num_hidden_layers": 36,
            "num_attention_heads": 32, "num_key_value_heads": 8, "intermediate_size": 11008, "vocab_size": 151680,
            "tie_word_embeddings": False, "attention_bias": True, "head_dim": 128, "num_nextn_predict_layers": 1,
        },
    ),
    (
        "OLMo-7B", 6_888_095_744,
        {
            "model_type": "hf_olmo", "architectures": ["OLMoForCausalLM"], "d_model": 4096, "n_layers": 32,
            "n_heads": 32, "mlp_hidden_size": 22016, "embedding_size": 50304, "vocab_size": 50280,
            "weight_tying": False, "mlp_ratio": 4, "multi_query_attention": False, "max_sequence_length": 2048,
        },
    ),
    (
        "OLMo-1B", 1_176_764_416,
        {
            "model_type": "hf_olmo", "architectures": ["OLMoForCausalLM"], "d_model": 2048, "n_layers": 16,
            "n_heads": 16, "mlp_hidden_size": None, "embedding_size": 50304, "vocab_size": 50280,
            "weight_tying": True, "mlp_ratio": 8, "multi_query_attention": False, "max_sequence_length": 2048,
        },
    ),
    (
        "Phi-3-small", 7_392_272_384,
        {
            "model_type": "phi3small", "architectures": ["Phi3SmallForCausalLM"], "hidden_size": 4096,
            "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8,
            "ff_intermediate_size": 14336, "vocab_size": 100352,
        },
    ),
    (
        "Phi-3.5-vision", 4_146_621_440,
        {
            "model_type": "phi3_v", "architectures": ["Phi3VForCausalLM"], "hidden_size": 3072,
            "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 32,
            "intermediate_size": 8192, "vocab_size": 32064, "tie_word_embeddings": False,
            "img_processor": {"name": "clip_vision_model"},
        },
    ),
    (
        "InternVL2-4B", 4_146_855_936,
        {
            "model_type": "internvl_chat", "architectures": ["InternVLChatModel"], "downsample_ratio": 0.5,
            "llm_config": {
                "model_type": "phi3", "hidden_size": 3072, "num_hidden_layers": 32, "num_attention_heads": 32,
                "num_key_value_heads": 32, "intermediate_size": 8192, "vocab_size": 32020,
                "tie_word_embeddings": False,
            },
            "vision_config": {
                "model_type": "intern_vit_6b", "hidden_size": 1024, "num_hidden_layers": 24,
                "num_attention_heads": 16, "intermediate_size": 4096, "image_size": 448, "patch_size": 14,
                "qkv_bias": True, "qk_normalization": False, "norm_type": "layer_norm",
            },
        },
    ),
    (
        "deepseek-moe-16b", 16_375_728_128,
        {
            "model_type": "deepseek", "architectures": ["DeepseekForCausalLM"], "hidden_size": 2048,
            "num_hidden_layers": 28, "num_attention_heads": 16, "num_key_value_heads": 16, "intermediate_size": 10944,
            "moe_intermediate_size": 1408, "n_routed_experts": 64, "n_shared_experts": 2, "num_experts_per_tok": 6,
            "first_k_dense_replace": 1, "moe_layer_freq": 1, "vocab_size": 102400, "tie_word_embeddings": False,
        },
    ),
    (
        # one key and value head, as vLLM's models/plamo2 says of it
        "plamo-2-1b", 1_291_441_920,
        {
            "model_type": "plamo2", "architectures": ["Plamo2ForCausalLM"], "hidden_size": 2048,
            "num_hidden_layers": 16, "num_attention_heads": 16, "num_key_value_heads": 1, "hidden_size_per_head": 128,
            "intermediate_size": 8192, "vocab_size": 100000, "mamba_d_state": 64, "mamba_d_conv": 4,
            "mamba_num_heads": 32, "mamba_step": 2, "tie_word_embeddings": True,
        },
    ),
    (
        "deepseek-vl2-tiny", 3_370_501_440,
        {
            "model_type": "deepseek_vl_v2", "architectures": ["DeepseekVLV2ForCausalLM"],
            "language_config": DEEPSEEK_TINY, "vision_config": DEEPSEEK_TOWER,
            "projector_config": {"model_type": "mlp_projector", "n_embed": 1280},
        },
    ),
    (
        "deepseek-vl2-small", 16_148_349_504,
        {
            "model_type": "deepseek_vl_v2", "architectures": ["DeepseekVLV2ForCausalLM"],
            "language_config": {
                "model_type": "deepseek_v2", "hidden_size": 2048, "num_hidden_layers": 27, "num_attention_heads": 16,
                "num_key_value_heads": 16, "intermediate_size": 10944, "moe_intermediate_size": 1408,
                "n_routed_experts": 64, "n_shared_experts": 2, "num_experts_per_tok": 6, "first_k_dense_replace": 1,
                "vocab_size": 102400, "kv_lora_rank": 512, "q_lora_rank": None, "qk_nope_head_dim": 128,
                "qk_rope_head_dim": 64, "v_head_dim": 128,
            },
            "vision_config": DEEPSEEK_TOWER,
        },
    ),
    (
        "DeepSeek-OCR", 3_336_106_240,
        {
            "model_type": "deepseek_vl_v2", "architectures": ["DeepseekOCRForCausalLM"],
            "language_config": DEEPSEEK_TINY,
            "vision_config": {"model_type": "vision", "model_name": "deeplip_b_l", "image_size": 1024},
        },
    ),
    (
        "DeepSeek-OCR-2", 3_389_119_360,
        {
            "model_type": "deepseek_vl_v2", "architectures": ["DeepseekOCR2ForCausalLM"],
            "language_config": DEEPSEEK_TINY,
        },
    ),
]  # fmt: skip

# Counted by hand from the layers of their classes; no published count was at hand, or (PLaMo 2) its configuration was
# not, so that its dimensions here are those that explain the count.
BY_HAND = ("Ling-lite", "MiMo-7B", "Phi-3-small", "plamo-2-1b")


@pytest.mark.parametrize(("name", "parameters", "config"), PUBLISHED, ids=[row[0] for row in PUBLISHED])
def test_counts_are_those_of_the_layers(name: str, parameters: int, config: dict[str, Any]) -> None:
    found = read_architecture(config)
    assert found.parameters == parameters
    assert found.is_verified == (name not in BY_HAND)


def test_what_a_checkpoint_stores_beside_the_model_explains_its_count() -> None:
    """LongCat-Flash-Chat: 561,862,880,256 numbers stored. Its defaults are its class's."""
    found = read_architecture({"model_type": "longcat_flash", "architectures": ["LongcatFlashForCausalLM"]})
    assert found.parameters == 560_664_958_976
    assert found.dimensions["stored_tables"] == 561_862_880_256 - 560_664_958_976


def test_the_cache_of_patches_is_unknown() -> None:
    found = read_architecture({"model_type": "blt", "architectures": ["BltForCausalLM"]})
    assert found.parameters == 4_633_127_680
    assert found.columns["kv_full_elements_per_token"] is None
    assert found.notes[0].startswith("its local layers keep bytes and those between them patches")


def test_a_type_that_is_no_common_decoder_is_not_read_as_one() -> None:
    plain = {"hidden_size": 2048, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 8192,
             "vocab_size": 135040, "architectures": ["YuanForCausalLM"]}  # fmt: skip
    found = read_architecture({**plain, "model_type": "yuan"})
    assert found.parameters is None
    assert [group.kind for group in found.groups] == ["unknown"]


def test_a_tower_beside_a_plain_decoder_leaves_the_sum_unknown_and_the_cache_known() -> None:
    qwen = {"model_type": "qwen", "hidden_size": 4096, "num_hidden_layers": 32, "num_attention_heads": 32,
            "intermediate_size": 22016, "vocab_size": 151936, "visual": {"width": 1664}}  # fmt: skip
    found = read_architecture(qwen)
    assert found.parameters is None
    assert found.columns["kv_full_elements_per_token"] == 32 * 2 * 4096


def test_a_switch_that_is_off_leads_to_another_dialect() -> None:
    """DeepSeek-OCR's text: heads with keys and values under the type of latent attention."""
    found = read_architecture(
        {
            "model_type": "deepseek_v2", "architectures": ["DeepseekV2ForCausalLM"], "use_mla": False,
            "hidden_size": 1280, "num_hidden_layers": 12, "num_attention_heads": 10, "num_key_value_heads": 10,
            "intermediate_size": 6848, "moe_intermediate_size": 896, "n_routed_experts": 64, "n_shared_experts": 2,
            "num_experts_per_tok": 6, "first_k_dense_replace": 1, "vocab_size": 129280, "kv_lora_rank": None,
        }
    )  # fmt: skip
    assert found.columns["kv_full_elements_per_token"] == 12 * 2 * 1280
    assert found.columns["kv_latent_elements_per_token"] == 0
    assert found.is_verified


def test_another_tower_than_the_published_one_leaves_the_sum_unknown() -> None:
    config = {"model_type": "deepseek_vl_v2", "architectures": ["DeepseekVLV2ForCausalLM"],
              "language_config": DEEPSEEK_TINY}  # fmt: skip
    other = read_architecture({**config, "vision_config": {**DEEPSEEK_TOWER, "model_name": "another"}})
    assert other.parameters is None
    assert other.notes == ("what vision_config.model_name = 'another' is then is not known",)
    assert other.columns["kv_full_elements_per_token"] == 12 * 2 * 1280
    wider = {"vision_config": DEEPSEEK_TOWER, "projector_config": {"projector_type": "linear"}}
    assert read_architecture({**config, **wider}).parameters is None


def test_a_cache_that_cannot_be_told_leaves_the_count() -> None:
    found = read_architecture({"model_type": "solar", "architectures": ["SolarForCausalLM"], "hidden_size": 5120,
                               "num_hidden_layers": 64, "num_attention_heads": 40, "num_key_value_heads": 10,
                               "intermediate_size": 17920, "vocab_size": 32128})  # fmt: skip
    assert found.parameters is not None
    assert found.columns["kv_full_elements_per_token"] is None
    assert [(group.kind, group.layers) for group in found.groups] == [("unknown", 64)]


def test_a_layer_between_two_uses_the_cache_of_the_one_before() -> None:
    """Hunyuan-Large: 389 billion parameters, 52 of them active, by its makers' word."""
    config = {
        "model_type": "hunyuan", "architectures": ["HunYuanForCausalLM"], "hidden_size": 6400,
        "intermediate_size": 18304, "num_hidden_layers": 64, "num_attention_heads": 80, "num_key_value_heads": 8,
        "vocab_size": 129024, "num_experts": 16, "moe_topk": [1] * 64, "num_shared_expert": [1] * 64,
        "use_mixed_mlp_moe": True, "use_cla": True, "cla_share_factor": 2, "use_qk_norm": True,
        "tie_word_embeddings": True,
    }  # fmt: skip
    found = read_architecture(config)
    assert found.columns["kv_full_elements_per_token"] == 32 * 2 * 8 * 80
    assert [(group.kind, group.layers) for group in found.groups] == [("full", 32), ("none", 32)]
    assert found.parameters == 388_701_405_440
    assert found.active_parameters == 51_322_077_440
    assert not found.is_verified
    alone = read_architecture({**config, "use_cla": False})
    assert alone.columns["kv_full_elements_per_token"] == 64 * 2 * 8 * 80


def test_motif_is_a_llama_with_four_vectors_and_a_learned_activation() -> None:
    plain = {"hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 32, "num_attention_heads": 16,
             "num_key_value_heads": 16, "vocab_size": 219520, "tie_word_embeddings": True}  # fmt: skip
    llama = read_architecture({"model_type": "llama", **plain})
    motif = read_architecture({"model_type": "Motif", **plain})
    assert (motif.parameters or 0) - (llama.parameters or 0) == 32 * (6 * 128 + 4)
    assert read_architecture({"model_type": "Motif", "num_noise_heads": 4, **plain}).parameters is None


def test_plamo_3_is_counted_and_its_windows_are_unknown() -> None:
    plain = {"hidden_size": 2048, "intermediate_size": 8192, "num_hidden_layers": 16, "num_attention_heads": 16,
             "num_key_value_heads": 2, "head_dim": 128, "vocab_size": 100000, "tie_word_embeddings": True}  # fmt: skip
    llama = read_architecture({"model_type": "llama", **plain})
    found = read_architecture({"model_type": "plamo3", **plain})
    assert (found.parameters or 0) - (llama.parameters or 0) == 16 * (2 * 2048 + 2 * 128)
    assert found.columns["kv_full_elements_per_token"] is None
