"""The tensors of a decoder as llama.cpp's converter writes them: what the type of a quantised tensor depends on.

A tensor's type follows from its role, its place among the tensors of that role and the width of its rows
(flows/extract/gguf_mix.py). Only model types with a row in gguf_tensors.toml have a layout, and plain dense decoders:
one that nobody checked is none. Source: conversion/*.py and src/llama-quant.cpp of github.com/ggml-org/llama.cpp at
007dbbf3.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import product
from typing import Any, NamedTuple

from flows.extract.attention import Attention
from flows.extract.linears import Linear

ATTENTION = ("query", "key", "value")
PLACED = ("value", "up", "down")  # roles whose type depends on the layer in some file types
PLAIN = {*ATTENTION, "attn_output", "up", "down"}
# llama.cpp reads a layer's tensors by name, and of feed-forwards the dense ones before routed and shared ones.
ORDER = ("attn", "ssm", "mlp", "expert", "shared")


class Spot(NamedTuple):
    """Where a tensor is among those of its role, as far as the rule tells places apart."""

    is_first_two: bool = False
    is_first_four: bool = False
    is_first_sixteenth: bool = False
    is_first_eighth: bool = False
    is_last_eighth: bool = False
    is_third: bool = False


SPOTS = tuple(Spot(*marks) for marks in product((False, True), repeat=len(Spot._fields)))


class Kind(NamedTuple):
    """What tensors have in common wherever they are.

    role: query, key, value (also queries, keys and values in one tensor), attn_output, up (and gates), down, or
    nothing. block: what a row divides into, 256, 32 or 1 weights. is_stack: several matrices in one tensor, as experts
    are. is_kept: experts that were published in four bits and stay so.
    """

    role: str
    block: int
    is_stack: bool = False
    is_kept: bool = False


class Cell(NamedTuple):
    """Tensors that have one type, whatever the file type is."""

    kind: Kind
    spot: Spot = Spot()
    is_counted_early: bool = False  # below three bits feed-forwards are counted one by one, whatever their layer


@dataclass(frozen=True)
class Layout:
    """Elements of the quantised tensors by cell, without the vocabulary's, and what else the rule reads of a model."""

    cells: tuple[tuple[Cell, int], ...]
    experts: int  # routed ones, 0 for a dense model
    is_grouped: bool  # four query heads and more share keys and values, as llama.cpp reads it off the first layer
    is_70b: bool  # llama.cpp's class of 80 layers with shared keys and values

    @property
    def elements(self) -> int:
        return sum(elements for _, elements in self.cells)


Parts = tuple[tuple[Kind, int], ...]  # the tensors of one layer and their elements


def parts_of(linears: Mapping[Linear, int], row: Mapping[str, Any]) -> Parts:
    """In the order in which llama.cpp reads them."""
    found = []
    for linear, times in sorted(linears.items(), key=lambda item: ORDER.index(item[0].component)):
        is_expert = linear.component == "expert"
        for role, rows, columns in linear.cut or ((linear.tensor, linear.rows, linear.columns),):
            kind = Kind(
                role="value" if role in ATTENTION and row.get("fused") else "" if role == "latent" else role,
                block=next(width for width in (256, 32, 1) if columns % width == 0),
                is_stack=is_expert or role == "latent",
                is_kept=is_expert and bool(row.get("kept_experts")),
            )
            found.append((kind, rows * columns * linear.count * times))
    return tuple(found)


def layout(
    alike: Sequence[Parts],
    which: Sequence[int],
    first: Attention | None,
    row: Mapping[str, Any] | None,
    *,
    experts: int,
    further: int,
) -> Layout | None:
    """`which` of the layers that are alike stands where; `first` is the attention of the first one that has any.

    `further` layers predict: the file has them as well. Null without a row, unless the decoder is plain.
    """
    if not which or (row is None and not _is_plain(alike, experts)):
        return None
    row = row or {}
    blocks = len(which) + further
    attends = any(kind.role in ("query", "value") for kind, _ in alike[which[0]])
    is_read = first is not None and (attends or not row.get("kv_heads_by_layer"))
    return Layout(
        cells=tuple(_cells(alike, which, further, has_experts=experts > 1).items()),
        experts=experts,
        is_grouped=first is not None and is_read and first.heads // max(first.kv_heads, 1) >= 4,
        is_70b=blocks == 80 and first is not None and first.heads != first.kv_heads,
    )


def _cells(alike: Sequence[Parts], which: Sequence[int], further: int, *, has_experts: bool) -> dict[Cell, int]:
    """Elements by cell; queries, keys and values that are one tensor have one place."""
    cells: Counter[Cell] = Counter()
    placed: list[list[tuple[Kind, int]]] = []
    for number, one in enumerate(alike):
        placed.append([part for part in one if part[0].role in PLACED])
        for kind, elements in one:
            if kind.role not in PLACED:
                cells[Cell(kind)] += elements * which.count(number)
    blocks = len(which) + further
    has_values = [any(kind.role == "value" for kind, _ in one) for one in alike]
    values = sum(has_values[one] for one in which) + further * has_values[which[-1]]
    by_value, by_layer = _spots(values), _spots(blocks)
    # places that the rule does not tell apart are counted before anything is made of them
    places: Counter[tuple[int, int, int, bool]] = Counter()
    value = down = 0
    for number, one_of in enumerate(which):
        for part, (kind, _) in enumerate(placed[one_of]):
            if kind.role == "value":
                places[one_of, part, by_value[value], False] += 1
                continue
            spot = by_layer[number if has_experts else min(down, blocks - 1)]
            places[one_of, part, spot, down < blocks // 8] += 1
            down += kind.role == "down"
        value += has_values[one_of]
    for (one_of, part, spot, is_early), times in places.items():
        kind, elements = placed[one_of][part]
        cells[Cell(kind, SPOTS[spot], is_early)] += elements * times
    return cells


def _is_plain(alike: Iterable[Parts], experts: int) -> bool:
    """Dense, with queries, keys, values and a gated feed-forward in each layer: the llama layout."""
    for one in alike:
        sizes: Counter[str] = Counter()
        for kind, elements in one:
            sizes[kind.role] += elements
        if sizes.keys() != PLAIN or sizes["up"] != 2 * sizes["down"]:
            return False
    return experts == 0


@lru_cache(maxsize=256)
def _spots(count: int) -> tuple[int, ...]:
    """Of so many places in their order, the number in SPOTS."""
    eighth = count // 8
    found = (
        Spot(
            is_first_two=place < 2,
            is_first_four=place < 4,
            is_first_sixteenth=place < count // 16,
            is_first_eighth=place < eighth,
            is_last_eighth=place >= 7 * count // 8,
            is_third=(place - eighth) % 3 == 2,
        )
        for place in range(count)
    )
    return tuple(SPOTS.index(spot) for spot in found)
