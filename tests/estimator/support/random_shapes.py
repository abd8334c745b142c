"""Shapes of many kinds from one seed: consistent in their widths, with what is not known left out here and there."""

from __future__ import annotations

from random import Random
from typing import Any

from estimator.schema import KINDS, SHAPES

FORMATS = ("bf16", "fp32", "fp8_e4m3_block128", "int4_awq_g128", "mxfp4", "nf4_dq", "gguf_q4_k_m", "of_its_own")
# Left out of a shape as a whole where its extraction knew less.
WHOLES = (
    ("kv_full_elements_per_token", "kv_window_elements_per_token", "kv_latent_elements_per_token", "window_tokens"),
    tuple(name for name in SHAPES if name.startswith("p_")),
    ("tp_ok_mask", "tp_ok_mask_32", "tp_ok_mask_64", "tp_ok_mask_128"),
)
# What an extraction may lack by itself; the counts of components are known together or not at all.
SINGLE = [name for name in SHAPES if not name.startswith(("p_", "shape_id", "automodel_"))]


def shape(random: Random, number: int) -> dict[str, Any]:
    """One row of SHAPES. A third has a null somewhere, half are gated dense decoders like the measured ones."""
    layers = random.choice([1, 7, 24, 32, 61, 80])
    kv_heads = random.choice([1, 2, 3, 4, 8, 16])
    heads, head = kv_heads * random.choice([1, 2, 7, 8]), random.choice([64, 80, 128])
    hidden = random.randint(4, 128) * 64
    ffn, words = random.randint(4, 400) * 64, random.randint(1000, 260_000)
    is_plain = random.random() < 0.5
    experts = 0 if is_plain else random.choice([0, 8, 64, 256])
    expert_ffn = random.choice([512, 720, 1536]) if experts else 0
    sliding = random.choice([0, 0, layers // 2, layers])
    is_latent = not is_plain and random.random() < 0.3
    recurrent = 0 if is_plain else random.choice([0, 0, 12 * 10**6])
    is_tied = random.random() < 0.3
    attention = layers * 2 * hidden * head * (heads + kv_heads)
    counts = dict.fromkeys((name for name in SHAPES if name.startswith("p_")), 0) | {
        "p_attn": attention,
        "p_mlp": layers * 3 * hidden * ffn if is_plain or not experts else random.choice([0, 3 * hidden * ffn]),
        "p_expert": layers * experts * 3 * hidden * expert_ffn,
        "p_shared": layers * 3 * hidden * expert_ffn if experts and random.random() < 0.5 else 0,
        "p_ssm": layers * 2 * hidden * hidden if recurrent else 0,
        "p_embed": words * hidden,
        "p_lm_head": 0 if is_tied else words * hidden,
        "p_norm": (2 * layers + 1) * hidden + random.choice([0, 0, 2 * layers * head, 4 * layers * hidden]),
        "p_router": layers * experts * hidden,
        "p_bias": random.choice([0, layers * hidden]),
        "p_small": layers * 4 * hidden if recurrent else 0,
        "p_pos_embed": random.choice([0, 0, 2048 * hidden]),
        "p_vision": 0 if is_plain else random.choice([0, 0, 416_866_032]),
        "p_audio": 0 if is_plain else random.choice([0, 0, 0, 637_000_001]),
        "p_projector": 0 if is_plain else random.choice([0, 0, 6_194_304]),
    }
    parameters = sum(counts.values())
    linears = sum(counts[f"p_{part}"] for part in ("attn", "mlp", "expert", "shared", "ssm"))
    is_headless = is_tied and random.random() < 0.3
    looked_up = counts["p_pos_embed"] + (0 if is_tied and not is_headless else counts["p_embed"])
    towers = counts["p_vision"] + counts["p_audio"] + counts["p_projector"]
    visited = min(8, experts) if experts else 0
    resting = counts["p_expert"] * (experts - visited) // experts if experts else 0
    mask = random.choice([0b11111, 0b01111, 0b00111, 0b00001, 0b10101])
    row = {
        **counts,
        "shape_id": f"shape-{number:03d}",
        "kind": "decoder" if is_plain else random.choice([*KINDS, "decoder", "decoder", "decoder"]),
        "confidence": random.choice(["exact", "derived", "estimated", None]),
        "parameters_resident": parameters,
        "p_kv_proj": 0 if is_latent else layers * 2 * hidden * head * kv_heads,
        "p_tp_replicated": attention // 10 if is_latent else 0,
        "p_expert_bias": 0,
        "quant_rows": linears // hidden,
        "fp8_block_scales": linears // 16_384,
        "active_read_parameters": parameters - looked_up - towers - resting,
        "stored_bytes": random.choice([2 * parameters + 12_345, parameters // 2, None]),
        "stored_precision": random.choice([*FORMATS, "bf16", "bf16", None]),
        "layers": layers,
        "hidden_size": hidden,
        "vocab_size": words,
        "heads": heads,
        "kv_heads": 1 if is_latent else kv_heads,
        "ffn_size": ffn if counts["p_mlp"] or counts["p_shared"] else 0,
        "expert_ffn_size": expert_ffn,
        "experts": experts,
        "experts_per_token": visited,
        "max_context_tokens": random.choice([512, 8192, 40_960, 131_072, None]),
        "absorbed_elements": layers * heads * 512 * 256 if is_latent else 0,
        "rope_cache_elements": random.choice([0, 131_072 * 128]),
        "kv_full_elements_per_token": 0 if is_latent else (layers - sliding) * 2 * kv_heads * head,
        "kv_window_elements_per_token": sliding * 2 * kv_heads * head,
        "kv_latent_elements_per_token": layers * random.choice([576.0, 144.5]) if is_latent else 0.0,
        "kv_fixed_bytes_per_token": 132 * layers if is_latent and random.random() < 0.5 else 0,
        "kv_cross_elements_per_token": 0 if is_plain else random.choice([0, 0, 2 * layers * kv_heads * head]),
        "window_tokens": random.choice([128, 1000, 4096]) if sliding else 0,
        "cross_tokens": random.choice([-1, 0, 1500]),
        "state_conv_elements": recurrent // 10,
        "state_recurrent_elements": recurrent,
        "state_recurrent_bytes_per_element": random.choice([2.0, 4.0]),
        "state_recurrent_bytes_in_vllm": random.choice([2.0, 4.0]),
        "attention_step_width": layers * heads * 2 * head,
        "attention_prompt_width": layers * heads * (2 * head if not is_latent else head * 3),
        "attention_window_width": sliding * heads * 2 * head,
        "tp_ok_mask": mask,
        "tp_ok_mask_32": mask & 0b01111,
        "tp_ok_mask_64": mask & 0b00111,
        "tp_ok_mask_128": mask & 0b00011 | 1,
        "lora_io": layers * (4 * hidden + 2 * head * (heads + kv_heads)),
        "automodel_parameters": None,
        "automodel_buffer_bytes": None,
        "automodel_layer_bytes": None,
    }
    if random.random() < 0.2:
        row |= dict.fromkeys(random.choice(WHOLES))
    elif random.random() < 0.2:
        row[random.choice(SINGLE)] = None
    return row


def shapes(seed: int, many: int) -> list[dict[str, Any]]:
    random = Random(seed)
    return [shape(random, number) for number in range(many)]
