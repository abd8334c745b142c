"""One stack of like layers: text encoders, vision and speech transformers.

Attention with projections to and from `inner` (keys and values: `kv`), a feed-forward block of `ups` matrices in and
one out, `layer_norms` norms of `norm` elements; around them embeddings of width `embed`, positions and token types.
As transformers 5.24 builds models/bert, vit, wav2vec2 and their many relatives; rows say where they differ.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flows.extract.architecture import Group
from flows.extract.encoders.sheet import Sheet, dimensions, nothing_kept
from flows.extract.encoders.values import Values

LET: Mapping[str, Any] = {
    "embed": "hidden",  # width of the embedding
    "positions": "context",  # rows of the learned positions
    "types": ["type_vocab_size", 0],
    "embed_norms": 1,
    "projected": "embed != hidden",  # whether a matrix leads from embedding to hidden
    "projection_bias": "hidden",
    "inner": "hidden",
    "kv": "inner",
    "attention_bias": "inner + 2 * kv + hidden",
    "ups": 1,
    "up_in": "hidden",  # narrower in grouped matrices
    "down_in": "ffn",
    "mlp_bias": "ups * ffn + hidden",
    "norm": "2 * hidden",  # weight and bias
    "embed_norm": "2 * embed",
    "layer_norms": 2,
    "outer_norms": 0,  # after the last layer, or before the first
    "distinct": "layers",  # layers with weights of their own
    "crossed": 0,  # whether each layer also listens to another model
    "longest": ["context", 0],  # tokens
    # what heads are made of
    "dense": "hidden * hidden + hidden",
    "classify": "labels * hidden + labels",
    "pair": "2 * hidden + 2",  # whether a sentence follows another
    "choose": "hidden + 1",  # a score for each choice
    "tied": "tie_word_embeddings",
    # a dense layer, its norm, and a bias for each token beside the embedding; tied or not
    "masked": "dense + norm + vocabulary + untied",
    "untied": "(1 - tied) * vocabulary * (embed + 1)",
}


def read(values: Values, dialect: Mapping[str, Any]) -> Sheet:
    """The stack. Raises ValueError for an unusable configuration."""
    h, ffn, layers, distinct = values("hidden"), values("ffn"), values("layers"), values("distinct")
    inner, kv, ups, embed, vocabulary = (values(name) for name in ("inner", "kv", "ups", "embed", "vocabulary"))
    sheet = Sheet()
    sheet.matrix("attn", inner, h, distinct)
    sheet.matrix("attn", kv, h, 2 * distinct, "kv")
    sheet.matrix("attn", h, inner, distinct)
    sheet.matrix("mlp", ffn, values("up_in"), ups * distinct)
    sheet.matrix("mlp", h, values("down_in"), distinct)
    if values("projected"):
        sheet.matrix("mlp", h, embed)
        sheet.add("p_bias", values("projection_bias"))
    sheet.add("p_embed", vocabulary * embed)
    sheet.add("p_pos_embed", (values("positions") + values("types")) * embed)
    norms = distinct * values("layer_norms") + values("outer_norms")
    sheet.add("p_norm", norms * values("norm") + values("embed_norms") * values("embed_norm"))
    sheet.add("p_bias", distinct * (values("attention_bias") + values("mlp_bias")))
    sheet.columns = dimensions(layers, h, values("heads"), ffn, vocabulary, values("longest"))
    sheet.groups = nothing_kept(layers)
    if values("crossed"):
        _listen(values, sheet)
    return sheet


def _listen(values: Values, sheet: Sheet) -> None:
    """The attention to another model, and what generating with it keeps."""
    h, layers, inner, kv, heads = (values(name) for name in ("hidden", "layers", "inner", "kv", "heads"))
    sheet.matrix("attn", inner, h, layers)
    sheet.matrix("attn", kv, h, 2 * layers, "kv")
    sheet.matrix("attn", h, inner, layers)
    sheet.add("p_bias", layers * values("attention_bias"))
    sheet.add("p_norm", layers * values("norm"))
    sheet.kind = "encoder_decoder"
    elements, dim = 2 * kv * layers, kv // max(heads, 1)
    sheet.columns |= {"kv_full_elements_per_token": elements, "kv_cross_elements_per_token": elements}
    sheet.groups = tuple(Group(kind, layers, heads, dim, dim, None, float(elements), 0) for kind in ("full", "cross"))
