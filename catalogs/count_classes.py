"""Count model classes of an installed transformers without weights: the goldens that dialects are checked against.

    pip install transformers torch
    python -m catalogs.count_classes MODEL_FOR_CAUSAL_LM_MAPPING_NAMES class_counts.jsonl [model_type …]

Every class is built on torch's meta device with its own defaults, with fewer layers, with other widths, with every
switch turned over, and with its layer plan spelled out; equal parameters count once. One line a variant; variants that
the class refuses are left out. Types that the file already has are skipped.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FEWER = {"num_hidden_layers": 5, "n_layer": 5, "num_layers": 5, "encoder_layers": 3, "decoder_layers": 4}
OTHER_WIDTHS = {
    "vocab_size": 40_000, "intermediate_size": 2560, "ffn_dim": 2560, "moe_intermediate_size": 640, "head_dim": 96,
    "num_key_value_heads": 2, "max_position_embeddings": 1111, "num_mem_blocks": 2,
}  # fmt: skip
OTHER_PICTURES = {"patch_size": 8, "image_size": 160, "num_mel_bins": 80, "spatial_merge_size": 3, "depth": 3}
# What a class cannot be built or be told apart without.
NEEDED: dict[str, dict[str, Any]] = {
    "chameleon": {"vocabulary_map": {"<image>": 8711}},
    "emu3": {"vocabulary_map": {"<image>": 8711}},
    "cohere_compass_text": {
        "rope_parameters": {"full_attention": {"rope_type": "default", "rope_theta": 10_000.0}},
    },
    "dbrx": {
        "d_model": 1024, "n_heads": 8, "n_layers": 3,
        "attn_config": {"model_type": "", "kv_n_heads": 4, "clip_qkv": 8, "rope_theta": 500_000.0},
        "ffn_config": {"model_type": "", "ffn_hidden_size": 1536, "moe_num_experts": 8, "moe_top_k": 2,
                       "ffn_act_fn": {"name": "silu"}},
    },
    "lfm2_moe": {"num_hidden_layers": 5, "layer_types": ["conv", "conv", "full_attention", "conv", "conv"]},
    "dots1": {"n_routed_experts": 8, "num_experts_per_tok": 2, "n_shared_experts": 2, "first_k_dense_replace": 1},
    "gemma4_unified": {
        "vision_config": {"model_type": "gemma4_unified_vision"},
        "audio_config": {"model_type": "gemma4_unified_audio"},
    },
    "qwen4_exp_text": {"indexer_n_heads": 4, "indexer_kv_heads": 1, "indexer_head_dim": 256, "indexer_budget": 2048,
                       "indexer_compress_ratio": 64},
    "longcat_flash": {"n_routed_experts": 16, "zero_expert_num": 8, "moe_topk": 4},
    "nemotron_h_omni": {
        "vision_config": {"model_type": "radio", "video_temporal_patch_size": 2},
        "text_config": {"model_type": "nemotron_h",
                        "layers_block_type": ["linear_attention", "moe", "full_attention", "mlp", "linear_attention"]},
    },
    "zamba": {"num_hidden_layers": 14},
    "zamba2": {"num_hidden_layers": 54},
    "granite4_vision": {"deepstack_layer_map": [[-19, 9], [-13, 6]], "downsample_rate": "4/8"},
    "hunyuan_vl": {"text_config": {"head_dim": 128}},
}  # fmt: skip
# Changes that no rule below makes: lists that belong together, widths that must agree. One line a change.
CHANGES = Path(__file__).parent / "class_changes.jsonl"
PLANS = ("layer_types", "layers_block_type", "mlp_layer_types")
# Switches of the running program, not of the model.
NOT_SWITCHES = {"output_attentions", "output_hidden_states", "return_dict", "use_cache", "is_decoder",
                "add_cross_attention", "is_encoder_decoder", "gradient_checkpointing"}  # fmt: skip


def main(mapping: str, out: str, *wanted: str) -> None:
    """Append the counts of a transformers auto mapping to a file."""
    auto = importlib.import_module("transformers.models.auto.modeling_auto")
    names: dict[str, Any] = getattr(auto, mapping)
    file = Path(out)
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    done = {json.loads(line)["model_type"] for line in lines}
    with file.open("a", encoding="utf-8") as stream:
        for model_type in wanted or tuple(names):
            if model_type not in done:
                name = names[model_type]
                for row in counts(model_type, name if isinstance(name, str) else name[0]):
                    stream.write(json.dumps(row) + "\n")
                stream.flush()


def counts(model_type: str, architecture: str) -> Iterator[dict[str, Any]]:
    """A row for every variant that the class accepts."""
    transformers = importlib.import_module("transformers")
    config_class = importlib.import_module("transformers.models.auto.configuration_auto").CONFIG_MAPPING[model_type]
    try:
        model_class = getattr(transformers, architecture)
        found = list(variants(config_class))
    except Exception as error:  # a class may demand anything; what it cannot do is no golden
        print(f"{model_type}: {type(error).__name__}")
        return
    for written in (*found, *_changes(model_type)):
        changes = _merged(NEEDED.get(model_type, {}), written) if written else written
        try:
            config = config_class(**changes)
            parameters = count(model_class, config) - _not_stored(config)
        except Exception as error:  # as above, for this variant
            print(f"{model_type} {changes}: {type(error).__name__} {error!s:.200}")
            continue
        yield {"model_type": model_type, "architecture": architecture, "config": changes, "parameters": parameters}


def _changes(model_type: str) -> list[dict[str, Any]]:
    rows = map(json.loads, CHANGES.read_text(encoding="utf-8").splitlines())
    return [row["config"] for row in rows if row["model_type"] == model_type]


def _merged(needed: dict[str, Any], written: dict[str, Any]) -> dict[str, Any]:
    """What is written above what is needed, section by section."""
    found = {**needed, **written}
    for name, value in needed.items():
        if isinstance(value, dict) and isinstance(written.get(name), dict):
            found[name] = {**value, **written[name]}
    return found


def variants(config_class: Any) -> Iterator[dict[str, Any]]:
    """Changes to a configuration, the first one none."""
    fields = {field.name: field.default for field in dataclasses.fields(config_class)}
    fewer = {name: value for name, value in FEWER.items() if name in fields}
    yield {}
    yield fewer
    for name, default in fields.items():
        if isinstance(default, bool) and name not in NOT_SWITCHES:
            yield {**fewer, name: not default}
    yield {**fewer, **{name: value for name, value in OTHER_WIDTHS.items() if name in fields}}
    yield from _of_sections(config_class)
    try:
        built = config_class(**fewer)
    except Exception:  # fewer layers need a plan of their own
        return
    plans = {name: getattr(built, name, None) for name in PLANS}
    spelled = {name: plan for name, plan in plans.items() if isinstance(plan, list)}
    if spelled:
        yield {**fewer, **spelled}


def _of_sections(config_class: Any) -> Iterator[dict[str, Any]]:
    """Changes inside the nested configurations: fewer layers everywhere, then other widths in one section a time."""
    names = list(getattr(config_class, "sub_configs", None) or {})
    built = config_class() if names else None
    sections = {name: getattr(built, name) for name in names if getattr(built, name, None) is not None}
    fewer = {name: {"model_type": section.model_type, **_known(section, FEWER)} for name, section in sections.items()}
    if not fewer:
        return
    yield fewer
    for name, section in sections.items():
        switches = {field.name: not field.default for field in dataclasses.fields(section)
                    if isinstance(field.default, bool) and field.name not in NOT_SWITCHES}  # fmt: skip
        for change in (
            _known(section, OTHER_WIDTHS),
            _known(section, OTHER_PICTURES),
            *({k: v} for k, v in switches.items()),
        ):
            if change:
                yield {**fewer, name: {**fewer[name], **change}}


def _known(config: Any, changes: dict[str, Any]) -> dict[str, Any]:
    names = {field.name for field in dataclasses.fields(config)}
    return {name: value for name, value in changes.items() if name in names}


def _not_stored(config: Any) -> int:
    """LongCat-Flash: experts that compute nothing have matrices in the class and none in any checkpoint."""
    idle = getattr(config, "zero_expert_num", None) or 0
    return idle * config.num_layers * 2 * config.expert_ffn_hidden_size * config.hidden_size if idle else 0


def count(model_class: Any, config: Any) -> int:
    """Distinct parameters of a class; buffers are none."""
    torch = importlib.import_module("torch")
    with torch.device("meta"):
        model = model_class._from_config(config)
    model.tie_weights()
    return sum({id(parameter): parameter.numel() for parameter in model.parameters()}.values())


if __name__ == "__main__":
    main(*sys.argv[1:])
