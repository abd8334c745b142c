"""An encoder and a decoder that listens to it: T5, BART, Whisper and their relatives.

Both have attention and a feed-forward block in every layer, the decoder also attention over what the encoder gives.
As transformers 5.24 builds models/t5, bart, whisper and others; rows say where they differ. `part` says that a class
is the encoder or the decoder alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flows.extract.architecture import Group
from flows.extract.encoders.sheet import Sheet, dimensions, nothing_kept
from flows.extract.encoders.values import Values

LET: Mapping[str, Any] = {
    "encoder": "encoder_layers",  # layers
    "decoder": "decoder_layers",
    "encoder_ffn": "encoder_ffn_dim",
    "decoder_ffn": "decoder_ffn_dim",
    "dense_encoder": "encoder",  # layers whose feed-forward block is not split into experts
    "dense_decoder": "decoder",
    "decoder_heads": ["decoder_attention_heads", "num_decoder_attention_heads", "heads"],
    "inner": "hidden",
    "kv": "inner",
    "attention_bias": "inner + 2 * kv + hidden",
    "crossed": 1,  # whether the decoder listens to the encoder
    "cross_attention_bias": "attention_bias",
    "heard_width": "hidden",  # of what the decoder listens to
    "ups": 1,
    "decoder_ups": "ups",
    "has_mlp_bias": 1,
    "norm": "2 * hidden",
    "encoder_norms": 2,  # in a layer
    "decoder_norms": 3,
    "embed_norms": 0,  # on each side
    "final_norms": 0,
    "encoder_positions": "positions",  # rows of learned positions
    "decoder_positions": "positions",
    "positions": 0,
    "encoder_embeddings": 0,  # an own matrix of the encoder's vocabulary
    "vocabularies": 1,  # matrices of tokens that the decoder's side has
    "predicts": 0,  # whether the class has a matrix back to the vocabulary
    "tied": "tie_word_embeddings",
    "longest": ["context", 0],
    "heard": -1,  # tokens that the decoder listens to: -1 for as many as there are
    "experts": 0,
    "experts_per_token": 1,
    "has_encoder": 1,
    "has_decoder": 1,
}


def read(values: Values, dialect: Mapping[str, Any]) -> Sheet:
    """Both stacks. Raises ValueError for an unusable configuration."""
    sheet = Sheet(kind="encoder_decoder")
    has_encoder, has_decoder = values("has_encoder"), values("has_decoder")
    if has_encoder:
        _encoder(values, sheet)
    if has_decoder:
        _decoder(values, sheet)
    h, vocabulary = values("hidden"), values("vocabulary")
    sheet.add("p_embed", values("vocabularies") * vocabulary * h)
    if values("predicts") and not values("tied"):
        sheet.add("p_lm_head", vocabulary * h)
    layers, heads = values("decoder"), values("decoder_heads")
    ffn = values("decoder_ffn")
    sheet.columns = dimensions(layers, h, heads, ffn, vocabulary, values("longest"))
    if not has_decoder:
        layers = values("encoder")
        sheet.kind, sheet.groups = "encoder", nothing_kept(layers)
        sheet.columns["layers"] = layers
        return sheet
    _cache(values, sheet, heads)
    if values("experts"):
        sheet.columns |= {"experts": values("experts"), "experts_per_token": values("experts_per_token"),
                          "expert_ffn_size": ffn, "expert_layers": None}  # fmt: skip
    if not has_encoder and not values("heard"):
        sheet.kind = "decoder"
    return sheet


def _encoder(values: Values, sheet: Sheet) -> None:
    layers = values("encoder")
    _attention(values, sheet, layers, values("attention_bias"), values("hidden"))
    _feed_forward(values, sheet, values("dense_encoder"), values("encoder_ffn"), values("ups"))
    outer = values("embed_norms") + values("final_norms")
    sheet.add("p_norm", (layers * values("encoder_norms") + outer) * values("norm"))
    sheet.add("p_pos_embed", values("encoder_positions") * values("hidden"))
    sheet.add("p_embed", values("encoder_embeddings"))


def _decoder(values: Values, sheet: Sheet) -> None:
    layers = values("decoder")
    _attention(values, sheet, layers, values("attention_bias"), values("hidden"))
    if values("crossed"):
        _attention(values, sheet, layers, values("cross_attention_bias"), values("heard_width"))
    _feed_forward(values, sheet, values("dense_decoder"), values("decoder_ffn"), values("decoder_ups"))
    outer = values("embed_norms") + values("final_norms")
    norms = values("decoder_norms") - (not values("crossed"))
    sheet.add("p_norm", (layers * norms + outer) * values("norm"))
    sheet.add("p_pos_embed", values("decoder_positions") * values("hidden"))


def _attention(values: Values, sheet: Sheet, layers: int, bias: int, heard: int) -> None:
    """`heard` is the width of what keys and values are made of."""
    h, inner, kv = values("hidden"), values("inner"), values("kv")
    sheet.matrix("attn", inner, h, layers)
    sheet.matrix("attn", kv, heard, 2 * layers, "kv")
    sheet.matrix("attn", h, inner, layers)
    sheet.add("p_bias", layers * bias)


def _feed_forward(values: Values, sheet: Sheet, layers: int, ffn: int, ups: int) -> None:
    h = values("hidden")
    sheet.matrix("mlp", ffn, h, ups * layers)
    sheet.matrix("mlp", h, ffn, layers)
    if values("has_mlp_bias"):
        sheet.add("p_bias", layers * (ups * ffn + h))


def _cache(values: Values, sheet: Sheet, heads: int) -> None:
    """The decoder keeps keys and values of its own tokens, and once of what it listens to."""
    layers, crossed, kv = values("decoder"), values("crossed"), values("kv")
    dim = kv // max(heads, 1)
    elements = 2 * kv * layers
    sheet.columns |= {
        "kv_full_elements_per_token": elements,
        "kv_cross_elements_per_token": elements if crossed else 0,
        "cross_tokens": values("heard") if crossed else 0,
    }
    groups = [Group("full", layers, heads, dim, dim, None, float(elements), 0)]
    if values("has_encoder"):
        groups.insert(0, Group("none", values("encoder"), heads, dim, dim, None, 0.0, 0))
    if crossed:
        groups.append(Group("cross", layers, heads, dim, dim, None, float(elements), 0))
    sheet.groups = tuple(groups)
