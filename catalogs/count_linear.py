"""Count the classes of flash-linear-attention without weights: the goldens of catalogs/architectures/linear.toml.

    pip install --no-deps flash-linear-attention fla-core einops triton    # beside transformers and torch; no GPU
    python -m catalogs.count_linear linear_counts.jsonl [model_type …]

As count_classes.py does, with variants made from the signature of the configuration class: its defaults, fewer layers,
every switch turned over, other widths, and attention in some layers. Types that the file already has are skipped.
"""

from __future__ import annotations

import importlib
import inspect
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from catalogs.count_classes import NOT_SWITCHES, count

CLASSES = {
    "gla": "GLA", "retnet": "RetNet", "delta_net": "DeltaNet", "gated_deltanet": "GatedDeltaNet",
    "gated_deltaproduct": "GatedDeltaProduct", "comba": "Comba", "kda": "KDA", "mesa_net": "MesaNet", "hgrn": "HGRN",
    "hgrn2": "HGRN2", "lightnet": "LightNet", "gsa": "GSA", "abc": "ABC", "linear_attn": "LinearAttention",
    "forgetting_transformer": "ForgettingTransformer", "nsa": "NSA", "moba": "MoBA",
    "path_attn": "PaTHAttention", "rwkv6": "RWKV6", "rwkv7": "RWKV7", "log_linear_mamba2": "LogLinearMamba2",
}  # fmt: skip
FEWER = {"num_hidden_layers": 5}
OTHER_WIDTHS = {
    "vocab_size": 40_000, "hidden_size": 1536, "intermediate_size": 2560, "num_heads": 6, "num_kv_heads": 3,
    "head_dim": 128, "conv_size": 3, "num_slots": 32, "num_v_heads": 12, "num_householder": 2,
}  # fmt: skip
# Words and numbers that only one class has, each beside fewer layers.
OTHERS: tuple[dict[str, Any], ...] = (
    {"feature_map": "hedgehog"}, {"feature_map": "t2r"}, {"feature_map": "t2r", "tie_feature_map_qk": True},
    {"attnres_block_size": 2}, {"expand_ratio": 2}, {"expand_ratio": None, "num_heads": 8}, {"hidden_ratio": 3},
    {"num_slots": None}, {"num_heads": 16, "head_dim": None}, {"value_dim": 4096}, {"num_kv_heads": 2},
    {"expand_k": 0.75, "expand_v": 1.5},
)  # fmt: skip
ATTENDED: tuple[dict[str, Any], ...] = (
    {"attn": {"layers": [1, 3], "num_heads": 16, "num_kv_heads": 4, "qkv_bias": True, "window_size": 512}},
    {"attn": {"layers": [0], "num_heads": 8}},
)
# Switches of kernels, of training or of the running program.
RUNNING = {*NOT_SWITCHES, "fuse_norm", "fuse_swiglu", "fuse_cross_entropy", "fuse_linear_cross_entropy", "use_l2warp",
           "use_flash_moba", "safe_gate", "residual_in_fp32"}  # fmt: skip


def main(out: str, *wanted: str) -> None:
    """Append the counts of the package's classes to a file."""
    attention: Any = importlib.import_module("fla.layers.attn")
    if attention.flash_attn_func is None:
        attention.flash_attn_func = count  # asked for when a class is built, called when it runs
    models = importlib.import_module("fla.models")
    file = Path(out)
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    done = {json.loads(line)["model_type"] for line in lines}
    with file.open("a", encoding="utf-8") as stream:
        for model_type in wanted or tuple(CLASSES):
            if model_type not in done:
                for row in counts(models, model_type):
                    stream.write(json.dumps(row) + "\n")
                stream.flush()


def counts(models: Any, model_type: str) -> Iterator[dict[str, Any]]:
    """A row for every variant that the class accepts."""
    name = f"{CLASSES[model_type]}ForCausalLM"
    model_class = getattr(models, name)
    config_class = getattr(models, f"{CLASSES[model_type]}Config")
    for changes in variants(config_class):
        try:
            parameters = count(model_class, config_class(**changes))
        except Exception as error:  # a class may demand anything; what it cannot do is no golden
            print(f"{model_type} {changes}: {type(error).__name__} {error!s:.200}")
            continue
        yield {"model_type": model_type, "architecture": name, "config": changes, "parameters": parameters}


def variants(config_class: Any) -> Iterator[dict[str, Any]]:
    """Changes to a configuration, the first one none."""
    fields = {name: one.default for name, one in inspect.signature(config_class.__init__).parameters.items()}
    yield {}
    yield dict(FEWER)
    for name, default in fields.items():
        if isinstance(default, bool) and name not in RUNNING:
            yield {**FEWER, name: not default}
    yield {**FEWER, **{name: value for name, value in OTHER_WIDTHS.items() if name in fields}}
    for change in (*OTHERS, *ATTENDED):
        if change.keys() <= fields.keys():
            yield {**FEWER, **change}


if __name__ == "__main__":
    main(*sys.argv[1:])
