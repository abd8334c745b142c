"""Bytes of a decoder in each GGUF file type, before such a file exists.

A file type is a mixture: llama.cpp picks the type of each tensor by its role, its layer and the model's shape
(`llama_tensor_get_type` in src/llama-quant.cpp at 007dbbf3; block sizes are GGML_QUANT_SIZES). With an importance
matrix, as published quantisations are made today, but IQ4_XS and IQ4_NL without one, as llama.cpp's own table has
them: a matrix saves under one per cent there. What the tensors are is in flows/extract/gguf_tensors.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from flows.extract.gguf_tensors import Cell, Layout

# Bits of one weight by tensor type.
BITS = {
    "F32": 32, "F16": 16, "Q8_0": 8.5, "Q6_K": 6.5625, "Q5_1": 6.0, "Q5_K": 5.5, "Q5_0": 5.5, "Q4_1": 5.0,
    "Q4_K": 4.5, "Q4_0": 4.5, "IQ4_NL": 4.5, "IQ4_XS": 4.25, "MXFP4": 4.25, "Q3_K": 3.4375, "IQ3_S": 3.4375,
    "IQ3_XXS": 3.0625, "Q2_K": 2.625, "IQ2_S": 2.5625, "IQ2_XS": 2.3125, "IQ2_XXS": 2.0625, "IQ1_M": 1.75,
    "IQ1_S": 1.5625,
}  # fmt: skip
SMALL_BLOCKS = ("Q8_0", "Q5_1", "Q5_0", "Q4_1", "Q4_0", "IQ4_NL", "MXFP4")  # of 32 weights; all others have 256

# The type that a file type is made of, where nothing else is said.
BASE = {
    "q2_k": "Q2_K", "q2_k_s": "Q2_K", "q3_k_s": "Q3_K", "q3_k_m": "Q3_K", "q3_k_l": "Q3_K", "q4_0": "Q4_0",
    "q4_k_s": "Q4_K", "q4_k_m": "Q4_K", "q5_0": "Q5_0", "q5_k_s": "Q5_K", "q5_k_m": "Q5_K", "q6_k": "Q6_K",
    "q8_0": "Q8_0", "mxfp4_moe": "MXFP4",
    "iq1_s": "IQ1_S", "iq1_m": "IQ1_M", "iq2_xxs": "IQ2_XXS", "iq2_xs": "IQ2_XS", "iq2_s": "IQ2_XS",
    "iq2_m": "IQ2_S", "iq3_xxs": "IQ3_XXS", "iq3_xs": "IQ3_S", "iq3_s": "IQ3_S", "iq3_m": "IQ3_S",
    "iq4_xs": "IQ4_XS", "iq4_nl": "IQ4_NL",
}  # fmt: skip
LOW = ("iq1_s", "iq1_m", "iq2_xxs", "iq2_xs", "iq2_s", "iq2_m")
TWO_BIT = ("iq2_s", "iq2_m")

# A row that blocks of 256 do not divide falls back to a type with blocks of 32, one that these do not to 16 bits.
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


class Traits(NamedTuple):
    """What the rule asks of a model besides its tensors."""

    experts: int
    is_grouped: bool
    is_70b: bool


@dataclass(frozen=True)
class File:
    """All of a decoder that its file holds."""

    layout: Layout
    vocabulary: int
    hidden: int
    is_tied: bool
    unquantised: int  # norms, biases, routers, convolutions and other small tensors, kept in F32


@lru_cache(maxsize=4096)
def weight_bytes(file: File) -> dict[str, int]:
    """Tensor bytes by precision (`gguf_q4_k_m`, …), without the file's header and tokenizer."""
    found = file.layout
    traits = Traits(found.experts, found.is_grouped, found.is_70b)
    matrix, ends = file.vocabulary * file.hidden, (_vocabulary_bits(kind, file.hidden) for kind in BASE)
    bits = [matrix * (output if file.is_tied else output + embedding) for output, embedding in ends]
    for cell, elements in found.cells:
        bits = [so_far + elements * each for so_far, each in zip(bits, _bits(cell, traits), strict=True)]
    kinds = zip(BASE, bits, strict=True)
    return {
        f"gguf_{kind}": int(total / 8) + 4 * file.unquantised
        for kind, total in kinds
        if kind != "mxfp4_moe" or found.experts
    }


@lru_cache(maxsize=65536)
def _vocabulary_bits(kind: str, hidden: int) -> tuple[float, float]:
    """Bits of the matrix that makes the logits (also the embedding, where that is one), and of an embedding alone."""
    base = BASE[kind]
    output = "Q5_K" if kind in LOW or kind == "iq3_xxs" else "Q6_K"
    if base in ("Q8_0", "MXFP4") or hidden % 256:
        output = "Q8_0"
    embedding = {
        "iq1_s": "Q2_K", "iq1_m": "Q2_K", "iq2_xxs": "Q2_K", "iq2_xs": "Q2_K", "iq2_s": "IQ3_S", "iq2_m": "IQ3_S",
        "iq3_xxs": "IQ3_S", "mxfp4_moe": "Q8_0",
    }.get(kind, base)  # fmt: skip
    block = next(width for width in (256, 32, 1) if hidden % width == 0)
    return BITS[_fitting(output, block)], BITS[_fitting(embedding, block)]


@lru_cache(maxsize=65536)
def _bits(cell: Cell, traits: Traits) -> tuple[float, ...]:
    """Of a weight by file type, in their order."""
    return tuple(BITS[_fitting(_type(kind, cell, traits), cell.kind.block)] for kind in BASE)


def _fitting(chosen: str, block: int) -> str:
    if block < 256 and chosen not in SMALL_BLOCKS:
        chosen = FALLBACK[chosen]
    return chosen if block >= 32 else "F16"


def _type(kind: str, cell: Cell, traits: Traits) -> str:
    base, role = BASE[kind], cell.kind.role
    if cell.kind.is_kept:
        return "MXFP4"
    if kind == "mxfp4_moe":
        return "MXFP4" if cell.kind.is_stack else "Q8_0"
    if kind in LOW:
        return _low_type(kind, cell, traits)
    if role == "value":
        return _value_type(kind, cell, traits)
    if role in ("query", "key"):
        return "Q8_0" if role == "key" and traits.experts == 8 else QUERY_KEY.get(kind, base)
    if role == "attn_output":
        if traits.experts == 8:
            return "Q5_K" if kind in ATTN_OUTPUT_8_EXPERTS else base
        return ATTN_OUTPUT.get(kind, base)
    if role == "down":
        return _down_type(kind, cell, traits)
    is_middle = not cell.spot.is_first_eighth and not cell.spot.is_last_eighth
    return "IQ3_XXS" if role == "up" and kind == "iq3_xs" and is_middle else base


def _low_type(kind: str, cell: Cell, traits: Traits) -> str:
    """File types of two bits and fewer raise a few tensors by fixed steps."""
    base, role = BASE[kind], cell.kind.role
    raised = "IQ3_S" if kind in TWO_BIT else "Q2_K"
    if role == "value":
        return "Q4_K" if traits.is_grouped or traits.experts >= 4 else raised
    if role == "key" and traits.experts == 8:
        return "Q4_K"
    if role == "down":
        return raised if cell.is_counted_early else base
    if role == "attn_output":
        if traits.experts == 8:
            return "Q5_K"
        if kind in ("iq1_s", "iq1_m"):
            return "IQ2_XXS"
        return "IQ3_S" if kind in TWO_BIT else base
    return base


def _has_more_bits(cell: Cell) -> bool:
    return cell.spot.is_first_eighth or cell.spot.is_last_eighth or cell.spot.is_third


def _value_type(kind: str, cell: Cell, traits: Traits) -> str:
    chosen = VALUE_IF_GROUPED[kind] if traits.is_grouped and kind in VALUE_IF_GROUPED else BASE[kind]
    if kind == "q2_k" and not traits.is_grouped:
        chosen = "Q3_K"
    elif kind == "iq3_m":
        chosen = "Q4_K"
    elif kind == "q3_k_m":
        chosen = "Q5_K" if cell.spot.is_first_two else "Q4_K"
    elif kind == "q3_k_l":
        chosen = "Q5_K"
    elif kind in ("q4_k_m", "q5_k_m") and _has_more_bits(cell):
        chosen = "Q6_K"
    elif kind == "q4_k_s" and cell.spot.is_first_four:
        chosen = "Q5_K"
    if traits.is_70b and chosen in ("Q3_K", "Q4_K"):
        chosen = "Q5_K"
    return "Q8_0" if traits.experts == 8 else chosen


def _down_type(kind: str, cell: Cell, traits: Traits) -> str:
    base, is_early = BASE[kind], cell.spot.is_first_eighth
    if kind in ("q4_0", "q5_0"):
        return {"q4_0": "Q4_1", "q5_0": "Q5_1"}[kind] if is_early else base
    if kind == "q2_k":
        return "Q3_K"
    if kind == "q3_k_m":
        return "Q5_K" if cell.spot.is_first_sixteenth else "Q4_K"
    if kind == "iq3_m":
        return "Q4_K" if is_early or (traits.experts == 8 and _has_more_bits(cell)) else base
    if kind == "q3_k_l":
        return "Q5_K"
    if kind in ("q4_k_m", "q5_k_m"):
        return "Q6_K" if _has_more_bits(cell) else base
    raised = {"q2_k_s": "Q4_K", "q4_k_s": "Q5_K", "iq4_xs": "Q5_K", "iq4_nl": "Q5_K"}.get(kind, base)
    return raised if is_early else base


MATRICES = ("p_attn", "p_mlp", "p_expert", "p_shared", "p_ssm")
TOWERS = ("p_vision", "p_audio", "p_speech", "p_projector")


def file_of(columns: Mapping[str, int | float | None], layout: Layout | None) -> File | None:
    """The file of a model's decoder, null where its tensors are not known. Towers have a file of their own."""
    names = ("hidden_size", "vocab_size", "p_embed", "p_lm_head", "p_pos_embed", "parameters_resident")
    known = {name: columns.get(name) for name in (*names, *MATRICES, *TOWERS)}
    if layout is None or any(value is None for value in known.values()):
        return None
    n = {name: int(value) for name, value in known.items() if value is not None}
    matrix = n["vocab_size"] * n["hidden_size"]
    # tables of positions, or of further words by layer, are quantised in ways that were not checked
    if layout.elements != sum(n[name] for name in MATRICES) or n["p_embed"] != matrix or n["p_pos_embed"]:
        return None
    text = n["parameters_resident"] - sum(n[name] for name in TOWERS)
    return File(
        layout=layout,
        vocabulary=n["vocab_size"],
        hidden=n["hidden_size"],
        is_tied=n["p_lm_head"] == 0,
        unquantised=text - layout.elements - n["p_embed"] - n["p_lm_head"],
    )
