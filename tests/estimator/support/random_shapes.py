"""Shapes of many kinds from one seed: consistent in their widths, with what is not known left out here and there."""

from __future__ import annotations

from random import Random
from typing import Any

from estimator.schema import DEGREES, KINDS, SHAPES

# Formats that a repository may have, with the bits of linears and of everything else.
FORMATS = {
    "bf16": (16, 16), "fp32": (32, 32), "fp8_e4m3_block128": (8, 16), "int4_awq_g128": (4.2, 16), "mxfp4": (4.25, 16),
    "nf4_dq": (4.1, 16), "gguf_q4_k_m": (4.9, 4.9), "of_its_own": (3, 16),
}  # fmt: skip
# Left out of a shape as a whole where its extraction knew less.
WHOLES = (
    ("kv_full_elements_per_token", "kv_window_elements_per_token", "kv_latent_elements_per_token", "window_tokens"),
    tuple(name for name in SHAPES if name.startswith("p_")),
    tuple(name for name in SHAPES if name.startswith("tp_ok_mask")),
    tuple(name for name in SHAPES if name.startswith("ep_ok_mask")),
    tuple(name for name in SHAPES if name.startswith("train_")),
    ("expert_layers", "kv_full_layers", "kv_window_layers", "state_layers"),
)
# What an extraction may lack by itself; the counts of components are known together or not at all.
SINGLE = [name for name in SHAPES if not name.startswith(("p_", "mtp_", "shape_id", "automodel_"))]


def shape(random: Random, number: int) -> dict[str, Any]:
    """One row of SHAPES. A third has a null somewhere, half are gated dense decoders like the measured ones."""
    layers = random.choice([1, 4, 7, 24, 32, 35, 61, 80])
    kv_heads = random.choice([1, 2, 3, 4, 5, 8, 16])
    heads, head = kv_heads * random.choice([1, 2, 6, 7, 8]), random.choice([64, 80, 128])
    hidden = random.randint(4, 128) * 64
    ffn, words = random.choice([random.randint(4, 400) * 64, 14_336, 11_520]), random.randint(1000, 260_000)
    is_plain = random.random() < 0.5
    experts = 0 if is_plain else random.choice([0, 8, 64, 256])
    expert_ffn = random.choice([512, 720, 1536]) if experts else 0
    sliding = random.choice([0, 0, layers // 2, layers, layers - layers // 6])
    sparse = random.choice([layers, layers - layers // 10, max(1, layers // 2)]) if experts else 0
    is_latent = not is_plain and random.random() < 0.3
    recurrent = 0 if is_plain else random.choice([0, 0, 12 * 10**6])
    is_tied = random.random() < 0.3
    attention = layers * 2 * hidden * head * (heads + kv_heads)
    counts = dict.fromkeys((name for name in SHAPES if name.startswith("p_")), 0) | {
        "p_attn": attention,
        "p_mlp": layers * 3 * hidden * ffn if is_plain or not experts else random.choice([0, 3 * hidden * ffn]),
        "p_expert": sparse * experts * 3 * hidden * expert_ffn,
        "p_shared": sparse * 3 * hidden * expert_ffn if experts and random.random() < 0.5 else 0,
        "p_ssm": layers * 2 * hidden * hidden if recurrent else 0,
        "p_embed": words * hidden,
        "p_lm_head": 0 if is_tied else words * hidden,
        "p_norm": (2 * layers + 1) * hidden + random.choice([0, 0, 2 * layers * head, 4 * layers * hidden]),
        "p_router": sparse * experts * hidden,
        "p_bias": random.choice([0, layers * hidden]),
        "p_small": layers * 4 * hidden if recurrent else 0,
        "p_head_other": random.choice([0, 0, 0, 3 * hidden]),
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
    stored = random.choice([*FORMATS, "bf16", "bf16", None])
    bits, keep = FORMATS[stored or "bf16"]
    quantised = counts["p_expert"] if experts and random.random() < 0.3 else linears
    measured = random.random() < 0.8
    has_scores = random.random() < 0.3
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
        "stored_bytes": random.choice(
            [int((quantised * bits + (parameters - quantised) * keep) / 8) + 12_345] * 3 + [None]
        ),
        "stored_precision": stored,
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
        "kv_latent_elements_per_token": (layers - sliding) * random.choice([576.0, 144.5]) if is_latent else 0.0,
        "kv_fixed_bytes_per_token": 132 * (layers - sliding) if is_latent and random.random() < 0.5 else 0,
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
        **_masks(random, heads, kv_heads, ffn if counts["p_mlp"] or counts["p_shared"] else 0, expert_ffn, experts),
        **_predictions(Random(number), counts, layers, sparse),
        "expert_layers": sparse,
        "kv_full_layers": layers - sliding,
        "kv_window_layers": sliding,
        "state_layers": max(1, layers * 3 // 4) if recurrent else 0,
        "lora_io": layers * (4 * hidden + 2 * head * (heads + kv_heads)),
        "lora_qv_io": layers * (2 * hidden + head * (heads + kv_heads)),
        "lora_qv_rows": layers * head * (heads + kv_heads),
        "automodel_parameters": None,
        "automodel_buffer_bytes": None,
        "automodel_layer_bytes": None,
        **dict.fromkeys(name for name in SHAPES if name.startswith(("train_", "prefill_"))),
        "layer_parameters": linears // layers + random.randint(0, hidden),
    }
    if measured:
        scores = layers * 2 * heads if has_scores else 0
        row |= {
            "train_full_bytes": layers * (16 * hidden + 8 * ffn + 8 * heads * head),
            "train_autocast_bytes": None if experts or recurrent else layers * (26 * hidden + 8 * ffn),
            "train_adapter_bytes": layers * (18 * hidden + 8 * ffn + 8 * heads * head),
            "train_adapter_qv_bytes": None if recurrent else layers * (12 * hidden + 6 * ffn + 4 * heads * head),
            "train_fp32_bytes": None if experts or recurrent else layers * (24 * hidden + 16 * ffn + 16 * heads * head),
            "train_fp32_pair_bytes": layers * 4 * heads,
            "train_fp32_masked_bytes": sliding * 4 * heads,
            "train_fp32_masked_pair_bytes": sliding * (4 - 4 * heads),
            "train_rank_bytes": layers * 14,
            "train_pair_bytes": scores,
            "train_masked_bytes": sliding * 4 * head * (heads - kv_heads),
            "train_masked_pair_bytes": sliding * 2,
            "train_logit_bytes": random.choice([12, 14]),
            "prefill_layer_bytes": 6 * ffn + 8 * hidden,
            "prefill_attention_bytes": 8 * hidden if has_scores else 0,
            "prefill_pair_bytes": 6 * heads + 3 if has_scores else 0,
            "prefill_shared_bytes": 0,
        }
    if random.random() < 0.2:
        row |= dict.fromkeys(random.choice(WHOLES))
    elif random.random() < 0.2:
        row[random.choice(SINGLE)] = None
    return row


def _masks(random: Random, heads: int, kv_heads: int, ffn: int, expert_ffn: int, experts: int) -> dict[str, int]:
    """Which numbers of devices divide the widths, for blocks of 1, 32, 64 and 128 columns; experts may be whole."""
    refused = random.choice([0, 0, 0b10, 0b1000])  # by something else

    def divides(devices: int, block: int, columns: tuple[int, ...]) -> bool:
        has_heads = heads % devices == 0 and (kv_heads % devices == 0 or devices % kv_heads == 0)
        is_refused = bool(refused >> (devices - 1) & 1)
        return has_heads and not is_refused and all(each % (devices * block) == 0 for each in columns)

    found = {}
    for block in (1, 32, 64, 128):
        suffix = "" if block == 1 else f"_{block}"
        for kind, columns in (("tp", (ffn, expert_ffn)), ("ep", (ffn,))):
            is_kind = kind == "tp" or experts > 0
            devices = [n for n in DEGREES if is_kind and divides(n, block, columns)]
            found[f"{kind}_ok_mask{suffix}"] = sum(1 << (n - 1) for n in devices)
    return found


def encoder(random: Random, number: int) -> dict[str, Any]:
    """One row of an encoder of text whose layers were counted: nothing is kept, and attention takes a mask."""
    row = next(one for one in iter(lambda: shape(random, number), None) if one["experts"] == 0)
    cache = [name for name in row if name.startswith(("kv_", "window_", "state_")) and name != "kv_heads"]
    hidden, ffn = 64 * random.randint(4, 20), 64 * random.randint(8, 80)
    return {
        **row, **dict.fromkeys(cache, 0), "kind": "encoder", "hidden_size": hidden, "ffn_size": ffn,
        "vocab_size": random.randint(1000, 260_000),
        "prefill_layer_bytes": 4 * ffn + 6 * hidden, "prefill_attention_bytes": 12 * hidden, "prefill_pair_bytes": 2,
        "prefill_shared_bytes": random.choice([16, 24]),
    }  # fmt: skip


def shapes(seed: int, many: int) -> list[dict[str, Any]]:
    """The last of them is an encoder."""
    random = Random(seed)
    return [*(shape(random, number) for number in range(many)), encoder(random, many)]


def _predictions(random: Random, counts: dict[str, int], layers: int, sparse: int) -> dict[str, int | None]:
    """Blocks that predict further tokens, like the last layer: mostly none, some that nobody counted."""
    blocks = random.choice([0, 0, 1, 1, 3, None])
    names = ("mtp_layers", "mtp_parameters", "mtp_expert_parameters")
    if blocks is None:
        return dict.fromkeys(names)
    experts = blocks * counts["p_expert"] // sparse if sparse else 0
    return dict(zip(names, (blocks, experts + blocks * (counts["p_attn"] // layers + 12_345), experts), strict=True))
