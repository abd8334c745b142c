"""Which layers are sparse, and how wide their experts are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flows.extract.keys import Keys
from flows.extract.linears import Linear


@dataclass(frozen=True)
class Experts:
    """The routed experts of a dialect. All zero for a dense model."""

    count: int = 0
    per_token: int = 0
    ffn: int = 0
    shared_ffn: int = 0
    has_shared_gate: bool = False
    has_bias: bool = False
    has_router_bias: bool = False
    latent: int = 0  # experts work in this width instead of the hidden size
    is_beside_dense: bool = False  # a sparse layer has a dense feed-forward as well

    def linears(self, hidden: int, *, gated: bool) -> list[Linear]:
        """The matrices of one sparse layer (router apart: it is never quantised)."""
        width = self.latent or hidden
        ups = 2 if gated else 1
        found = [
            Linear("expert", ups * self.ffn, width, self.count, "", "up"),
            Linear("expert", width, self.ffn, self.count, "", "down"),
        ]
        if self.shared_ffn:
            found += [
                Linear("shared", self.shared_ffn, hidden, ups, "", "up"),
                Linear("shared", hidden, self.shared_ffn, 1, "", "down"),
            ]
        if self.latent:
            found += [Linear("mlp", self.latent, hidden), Linear("mlp", hidden, self.latent)]
        return found

    def router(self, hidden: int) -> int:
        return self.count * hidden + (hidden if self.has_shared_gate and self.shared_ffn else 0)

    def bias(self, hidden: int) -> int:
        """Biases that belong to experts, in one layer."""
        return self.count * (2 * self.ffn + hidden) if self.has_bias else 0


def experts(keys: Keys, dialect: Mapping[str, Any]) -> Experts:
    """Raises ValueError when a sparse dialect lacks a width."""
    moe = dialect.get("moe", {"layers": "none"})
    count = keys.number("experts") or 0
    if moe["layers"] == "none" or not count or ("when" in moe and not keys.flag(moe["when"])):
        return Experts()
    ffn = keys.need(moe.get("expert_ffn", "expert_ffn"))
    shared = keys.number(moe["shared_ffn_key"]) or 0 if "shared_ffn_key" in moe else 0
    if "shared_count_key" in moe:
        shared = (keys.number(moe["shared_count_key"]) or 0) * ffn
    return Experts(
        count=count,
        per_token=min(keys.number("experts_per_token") or 0, count),  # 0: not told
        ffn=ffn,
        shared_ffn=shared,
        has_shared_gate=bool(moe.get("shared_gate")),
        has_bias=bool(moe.get("expert_bias")),
        has_router_bias=bool(moe.get("router_bias")),
        is_beside_dense=bool(moe.get("beside_dense")),
        latent=keys.number(moe["latent_key"]) or 0 if "latent_key" in moe else 0,
    )


def is_sparse(keys: Keys, dialect: Mapping[str, Any], plan: list[str], found: Experts) -> list[bool]:
    """For each layer, whether its feed-forward is routed."""
    layers = len(plan)
    named = keys.items("mlp_layer_types") if found.count else None
    if named is not None:
        if len(named) < layers or not all(isinstance(word, str) for word in named):
            raise ValueError("mlp_layer_types is not a usable list")
        return [word != "dense" for word in named[:layers]]
    rules = dialect.get("moe", {})
    rule = rules.get("layers", "none") if found.count else "none"
    if rule == "all":
        return [True] * layers
    if rule == "letters":
        return [kind == "moe" for kind in plan]
    if rule == "step":
        only = {item for item in keys.items("mlp_only_layers") or () if isinstance(item, int)}
        step = keys.number("decoder_sparse_step") or 1
        return [i not in only and (i + 1) % step == 0 for i in range(layers)]
    if rule == "after_dense":
        dense = keys.number(rules.get("dense_key", "first_k_dense_replace")) or 0
        return [i >= dense for i in range(layers)]
    if rule == "flags":
        flags = keys.items(rules["flags_key"])
        if flags is None:
            return [i >= (keys.number("first_k_dense_replace") or 0) for i in range(layers)]
        if len(flags) < layers:
            raise ValueError(f"{rules['flags_key']} names {len(flags)} of {layers} layers")
        return [bool(flag) for flag in flags[:layers]]
    if rule == "enum":
        return _listed(keys, rules, layers)
    if rule == "range":
        first, last = keys.need("moe_layer_start_index"), keys.truth("moe_layer_end_index")
        step = keys.number("moe_layer_interval") or 1
        last = last if last >= 0 and "moe_layer_end_index" in keys else layers - 1
        return [(i + 1) % step == 0 and first <= i <= last for i in range(layers)]
    if rule == "interleave":
        step = keys.number("interleave_moe_layer_step") or 1
        return [(i + 1) % step == 0 for i in range(layers)]
    if rule == "period":
        period, offset = keys.need("expert_layer_period"), keys.need("expert_layer_offset")
        return [bool(period) and i % period == offset for i in range(layers)]
    return [False] * layers


def _listed(keys: Keys, rules: Mapping[str, Any], layers: int) -> list[bool]:
    """Sparse layers as a list or as words with commas between them; without either, all after the first few."""
    text = keys.text(rules["enum_key"])
    items = [int(word) for word in text.split(",") if word.strip().isdigit()] if text is not None else None
    if items is None and (written := keys.items(rules["enum_key"])) is not None:
        items = [item for item in written if isinstance(item, int)]
    if items is None:
        return [i >= rules["dense"] for i in range(layers)]
    return [i in set(items) for i in range(layers)]
