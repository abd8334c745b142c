"""Tables of rotary embeddings: how wide they are, and for how many positions a serving engine keeps them.

vLLM `model_executor/layers/rotary_embedding` builds one for each way in which layers turn. Positions are those that the
configuration declares; where they are stretched (`linear`, `dynamic`) as many times more, because vLLM takes the
declared ones for those before, and with two sets of factors (`longrope`) the original ones besides.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flows.extract.attention import Attention
from flows.extract.keys import LARGEST, Keys

STRETCHED = ("linear", "dynamic")
TWO_SETS = ("longrope", "su")


def width(keys: Keys, dialect: Mapping[str, Any], some: Attention | None) -> int:
    """Elements of one position; 0 without rotary embedding."""
    if some is None or dialect.get("rotary") is False or keys.text("position_embedding_type") == "nope":
        return 0
    if some.is_latent:
        return keys.number("qk_rope_head_dim") or some.key_dim
    rope = keys.section("rope_parameters") or {}
    # what the configuration writes under rope_parameters comes before the default of its class
    factor = rope.get("partial_rotary_factor") or keys.real("partial_rotary_factor") or keys.real("rotary_pct") or 1.0
    return keys.number("rotary_dim") or int(some.key_dim * (factor if isinstance(factor, int | float) else 1.0))


def elements(keys: Keys, dialect: Mapping[str, Any], some: Attention | None, *, has_windows: bool) -> int | None:
    """Elements of all tables: positions x width; 0 without rotary embedding, null when the positions are unknown.

    Layers with a window have a table of their own, never stretched, where the dialect (`window_rotary`) or nested
    `rope_parameters` say that they turn by other frequencies.
    """
    wide = width(keys, dialect, some)
    context = keys.number("context")
    if wide == 0:
        return 0
    if context is None:
        return None
    rope = keys.section("rope_parameters") or keys.section("rope_scaling") or {}
    nested = [section for section in rope.values() if isinstance(section, dict)]
    full = rope.get("full_attention", rope) if nested else rope
    own = has_windows and (bool(dialect.get("window_rotary")) or len(nested) > 1)
    return wide * (_positions(keys, full if isinstance(full, dict) else {}, context) + (context if own else 0))


def _positions(keys: Keys, rope: Mapping[str, Any], context: int) -> int:
    kind = rope.get("rope_type") or rope.get("type")
    if kind in STRETCHED and "alpha" not in rope:
        return int(context * _number(rope.get("factor"), 1))
    if kind in TWO_SETS:
        original = rope.get("original_max_position_embeddings") or keys.number("original_max_position_embeddings")
        return context + int(_number(original, 0))
    return context


def _number(value: object, default: int) -> int | float:
    """A number that a section writes; what is none, or damage, counts as the default."""
    is_usable = isinstance(value, int | float) and not isinstance(value, bool) and default <= value <= LARGEST
    return value if is_usable and isinstance(value, int | float) else default
