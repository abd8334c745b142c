"""A decoder, layer by layer, reduced to sums: parameters by component, cache and state, and what divides it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flows.extract import experts as routed
from flows.extract import feed_forward, heads, mixers
from flows.extract import layers as plans
from flows.extract.attention import Attention, grouped
from flows.extract.body import Body
from flows.extract.expressions import evaluate
from flows.extract.extras import extras
from flows.extract.keys import Keys
from flows.extract.latent import compressed, latent

BYTES_OF_DTYPE = {"float32": 4.0, "bfloat16": 2.0, "float16": 2.0}
ATTENTION_KINDS = ("full", "sliding", "chunked", "hybrid", "hybrid_sliding", "selective", "csa", "hca", "cross")
MOST_PASSES = 1000
MIXER_KINDS = ("recurrent", "hybrid", "hybrid_sliding")


@dataclass(frozen=True)
class Decoder:
    """A configuration's plan and the sums over it."""

    body: Body
    plan: list[str]
    sparse: list[bool]
    attentions: list[Attention]  # distinct ones, in order of appearance
    mixer: mixers.Mixer | None
    moe: routed.Experts
    ffn: int  # widest dense feed-forward, 0 without one
    state_bytes: float  # of one recurrent element


def read(keys: Keys, dialect: Mapping[str, Any], name: str | None) -> Decoder:
    """Add up a decoder; `name` is its class and decides what head it has. Raises ValueError for an unusable one."""
    hidden = keys.need("hidden")
    plan = plans.kinds(keys, dialect)
    moe = routed.experts(keys, dialect)
    sparse = routed.is_sparse(keys, dialect, plan, moe)
    body = Body(unknown_parameters=dialect.get("unknown_parameters"))
    spans = {"sliding": plans.window(keys, dialect), "chunked": keys.number("attention_chunk_size")}
    spans |= dict.fromkeys(("csa", "hca"), spans["sliding"])
    spans["hybrid_sliding"] = spans["sliding"]
    # layers that attend with the parameters of a few blocks, one after the other (Zamba)
    shared = evaluate(dialect["shared_blocks"], keys.count) if "shared_blocks" in dialect else len(plan)
    mixer: mixers.Mixer | None = None
    state_bytes = _state_bytes(keys, dialect)
    owners = plans.cache_owners(keys, plan)
    built: dict[tuple[Any, ...], Attention] = {}
    widest = attended = 0
    for position, kind in enumerate(plan):
        before = body.parameters if position == len(plan) - 1 else 0
        one, owns = keys.layer(position), owners[position]
        ffn = feed_forward.width(one, dialect, hidden, moe, owns_cache=owns)
        places = {"layer", kind, "sparse" if sparse[position] else "dense"}
        known = {"hidden": hidden, "ffn": ffn, "layers": len(plan), "experts": moe.count, "position": position}
        if kind in ATTENTION_KINDS:
            has_indexer = bool(dialect.get("indexer")) and kind != "sliding" and plans.has_indexer(keys, position)
            key = (kind, owns, has_indexer, one if one is not keys else None)
            if key not in built:
                built[key] = _attention(one, dialect, hidden, kind, owns_cache=owns, has_indexer=has_indexer)
            found = built[key]
            known |= {"heads": found.heads, "kv_heads": found.kv_heads, "head_dim": found.key_dim}
            places |= {"attention", "owner" if owns else "borrower"}
            places |= {"built"} if attended < shared else set()
            attended += 1
            again = found.without_matrices()
            for _ in range(dialect.get("attentions", 1)):
                body.add_attention(found if "built" in places else again, kind, spans.get(kind), owns_cache=owns)
            if "cross_tokens" in dialect:
                body.add_attention(again, "cross", None, owns_cache=True)
            for _ in range(_passes(one, dialect, known) - 1):
                body.add_attention(again, kind, spans.get(kind), owns_cache=owns)
        if kind in MIXER_KINDS:
            mixer = mixers.mixer(one, dialect, hidden, known)
            if mixer is None:
                body.add_unknown("its recurrent layers are of an unknown kind")
            else:
                body.add_mixer(mixer, state_bytes)
        if kind == "unknown":
            body.add_unknown("its layer plan names an unknown kind of layer")
        if kind in ("mlp", "moe", "nothing"):
            body.groups[("none", None, None, None, None, 0.0, 0)] += 1
        # where letters plan the layers, a block is a mixer or a feed-forward, not both
        has_ffn = "built" in places if "shared_blocks" in dialect else dialect["layers"] != "letters"
        if has_ffn or kind in ("mlp", "moe"):
            feed_forward.add(body, one, dialect, hidden, ffn, moe, is_sparse=sparse[position])
            widest = max(widest, ffn if not sparse[position] or moe.is_beside_dense else 0)
        body.counts["p_norm"] += _norms(keys, dialect) * hidden * _norm_width(dialect)
        if dialect.get("sub_norms"):
            body.counts["p_norm"] += hidden + ffn
        for part in extras(dialect, frozenset(places), one, known):
            body.add(part)
        if position == len(plan) - 1:
            last = body.parameters - before
            body.prediction_block = last + 2 * hidden * hidden + 3 * hidden
            blocks = keys.number("num_nextn_predict_layers") or 0 if dialect.get("mtp") else 0
            body.mtp = blocks * body.prediction_block
    if "unknown_cache" in dialect:
        body.forget_cache(dialect["unknown_cache"])
    _add_ends(body, keys, dialect, hidden, keys.need("vocabulary"), name)
    known = {"hidden": hidden, "layers": len(plan), "vocabulary": keys.need("vocabulary")}
    places = {"model", "head"} if heads.has_vocabulary_head(name) else {"model"}
    for part in extras(dialect, frozenset(places), keys, known):
        body.add(part)
    return Decoder(body, plan, sparse, list(dict.fromkeys(built.values())), mixer, moe, widest, state_bytes)


def _attention(
    keys: Keys, dialect: Mapping[str, Any], hidden: int, kind: str, *, owns_cache: bool, has_indexer: bool
) -> Attention:
    match dialect["attention"]:
        case "latent":
            return latent(keys, dialect, hidden, kind=kind, has_indexer=has_indexer)
        case "compressed":
            return compressed(keys, hidden, kind=kind)
    return grouped(keys, dialect, hidden, kind=kind, owns_cache=owns_cache)


def _passes(keys: Keys, dialect: Mapping[str, Any], known: Mapping[str, int]) -> int:
    """How often a token goes through a layer, with a cache each time. Raises ValueError beyond reason."""
    passes = evaluate(dialect.get("passes", 1), lambda name: known[name] if name in known else keys.count(name))
    if not 0 < passes <= MOST_PASSES:
        raise ValueError(f"a layer that runs {passes} times is no layer")
    return passes


def _add_ends(
    body: Body, keys: Keys, dialect: Mapping[str, Any], hidden: int, vocabulary: int, name: str | None
) -> None:
    """Embedding, positions, final norm, head."""
    narrow = keys.number(dialect["projected_embedding_key"]) if "projected_embedding_key" in dialect else None
    if narrow is not None and narrow != hidden:
        # OPT-350m: a narrow embedding projected in and out
        body.counts["p_embed"] += vocabulary * narrow
        body.counts["p_small"] += 2 * narrow * hidden
    else:
        body.counts["p_embed"] += (vocabulary + dialect.get("special_rows", 0)) * hidden
    body.counts["p_norm"] += dialect.get("final_norms", 1) * hidden * _norm_width(dialect)
    body.counts["p_norm"] += dialect.get("embed_norms", 0) * hidden * _norm_width(dialect)
    positions = dialect.get("positions") or {}
    if positions:
        body.counts["p_pos_embed"] += (keys.need(positions["key"]) + positions["extra"]) * hidden
    if not heads.has_vocabulary_head(name):
        body.counts["p_head_other"] += heads.other_head(keys, name, hidden)
        return
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


def _state_bytes(keys: Keys, dialect: Mapping[str, Any]) -> float:
    """Bytes of one recurrent element: as written, as the dialect's engines keep it, else the careful 4."""
    written = keys.text("mamba_ssm_dtype") or keys.text("mamba_ssm_cache_dtype")
    if written in BYTES_OF_DTYPE:
        return BYTES_OF_DTYPE[written]
    return float(dialect.get("recurrent_bytes", 4))
