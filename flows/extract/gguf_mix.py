"""Bytes of a decoder in each GGUF file type, before such a file exists.

A file type is a mixture: llama.cpp picks the type of each tensor by its role, its layer and the model's shape
(`llama_tensor_get_type` in src/llama-quant.cpp; block sizes are GGML_QUANT_SIZES). With an importance matrix, as
published quantisations are made today, but IQ4_XS and IQ4_NL without one, as llama.cpp's own table has them: a matrix
saves under one per cent there. Only for the plain decoders that the rule was checked on: full or sliding attention,
gated feed-forward, dense or eight experts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

# Bits of one weight by tensor type.
BITS = {
    "F32": 32, "F16": 16, "Q8_0": 8.5, "Q6_K": 6.5625, "Q5_1": 6.0, "Q5_K": 5.5, "Q5_0": 5.5, "Q4_1": 5.0,
    "Q4_K": 4.5, "Q4_0": 4.5, "IQ4_NL": 4.5, "IQ4_XS": 4.25, "Q3_K": 3.4375, "IQ3_S": 3.4375, "IQ3_XXS": 3.0625,
    "Q2_K": 2.625, "IQ2_S": 2.5625, "IQ2_XS": 2.3125, "IQ2_XXS": 2.0625, "IQ1_M": 1.75, "IQ1_S": 1.5625,
}  # fmt: skip

# The type that a file type is made of, where nothing else is said.
BASE = {
    "q2_k": "Q2_K", "q2_k_s": "Q2_K", "q3_k_s": "Q3_K", "q3_k_m": "Q3_K", "q3_k_l": "Q3_K", "q4_0": "Q4_0",
    "q4_k_s": "Q4_K", "q4_k_m": "Q4_K", "q5_0": "Q5_0", "q5_k_s": "Q5_K", "q5_k_m": "Q5_K", "q6_k": "Q6_K",
    "q8_0": "Q8_0",
    "iq1_s": "IQ1_S", "iq1_m": "IQ1_M", "iq2_xxs": "IQ2_XXS", "iq2_xs": "IQ2_XS", "iq2_s": "IQ2_XS",
    "iq2_m": "IQ2_S", "iq3_xxs": "IQ3_XXS", "iq3_xs": "IQ3_S", "iq3_s": "IQ3_S", "iq3_m": "IQ3_S",
    "iq4_xs": "IQ4_XS", "iq4_nl": "IQ4_NL",
}  # fmt: skip
LOW = ("iq1_s", "iq1_m", "iq2_xxs", "iq2_xs", "iq2_s", "iq2_m")
TWO_BIT = ("iq2_s", "iq2_m")
VARYING = ("value", "down")  # roles whose type depends on the layer in some file types

# A super-block of 256 columns that does not come out even falls back to a type with blocks of 32.
FALLBACK = {
    "Q6_K": "Q8_0", "Q5_K": "Q5_1", "Q4_K": "Q5_0", "Q3_K": "Q4_0", "Q2_K": "Q4_0",
    **{name: "IQ4_NL" for name in BITS if name.startswith("IQ") and name != "IQ4_NL"},
}  # fmt: skip

ATTN_OUTPUT = {"q2_k": "Q3_K", "iq3_xxs": "IQ3_S", "q3_k_m": "Q4_K", "q3_k_l": "Q5_K", "iq3_m": "Q4_K"}
ATTN_OUTPUT_8_EXPERTS = (
    "q2_k", "iq3_xs", "iq3_xxs", "q3_k_s", "q3_k_m", "iq4_nl", "q4_k_s", "q4_k_m", "iq3_s", "iq3_m", "iq4_xs",
)  # fmt: skip
QUERY_KEY = {"iq3_xs": "IQ3_XXS", "iq3_xxs": "IQ2_S"}
VALUE_IF_GROUPED = {
    "q2_k": "Q4_K", "q2_k_s": "Q4_K", "iq3_xxs": "Q4_K", "iq3_xs": "Q4_K", "iq3_s": "Q4_K", "iq4_nl": "Q5_K",
    "iq4_xs": "Q5_K",
}  # fmt: skip


@dataclass(frozen=True)
class Decoder:
    """The dimensions that the rule reads. `experts` is 0 or 8."""

    hidden: int
    ffn: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    vocabulary: int
    is_tied: bool
    experts: int
    unquantised: int  # norms, biases and other vectors, kept in F32

    @property
    def is_70b(self) -> bool:
        """llama.cpp knows the 70B class by its depth and its shared key/value heads."""
        return self.layers == 80 and self.heads != self.kv_heads

    @property
    def is_grouped(self) -> bool:
        return self.heads // max(self.kv_heads, 1) >= 4


@lru_cache(maxsize=4096)
def weight_bytes(decoder: Decoder) -> dict[str, int]:
    """Tensor bytes by precision (`gguf_q4_k_m`, …), without the file's header and tokenizer."""
    return {f"gguf_{kind}": _bytes(decoder, kind) for kind in BASE}


def _bytes(d: Decoder, kind: str) -> int:
    eighths = 0.0
    for name, tensors, rows, columns in _tensors(d):
        # layers of a role differ in type, never in dimensions
        layers = range(tensors) if name in VARYING or (kind == "iq3_xs" and name in ("gate", "up")) else (0,)
        repeated = tensors // len(layers)
        eighths += (
            sum(BITS[_stored_type(d, kind, name, layer, columns)] for layer in layers) * repeated * rows * columns
        )
    return int(eighths / 8) + 4 * d.unquantised


def _stored_type(d: Decoder, kind: str, name: str, layer: int, columns: int) -> str:
    chosen = _type(d, kind, name, layer)
    return FALLBACK.get(chosen, chosen) if columns % 256 else chosen


def _tensors(d: Decoder) -> Iterator[tuple[str, int, int, int]]:
    """(role, tensors, rows, columns of each); the experts of a layer are one tensor."""
    copies = max(d.experts, 1)
    yield "embedding", 1, d.vocabulary, d.hidden
    if not d.is_tied:
        yield "output", 1, d.vocabulary, d.hidden
    yield "query", d.layers, d.heads * d.head_dim, d.hidden
    yield "key", d.layers, d.kv_heads * d.head_dim, d.hidden
    yield "value", d.layers, d.kv_heads * d.head_dim, d.hidden
    yield "attn_output", d.layers, d.hidden, d.heads * d.head_dim
    yield "gate", d.layers, copies * d.ffn, d.hidden
    yield "up", d.layers, copies * d.ffn, d.hidden
    yield "down", d.layers, copies * d.hidden, d.ffn


def _uses_more_bits(layer: int, layers: int) -> bool:
    return layer < layers // 8 or layer >= 7 * layers // 8 or (layer - layers // 8) % 3 == 2


def _type(d: Decoder, kind: str, name: str, layer: int) -> str:
    base = BASE[kind]
    if name == "output" or (name == "embedding" and d.is_tied):
        if kind in LOW or kind == "iq3_xxs":
            return "Q5_K"
        return "Q8_0" if base == "Q8_0" else "Q6_K"
    if name == "embedding":
        return {"iq1_s": "Q2_K", "iq1_m": "Q2_K", "iq2_xxs": "Q2_K", "iq2_xs": "Q2_K", "iq2_s": "IQ3_S",
                "iq2_m": "IQ3_S", "iq3_xxs": "IQ3_S"}.get(kind, base)  # fmt: skip
    if kind in LOW:
        return _low_type(d, kind, name, layer)
    if name == "value":
        return _value_type(d, kind, layer)
    if name in ("query", "key"):
        return "Q8_0" if name == "key" and d.experts == 8 else QUERY_KEY.get(kind, base)
    if name == "attn_output":
        if d.experts == 8:
            return "Q5_K" if kind in ATTN_OUTPUT_8_EXPERTS else base
        return ATTN_OUTPUT.get(kind, base)
    if name == "down":
        return _down_type(d, kind, layer)
    middle = d.layers // 8 <= layer < 7 * d.layers // 8
    return "IQ3_XXS" if kind == "iq3_xs" and middle else base


def _low_type(d: Decoder, kind: str, name: str, layer: int) -> str:
    """File types of two bits and fewer raise a few tensors by fixed steps."""
    base = BASE[kind]
    raised = "IQ3_S" if kind in TWO_BIT else "Q2_K"
    if name == "value":
        return "Q4_K" if d.is_grouped or d.experts >= 4 else raised
    if name == "key" and d.experts == 8:
        return "Q4_K"
    if name == "down":
        return raised if layer < d.layers // 8 else base
    if name == "attn_output":
        if d.experts == 8:
            return "Q5_K"
        if kind in ("iq1_s", "iq1_m"):
            return "IQ2_XXS"
        return "IQ3_S" if kind in TWO_BIT else base
    return base


def _value_type(d: Decoder, kind: str, layer: int) -> str:
    chosen = VALUE_IF_GROUPED[kind] if d.is_grouped and kind in VALUE_IF_GROUPED else BASE[kind]
    if kind == "q2_k" and not d.is_grouped:
        chosen = "Q3_K"
    elif kind == "iq3_m":
        chosen = "Q4_K"
    elif kind == "q3_k_m":
        chosen = "Q5_K" if layer < 2 else "Q4_K"
    elif kind == "q3_k_l":
        chosen = "Q5_K"
    elif kind in ("q4_k_m", "q5_k_m") and _uses_more_bits(layer, d.layers):
        chosen = "Q6_K"
    elif kind == "q4_k_s" and layer < 4:
        chosen = "Q5_K"
    if d.is_70b and chosen in ("Q3_K", "Q4_K"):
        chosen = "Q5_K"
    return "Q8_0" if d.experts == 8 else chosen


def _down_type(d: Decoder, kind: str, layer: int) -> str:
    base, is_early = BASE[kind], layer < d.layers // 8
    if kind in ("q4_0", "q5_0"):
        return {"q4_0": "Q4_1", "q5_0": "Q5_1"}[kind] if is_early else base
    if kind == "q2_k":
        return "Q3_K"
    if kind == "q3_k_m":
        return "Q5_K" if layer < d.layers // 16 else "Q4_K"
    if kind == "iq3_m":
        return "Q4_K" if is_early or (d.experts == 8 and _uses_more_bits(layer, d.layers)) else base
    if kind == "q3_k_l":
        return "Q5_K"
    if kind in ("q4_k_m", "q5_k_m"):
        return "Q6_K" if _uses_more_bits(layer, d.layers) else base
    raised = {"q2_k_s": "Q4_K", "q4_k_s": "Q5_K", "iq4_xs": "Q5_K", "iq4_nl": "Q5_K"}.get(kind, base)
    return raised if is_early else base


def decoder_of(columns: Mapping[str, int | float | None], dimensions: Mapping[str, object]) -> Decoder | None:
    """The rule's view of a model, null for a model that it was not checked on."""
    names = ("hidden_size", "layers", "heads", "kv_heads", "vocab_size", "experts", "p_mlp", "p_expert", "p_ssm",
             "p_shared", "p_attn", "p_embed", "p_lm_head", "p_vision", "parameters_resident",
             "kv_latent_elements_per_token", "p_tp_replicated")  # fmt: skip
    known = {name: columns.get(name) for name in names}
    if any(value is None for value in known.values()):
        return None
    n = {name: int(value) for name, value in known.items() if value is not None}
    head_dim, width = dimensions.get("head_dim"), n["heads"] * int(str(dimensions.get("head_dim") or 0))
    ffn = columns.get("expert_ffn_size") if n["experts"] else columns.get("ffn_size")
    if not isinstance(head_dim, int) or not isinstance(ffn, int) or n["experts"] not in (0, 8) or not n["layers"]:
        return None
    copies = max(n["experts"], 1)
    expected_attn = n["layers"] * n["hidden_size"] * (2 * width + 2 * n["kv_heads"] * head_dim)
    is_plain = (
        n["p_ssm"] == n["p_shared"] == n["p_vision"] == n["kv_latent_elements_per_token"] == 0
        and n["p_attn"] == expected_attn
        and n["p_mlp"] + n["p_expert"] == n["layers"] * copies * 3 * n["hidden_size"] * ffn
        and n["p_embed"] == n["vocab_size"] * n["hidden_size"]
    )
    if not is_plain:
        return None
    matrices = n["p_attn"] + n["p_mlp"] + n["p_expert"] + n["p_embed"] + n["p_lm_head"]
    return Decoder(
        hidden=n["hidden_size"],
        ffn=ffn,
        layers=n["layers"],
        heads=n["heads"],
        kv_heads=n["kv_heads"],
        head_dim=head_dim,
        vocabulary=n["vocab_size"],
        is_tied=n["p_lm_head"] == 0,
        experts=n["experts"],
        unquantised=n["parameters_resident"] - matrices,
    )
