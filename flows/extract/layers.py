"""The plan of a decoder: what each layer is, before anything is counted.

A rule per dialect names the kind of every layer; `layer_types` in a configuration wins over it. Kinds: full, sliding,
chunked, csa and hca (compressed caches), cross (keys and values of images), recurrent, hybrid (attention and a mixer
side by side), mlp, moe and nothing (no mixer at all), unknown.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flows.extract.keys import Keys

MOST_LAYERS = 4096

# Spellings of layer_types in transformers 5 and in the repositories that came before it.
SPELLED = {
    "full_attention": "full", "attention": "full", "global": "full", "global_attention": "full",
    "sliding_attention": "sliding", "local": "sliding", "local_attention": "sliding", "window_attention": "sliding",
    "chunked_attention": "chunked",
    "linear_attention": "recurrent", "mamba": "recurrent", "mamba2": "recurrent", "conv": "recurrent",
    "recurrent": "recurrent",
    "hybrid": "hybrid", "hybrid_sliding": "hybrid_sliding", "mlp": "mlp", "moe": "moe",
    "indexed_attention": "full", "minimax_m3_sparse": "selective", "reference_sliding_attention": "full",
    "deepseek_sparse_attention": "full", "qwen_sparse_attention": "full",
    "compressed_sparse_attention": "csa", "heavily_compressed_attention": "hca",
}  # fmt: skip
LETTERS = {"M": "recurrent", "*": "full", "-": "mlp", "E": "moe"}


def kinds(keys: Keys, dialect: Mapping[str, Any]) -> list[str]:
    """One kind for each layer. Raises ValueError for a plan that contradicts itself."""
    letters = keys.text("hybrid_override_pattern")
    if letters is not None:
        return [LETTERS.get(letter, "unknown") for letter in letters[:MOST_LAYERS]]
    spelled = keys.items("layer_types") or keys.items("layers_block_type")
    # A configuration that lists its layers need not count them, and then no class default may.
    layers = len(spelled) if spelled and "layers" not in keys else keys.need("layers")
    if dialect.get("halves") and spelled and "mlp" in spelled:
        spelled, layers = spelled[::2], len(spelled[::2]) if "layers" not in keys else layers // 2
    if not 0 < layers <= MOST_LAYERS:
        raise ValueError(f"num_hidden_layers is not a usable number: {layers}")
    if spelled:
        plan = [SPELLED.get(str(word), "unknown") for word in spelled[:layers]]
        if len(plan) != layers:
            raise ValueError(f"layer_types names {len(plan)} of {layers} layers")
        return _unwindowed(plan, window(keys, dialect))
    head = list(dialect.get("first_layers", ()))[:layers]
    return _unwindowed(head + _by_rule(keys, dialect, layers - len(head)), window(keys, dialect))


def window(keys: Keys, dialect: Mapping[str, Any]) -> int | None:
    """Tokens of the sliding window or chunk; null when windows are off."""
    written = keys.number(dialect.get("window_key", "sliding_window"))
    return written // dialect.get("window_divisor", 1) if written else None


def _unwindowed(plan: list[str], window_tokens: int | None) -> list[str]:
    """A sliding layer without a window is an ordinary one."""
    if window_tokens is not None:
        return plan
    return [{"sliding": "full", "hybrid_sliding": "hybrid"}.get(kind, kind) for kind in plan]


def _by_rule(keys: Keys, dialect: Mapping[str, Any], layers: int) -> list[str]:
    rule = dialect["layers"]
    if rule in ("full", "recurrent", "hybrid"):
        return [rule] * layers
    if rule == "window_all":
        return ["sliding"] * layers
    if rule in ("window_from", "window_even_until", "window_switch"):
        return _switched(keys, rule, layers)
    if rule == "every":
        return _every(keys, dialect["every"], layers)
    if rule == "period":
        period, offset = keys.need("attn_layer_period"), keys.need("attn_layer_offset")
        attends = dialect.get("period_kind", "full")
        return [attends if period and i % period == offset else "recurrent" for i in range(layers)]
    if rule == "attn_type_list":
        listed = keys.items("attn_type_list")
        if listed is None:
            return ["recurrent" if i % 2 else "full" for i in range(layers)]
        return _exactly(["full" if word == 1 else "recurrent" for word in listed], layers)
    if rule == "linear_attn_config":
        section = keys.section("linear_attn_config")
        if section is None:
            return ["full" if i and i % 4 == 0 else "recurrent" for i in range(layers)]
        full, recurrent = (set(_numbers(section.get(key))) for key in ("full_attn_layers", "kda_layers"))
        # layers are numbered from 1
        return ["full" if i in full else "recurrent" if i in recurrent else "unknown" for i in range(1, layers + 1)]
    if rule == "full_attn_idxs":
        written = keys.items("full_attn_idxs")
        full = set(range(layers) if written is None else _numbers(written))
        return ["full" if i in full else "recurrent" for i in range(layers)]
    if rule == "block_types":
        blocks = keys.items("block_types") or ["recurrent", "recurrent", "attention"]
        if not blocks:
            raise ValueError("block_types is empty")
        return ["sliding" if blocks[i % len(blocks)] == "attention" else "recurrent" for i in range(layers)]
    if rule == "block_configs":
        return ["nothing" if keys.layer(i).truth("has_no_attention") else "full" for i in range(layers)]
    if rule == "attn_section":
        return _beside_recurrent(keys, layers)
    if rule == "attn_layer_indices":
        full = set(_numbers(keys.items("attn_layer_indices")))
        return ["full" if i in full else "recurrent" for i in range(layers)]
    if rule == "hybrid_layer_pattern":
        flags = keys.items("hybrid_layer_pattern")
        if flags is None:
            return ["full" if i == 0 or i % 6 == 5 else "sliding" for i in range(layers)]
        return _exactly(["sliding" if flag == 1 else "full" for flag in flags[:layers]], layers)
    if rule == "cycle":
        cycle = dialect["cycle"]
        return [cycle[i % len(cycle)] for i in range(layers)]
    if rule == "from_the_last":
        return ["full" if (layers - 1 - i) % 4 == 0 else "sliding" for i in range(layers)]
    if rule == "sparse_attention_freq":
        flags = keys.items("sparse_attention_freq")
        return ["full"] * layers if flags is None else ["selective" if flag else "full" for flag in flags[:layers]]
    if rule == "compress_ratios":
        return _compressed(keys.items("compress_ratios"), layers)
    if rule == "cross_attention_layers":
        cross = set(_numbers(keys.items("cross_attention_layers") or [3, 8, 13, 18, 23, 28, 33, 38]))
        return ["cross" if i in cross else "full" for i in range(layers)]
    if rule == "attention_types":
        return _exactly(_alternating(keys.items("attention_types")), layers)
    return ["unknown"] * layers


def _switched(keys: Keys, rule: str, layers: int) -> list[str]:
    """Qwen: windows only with use_sliding_window, and then on one side of max_window_layers."""
    if not keys.flag("use_sliding_window"):
        return ["full"] * layers
    limit = keys.number("max_window_layers") or 0
    if rule == "window_switch":
        return ["sliding"] * layers
    if rule == "window_from":
        return ["sliding" if i >= limit else "full" for i in range(layers)]
    return ["sliding" if i % 2 == 0 and i < limit else "full" for i in range(layers)]


def _every(keys: Keys, every: Mapping[str, Any], layers: int) -> list[str]:
    """Every n-th layer is full, the others are something else."""
    step = int(every["default"])
    if "key" in every:
        for name in (str(every["key"]), f"_{every['key']}"):
            if name in keys:
                step = keys.number(name) or step
    if not step:
        raise ValueError(f"{every.get('key', 'the layer pattern')} is 0")
    full = every.get("full", "full")
    listed = keys.items(every["ids_key"]) if "ids_key" in every else None
    if listed is not None:
        return [every["other"] if i in set(_numbers(listed)) else full for i in range(layers)]
    plan = [full if (i + 1) % step == every.get("at", 0) else every["other"] for i in range(layers)]
    if every.get("ends") in ("last", "both"):
        plan[-1] = "full"
    if every.get("ends") in ("first", "both"):
        plan[0] = "full"
    return plan


def _beside_recurrent(keys: Keys, layers: int) -> list[str]:
    """flash-linear-attention: the layers that `attn` lists attend. Several such sections are not read here."""
    if keys.is_silent("attn"):
        return ["recurrent"] * layers
    section = keys.section("attn")
    if section is None:
        return ["unknown"] * layers
    attends = set(_numbers(section.get("layers")))
    return ["sliding" if i in attends else "recurrent" for i in range(layers)]


def _compressed(ratios: list[Any] | None, layers: int) -> list[str]:
    """DeepSeek-V4: tokens that one entry of the growing cache stands for; without a list two layers of 128, then 4
    and 128 in turn."""
    if ratios is None:
        return ["csa" if i > 2 and i % 2 else "hca" for i in range(layers)]
    named = {0: "sliding", 4: "csa", 128: "hca"}
    return _exactly(
        [named.get(ratio, "unknown") if type(ratio) is int else "unknown" for ratio in ratios[:layers]], layers
    )


def _alternating(attention_types: list[Any] | None) -> list[str]:
    """GPT-Neo: [[["global", "local"], 12]]."""
    plan: list[str] = []
    for entry in attention_types or [[["global", "local"], 12]]:
        match entry:
            case [[*words], int(times)] if 0 < times <= MOST_LAYERS:
                plan += [SPELLED.get(str(word), "unknown") for word in words] * times
            case _:
                raise ValueError("attention_types is not a usable list")
    return plan


def _numbers(value: object) -> list[int]:
    return [item for item in value if isinstance(item, int)] if isinstance(value, list) else []


def _exactly(plan: list[str], layers: int) -> list[str]:
    if len(plan) != layers:
        raise ValueError(f"the layer plan names {len(plan)} of {layers} layers")
    return plan
