"""The feed-forward part of a decoder layer: dense, routed to experts, both, or none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flows.extract.body import Body
from flows.extract.experts import Experts
from flows.extract.expressions import evaluate
from flows.extract.keys import Keys
from flows.extract.linears import Linear


def width(keys: Keys, dialect: Mapping[str, Any], hidden: int, moe: Experts, *, owns_cache: bool = True) -> int:
    """Width of the dense feed-forward of one layer; 0 where the dialect has none.

    Raises ValueError when a dense dialect gives none.
    """
    if dialect.get("mlp") is False:
        return 0
    found = keys.number(dialect.get("moe", {}).get("dense_ffn_key", "ffn")) or 0
    if "ffn_width" in dialect:
        return evaluate(dialect["ffn_width"], lambda name: hidden if name == "hidden" else keys.need(name))
    if not found and "ffn_multiple" in dialect:
        return int(dialect["ffn_multiple"]) * hidden
    if not found and not moe.count and dialect.get("ffn_rule") != "blocks":
        raise ValueError("intermediate_size is missing")
    rule = dialect.get("ffn_rule")
    if rule == "blocks":
        return found
    if rule == "half":
        return found // 2
    if rule == "auto_adjust":
        return _adjusted(keys, found)
    if rule == "double_without_cache" and not owns_cache and keys.flag("use_double_wide_mlp"):
        return 2 * found
    return found


def _adjusted(keys: Keys, found: int) -> int:
    """LFM2: two thirds of the written width, rounded up to a multiple."""
    found = keys.number("block_ff_dim") or found
    if not keys.flag("block_auto_adjust_ff_dim"):
        return found
    found = 2 * found // 3
    factor = keys.real("block_ffn_dim_multiplier")
    found = int(factor * found) if factor is not None else found
    step = keys.need("block_multiple_of")
    if not step:
        raise ValueError("block_multiple_of is 0")
    return -(-found // step) * step


def add(
    body: Body, keys: Keys, dialect: Mapping[str, Any], hidden: int, ffn: int, moe: Experts, *, is_sparse: bool
) -> None:
    """One layer's feed-forward into the sums."""
    gated = bool(dialect["gated_mlp"])
    if is_sparse:
        body.linears.update(moe.linears(hidden, gated=bool(dialect["moe"].get("gated", gated))))
        body.counts["p_router"] += moe.router(hidden)
        body.counts["p_bias"] += moe.bias(hidden) + (moe.count if moe.has_router_bias else 0)
        body.cache["expert_bias"] += moe.bias(hidden)
    if ffn and (not is_sparse or moe.is_beside_dense):
        ups = 2 if gated else 1
        body.linears.update([Linear("mlp", ffn, hidden, ups, "", "up"), Linear("mlp", hidden, ffn, 1, "", "down")])
        if keys.flag(dialect["mlp_bias"]):
            body.counts["p_bias"] += ups * ffn + hidden
