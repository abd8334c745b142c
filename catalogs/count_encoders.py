"""Count encoder and encoder-decoder classes of an installed transformers without weights, heads included.

    pip install transformers torch
    python -m catalogs.count_encoders encoder_counts.jsonl model_type …

Like count_classes, with every class that transformers registers for a type. The first class is built with its own
defaults, with fewer layers, with every switch turned over and every dimension changed by itself; the others with
their defaults, fewer layers, and fewer layers with five labels and all dimensions changed at once. Variants that a
class refuses are left out, as are types that the file already has.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from catalogs.count_classes import NOT_SWITCHES, count

FEWER = {
    "num_hidden_layers": 3, "n_layers": 3, "num_layers": 3, "encoder_layers": 2, "decoder_layers": 3,
    "num_decoder_layers": 2, "num_encoder_layers": 3, "depths": [1, 2, 1, 3], "block_sizes": [1, 2],
    "layers_block_type": None,
}  # fmt: skip


def _half(default: int) -> int:
    return default // 2


def _wider(default: int) -> int:
    return default + 32


# Dimensions and what to change them to, from their defaults.
CHANGED: dict[str, Callable[[Any], Any]] = {
    "vocab_size": lambda default: default + 8,
    "hidden_size": _half, "d_model": _half, "dim": _half, "emb_dim": _half, "embed_dim": _half,
    "embedding_size": _wider, "intermediate_size": _wider, "hidden_dim": _wider, "ffn_dim": _wider, "d_ff": _wider,
    "d_inner": _wider, "encoder_ffn_dim": _wider, "decoder_ffn_dim": lambda default: default + 64,
    "max_position_embeddings": lambda default: default + 64, "max_source_positions": lambda default: default // 2,
    "max_target_positions": lambda default: default // 2, "type_vocab_size": lambda default: 3,
    "d_kv": lambda default: 48, "head_dim": lambda default: 48, "d_head": lambda default: 48,
    "num_attention_heads": _half, "num_heads": lambda default: default if isinstance(default, list) else default // 2,
    "num_key_value_heads": lambda default: 2, "attention_head_size": lambda default: 48,
    "relative_attention_num_buckets": lambda default: 16, "rel_pos_bins": lambda default: 16,
    "image_size": lambda default: default * 2 if isinstance(default, int) else default, "patch_size": lambda default: 8,
    "num_channels": lambda default: 1, "in_channels": lambda default: 1, "mlp_ratio": lambda default: 3,
    "num_mel_bins": _half, "n_mels": _half, "projection_dim": _half, "num_register_tokens": lambda default: 2,
    "num_experts": lambda default: 4, "head_ratio": lambda default: 4, "conv_kernel_size": lambda default: 7,
    "n_langs": lambda default: 4, "num_hidden_groups": lambda default: 2, "inner_group_num": lambda default: 2,
    "max_2d_position_embeddings": _half, "coordinate_size": lambda default: 64, "shape_size": lambda default: 192,
    "conv_dim": lambda default: [256] * len(default), "num_conv_pos_embeddings": _half,
    "classifier_proj_size": _half, "codevector_dim": _half, "proj_codevector_dim": lambda default: default // 4,
    "hidden_sizes": lambda default: [width * 2 for width in default], "window_size": lambda default: 8,
    "num_queries": _half, "decoder_hidden_size": _half, "position_buckets": lambda default: 128,
    "max_relative_positions": lambda default: 64, "attention_window": lambda default: 64, "block_size": lambda d: 32,
    "num_conv_pos_embedding_groups": _half, "num_buckets": _half, "tubelet_size": lambda default: 4,
    "num_frames": _half, "max_length": lambda default: 512, "spectrogram_length": _half, "mask_feature_size": _half,
    "num_codevectors_per_group": _half, "intra_bottleneck_size": lambda default: 64, "num_feedforward_networks":
    lambda default: 2, "decoder_intermediate_size": _wider, "embedding_hidden_size": _half, "num_groups":
    lambda default: 2, "q_groups": lambda default: 2, "intermediate_groups": lambda default: 2,
    "encoder_attention_heads": _half, "decoder_attention_heads": _half, "num_labels": lambda default: 5,
}  # fmt: skip
# Words that choose a shape.
CHOICES: dict[str, list[Any]] = {
    "feed_forward_proj": ["gated-gelu"], "encoder_attention_type": ["transient-global"], "hidden_act": [],
    "feat_extract_norm": ["layer"], "position_embedding_type": ["relative_key", "rotary"], "layer_type": ["bottleneck"],
    "pos_att_type": [["p2c", "c2p"], ["c2p"]], "relative_attention": [True], "attention_type": ["original_full"],
    "position_embeddings_type": ["rotary", "relative"], "classifier_pooling": ["mean"], "norm_rel_ebd": ["layer_norm"],
    "normalization_type": ["layer_norm"],
}  # fmt: skip
# Switches of the running program beside those of count_classes.
RUNNING = re.compile(r"output|return|dropout|onnx|fast_qkv|freeze|ctc_|apply_spec|convert_sync|reshape_hidden")


def main(out: str, *model_types: str) -> None:
    """Append the counts of these types to a file."""
    file = Path(out)
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    done = {json.loads(line)["model_type"] for line in lines}
    with file.open("a", encoding="utf-8") as stream:
        for model_type in model_types:
            if model_type not in done:
                for row in rows(model_type):
                    stream.write(json.dumps(row) + "\n")
                stream.flush()


def rows(model_type: str) -> Iterator[dict[str, Any]]:
    """One row for every class of a type and every variant that it accepts."""
    transformers = importlib.import_module("transformers")
    config_class = importlib.import_module("transformers.models.auto.configuration_auto").CONFIG_MAPPING[model_type]
    for position, name in enumerate(class_names(model_type)):
        try:
            model_class = getattr(transformers, name)
            found = list(alone(config_class) if position == 0 else together(config_class))
        except Exception as error:  # a class may demand anything; what it cannot do is no golden
            print(f"{name}: {type(error).__name__} {error}")
            continue
        for changes in found:
            try:
                parameters = count(model_class, config_class(**json.loads(json.dumps(changes))))
            except Exception as error:  # as above, for this variant
                print(f"{name} {changes}: {type(error).__name__}")
                continue
            yield {"model_type": model_type, "architecture": name, "config": changes, "parameters": parameters}


def class_names(model_type: str) -> list[str]:
    """Every class of the library's mappings for a type, the base model first."""
    auto = importlib.import_module("transformers.models.auto.modeling_auto")
    found: dict[str, None] = {}
    names: Any
    for mapping in ["MODEL_MAPPING_NAMES", *sorted(name for name in vars(auto) if name.endswith("_MAPPING_NAMES"))]:
        names = getattr(auto, mapping).get(model_type, ())
        found |= dict.fromkeys([names] if isinstance(names, str) else names)
    return [name for name in found if not name.endswith("Config")]


def alone(config_class: Any) -> Iterator[dict[str, Any]]:
    """Nothing changed, fewer layers, and fewer layers with one thing changed after another."""
    yield _needed(_fields(config_class))
    yield from _alone(config_class)
    for name, section in _sections(config_class):
        yield from ({name: changes} for changes in _alone(section))


def _alone(config_class: Any) -> Iterator[dict[str, Any]]:
    fields = _fields(config_class)
    fewer = _fewer(fields)
    if fewer:
        yield fewer
    for name, default in fields.items():
        if isinstance(default, bool) and name not in NOT_SWITCHES and not RUNNING.search(name):
            yield {**fewer, name: not default}
        elif name in CHANGED and (changed := _changed(name, default)) != default:
            yield {**fewer, name: changed}
        for choice in CHOICES.get(name, ()):
            yield {**fewer, name: choice}


def together(config_class: Any) -> Iterator[dict[str, Any]]:
    """Nothing changed, fewer layers, and all dimensions at once."""
    fields = _fields(config_class)
    fewer = _fewer(fields) | {name: _fewer(_fields(section)) for name, section in _sections(config_class)}
    yield _needed(fields)
    yield fewer
    if "tie_word_embeddings" in fields:
        yield {**fewer, "tie_word_embeddings": not fields["tie_word_embeddings"]}
    yield {**_all(fields), "num_labels": 5} | {
        name: _all(_fields(section)) for name, section in _sections(config_class)
    }


def _all(fields: dict[str, Any]) -> dict[str, Any]:
    heads = ("heads", "patch_size", "image_size", "window_size")
    changed = {name: _changed(name, default) for name, default in fields.items()
               if name in CHANGED and not name.endswith(heads)}  # fmt: skip
    return {**_fewer(fields), **{name: value for name, value in changed.items() if value is not None}}


def _needed(fields: dict[str, Any]) -> dict[str, Any]:
    """What a class cannot be built without and has no default for."""
    return {"vocab_size": 33} if "vocab_size" in fields and fields["vocab_size"] is None else {}


def _changed(name: str, default: Any) -> Any:
    try:
        return CHANGED[name](default)
    except (TypeError, ValueError):
        return default


def _fewer(fields: dict[str, Any]) -> dict[str, Any]:
    found = _needed(fields) | {name: value for name, value in FEWER.items() if name in fields and value is not None}
    for name in ("depths", "block_sizes"):
        if name in found and isinstance(fields[name], list | tuple):
            found[name] = [1, 2, 1, 3, 2][: len(fields[name])]
    return found


def _fields(config_class: Any) -> dict[str, Any]:
    return {
        field.name: field.default_factory() if callable(field.default_factory) else field.default
        for field in dataclasses.fields(config_class)
    }


def _sections(config_class: Any) -> list[tuple[str, Any]]:
    sections = getattr(config_class, "sub_configs", None) or {}
    return [(name, section) for name, section in sections.items() if hasattr(section, "model_type")]


if __name__ == "__main__":
    main(*sys.argv[1:])
