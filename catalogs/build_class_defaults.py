"""Regenerate architectures/class_defaults.jsonl from an installed transformers.

    pip install transformers
    python -m catalogs.build_class_defaults

Needs no torch: configuration classes are declared fields with defaults, and only those are read. Values that a class
derives when it is built (a head_dim from hidden_size, a list of layer types) are not defaults and are left out.
"""

from __future__ import annotations

import dataclasses
import importlib
import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent / "architectures" / "class_defaults.jsonl"
# Fields that no tensor's shape, no cache and no layer plan depends on.
IRRELEVANT = re.compile(
    r"(_token_id|_token_ids|_token_index|_id|_eps|epsilon|_std|_coef|_dropout|dropout|_prob|_act|activation|_pdrop|_loss)$"
    r"|^(output_(attentions|hidden_states|scores|past|router_logits)|return_|use_cache|problem_type|initializer|layerdrop|chunk_size_feed|summary_|gradient|label|"
    r"begin_suppress|suppress|mask_time|mask_feature|ctc_|apply_spec|transformers_version|architectures$|finetuning)"
    r"|(weight_init|init_range|jitter|softcapping|_theta|_scale$|_scaling|_multiplier$|logit_|temperature|dilation)"
)
# Multipliers and scales that are shapes after all.
RELEVANT = re.compile(r"(ffn_dim_multiplier|depth_multiplier|width_multiplier|hidden_size_multiplier|ff_multiplier)$")


def main() -> None:
    """Write one line a configuration class, sorted by model_type."""
    lines = [json.dumps(row, separators=(",", ":")) for row in sorted(rows(), key=lambda row: row["model_type"])]
    FILE.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(f"{len(lines)} configuration classes -> {FILE}")


def rows() -> Iterator[dict[str, Any]]:
    """A row for every model_type that the library registers, and for the sections that only occur inside others."""
    transformers = importlib.import_module("transformers")
    mapping = importlib.import_module("transformers.models.auto.configuration_auto").CONFIG_MAPPING
    waiting = [(name, mapping[name]) for name in mapping]  # some names share a class
    seen: set[str] = set()
    while waiting:
        model_type, config = waiting.pop(0)
        if not model_type or model_type in seen:
            continue
        seen.add(model_type)
        found = sections(config)
        waiting += [(section.model_type, section) for section in found.values()]
        yield {
            "model_type": model_type,
            "class": config.__name__,
            "source": f"transformers {transformers.__version__} {config.__module__.removeprefix('transformers.')}",
            "defaults": defaults(config),
            "sections": {name: sub.model_type for name, sub in found.items()},
            "built": {name: values for name in found if (values := own_values(_built(config), name))},
            "synonyms": {name: key for name, key in (config.attribute_map or {}).items() if isinstance(key, str)},
        }


def sections(config: Any) -> dict[str, Any]:
    """Nested configurations by key. Where any type may stand, the one that an empty configuration builds."""
    found = {}
    for name, declared in (getattr(config, "sub_configs", None) or {}).items():
        built = None if hasattr(declared, "model_type") else getattr(_built(config), name, None)
        section = declared if built is None else type(built)
        if getattr(section, "model_type", ""):
            found[name] = section
    return found


def own_values(built: object, name: str) -> dict[str, Any]:
    """What a model sets in a nested configuration that it builds itself, where that differs from the class's own."""
    section = getattr(built, name, None)
    if not dataclasses.is_dataclass(section):
        return {}
    found = {}
    for entry in dataclasses.fields(section):
        value = section.__dict__.get(entry.name)
        if IRRELEVANT.search(entry.name) or not _is_plain(value) or value == entry.default:
            continue
        found[entry.name] = value
    return found


@cache
def _built(config: Any) -> object:
    """An instance without arguments, null for a class that needs some."""
    try:
        return config()
    except Exception as error:  # whatever a class demands: it is then described without its sections
        print(f"{config.__name__} cannot be built alone: {type(error).__name__}")
        return None


def defaults(config: Any) -> dict[str, Any]:
    """Declared defaults that decide shapes. Absent and null are the same in a class, so nulls are left out."""
    found: dict[str, Any] = {}
    for entry in dataclasses.fields(config):
        value = entry.default
        if entry.default_factory is not dataclasses.MISSING:
            value = entry.default_factory()
        if value is dataclasses.MISSING or value is None:
            continue
        if (IRRELEVANT.search(entry.name) and not RELEVANT.search(entry.name)) or not _is_plain(value):
            continue
        found[entry.name] = list(value) if isinstance(value, tuple) else value
    return found


def _is_plain(value: object) -> bool:
    """Numbers, switches, short words and short lists of them."""
    if isinstance(value, str):
        return len(value) <= 40
    if isinstance(value, list | tuple):
        return len(value) <= 128 and all(_is_plain(item) and not isinstance(item, dict) for item in value)
    return isinstance(value, bool | int | float)


if __name__ == "__main__":
    main()
