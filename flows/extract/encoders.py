"""Encoders and encoder-decoders: closed forms of their parameters, and what the decoders among them keep.

Shapes as transformers 5.23 builds models/bert, roberta, modernbert, albert, vit, clip (text), t5 and whisper.
Every function returns (linears, other components, columns): counts, in elements.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flows.extract import sharding
from flows.extract.architecture import Group
from flows.extract.keys import Keys
from flows.extract.linears import Linear, sums

Built = tuple[str, list[Linear], dict[str, int], dict[str, Any], tuple[Group, ...]]


def read(keys: Keys, dialect: Mapping[str, Any], architecture: str | None) -> Built:
    """(kind, linears, components, columns, groups). Raises ValueError for an unusable configuration."""
    if dialect["family"] == "bart":
        return _bart(keys, dialect)
    return FAMILIES[dialect["family"]](keys, architecture or "")


def columns(linears: list[Linear], components: Mapping[str, int], extra: Mapping[str, Any]) -> dict[str, Any]:
    """Columns of SHAPES; what a family does not mention it does not have."""
    names = ("p_embed", "p_pos_embed", "p_lm_head", "p_router", "p_norm", "p_bias", "p_small", "p_head_other")
    absent = {
        "p_expert_bias": 0, "kv_full_elements_per_token": 0, "kv_window_elements_per_token": 0,
        "kv_latent_elements_per_token": 0.0, "kv_fixed_bytes_per_token": 0, "kv_cross_elements_per_token": 0,
        "window_tokens": 0, "cross_tokens": 0, "state_conv_elements": 0, "state_recurrent_elements": 0,
        "state_recurrent_bytes_per_element": 4.0, "state_recurrent_bytes_in_vllm": 4.0,
        "expert_ffn_size": 0, "experts": 0, "experts_per_token": 0,
        "rope_cache_elements": 0,
    }  # fmt: skip
    return {**sums(linears), **{name: components.get(name, 0) for name in names}, **absent, **extra}


def _dims(keys: Keys, layers: int, hidden: int, heads: int, ffn: int, vocabulary: int) -> dict[str, Any]:
    return {
        "layers": layers,
        "hidden_size": hidden,
        "vocab_size": vocabulary,
        "heads": heads,
        "kv_heads": heads,
        "ffn_size": ffn,
        "max_context_tokens": keys.number("context") or None,
        **sharding.masks([heads], [heads], [ffn], [ffn, hidden]),
    }


def _nothing_kept(layers: int) -> tuple[Group, ...]:
    return (Group(kind="none", layers=layers, elements_per_token=0.0, state_bytes=0),)


def _plain_layers(layers: int, hidden: int, ffn: int) -> list[Linear]:
    return [
        Linear("attn", hidden, hidden, 2 * layers),
        Linear("attn", hidden, hidden, 2 * layers, "kv"),
        Linear("mlp", ffn, hidden, layers),
        Linear("mlp", hidden, ffn, layers),
    ]


def _bert(keys: Keys, architecture: str) -> Built:
    h, layers, ffn = keys.need("hidden"), keys.need("layers"), keys.need("ffn")
    vocabulary = keys.need("vocabulary")
    head = 0
    if "Masked" in architecture:
        head = h * h + h + 2 * h + vocabulary
    elif "PreTraining" in architecture:
        head = h * h + h + h * h + 3 * h + vocabulary + 2 * h + 2
    elif "SequenceClassification" in architecture:
        labels = len(keys.section("id2label") or {}) or keys.number("num_labels") or 2
        # RoBERTa's classifier has a dense layer of its own; BERT's sits on the pooler
        head = h * h + h + labels * h + labels
    else:
        head = h * h + h
    components = {
        "p_embed": vocabulary * h,
        "p_pos_embed": (keys.need("context") + (keys.number("type_vocab_size") or 0)) * h,
        "p_norm": (2 * layers + 1) * 2 * h,
        "p_bias": layers * (5 * h + ffn),
        "p_head_other": head,
    }
    dims = _dims(keys, layers, h, keys.need("heads"), ffn, vocabulary)
    return "encoder", _plain_layers(layers, h, ffn), components, dims, _nothing_kept(layers)


def _modernbert(keys: Keys, architecture: str) -> Built:
    h, layers, ffn = keys.need("hidden"), keys.need("layers"), keys.need("ffn")
    vocabulary = keys.need("vocabulary")
    linears = [
        Linear("attn", h, h, 2 * layers),
        Linear("attn", h, h, 2 * layers, "kv"),
        Linear("mlp", 2 * ffn, h, layers),
        Linear("mlp", h, ffn, layers),
    ]
    components = {
        "p_embed": vocabulary * h,
        "p_norm": (2 * layers + 1) * h,  # the first layer has no attention norm, embedding and final ones come on top
        "p_head_other": h * h + h + vocabulary if "Masked" in architecture else 0,
    }
    return (
        "encoder",
        linears,
        components,
        _dims(keys, layers, h, keys.need("heads"), ffn, vocabulary),
        _nothing_kept(layers),
    )


def _albert(keys: Keys, architecture: str) -> Built:
    h, layers, ffn, narrow = keys.need("hidden"), keys.need("layers"), keys.need("ffn"), keys.need("embedding_size")
    vocabulary = keys.need("vocabulary")
    distinct = keys.need("num_hidden_groups") * keys.need("inner_group_num")
    components = {
        "p_embed": vocabulary * narrow,
        "p_pos_embed": (keys.need("context") + (keys.number("type_vocab_size") or 0)) * narrow,
        "p_norm": 2 * narrow + distinct * 4 * h,
        "p_bias": h + distinct * (5 * h + ffn),
        "p_head_other": h * narrow + narrow + 2 * narrow + vocabulary if "Masked" in architecture else h * h + h,
    }
    linears = [*_plain_layers(distinct, h, ffn), Linear("mlp", h, narrow)]
    return (
        "encoder",
        linears,
        components,
        _dims(keys, layers, h, keys.need("heads"), ffn, vocabulary),
        _nothing_kept(layers),
    )


def _vit(keys: Keys, architecture: str) -> Built:
    h, layers, ffn = keys.need("hidden"), keys.need("layers"), keys.need("ffn")
    patch, channels = keys.need("patch_size"), keys.need("num_channels")
    patches = (keys.need("image_size") // max(patch, 1)) ** 2
    labels = len(keys.section("id2label") or {}) or 2
    components = {
        "p_small": channels * patch * patch * h + h + h,
        "p_pos_embed": (patches + 1) * h,
        "p_norm": (2 * layers + 1) * 2 * h,
        "p_bias": layers * (5 * h + ffn),
        "p_head_other": h * labels + labels if "Classification" in architecture else h * h + h,
    }
    dims = {**_dims(keys, layers, h, keys.need("heads"), ffn, 0), "max_context_tokens": patches + 1}
    return "encoder", _plain_layers(layers, h, ffn), components, dims, _nothing_kept(layers)


def _clip_text(keys: Keys, architecture: str) -> Built:
    h, layers, ffn = keys.need("hidden"), keys.need("layers"), keys.need("ffn")
    vocabulary = keys.need("vocabulary")
    components = {
        "p_embed": vocabulary * h,
        "p_pos_embed": keys.need("context") * h,
        "p_norm": (2 * layers + 1) * 2 * h,
        "p_bias": layers * (5 * h + ffn),
        "p_head_other": h * (keys.number("projection_dim") or 0) if "Projection" in architecture else 0,
    }
    dims = _dims(keys, layers, h, keys.need("heads"), ffn, vocabulary)
    return "encoder", _plain_layers(layers, h, ffn), components, dims, _nothing_kept(layers)


def _t5(keys: Keys, architecture: str) -> Built:
    h, ffn, encoder = keys.need("d_model"), keys.need("d_ff"), keys.need("num_layers")
    decoder = keys.number("num_decoder_layers") or encoder
    heads, dim, vocabulary = keys.need("num_heads"), keys.need("d_kv"), keys.need("vocabulary")
    inner, attentions = heads * dim, encoder + 2 * decoder
    ups = 2 if (keys.text("feed_forward_proj") or "").startswith("gated") else 1
    linears = [
        Linear("attn", inner, h, attentions),
        Linear("attn", inner, h, 2 * attentions, "kv"),
        Linear("attn", h, inner, attentions),
        Linear("mlp", ffn, h, ups * (encoder + decoder)),
        Linear("mlp", h, ffn, encoder + decoder),
    ]
    components = {
        "p_embed": vocabulary * h,
        # v1.1 checkpoints store a head of their own; transformers 5 ties it whatever they say
        "p_lm_head": 0 if keys.flag("tie_word_embeddings") else vocabulary * h,
        "p_norm": (2 * encoder + 1 + 3 * decoder + 1) * h,
        "p_small": 2 * keys.need("relative_attention_num_buckets") * heads,
    }
    dims = {
        **_dims(keys, decoder, h, heads, ffn, vocabulary),
        "max_context_tokens": None,  # relative positions: no limit of its own
        "kv_full_elements_per_token": decoder * 2 * inner,
        "kv_cross_elements_per_token": decoder * 2 * inner,
        "cross_tokens": -1,
    }
    return "encoder_decoder", linears, components, dims, _decoder_groups(encoder, decoder, heads, dim)


def _whisper(keys: Keys, architecture: str) -> Built:
    h, vocabulary = keys.need("d_model"), keys.need("vocabulary")
    encoder, decoder = keys.need("encoder_layers"), keys.need("decoder_layers")
    encoder_ffn, decoder_ffn = keys.need("encoder_ffn_dim"), keys.need("decoder_ffn_dim")
    heads, sources = keys.need("decoder_attention_heads"), keys.need("max_source_positions")
    attentions = encoder + 2 * decoder
    linears = [
        Linear("attn", h, h, 2 * attentions),
        Linear("attn", h, h, 2 * attentions, "kv"),
        Linear("mlp", encoder_ffn, h, encoder),
        Linear("mlp", h, encoder_ffn, encoder),
        Linear("mlp", decoder_ffn, h, decoder),
        Linear("mlp", h, decoder_ffn, decoder),
    ]
    components = {
        "p_embed": vocabulary * h,
        "p_pos_embed": (sources + keys.need("max_target_positions")) * h,
        "p_small": keys.need("num_mel_bins") * 3 * h + h + 3 * h * h + h,
        "p_norm": (2 * encoder + 1 + 3 * decoder + 1) * 2 * h,
        # the key projection has no bias
        "p_bias": attentions * 3 * h + encoder * (encoder_ffn + h) + decoder * (decoder_ffn + h),
    }
    dims = {
        **_dims(keys, decoder, h, heads, decoder_ffn, vocabulary),
        "max_context_tokens": keys.need("max_target_positions"),
        "kv_full_elements_per_token": decoder * 2 * h,
        "kv_cross_elements_per_token": decoder * 2 * h,
        "cross_tokens": sources,
    }
    return "encoder_decoder", linears, components, dims, _decoder_groups(encoder, decoder, heads, h // max(heads, 1))


def _bart(keys: Keys, dialect: Mapping[str, Any]) -> Built:
    """BART and its relatives: they differ in positions, in the norm of the embedding and in the last norm."""
    h, vocabulary = keys.need("d_model"), keys.need("vocabulary")
    encoder, decoder = keys.need("encoder_layers"), keys.need("decoder_layers")
    encoder_ffn, decoder_ffn = keys.need("encoder_ffn_dim"), keys.need("decoder_ffn_dim")
    heads, attentions = keys.need("decoder_attention_heads"), encoder + 2 * decoder
    norms = 2 * encoder + 3 * decoder + 2 * bool(dialect["embed_norm"]) + 2 * bool(dialect["final_norm"])
    linears = [
        Linear("attn", h, h, 2 * attentions),
        Linear("attn", h, h, 2 * attentions, "kv"),
        Linear("mlp", encoder_ffn, h, encoder),
        Linear("mlp", h, encoder_ffn, encoder),
        Linear("mlp", decoder_ffn, h, decoder),
        Linear("mlp", h, decoder_ffn, decoder),
    ]
    components = {
        "p_embed": vocabulary * h,
        "p_pos_embed": 2 * (keys.need("context") + 2) * h if dialect["learned_positions"] else 0,
        "p_norm": norms * 2 * h,
        "p_bias": attentions * 4 * h + encoder * (encoder_ffn + h) + decoder * (decoder_ffn + h),
    }
    dims = {
        **_dims(keys, decoder, h, heads, decoder_ffn, vocabulary),
        "kv_full_elements_per_token": decoder * 2 * h,
        "kv_cross_elements_per_token": decoder * 2 * h,
        "cross_tokens": -1,
    }
    return "encoder_decoder", linears, components, dims, _decoder_groups(encoder, decoder, heads, h // max(heads, 1))


def _decoder_groups(encoder: int, decoder: int, heads: int, dim: int) -> tuple[Group, ...]:
    elements = float(2 * heads * dim * decoder)
    return (
        Group("none", encoder, heads, dim, dim, None, 0.0, 0),
        Group("full", decoder, heads, dim, dim, None, elements, 0),
        Group("cross", decoder, heads, dim, dim, None, elements, 0),
    )


FAMILIES: Mapping[str, Callable[[Keys, str], Built]] = {
    "bert": _bert,
    "modernbert": _modernbert,
    "albert": _albert,
    "vit": _vit,
    "clip_text": _clip_text,
    "t5": _t5,
    "whisper": _whisper,
}
