"""A decoder, layer by layer, reduced to sums: parameters by component, cache and state, and what divides it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flows.extract import experts as routed
from flows.extract import layers as plans
from flows.extract import mixers, sharding
from flows.extract.architecture import Group
from flows.extract.attention import Attention, attention
from flows.extract.keys import Keys
from flows.extract.linears import Linear, sums

CONV_BYTES = 2
BYTES_OF_DTYPE = {"float32": 4.0, "bfloat16": 2.0, "float16": 2.0}


@dataclass
class Body:
    """Running sums over layers. `unknown` says why parameters or cache cannot be told."""

    linears: list[Linear] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    cache: Counter[str] = field(default_factory=Counter)
    groups: Counter[tuple[Any, ...]] = field(default_factory=Counter)
    unknown_cache: str | None = None
    unknown_parameters: str | None = None
    prediction_block: int = 0  # a multi-token-prediction block: a decoder layer, a 2h x h projection, three norms
    mtp: int = 0  # parameters of the blocks that the configuration announces

    @property
    def parameters(self) -> int:
        return sum(linear.parameters for linear in self.linears) + sum(self.counts.values())


def read(keys: Keys, dialect: Mapping[str, Any]) -> tuple[Body, dict[str, Any]]:
    """The body and the columns of SHAPES that follow from it. Raises ValueError for an unusable configuration."""
    hidden, vocabulary = keys.need("hidden"), keys.need("vocabulary")
    plan = plans.kinds(keys, dialect)
    moe = routed.experts(keys, dialect)
    sparse = routed.is_sparse(keys, dialect, plan, moe)
    ffn = _ffn(keys, dialect, hidden, moe)
    body = Body(unknown_parameters=dialect.get("unknown_parameters"))
    window = plans.window(keys, dialect)
    chunk = keys.number("attention_chunk_size")
    mixer = mixers.mixer(keys, dialect, hidden) if {"recurrent", "hybrid"} & set(plan) else None
    state_bytes = _state_bytes(keys, dialect)
    owners = _cache_owners(keys, plan)
    attentions: dict[str, Attention] = {}

    for position, kind in enumerate(plan):
        before = body.parameters if position == len(plan) - 1 else 0
        if kind in ("full", "sliding", "chunked", "hybrid"):
            if kind not in attentions:
                attentions[kind] = attention(keys, dialect, hidden, kind=kind)
            span = {"sliding": window, "chunked": chunk}.get(kind)
            _add_attention(body, attentions[kind], kind, span, owns=owners[position])
        if kind in ("recurrent", "hybrid"):
            if mixer is None:
                body.unknown_parameters = body.unknown_cache = "its recurrent layers are of an unknown kind"
                body.groups[("unknown", None, None, None, None, None, None)] += 1
            else:
                _add_mixer(body, mixer, state_bytes)
        if kind == "unknown":
            body.unknown_parameters = body.unknown_cache = "its layer plan names an unknown kind of layer"
            body.groups[("unknown", None, None, None, None, None, None)] += 1
        if kind in ("mlp", "moe"):
            body.groups[("none", None, None, None, None, 0.0, 0)] += 1
        _add_feed_forward(body, keys, dialect, kind, hidden, ffn, moe, is_sparse=sparse[position])
        body.counts["p_norm"] += _norms(keys, dialect) * hidden * _norm_width(dialect)
        if dialect.get("sub_norms"):
            body.counts["p_norm"] += hidden + ffn
        if position == len(plan) - 1:
            last = body.parameters - before
            body.prediction_block = last + 2 * hidden * hidden + 3 * hidden
            blocks = keys.number("num_nextn_predict_layers") or 0 if dialect.get("mtp") else 0
            body.mtp = blocks * body.prediction_block
    _add_ends(body, keys, dialect, hidden, vocabulary)
    return body, _columns(body, keys, dialect, plan, attentions, mixer, moe, ffn, sparse, state_bytes, window, chunk)


def _ffn(keys: Keys, dialect: Mapping[str, Any], hidden: int, moe: routed.Experts) -> int:
    """Width of the dense feed-forward; 0 where the dialect has none."""
    if dialect.get("mlp") is False:
        return 0
    key = dialect.get("moe", {}).get("dense_ffn_key", "ffn")
    width = keys.number(key) or 0
    if not width and "ffn_multiple" in dialect:
        return int(dialect["ffn_multiple"]) * hidden
    if not width and not moe.count:
        raise ValueError("intermediate_size is missing")
    rule = dialect.get("ffn_rule")
    if rule == "half":
        return width // 2
    if rule == "auto_adjust":
        width = keys.number("block_ff_dim") or width
        if keys.flag("block_auto_adjust_ff_dim"):
            width = 2 * width // 3
            factor = keys.real("block_ffn_dim_multiplier")
            width = int(factor * width) if factor is not None else width
            step = keys.need("block_multiple_of")
            width = -(-width // step) * step
    return width


def _add_attention(body: Body, one: Attention, kind: str, span: int | None, *, owns: bool) -> None:
    body.linears += one.linears
    body.counts["p_norm"] += one.norm
    body.counts["p_bias"] += one.bias
    body.counts["p_small"] += one.small
    if not owns:
        body.groups[("none", one.kv_heads, one.key_dim, one.value_dim, None, 0.0, 0)] += 1
        return
    name = "latent" if one.is_latent else "full" if kind == "hybrid" else kind
    body.groups[(name, one.kv_heads, one.key_dim, one.value_dim, span, float(one.elements), 0)] += 1
    column = {"latent": "latent", "full": "full"}.get(name, "window")
    body.cache[column] += one.elements
    body.cache["fixed_bytes"] += one.fixed_bytes


def _add_mixer(body: Body, one: mixers.Mixer, state_bytes: float) -> None:
    body.linears += one.linears
    body.counts["p_small"] += one.small
    body.counts["p_norm"] += one.norm
    body.counts["p_bias"] += one.bias
    body.cache["conv"] += one.conv_elements
    body.cache["recurrent"] += one.recurrent_elements
    state = one.conv_elements * CONV_BYTES + int(one.recurrent_elements * state_bytes)
    body.groups[("recurrent", None, None, None, None, 0.0, state)] += 1


def _add_feed_forward(
    body: Body,
    keys: Keys,
    dialect: Mapping[str, Any],
    kind: str,
    hidden: int,
    ffn: int,
    moe: routed.Experts,
    *,
    is_sparse: bool,
) -> None:
    gated = dialect["gated_mlp"]
    if dialect["layers"] == "letters" and kind not in ("mlp", "moe"):
        return  # a block is a mixer or a feed-forward, not both
    if is_sparse:
        body.linears += moe.linears(hidden, gated=gated)
        body.counts["p_router"] += moe.router(hidden)
        body.counts["p_bias"] += moe.bias(hidden) + (moe.count if moe.has_router_bias else 0)
        body.cache["expert_bias"] += moe.bias(hidden)
    elif ffn:
        ups = 2 if gated else 1
        body.linears += [Linear("mlp", ffn, hidden, ups), Linear("mlp", hidden, ffn)]
        if keys.flag(dialect["mlp_bias"]):
            body.counts["p_bias"] += ups * ffn + hidden


def _add_ends(body: Body, keys: Keys, dialect: Mapping[str, Any], hidden: int, vocabulary: int) -> None:
    """Embedding, positions, final norm, head."""
    narrow = keys.number(dialect["projected_embedding_key"]) if "projected_embedding_key" in dialect else None
    if narrow is not None and narrow != hidden:
        # OPT-350m: a narrow embedding projected in and out, and no final norm
        body.counts["p_embed"] += vocabulary * narrow
        body.counts["p_small"] += 2 * narrow * hidden
        body.counts["p_norm"] -= hidden * _norm_width(dialect)
    else:
        body.counts["p_embed"] += vocabulary * hidden
    body.counts["p_norm"] += dialect.get("final_norms", 1) * hidden * _norm_width(dialect)
    body.counts["p_norm"] += dialect.get("embed_norms", 0) * hidden * _norm_width(dialect)
    positions = dialect.get("positions") or {}
    if positions:
        body.counts["p_pos_embed"] += (keys.need(positions["key"]) + positions["extra"]) * hidden
    if not keys.flag("tie_word_embeddings"):
        body.counts["p_lm_head"] += vocabulary * hidden
    if dialect.get("head_bias"):
        body.counts["p_bias"] += vocabulary


def _norms(keys: Keys, dialect: Mapping[str, Any]) -> int:
    if dialect["norms"] == "falcon":
        if keys.flag("new_decoder_architecture"):
            return keys.number("num_ln_in_parallel_attn") or 2
        return 1 if keys.flag("parallel_attn") else 2
    return int(dialect["norms"])


def _norm_width(dialect: Mapping[str, Any]) -> int:
    return 2 if dialect.get("norm_bias") else 1


def _cache_owners(keys: Keys, plan: list[str]) -> list[bool]:
    """Trailing layers may reuse an earlier layer's cache (num_kv_shared_layers)."""
    shared = min(keys.number("num_kv_shared_layers") or 0, len(plan))
    return [True] * (len(plan) - shared) + [False] * shared


def _state_bytes(keys: Keys, dialect: Mapping[str, Any]) -> float:
    """Bytes of one recurrent element: as written, as the dialect's engines keep it, else the careful 4."""
    written = keys.text("mamba_ssm_dtype") or keys.text("mamba_ssm_cache_dtype")
    if written in BYTES_OF_DTYPE:
        return BYTES_OF_DTYPE[written]
    return float(dialect.get("recurrent_bytes", 4))


def _columns(
    body: Body,
    keys: Keys,
    dialect: Mapping[str, Any],
    plan: list[str],
    attentions: Mapping[str, Attention],
    mixer: mixers.Mixer | None,
    moe: routed.Experts,
    ffn: int,
    sparse: list[bool],
    state_bytes: float,
    window: int | None,
    chunk: int | None,
) -> dict[str, Any]:
    some = next(iter(attentions.values()), None)
    dense = ffn if not all(sparse) or not moe.count else 0
    widths = [width for width in (dense, moe.ffn, moe.shared_ffn) if width]
    inputs = [*widths, *(one.heads * _output_dim(one, keys) for one in attentions.values())]
    spans = {span for kind, *_, span, _, _ in body.groups if kind in ("sliding", "chunked")}
    columns: dict[str, Any] = {
        **sums(body.linears),
        "p_expert_bias": body.cache["expert_bias"],
        "kv_full_elements_per_token": body.cache["full"],
        "kv_window_elements_per_token": body.cache["window"],
        "kv_latent_elements_per_token": float(body.cache["latent"]),
        "kv_fixed_bytes_per_token": body.cache["fixed_bytes"],
        "kv_cross_elements_per_token": 0,
        "window_tokens": next(iter(spans), 0) if len(spans) <= 1 else max(span or 0 for span in spans),
        "cross_tokens": 0,
        "state_conv_elements": body.cache["conv"],
        "state_recurrent_elements": body.cache["recurrent"],
        "state_recurrent_bytes_per_element": state_bytes,
        "layers": len(plan),
        "hidden_size": keys.need("hidden"),
        "vocab_size": keys.need("vocabulary"),
        "heads": some.heads if some else 0,
        "kv_heads": max((one.kv_heads for one in attentions.values()), default=0),
        "ffn_size": max(dense, moe.shared_ffn),
        "expert_ffn_size": moe.ffn,
        "experts": moe.count,
        "experts_per_token": moe.per_token,
        "max_context_tokens": keys.number("context") or None,
        "rope_cache_elements": _rope_elements(keys, dialect, some),
        **sharding.masks(
            heads=[*(one.heads for one in attentions.values()), *(mixer.heads if mixer else ())],
            kv_heads=[one.kv_heads for one in attentions.values() if not one.is_latent],
            widths=widths,
            input_widths=inputs,
        ),
    }
    for name in ("p_embed", "p_pos_embed", "p_lm_head", "p_router", "p_norm", "p_bias", "p_small", "p_head_other"):
        columns[name] = body.counts[name]
    if body.unknown_cache:
        for name in columns:
            if name.startswith(("kv_full", "kv_window", "kv_latent", "kv_fixed", "state_", "window_", "tp_ok")):
                columns[name] = None
    return columns


def _output_dim(one: Attention, keys: Keys) -> int:
    return keys.need("v_head_dim") if one.is_latent else one.value_dim


def _rope_elements(keys: Keys, dialect: Mapping[str, Any], some: Attention | None) -> int | None:
    """Elements of the rotary table: positions x rotary width; 0 without rotary embedding."""
    if some is None or dialect.get("rotary") is False:
        return 0
    context = keys.number("context")
    if context is None:
        return None
    if some.is_latent:
        return context * keys.need("qk_rope_head_dim")
    rope = keys.section("rope_parameters") or {}
    factor = keys.real("partial_rotary_factor") or keys.real("rotary_pct") or rope.get("partial_rotary_factor") or 1.0
    width = keys.number("rotary_dim") or int(some.key_dim * (factor if isinstance(factor, int | float) else 1.0))
    return context * width


def groups(body: Body) -> tuple[Group, ...]:
    """Like layers together, in the order in which they first appear; sums over the layers of a group."""
    return tuple(
        Group(
            kind=kind,
            layers=count,
            kv_heads=kv_heads,
            key_dim=key_dim,
            value_dim=value_dim,
            window_tokens=span,
            elements_per_token=None if elements is None else elements * count,
            state_bytes=None if state is None else state * count,
        )
        for (kind, kv_heads, key_dim, value_dim, span, elements, state), count in body.groups.items()
    )
