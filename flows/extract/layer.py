"""One layer of a decoder: what decides it, and what it adds. Layers that agree in what decides them are alike."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from flows.extract import activations, feed_forward, mixers
from flows.extract.attention import Attention, grouped
from flows.extract.body import Body
from flows.extract.experts import Experts
from flows.extract.expressions import evaluate
from flows.extract.extras import extras
from flows.extract.keys import Keys
from flows.extract.latent import compressed, latent

ATTENTION_KINDS = ("full", "sliding", "chunked", "hybrid", "hybrid_sliding", "selective", "csa", "hca", "cross")
MIXER_KINDS = ("recurrent", "hybrid", "hybrid_sliding")
MOST_PASSES = 1000


@dataclass(frozen=True)
class Layer:
    """What decides a layer. `keys` are the configuration as it sees it, the same object for layers without their own.

    `is_built` is false for a layer that attends with the parameters of an earlier one (Zamba's shared blocks);
    `position` is null unless the dialect's expressions ask for it; `mark` counts the layers that a key lists.
    """

    kind: str
    keys: Keys
    is_sparse: bool
    owns_cache: bool
    has_indexer: bool
    is_rotary: bool
    is_built: bool
    position: int | None
    mark: int | None = None


@dataclass(frozen=True)
class Stack:
    """What all layers of a decoder have in common."""

    dialect: Mapping[str, Any]
    hidden: int
    layers: int
    moe: Experts
    spans: Mapping[str, int | None]  # kind -> window
    state_bytes: float  # of one recurrent element


@dataclass(frozen=True)
class Sum:
    """What one layer adds."""

    body: Body
    attention: Attention | None
    mixer: mixers.Mixer | None
    ffn: int  # width of its dense feed-forward, 0 without one


def asks_for_position(dialect: Mapping[str, Any]) -> bool:
    """Whether an expression of the dialect differs from layer to layer."""
    expressions = (dialect.get("extra"), dialect.get("passes"), dialect.get("state"))
    return any(re.search(r"\bposition\b", str(one)) for one in expressions)


def read_layer(layer: Layer, stack: Stack) -> Sum:
    """Raises ValueError when the configuration does not make a layer."""
    body, keys, kind, dialect, hidden = Body(), layer.keys, layer.kind, stack.dialect, stack.hidden
    ffn = feed_forward.width(keys, dialect, hidden, stack.moe, owns_cache=layer.owns_cache)
    places = {"layer", kind, "sparse" if layer.is_sparse else "dense"}
    known = {"hidden": hidden, "ffn": ffn, "layers": stack.layers, "experts": stack.moe.count}
    known |= {} if layer.position is None else {"position": layer.position}
    if layer.mark is not None:
        places |= {"marked"}
        known |= {"mark": layer.mark}
    attention: Attention | None = None
    mixer: mixers.Mixer | None = None
    if kind in ATTENTION_KINDS:
        attention = _attention(layer, dialect, hidden)
        known |= {"heads": attention.heads, "kv_heads": attention.kv_heads, "head_dim": attention.key_dim}
        places |= {"attention", "owner" if layer.owns_cache else "borrower"}
        places |= {"indexer"} if layer.has_indexer else set()
        places |= {"built"} if layer.is_built else set()
        _add_attention(body, attention, layer, stack, known)
    if kind in MIXER_KINDS:
        mixer = mixers.mixer(keys, dialect, hidden, known)
        if mixer is None:
            body.add_unknown("its recurrent layers are of an unknown kind")
        else:
            body.add_mixer(_with_more_state(mixer, layer, dialect, known), stack.state_bytes)
    if kind == "unknown":
        body.add_unknown("its layer plan names an unknown kind of layer")
    if kind in ("mlp", "moe", "nothing"):
        body.groups[("none", None, None, None, None, 0.0, 0)] += 1
    # where letters plan the layers, a block is a mixer or a feed-forward, not both
    has_ffn = "built" in places if "shared_blocks" in dialect else dialect["layers"] != "letters"
    width = 0
    if has_ffn or kind in ("mlp", "moe"):
        feed_forward.add(body, keys, dialect, hidden, ffn, stack.moe, is_sparse=layer.is_sparse)
        width = ffn if not layer.is_sparse or stack.moe.is_beside_dense else 0
    if dialect.get("sub_norms"):
        body.counts["p_norm"] += hidden + ffn
    for part in extras(dialect, frozenset(places), keys, known):
        body.add(part)
    body.saved = activations.of_layer(dialect, keys, known, stack.moe, kind=kind, is_sparse=layer.is_sparse)
    return Sum(body, attention, mixer, width)


def _add_attention(body: Body, found: Attention, layer: Layer, stack: Stack, known: Mapping[str, int]) -> None:
    """Once with its matrices, and once without for every further time that a token passes through."""
    span, again = stack.spans.get(layer.kind), found.without_matrices()
    for _ in range(stack.dialect.get("attentions", 1)):
        body.add_attention(found if layer.is_built else again, layer.kind, span, owns_cache=layer.owns_cache)
    if "cross_tokens" in stack.dialect:
        body.add_attention(again, "cross", None, owns_cache=True)
    for _ in range(_passes(layer.keys, stack.dialect, known) - 1):
        body.add_attention(again, layer.kind, span, owns_cache=layer.owns_cache)


def _attention(layer: Layer, dialect: Mapping[str, Any], hidden: int) -> Attention:
    match dialect["attention"]:
        case "latent":
            return latent(
                layer.keys,
                dialect,
                hidden,
                kind=layer.kind,
                has_indexer=layer.has_indexer,
                owns_cache=layer.owns_cache,
                is_rotary=layer.is_rotary,
            )
        case "compressed":
            return compressed(layer.keys, hidden, kind=layer.kind)
    return grouped(layer.keys, dialect, hidden, kind=layer.kind, owns_cache=layer.owns_cache)


def _with_more_state(
    mixer: mixers.Mixer, layer: Layer, dialect: Mapping[str, Any], known: Mapping[str, int]
) -> mixers.Mixer:
    """A listed layer's mixer with what the part beside it keeps."""
    if layer.mark is None or "conv" not in dialect["marked"]:
        return mixer
    more = evaluate(dialect["marked"]["conv"], lambda name: known[name] if name in known else layer.keys.count(name))
    return replace(mixer, conv_elements=mixer.conv_elements + more)


def _passes(keys: Keys, dialect: Mapping[str, Any], known: Mapping[str, int]) -> int:
    """How often a token goes through a layer, with a cache each time. Raises ValueError beyond reason."""
    passes = evaluate(dialect.get("passes", 1), lambda name: known[name] if name in known else keys.count(name))
    if not 0 < passes <= MOST_PASSES:
        raise ValueError(f"a layer that runs {passes} times is no layer")
    return passes
