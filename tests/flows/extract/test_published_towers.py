"""Remote-code types with towers against parameter counts that were published: there is no class to build."""

from __future__ import annotations

from typing import Any

import pytest

from flows.extract.read_config import read_architecture

QWEN_7B = {"hidden_size": 3584, "intermediate_size": 18944, "num_hidden_layers": 28, "num_attention_heads": 28,
           "num_key_value_heads": 4, "tie_word_embeddings": False}  # fmt: skip
QWEN_8B = {"hidden_size": 4096, "intermediate_size": 12288, "num_hidden_layers": 36, "num_attention_heads": 32,
           "num_key_value_heads": 8, "head_dim": 128, "tie_word_embeddings": False}  # fmt: skip
MINICPMV = {"model_type": "minicpmv", "architectures": ["MiniCPMV"], "query_num": 64, "drop_vision_last_layer": False}
MINICPMV_TOWER = {"model_type": "siglip", "hidden_size": 1152, "image_size": 980, "intermediate_size": 4304,
                  "num_attention_heads": 16, "num_hidden_layers": 27, "patch_size": 14}  # fmt: skip
LLAVA = {"mm_vision_tower": "openai/clip-vit-large-patch14-336", "mm_projector_type": "mlp2x_gelu",
         "mm_hidden_size": 1024, "mm_patch_merge_type": "spatial_unpad", "hidden_size": 4096,
         "num_hidden_layers": 32, "num_attention_heads": 32, "vocab_size": 32000,
         "tie_word_embeddings": False}  # fmt: skip
PUBLISHED: list[tuple[str, int, dict[str, Any]]] = [
    (
        "dots.ocr", 3_039_179_264,
        {
            "model_type": "dots_ocr", "architectures": ["DotsOCRForCausalLM"], "hidden_size": 1536,
            "intermediate_size": 8960, "num_hidden_layers": 28, "num_attention_heads": 12, "num_key_value_heads": 2,
            "vocab_size": 151936, "attention_bias": True, "tie_word_embeddings": False,
            "vision_config": {
                "embed_dim": 1536, "hidden_size": 1536, "intermediate_size": 4224, "num_hidden_layers": 42,
                "num_attention_heads": 12, "num_channels": 3, "patch_size": 14, "post_norm": True,
                "spatial_merge_size": 2, "temporal_patch_size": 1, "use_bias": False,
            },
        },
    ),
    (
        "Ovis2-1B", 1_267_417_974,
        {
            "model_type": "ovis", "architectures": ["Ovis"],
            "llm_config": {
                "model_type": "qwen2", "hidden_size": 896, "intermediate_size": 4864, "num_hidden_layers": 24,
                "num_attention_heads": 14, "num_key_value_heads": 2, "vocab_size": 151936,
                "tie_word_embeddings": False,
            },
            "visual_tokenizer_config": {
                "model_type": "aimv2_visual_tokenizer", "vocab_size": 65536, "hidden_stride": 2,
                "backbone_config": {
                    "model_type": "aimv2", "hidden_size": 1024, "num_hidden_layers": 24, "intermediate_size": 2816,
                    "num_attention_heads": 8, "image_size": 448, "patch_size": 14, "qkv_bias": False,
                    "use_bias": False,
                },
            },
        },
    ),
    (
        "Ovis1.6-Llama3.2-3B", 4_144_399_926,
        {
            "model_type": "ovis", "architectures": ["Ovis"],
            "llm_config": {
                "model_type": "llama", "hidden_size": 3072, "intermediate_size": 8192, "num_hidden_layers": 28,
                "num_attention_heads": 24, "num_key_value_heads": 8, "head_dim": 128, "vocab_size": 128256,
                "tie_word_embeddings": True,
            },
            "visual_tokenizer_config": {
                "model_type": "siglip_visual_tokenizer", "vocab_size": 65536, "hidden_stride": 2,
                "backbone_config": {
                    "model_type": "siglip_vision_model", "hidden_size": 1152, "num_hidden_layers": 27,
                    "intermediate_size": 4304, "num_attention_heads": 16, "image_size": 384, "patch_size": 14,
                },
            },
        },
    ),
    (
        "Ovis2.5-2B", 2_570_429_672,
        {
            "model_type": "ovis2_5", "architectures": ["Ovis2_5"], "visual_vocab_size": 65536,
            "llm_config": {
                "model_type": "qwen3", "hidden_size": 2048, "intermediate_size": 6144, "num_hidden_layers": 28,
                "num_attention_heads": 16, "num_key_value_heads": 8, "head_dim": 128, "vocab_size": 151936,
                "tie_word_embeddings": True,
            },
            "vit_config": {
                "model_type": "siglip2_navit", "hidden_size": 1152, "intermediate_size": 4304,
                "num_hidden_layers": 27, "num_attention_heads": 16, "image_size": 512, "patch_size": 16,
                "num_patches": -1, "hidden_stride": 2, "preserve_original_pe": True,
            },
        },
    ),
    (
        "Molmo-7B-D", 8_021_025_280,
        QWEN_7B | {
            "model_type": "molmo", "architectures": ["MolmoForCausalLM"], "intermediate_size": 37888,
            "vocab_size": 152064, "embedding_size": 152064, "qkv_bias": True, "attention_layer_norm": False,
        },
    ),
    (
        "MiniCPM-V-2.6", 8_099_175_152,
        QWEN_7B | MINICPMV | {"version": 2.6, "vocab_size": 151666, "vision_config": MINICPMV_TOWER},
    ),
    (
        "MiniCPM-V-4.5", 8_695_895_280,
        QWEN_8B | MINICPMV | {"version": 4.5, "vocab_size": 151748, "vision_config": MINICPMV_TOWER},
    ),
    (
        "LLaVA-1.6-Mistral-7B", 7_566_223_360,
        LLAVA | {
            "model_type": "llava_mistral", "architectures": ["LlavaMistralForCausalLM"], "intermediate_size": 14336,
            "num_key_value_heads": 8,
        },
    ),
    (
        "LLaVA-1.6-Vicuna-7B", 7_062_906_880,
        LLAVA | {
            "model_type": "llava_llama", "architectures": ["LlavaLlamaForCausalLM"], "intermediate_size": 11008,
            "num_key_value_heads": 32,
        },
    ),
    (
        "llava-onevision-qwen2-7b-ov", 8_030_348_832,
        LLAVA | QWEN_7B | {
            "model_type": "llava_qwen", "architectures": ["LlavaQwenForCausalLM"], "vocab_size": 152064,
            "mm_vision_tower": "google/siglip-so400m-patch14-384", "mm_hidden_size": 1152,
        },
    ),
    (
        "step3", 320_969_912_832,
        {
            "model_type": "step3_vl", "architectures": ["Step3VLForConditionalGeneration"], "projector_bias": False,
            "text_config": {
                "model_type": "step3_text", "hidden_size": 7168, "intermediate_size": 18432, "num_hidden_layers": 61,
                "num_attention_heads": 64, "num_attention_groups": 1, "head_dim": 256, "share_q_dim": 2048,
                "vocab_size": 128815, "moe_intermediate_size": 5120, "moe_num_experts": 48, "moe_top_k": 3,
                "share_expert_dim": 5120,
            },
            "vision_config": {
                "hidden_size": 1792, "intermediate_size": 15360, "output_hidden_size": 4096, "num_hidden_layers": 63,
                "num_attention_heads": 16, "image_size": 728, "patch_size": 14,
            },
        },
    ),
]  # fmt: skip


# Dimensions of these are not all read from the published configuration but explain its count: no proof of the form.
EXPLAINED = ("Ovis2.5-2B", "step3")


@pytest.mark.parametrize(("name", "parameters", "config"), PUBLISHED, ids=[row[0] for row in PUBLISHED])
def test_counts_are_those_that_were_published(name: str, parameters: int, config: dict[str, Any]) -> None:
    found = read_architecture(config)
    assert found.parameters == parameters
    assert found.is_verified == (name not in EXPLAINED)


def test_another_version_or_tower_leaves_the_sum_unknown_and_the_cache_known() -> None:
    older = read_architecture({**QWEN_7B, **MINICPMV, "version": 2.5, "vocab_size": 151666})
    assert older.parameters is None
    assert older.notes[-1] == "what this version of it is made of is not known here"
    text = {"model_type": "llava_mistral", "intermediate_size": 14336, "num_key_value_heads": 8}
    other = read_architecture({**LLAVA, **text, "mm_vision_tower": "someone/something"})
    assert other.parameters is None
    assert other.columns["kv_window_elements_per_token"] == 32 * 2 * 8 * 128
    projected = read_architecture({**LLAVA, **text, "mm_projector_type": "linear"})
    assert projected.parameters is None
    assert projected.notes == ("what mm_projector_type = 'linear' is then is not known",)


def test_step_3_keeps_one_key_and_value() -> None:
    found = read_architecture({"model_type": "step3_text", "architectures": ["Step3TextForCausalLM"]})
    assert found.columns["kv_full_elements_per_token"] == 61 * 2 * 256
    assert found.active_parameters == 316_294_538_240 - 56 * 45 * 3 * 7168 * 5120


def test_molmo_with_experts_is_another_model() -> None:
    molmo = {"model_type": "molmo", "vocab_size": 50304, "moe_num_experts": 64, **QWEN_7B}
    assert read_architecture(molmo).parameters is None


def test_the_tower_of_kimi_vl_is_what_it_has_beyond_moonlight() -> None:
    """16,407,657,776 and 15,960,111,936 were published: the same text, with the same buffers, with and without it."""
    text = {
        "model_type": "deepseek_v3", "vocab_size": 163840, "hidden_size": 2048, "intermediate_size": 11264,
        "moe_intermediate_size": 1408, "num_hidden_layers": 27, "num_attention_heads": 16, "num_key_value_heads": 16,
        "n_shared_experts": 2, "n_routed_experts": 64, "kv_lora_rank": 512, "q_lora_rank": None,
        "qk_rope_head_dim": 64, "v_head_dim": 128, "qk_nope_head_dim": 128, "num_experts_per_tok": 6,
        "first_k_dense_replace": 1, "tie_word_embeddings": False, "num_nextn_predict_layers": 0,
    }  # fmt: skip
    tower = {
        "model_type": "moonvit", "patch_size": 14, "num_attention_heads": 16, "num_hidden_layers": 27,
        "hidden_size": 1152, "intermediate_size": 4304, "init_pos_emb_height": 64, "init_pos_emb_width": 64,
        "merge_kernel_size": [2, 2],
    }  # fmt: skip
    whole = read_architecture({"model_type": "kimi_vl", "text_config": text, "vision_config": tower})
    alone = read_architecture(text)
    assert (whole.parameters or 0) - (alone.parameters or 0) == 16_407_657_776 - 15_960_111_936
    assert whole.is_verified


def test_the_first_repositories_of_a_type_name_their_parts_otherwise() -> None:
    """Nemotron 3 Nano Omni: `llm_config` is the text, and what hears is not counted."""
    text = {"model_type": "nemotron_h", "hybrid_override_pattern": "M*-", "hidden_size": 2048, "vocab_size": 131072,
            "num_attention_heads": 32, "num_key_value_heads": 2, "head_dim": 128}  # fmt: skip
    config = {"model_type": "nemotron_h_omni", "llm_config": text, "vision_config": {"model_type": "radio"}}
    found = read_architecture(config)
    assert found.columns["kv_full_elements_per_token"] == 2 * 2 * 128
    assert found.parameters is not None
    hearing = read_architecture({**config, "sound_config": {"model_type": "parakeet"}})
    assert hearing.parameters is None
    assert hearing.columns["kv_full_elements_per_token"] == 2 * 2 * 128
