"""A decoder, layer by layer, reduced to sums: parameters by component, cache and state, and what divides it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flows.extract import experts as routed
from flows.extract import gguf_tensors, heads, linears, mixers, roles
from flows.extract import layers as plans
from flows.extract.attention import Attention
from flows.extract.body import Body
from flows.extract.expressions import evaluate
from flows.extract.extras import extras
from flows.extract.keys import Keys
from flows.extract.layer import ATTENTION_KINDS, Layer, Stack, Sum, asks_for_position, read_layer

BYTES_OF_DTYPE = {"float32": 4.0, "bfloat16": 2.0, "float16": 2.0}
WINDOWED = ("sliding", "hybrid_sliding", "csa", "hca")


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
    head: int  # parameters on top of the layers: what predicts tokens or labels
    largest_layer: int  # parameters of the largest layer
    routers: int  # layers that route to experts
    is_largest_sparse: bool  # whether the largest layer does
    tensors: gguf_tensors.Layout | None  # as llama.cpp's files have them, null where nobody checked that


def read(keys: Keys, dialect: Mapping[str, Any], name: str | None) -> Decoder:
    """Add up a decoder; `name` is its class and decides what head it has. Raises ValueError for an unusable one.

    Each kind of layer is worked out once and added as often as it is there.
    """
    hidden = keys.need("hidden")
    plan = plans.kinds(keys, dialect)
    moe = routed.experts(keys, dialect)
    sparse = routed.is_sparse(keys, dialect, plan, moe)
    window = plans.window(keys, dialect)
    spans = {"chunked": keys.number("attention_chunk_size"), **dict.fromkeys(WINDOWED, window)}
    stack = Stack(dialect, hidden, len(plan), moe, spans, _state_bytes(keys, dialect))
    layers = _layers(keys, dialect, plan, sparse)
    numbers: dict[Layer, int] = {}
    which = [numbers.setdefault(layer, len(numbers)) for layer in layers]
    sums = {layer: read_layer(layer, stack) for layer in numbers}
    body = Body(unknown_parameters=dialect.get("unknown_parameters"))
    norms = _norms(keys, dialect) * hidden * _norm_width(dialect)
    for number, one in enumerate(sums.values()):
        times = which.count(number)
        body.merge(one.body, times)
        body.counts["p_norm"] += norms * times
    if layers:
        body.prediction_block = sums[layers[-1]].body.parameters + norms + 2 * hidden * hidden + 3 * hidden
        blocks = keys.number("num_nextn_predict_layers") or 0 if dialect.get("mtp") else 0
        body.mtp = blocks * body.prediction_block
        body.mtp_layers = blocks if blocks or not keys.announces("nextn", "mtp") else None
        body.mtp_expert = blocks * linears.sums(sums[layers[-1]].body.linears)["p_expert"]
    if "unknown_cache" in dialect:
        body.forget_cache(dialect["unknown_cache"])
    _add_ends(body, keys, dialect, hidden, keys.need("vocabulary"))
    known = {"hidden": hidden, "layers": len(plan), "vocabulary": keys.need("vocabulary")}
    for part in extras(dialect, frozenset({"model"}), keys, known):
        body.add(part)
    headless = body.parameters
    _add_head(body, keys, dialect, hidden, keys.need("vocabulary"), name)
    if heads.has_vocabulary_head(name):
        for part in extras(dialect, frozenset({"head"}), keys, known):
            body.add(part)
    largest, is_largest_sparse = max(
        ((one.body.parameters + norms, layer.is_sparse) for layer, one in sums.items()), default=(0, False)
    )
    return Decoder(
        body=body,
        plan=plan,
        sparse=sparse,
        attentions=list(dict.fromkeys(one.attention for one in sums.values() if one.attention is not None)),
        mixer=next((one.mixer for one in reversed(sums.values()) if one.mixer is not None), None),
        moe=moe,
        ffn=max((one.ffn for one in sums.values()), default=0),
        state_bytes=stack.state_bytes,
        head=body.parameters - headless,
        largest_layer=largest,
        routers=sum(sparse),
        is_largest_sparse=is_largest_sparse,
        tensors=_tensors(which, list(sums.values()), keys, dialect, moe.count),
    )


def _tensors(
    which: list[int], sums: list[Sum], keys: Keys, dialect: Mapping[str, Any], experts: int
) -> gguf_tensors.Layout | None:
    row = dialect.get("gguf_tensors")
    return gguf_tensors.layout(
        [gguf_tensors.parts_of(one.body.linears, row or {}) for one in sums],
        which,
        next((sums[one].attention for one in which if sums[one].attention is not None), None),
        row,
        experts=experts,
        further=(keys.number(row["further_layers"]) or 0) if row and "further_layers" in row else 0,
    )


def _layers(keys: Keys, dialect: Mapping[str, Any], plan: list[str], sparse: list[bool]) -> list[Layer]:
    owners = roles.cache_owners(keys, dialect, plan)
    # layers that attend with the parameters of a few blocks, one after the other (Zamba)
    shared = evaluate(dialect["shared_blocks"], keys.count) if "shared_blocks" in dialect else len(plan)
    has_positions = asks_for_position(dialect)
    marks = roles.marks(keys, dialect, len(plan))
    attended = 0
    layers = []
    for position, kind in enumerate(plan):
        may_index = bool(dialect.get("indexer")) and kind in ATTENTION_KINDS and kind != "sliding"
        is_built = attended < shared
        attended += kind in ATTENTION_KINDS
        layers.append(
            Layer(
                kind=kind,
                keys=keys.layer(position),
                is_sparse=sparse[position],
                owns_cache=owners[position],
                has_indexer=may_index and roles.has_indexer(keys, position),
                is_rotary=not dialect.get("unturned") or roles.is_rotary(keys, position),
                is_built=is_built,
                position=position if has_positions else None,
                mark=marks.get(position),
            )
        )
    return layers


def _add_ends(body: Body, keys: Keys, dialect: Mapping[str, Any], hidden: int, vocabulary: int) -> None:
    """Embedding, positions, final norm."""
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


def _add_head(
    body: Body, keys: Keys, dialect: Mapping[str, Any], hidden: int, vocabulary: int, name: str | None
) -> None:
    """What the class puts on top of the layers."""
    if not heads.has_vocabulary_head(name):
        has_bias = bool(dialect.get("score_bias"))
        body.counts["p_head_other"] += heads.other_head(keys, name, hidden, has_bias=has_bias)
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
