"""Models cut by architecture search: a block of its own for every layer, as overrides of the common configuration.

Nemotron-NAS (DeciLM) repositories list `block_configs`: attention with fewer key/value heads, replaced by one matrix
or left out, and a feed-forward of another width, replaced or left out. OpenELM lists heads and multipliers by layer.
Sources: the configuration classes in those repositories.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MOST_LAYERS = 4096


def overrides(config: Mapping[str, Any], hidden: int, heads: int) -> dict[str, dict[str, Any]]:
    """Layer -> keys that differ there. Raises ValueError for blocks that cannot be read."""
    listed = config.get("block_configs")
    if not isinstance(listed, list) or len(listed) > MOST_LAYERS:
        raise ValueError("block_configs is not a usable list")
    found = {}
    for position, block in enumerate(listed):
        if not isinstance(block, dict):
            raise ValueError(f"block_configs has no usable entry for layer {position}")
        attention, ffn = block.get("attention") or {}, block.get("ffn") or {}
        if not isinstance(attention, dict) or not isinstance(ffn, dict):
            raise ValueError(f"block_configs has no usable entry for layer {position}")
        found[str(position)] = _attention(attention, heads, position) | _feed_forward(ffn, hidden, position)
    return found


def _attention(block: Mapping[str, Any], heads: int, position: int) -> dict[str, Any]:
    """Key/value heads of one layer, or that it has no attention (and then no norm before it)."""
    if block.get("no_op") or block.get("replace_with_linear"):
        return {"has_no_attention": True, "is_linear_attention": bool(block.get("replace_with_linear"))}
    if (written := block.get("num_key_value_heads")) is not None:
        return {"num_key_value_heads": written}
    group = block.get("n_heads_in_group")
    if type(group) is not int or group <= 0 or heads % group:
        raise ValueError(f"block_configs: layer {position} has no usable n_heads_in_group")
    return {"num_key_value_heads": heads // group}


def _feed_forward(block: Mapping[str, Any], hidden: int, position: int) -> dict[str, Any]:
    if block.get("no_op") or block.get("replace_with_linear"):
        return {"intermediate_size": 0, "is_linear_ffn": bool(block.get("replace_with_linear")), "has_no_ffn": True}
    if (written := block.get("intermediate_size")) is not None:
        return {"intermediate_size": written}
    factor = block.get("ffn_mult")
    if isinstance(factor, bool) or not isinstance(factor, int | float) or not 0 < factor < 1000:
        raise ValueError(f"block_configs: layer {position} has no usable ffn_mult")
    # two thirds of the multiple for a gated feed-forward, rounded up to 256
    return {"intermediate_size": -(-int(2 * factor * hidden / 3) // 256) * 256}


def scaled_widths(config: Mapping[str, Any], hidden: int) -> list[int]:
    """OpenELM: multipliers of the hidden size by layer, each rounded to a multiple of `ffn_dim_divisor`."""
    factors, step = config.get("ffn_multipliers"), config.get("ffn_dim_divisor", 256)
    if not isinstance(factors, list) or len(factors) > MOST_LAYERS or type(step) is not int or step <= 0:
        raise ValueError("ffn_multipliers is not a usable list")
    widths = []
    for factor in factors:
        if isinstance(factor, bool) or not isinstance(factor, int | float) or not 0 < factor < 1000:
            raise ValueError("ffn_multipliers is not a usable list")
        wanted = factor * hidden
        rounded = max(step, int(wanted + step / 2) // step * step)
        widths.append(rounded + step if rounded < 0.9 * wanted else rounded)
    return widths
