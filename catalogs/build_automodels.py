"""Regenerate architectures/automodels.csv from an installed transformers: what AutoModel builds besides parameters.

    pip install transformers torch
    python -m catalogs.build_automodels

Every class behind AutoModel is built without memory, with four layers where it takes fewer. A row says which buffers
it registers, how often its embedding is built, and what accelerate must not split. A class with any other buffer, and
one that cannot be built, has no row: what it takes is then unknown, not nothing.
"""

from __future__ import annotations

import csv
import importlib
import re
from collections import Counter
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent / "architectures" / "automodels.csv"
COLUMNS = (
    "model_type", "class", "frequency_vectors", "is_by_kind", "position_vectors", "router_vectors", "scales",
    "embeddings", "unsplit", "source",
)  # fmt: skip
TOWERS = re.compile("vis|image|audio|speech|tower|text_model")
# Frequencies of one kind of layer, for classes that rotate each kind in its own way.
OF_A_KIND = re.compile(r"(\w+_attention)_(?:original_)?inv_freq$")
# Types that rotate another width than extraction reads, or other kinds of layers than it names.
OTHER_WIDTHS = {"dots3_note_text", "glm4v_moe_text", "laguna", "mimo_v2_flash", "minimax_m3_vl_text"}


def main() -> None:
    """Rewrite the file."""
    auto = importlib.import_module("transformers.models.auto.modeling_auto")
    version = importlib.import_module("transformers").__version__
    configs = importlib.import_module("transformers.models.auto.configuration_auto").CONFIG_MAPPING
    with FILE.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        for model_type in sorted(set(configs) & set(auto.MODEL_MAPPING_NAMES) - OTHER_WIDTHS):
            model = _built(configs[model_type])
            row = None if model is None else _row(model)
            if row is not None:
                module = type(model).__module__.removeprefix("transformers.")
                writer.writerow([model_type, type(model).__name__, *row, f"transformers {version} {module}"])


def _built(config_class: Any) -> Any:
    torch, auto_model = importlib.import_module("torch"), importlib.import_module("transformers").AutoModel
    for changes in ({"num_hidden_layers": 4}, {}):
        try:
            with torch.device("meta"):
                return auto_model.from_config(config_class(**changes))
        except Exception as error:  # a class may demand anything
            print(f"{config_class.__name__} {changes}: {type(error).__name__}")
    return None


def _row(model: Any) -> tuple[int | str, ...] | None:
    """The cells after the class; null for a class with a buffer that is none of these."""
    found: Counter[str] = Counter()
    widths, kinds = set(), set()
    for name, buffer in model.named_buffers():
        kind = _kind(name, buffer, getattr(model.config, "max_position_embeddings", None))
        if kind is None:
            return None
        found[kind] += 1
        if kind == "frequency":
            widths.add(buffer.shape[0])
            of_a_kind = OF_A_KIND.search(name)
            kinds.add(of_a_kind[1] if of_a_kind else "")
    sparse = sum(1 for name, _ in model.named_modules() if re.search(r"layers\.\d+\.mlp\.experts$", name))
    copies = _embeddings(model)
    if len(widths) > 1 or copies is None or found["router"] not in (0, sparse):
        return None
    return (
        found["frequency"] // max(len(kinds), 1), int(bool(kinds - {""})), found["position"],
        int(found["router"] > 0), found["scale"], copies, _unsplit(model),
    )  # fmt: skip


def _kind(name: str, buffer: Any, context: int | None) -> str | None:
    last, dtype, shape = name.rpartition(".")[2], str(buffer.dtype), tuple(buffer.shape)
    if last == "embed_scale" and shape == () and dtype == "torch.float32":
        return "scale"
    if last == "e_score_correction_bias" and len(shape) == 1 and dtype == "torch.float32":
        return "router"
    if TOWERS.search(name) or re.search(r"\.\d+\.", name):
        return None
    if last.endswith("inv_freq") and len(shape) == 1 and dtype == "torch.float32":
        return "frequency"
    is_position = last in ("position_ids", "token_type_ids") and dtype == "torch.int64"
    return "position" if is_position and shape == (1, context) else None


def _embeddings(model: Any) -> int | None:
    """How often the matrix of the vocabulary is built: accelerate parts what is tied, and counts every copy."""
    once = sum(one.numel() for one in model.parameters())
    again = sum(one.numel() for _, one in model.named_parameters(remove_duplicate=False)) - once
    if not again:
        return 1
    try:
        matrix = model.get_input_embeddings().weight.numel()
    except (AttributeError, NotImplementedError):
        return None
    return None if again % matrix else 1 + again // matrix


def _unsplit(model: Any) -> str:
    """Modules that stay whole: blocks, blocks and embeddings, or nothing but what has no children."""
    kept = set(model._no_split_modules or ())
    classes = {type(module).__name__ for module in model.modules()}
    if not kept & classes:
        return "nothing"
    return "blocks embeddings" if any("Embeddings" in name for name in kept & classes) else "blocks"


if __name__ == "__main__":
    main()
