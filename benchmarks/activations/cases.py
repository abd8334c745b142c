"""What benchmarks/activations/count.py counts: models of the embedded snapshot, and types with a model's configuration.

A form is held against two configurations of its class at least, of other widths, heads, experts and switches.
"""

from __future__ import annotations

from typing import Any

TOKENS = 128  # of a sequence; windows are half as long
LAYERS = 4  # of a model, unless the fifth or sixth is the first of its kind
ALL = ("full", "autocast", "adapters", "prefill")
MOE = ("full", "adapters", "prefill")  # grouped products refuse fp32 weights
DENSE = (
    "meta-llama/Llama-3.2-1B", "mistralai/Mistral-7B-v0.1", "mistralai/Devstral-2-123B-Instruct-2512",
    "Qwen/Qwen2.5-7B", "HuggingFaceTB/SmolLM3-3B", "Qwen/Qwen3-0.6B", "microsoft/phi-4", "zai-org/glm-4-9b-chat-hf",
    "google/codegemma-7b-it", "google/gemma-3-1b-it", "allenai/OLMo-1B-hf",
    "allenai/OLMo-2-1124-7B", "allenai/Olmo-3.1-32B-Instruct", "openai-community/gpt2", "EleutherAI/pythia-1.4b",
    "EleutherAI/pythia-6.9b", "bigscience/bloom-560m", "facebook/opt-6.7b", "bigcode/starcoder2-15b", "microsoft/phi-2",
)  # fmt: skip
EXPERTS = (
    "mistralai/Mixtral-8x7B-v0.1", "Qwen/Qwen3-30B-A3B", "openai/gpt-oss-20b", "allenai/OLMoE-1B-7B-0125-Instruct",
)  # fmt: skip
# queries, keys and values
ONE_MODULE = (
    "microsoft/phi-4", "openai-community/gpt2", "EleutherAI/pythia-1.4b", "EleutherAI/pythia-6.9b",
    "bigscience/bloom-560m",
)  # fmt: skip
TRAINED = ("full", "autocast", "adapters")
NARROW = {"hidden_size": 1024, "num_attention_heads": 16, "num_key_value_heads": 4, "intermediate_size": 3072}
WINDOW = {"sliding_window": TOKENS // 2}
# types without a model in the snapshot, as the base's dimensions make them and as narrower ones do
BASE = "meta-llama/Llama-3.2-1B"
SIZES = (
    {"head_dim": 64, "pad_token_id": 0},
    {
        "hidden_size": 1536, "num_attention_heads": 12, "num_key_value_heads": 4, "head_dim": 64,
        "intermediate_size": 5120, "pad_token_id": 0,
    },
)  # fmt: skip
WINDOWS = {"sliding_window": TOKENS // 2, "layer_types": ["sliding_attention", "full_attention"] * 2}
SQUARED = {"hidden_act": "relu2"}
TYPES: tuple[tuple[str, tuple[str, ...], dict[str, Any], dict[str, Any]], ...] = (
    *(
        (name, ALL, {}, {})
        for name in ("granite", "internlm3", "exaone", "seed_oss", "ernie4_5", "hunyuan_v1_dense", "glm4")
    ),
    ("cwm", ALL, WINDOWS, WINDOWS),
    ("ministral", ALL, WINDOWS, WINDOWS),
    ("exaone4", ALL, {}, WINDOWS),
    ("cohere2", ALL, {"layer_types": ["full_attention"] * 4}, WINDOWS),
    ("helium", ALL, {}, {"num_attention_heads": 24, "num_key_value_heads": 24}),
    ("arcee", ALL, SQUARED, SQUARED),
    ("nemotron", ALL, SQUARED, SQUARED),
    (
        "qwen3_vl_moe_text", MOE, {"num_experts": 16, "moe_intermediate_size": 512, "num_experts_per_tok": 4},
        {"num_experts": 12, "moe_intermediate_size": 640, "num_experts_per_tok": 3},
    ),
    (
        "granitemoe", MOE, {"num_local_experts": 16, "intermediate_size": 512, "num_experts_per_tok": 4},
        {"num_local_experts": 12, "intermediate_size": 640, "num_experts_per_tok": 3},
    ),
    (
        "flex_olmo", MOE, {"num_experts": 16, "intermediate_size": 512, "num_experts_per_tok": 4},
        {"num_experts": 12, "intermediate_size": 640, "num_experts_per_tok": 3},
    ),
    (
        "solar_open", ("full", "prefill"),
        {"n_routed_experts": 16, "moe_intermediate_size": 512, "n_shared_experts": 1, "num_experts_per_tok": 4},
        {"n_routed_experts": 12, "moe_intermediate_size": 640, "n_shared_experts": 2, "num_experts_per_tok": 3},
    ),
    (
        "dots1", ("full", "prefill"),
        {
            "n_routed_experts": 16, "moe_intermediate_size": 512, "n_shared_experts": 1, "first_k_dense_replace": 3,
            "norm_topk_prob": True, "num_experts_per_tok": 4,
        },
        {
            "n_routed_experts": 12, "moe_intermediate_size": 640, "n_shared_experts": 2, "first_k_dense_replace": 1,
            "norm_topk_prob": False, "num_experts_per_tok": 3, **WINDOWS,
        },
    ),
    (
        "ernie4_5_moe", ("full", "prefill"),
        {"moe_num_experts": 16, "moe_intermediate_size": 512, "moe_k": 4, "moe_num_shared_experts": 1},
        {
            "moe_num_experts": 12, "moe_intermediate_size": 640, "moe_k": 3, "moe_num_shared_experts": 2,
            "moe_layer_start_index": 3,
        },
    ),
)  # fmt: skip
# model, changes to its configuration, recipes
CASES: tuple[tuple[str, dict[str, Any], tuple[str, ...]], ...] = (
    *((model_id, {}, ALL) for model_id in DENSE),
    ("google/gemma-2-9b-it", {}, ALL),
    *((name, {}, MOE) for name in ("mistralai/Mixtral-8x7B-v0.1", "Qwen/Qwen3-30B-A3B", "openai/gpt-oss-20b")),
    ("allenai/OLMoE-1B-7B-0125-Instruct", {}, MOE),
    ("deepseek-ai/DeepSeek-V2-Lite", {}, ("full", "prefill")),
    ("deepseek-ai/DeepSeek-V2-Lite", {"first_k_dense_replace": LAYERS, "q_lora_rank": 1536}, ("full",)),
    # other numbers of experts, and a longer sequence where attention keeps its scores
    ("mistralai/Mixtral-8x7B-v0.1", {"num_local_experts": 12, "num_experts_per_tok": 3}, MOE),
    ("Qwen/Qwen3-30B-A3B", {"num_experts": 48, "num_experts_per_tok": 3, "mlp_only_layers": [3]}, ("full", "prefill")),
    ("openai/gpt-oss-20b", {"num_experts_per_tok": 2, "intermediate_size": 1024}, MOE),
    # windows that the sequence fills
    ("mistralai/Mistral-7B-v0.1", WINDOW, ("full", "fp32", "adapters", "adapters_qv")),
    ("google/gemma-3-12b-it", WINDOW, ("full", "fp32", "adapters", "adapters_qv")),
    ("google/gemma-3-1b-it", WINDOW, ("fp32",)),
    ("bigcode/starcoder2-15b", WINDOW, ("full", "fp32")),
    # switches
    ("openai-community/gpt2", {"resid_pdrop": 0.0, "activation_function": "gelu"}, ALL),
    ("facebook/opt-6.7b", {"dropout": 0.0, "activation_function": "gelu"}, ALL),
    ("EleutherAI/pythia-1.4b", {"use_parallel_residual": False, "hidden_dropout": 0.1}, ALL),
    ("bigcode/starcoder2-3b", {"residual_dropout": 0.1}, ALL),
    ("microsoft/phi-2", {"resid_pdrop": 0.1}, ALL),
    ("bigscience/bloom-560m", {"hidden_dropout": 0.1}, ALL),
    ("microsoft/phi-4", {"resid_pdrop": 0.1}, ("full", "fp32")),
    ("microsoft/phi-4", {"num_key_value_heads": 40}, ("fp32",)),
    *((model_id, {}, ("fp32",)) for model_id in (*DENSE, "google/gemma-2-9b-it")),
    *(
        (model_id, {}, ("adapters_qv",))
        for model_id in (*DENSE, *EXPERTS, "google/gemma-2-9b-it")
        if model_id not in ONE_MODULE
    ),
    # each class twice, the second time with other widths, heads, experts and switches
    *(
        (name, {}, ALL)
        for name in (
            "Qwen/Qwen3-VL-8B-Instruct",
            "stabilityai/stablelm-2-1_6b-chat",
            "CohereForAI/c4ai-command-r-v01",
            "EleutherAI/gpt-j-6b",
            "EleutherAI/gpt-neo-1.3B",
            "bigcode/gpt_bigcode-santacoder",
            "tiiuae/falcon-40b",
            "meta-llama/Llama-4-Scout-17B-16E-Instruct",
            "meta-llama/Llama-4-Maverick-17B-128E-Instruct",
            "google/gemma-4-31B-it",
        )
    ),
    ("Qwen/Qwen3-VL-8B-Instruct", NARROW, TRAINED),
    ("Qwen/Qwen2.5-VL-7B-Instruct", {"model_type": "qwen2_5_vl_text"}, ALL),
    (
        "Qwen/Qwen2.5-VL-7B-Instruct",
        {"model_type": "qwen2_5_vl_text", **NARROW, "num_attention_heads": 8, "num_key_value_heads": 2},
        TRAINED,
    ),
    ("stabilityai/stablelm-2-1_6b-chat", {**NARROW, "hidden_dropout": 0.1}, ALL),
    ("CohereForAI/c4ai-command-r-v01", {**NARROW, "num_key_value_heads": 8}, ALL),
    (
        "EleutherAI/gpt-j-6b",
        {
            "n_embd": 1024,
            "n_head": 8,
            "n_inner": 3072,
            "resid_pdrop": 0.1,
            "activation_function": "gelu",
            "rotary_dim": 32,
        },
        ALL,
    ),
    (
        "EleutherAI/gpt-neo-1.3B",
        {
            "hidden_size": 1024,
            "num_heads": 8,
            "intermediate_size": 3072,
            "resid_dropout": 0.1,
            "activation_function": "gelu",
        },
        ALL,
    ),
    (
        "bigcode/gpt_bigcode-santacoder",
        {"multi_query": False, "resid_pdrop": 0.0, "n_embd": 1024, "n_head": 8, "n_inner": 3072},
        ALL,
    ),
    (
        "tiiuae/falcon-40b",
        {"num_kv_heads": 4, "hidden_size": 1024, "num_attention_heads": 16, "hidden_dropout": 0.1},
        ALL,
    ),
    (
        "meta-llama/Llama-4-Scout-17B-16E-Instruct",
        {"attention_chunk_size": TOKENS // 2, "num_local_experts": 6, "num_experts_per_tok": 2, "hidden_size": 1024},
        TRAINED,
    ),
    (
        "google/gemma-4-31B-it",
        {
            **WINDOW,
            "hidden_size": 1024,
            "num_attention_heads": 12,
            "num_key_value_heads": 6,
            "num_global_key_value_heads": 6,
            "attention_k_eq_v": False,
            "global_head_dim": 256,
        },
        ALL,
    ),
    ("nvidia/Gemma-4-26B-A4B-NVFP4", {}, MOE),
    (
        "nvidia/Gemma-4-26B-A4B-NVFP4",
        {"hidden_size": 1024, "num_experts": 48, "top_k_experts": 3, "moe_intermediate_size": 640},
        MOE,
    ),
    ("MiniMaxAI/MiniMax-M2.5", {}, MOE),
    (
        "MiniMaxAI/MiniMax-M2.5",
        {"hidden_size": 1536, "num_local_experts": 48, "num_experts_per_tok": 3, "intermediate_size": 640},
        MOE,
    ),
    ("Qwen/Qwen1.5-MoE-A2.7B", {}, MOE),
    (
        "Qwen/Qwen1.5-MoE-A2.7B",
        {
            "hidden_size": 1024,
            "num_experts": 48,
            "num_experts_per_tok": 3,
            "moe_intermediate_size": 640,
            "norm_topk_prob": True,
            "mlp_only_layers": [3],
        },
        MOE,
    ),
    *(
        (name, {}, ("full", "prefill"))
        for name in ("deepseek-ai/DeepSeek-V3", "zai-org/GLM-4.5-Air", "zai-org/GLM-4.5")
    ),
    (
        "deepseek-ai/DeepSeek-V3",
        {
            "hidden_size": 1536,
            "num_attention_heads": 24,
            "kv_lora_rank": 384,
            "q_lora_rank": None,
            "n_routed_experts": 48,
            "num_experts_per_tok": 3,
            "moe_intermediate_size": 640,
            "n_shared_experts": 2,
            "norm_topk_prob": False,
        },
        ("full", "prefill"),
    ),
    (
        "zai-org/GLM-4.5",
        {
            "hidden_size": 1024,
            "num_attention_heads": 24,
            "num_key_value_heads": 6,
            "intermediate_size": 3072,
            "n_routed_experts": 48,
            "num_experts_per_tok": 3,
            "moe_intermediate_size": 640,
            "n_shared_experts": 2,
        },
        ("full", "prefill"),
    ),
    *(
        (BASE, {"model_type": name, **size, **changes}, recipes)
        for name, recipes, *both in TYPES
        for size, changes in zip(SIZES, both, strict=True)
    ),
)
# narrower configurations again with longer sequences: by every recipe where layers keep scores or masks of all pairs
LONG = 3 * TOKENS
LONGER = tuple(
    (model_id, changes, TRAINED if "falcon" in model_id or "gpt-neo" in model_id else ("full",))
    for model_id, changes, _ in CASES
    if not {"hidden_size", "n_embd"}.isdisjoint(changes)
)
