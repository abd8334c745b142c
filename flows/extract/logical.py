"""Stored tensors -> logical parameters and bytes: what packing multiplies, and what is stored but is no parameter.

The rules of each scheme are in `schemes`. A packed tensor without a rule leaves the count unknown: never a guess.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from flows.extract.info import LARGEST_SIZE
from flows.extract.schemes import rules
from flows.headers.tensor_set import TensorGroup, TensorSet

FLOATS = ("F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "F4", "C64")
# Scales, zero points, indices and states of quantisation; tables, masks and statistics that a program makes or gathers.
NO_PARAMETER = re.compile(
    r"(?:^|\.)(?:weight_scale(?:_inv|_2)?|weight_global_scale|input_scale|input_global_scale|output_scale|[qkv]_scale"
    r"|weight_zero_point|input_zero_point|weight_shape|weight_g_idx|qzeros|scales|g_idx|SCB|weight_format|absmax"
    r"|quant_map|weight\.(?:absmax|quant_map|nested_absmax|nested_quant_map|quant_state\..*|SCB|weight_format)"
    r"|inv_freq|rotary_emb\.(?:cos|sin)_cached|masked_bias|position_ids|e_score_correction_bias|num_batches_tracked"
    r"|running_mean|running_var)$"
    r"|_(?:scales|scale_inv)$"
)
MASK = re.compile(r"(?:^|\.)attn(?:ention)?\.bias$")  # causal masks of GPT-2 and GPT-NeoX: a bias has one dimension
EMBEDDING = re.compile(r"(?:^|\.)(?:embed_tokens|wte|word_embeddings|shared|embed_in|tok_embeddings)\.weight$")
# Rotary factors that converters to GGUF store with the weights.
ROTARY_TABLES = ("rope_freqs.weight", "rope_factors_long.weight", "rope_factors_short.weight")
# What a tied model may store a second time: the head, the embedding of each half beside the shared one, head biases.
HEAD = re.compile(r"(?:^|\.)(?:lm_head|embed_out|proj_out|predictions\.decoder|lm_head\.decoder)\.weight$")
HALF = re.compile(r"(?:^|\.)(?:encoder|decoder)\.embed_tokens\.weight$")
HEAD_BIAS = re.compile(r"((?:^|\.)(?:predictions|lm_head))\.decoder\.bias$")


@dataclass(frozen=True)
class Logical:
    """`parameters` is null when something stored has no rule; `note` says what."""

    parameters: int | None
    note: str | None = None


def logical(found: TensorSet, config: Mapping[str, Any], *, is_tied: bool) -> Logical:
    """Parameters of one weight set. `is_tied`: a stored head is a copy of the embedding."""
    packing = rules(config)
    modules = _modules(found) if packing else {}
    copies = _copies(found, is_tied=is_tied)
    total = Fraction(0)
    for group in found.groups:
        rule = next((one for one in packing if group.dtype in (one.dtypes or (group.dtype,))
                     and one.name.search(group.pattern)), None)  # fmt: skip
        if rule is not None:
            weights = rule.weights(group, modules.get(group.pattern.rpartition(".")[0], {}))
            if weights is None:
                return Logical(None, f"{group.pattern:.80} has no usable neighbours")
            total += weights
            continue
        if group in copies or _is_no_parameter(group):
            continue
        if group.dtype not in FLOATS:
            return Logical(None, f"no rule for {group.pattern:.80} of {group.dtype}")
        total += group.elements
    if total.denominator != 1 or not 0 < total <= LARGEST_SIZE:
        return Logical(None, "its packed tensors do not hold a whole number of weights")
    return Logical(int(total))


def gguf_parameters(found: TensorSet) -> int | None:
    """Logical parameters of one file or shard set, exact; null when its headers are not known."""
    total = sum(group.elements for group in found.groups if group.pattern not in ROTARY_TABLES)
    return total if 0 < total <= LARGEST_SIZE else None


def _copies(found: TensorSet, *, is_tied: bool) -> set[TensorGroup]:
    """Groups that repeat another tensor of the set; one of another shape is no copy, whatever its name."""
    shapes = {group.pattern: group.shape for group in found.groups}
    embeddings = {shape for pattern, shape in shapes.items() if EMBEDDING.search(pattern)}
    shared = {shape for pattern, shape in shapes.items() if pattern.rpartition("model.")[2] == "shared.weight"}

    def is_copy(group: TensorGroup) -> bool:
        if HEAD.search(group.pattern):
            return is_tied and group.shape in embeddings
        if HALF.search(group.pattern):
            return group.shape in shared
        original = HEAD_BIAS.sub(r"\1.bias", group.pattern)
        return original != group.pattern and shapes.get(original) == group.shape

    return {group for group in found.groups if is_copy(group)}


def _modules(found: TensorSet) -> dict[str, dict[str, list[TensorGroup]]]:
    """Groups by module and last word of their names."""
    modules: dict[str, dict[str, list[TensorGroup]]] = defaultdict(lambda: defaultdict(list))
    for group in found.groups:
        module, _, word = group.pattern.rpartition(".")
        modules[module][word].append(group)
    return modules


def _is_no_parameter(group: TensorGroup) -> bool:
    if group.dtype in ("F8_E8M0", "BOOL", "I64") or NO_PARAMETER.search(group.pattern):
        return True
    return bool(MASK.search(group.pattern)) and len(group.shape) == 4
