"""Vision towers and projectors beside a text decoder, in closed form where the class is known.

Shapes as transformers 5.23 builds models/siglip, clip, llava, gemma3 and qwen3_vl.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flows.extract.keys import Keys

NO_DIALECT: Mapping[str, Any] = {"defaults": {}}
CLIP = {"defaults": {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24, "image_size": 336,
                     "patch_size": 14}}  # fmt: skip


def vision(tower: str, section: Mapping[str, Any]) -> int:
    """Parameters of the tower. Raises ValueError when a dimension is missing, KeyError never."""
    if tower == "clip":
        return _clip(Keys(section, CLIP))
    keys = Keys(section, NO_DIALECT)
    return _siglip(keys) if tower == "siglip" else _qwen3_vl(keys)


def projector(name: str | None, section: Mapping[str, Any], hidden: int) -> int:
    """Parameters between tower and decoder; 0 where the tower counts its own."""
    if name == "gemma3":
        width = Keys(section, NO_DIALECT).need("hidden")
        return width * hidden + width
    if name == "llava":
        width = Keys(section, CLIP).need("hidden")
        return width * hidden + hidden + hidden * hidden + hidden
    return 0


def _blocks(layers: int, h: int, ffn: int) -> int:
    """Standard pre-norm blocks: four projections and two feed-forward matrices with biases, two norms."""
    return layers * (4 * h * h + 4 * h + 2 * h * ffn + ffn + h + 4 * h)


def _siglip(keys: Keys) -> int:
    h, patch = keys.need("hidden"), keys.need("patch_size")
    positions = (keys.need("image_size") // max(patch, 1)) ** 2
    return 3 * patch * patch * h + h + positions * h + _blocks(keys.need("layers"), h, keys.need("ffn")) + 2 * h


def _clip(keys: Keys) -> int:
    h, patch = keys.need("hidden"), keys.need("patch_size")
    positions = (keys.need("image_size") // max(patch, 1)) ** 2 + 1
    ends = 3 * patch * patch * h + h + positions * h + 4 * h  # no patch bias; class token; norms before and after
    return ends + _blocks(keys.need("layers"), h, keys.need("ffn"))


def _qwen3_vl(keys: Keys) -> int:
    h, ffn, depth = keys.need("hidden"), keys.need("ffn"), keys.need("depth")
    patch, out = keys.need("patch_size"), keys.need("out_hidden_size")
    wide = h * keys.need("spatial_merge_size") ** 2
    stem = keys.need("in_channels") * keys.need("temporal_patch_size") * patch * patch * h + h
    positions = keys.need("num_position_embeddings") * h
    projection = wide * wide + wide + wide * out + out
    deepstack = len(keys.items("deepstack_visual_indexes") or ()) * (projection + 2 * wide)
    return stem + positions + _blocks(depth, h, ffn) + projection + 2 * h + deepstack
