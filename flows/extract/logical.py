"""Stored tensors -> logical parameters: what packing multiplies, and what is stored but no parameter.

One row a scheme, after the rules that the Hub's own parser adopted (huggingface.js parse-safetensors-metadata) and the
layouts of the libraries that write them. A packed tensor without a rule leaves the count unknown: never a guess.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from flows.extract.info import LARGEST_SIZE
from flows.headers.safetensors import BITS
from flows.headers.tensor_set import TensorGroup, TensorSet

FLOATS = ("F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2", "F8_E4M3FNUZ", "F8_E5M2FNUZ", "F4")
# Scales, zero points, indices and states of quantisation; tables and masks that a program makes again by itself.
NO_PARAMETER = re.compile(
    r"(?:^|\.)(?:weight_scale(?:_inv|_2)?|weight_global_scale|input_scale|input_global_scale|output_scale|[qkv]_scale"
    r"|weight_zero_point|input_zero_point|weight_shape|weight_g_idx|qzeros|scales|g_idx|SCB|weight_format|absmax"
    r"|quant_map|weight\.(?:absmax|quant_map|nested_absmax|nested_quant_map|quant_state\..*|SCB|weight_format)"
    r"|inv_freq|rotary_emb\.(?:cos|sin)_cached|masked_bias|position_ids|e_score_correction_bias|num_batches_tracked)$"
    r"|_(?:scales|scale_inv)$"
)
MASK = re.compile(r"(?:^|\.)attn\.bias$")  # GPT-2's causal masks: four dimensions, where a bias has one
ROUTED = re.compile(r"\.experts\.")


@dataclass(frozen=True)
class Scheme:
    """How one way of packing stores a matrix: name, dtype, and logical weights for each stored element."""

    name: re.Pattern[str]
    dtypes: tuple[str, ...]
    weights: Fraction


@dataclass(frozen=True)
class Logical:
    """`parameters` is null when something stored has no rule; `note` says what."""

    parameters: int | None
    bytes: int | None
    note: str | None = None


def logical(found: TensorSet, config: Mapping[str, Any], *, is_tied: bool) -> Logical:
    """Parameters and tensor bytes of one weight set. `is_tied`: a stored head is a copy of the embedding."""
    schemes = _schemes(config)
    skips_biases = "quantization" in config and "quantization_config" not in config  # MLX keeps a bias with each scale
    total = Fraction(0)
    for group in found.groups:
        if _is_no_parameter(group, is_tied=is_tied, skips_biases=skips_biases):
            continue
        scheme = next((one for one in schemes if group.dtype in one.dtypes and one.name.search(group.pattern)), None)
        if scheme is None and group.dtype not in FLOATS:
            return Logical(None, _bytes(found), f"no rule for {group.pattern:.80} of {group.dtype}")
        total += group.elements * (scheme.weights if scheme else 1)
    if total.denominator != 1 or not 0 < total <= LARGEST_SIZE:
        return Logical(None, _bytes(found), "its packed tensors do not hold a whole number of weights")
    return Logical(int(total), _bytes(found))


def elements(found: TensorSet) -> dict[str, int]:
    """Stored elements by dtype: what the Hub's counts may or may not be."""
    counts: dict[str, int] = {}
    for group in found.groups:
        counts[group.dtype] = counts.get(group.dtype, 0) + group.elements
    return counts


def _bytes(found: TensorSet) -> int | None:
    if found.tensor_bytes is not None:
        return found.tensor_bytes if found.tensor_bytes <= LARGEST_SIZE else None
    bits = sum(group.elements * BITS.get(group.dtype, 0) for group in found.groups)
    return bits // 8 if all(group.dtype in BITS for group in found.groups) else None


def _is_no_parameter(group: TensorGroup, *, is_tied: bool, skips_biases: bool) -> bool:
    if group.dtype == "F8_E8M0" or group.dtype in ("BOOL", "I64") or NO_PARAMETER.search(group.pattern):
        return True
    if skips_biases and group.pattern.endswith(".biases"):
        return True
    if MASK.search(group.pattern) and len(group.shape) == 4:
        return True
    return is_tied and group.pattern.endswith("lm_head.weight")


def _schemes(config: Mapping[str, Any]) -> tuple[Scheme, ...]:
    """The rules that hold for this configuration, the most particular first."""
    text = config.get("text_config")
    inner = text if isinstance(text, dict) else {}
    section = config.get("quantization_config") or inner.get("quantization_config")
    if not isinstance(section, dict):
        mlx = config.get("quantization")
        bits = mlx.get("bits") if isinstance(mlx, dict) else None
        return (_packed(r"\.weight$", ("U32",), 32, bits),) if _is_width(bits) else ()
    method = str(section.get("quant_method", "")).lower()
    if "expert_dtype" in config or "expert_dtype" in section:
        return (_packed(r"\.experts\..*weight$", ("I8", "U8"), 8, 4),)
    if method in ("gptq", "awq", "auto-round", "intel/auto-round"):
        bits = section.get("bits", section.get("w_bit"))
        return (_packed(r"\.qweight$", ("I32",), 32, bits),) if _is_width(bits) else ()
    if method == "bitsandbytes":
        if section.get("load_in_8bit"):
            return (_packed(r"\.weight$", ("I8",), 8, 8),)
        return (_packed(r"\.weight$", ("U8",), 8, 4),)
    if method == "mxfp4":
        return (_packed(r"_blocks$", ("U8",), 8, 4),)
    if method == "hqq":
        bits = _hqq_bits(section)
        return (_packed(r"\.W_q$", ("U8",), 8, bits),) if _is_width(bits) else ()
    if method == "compressed-tensors":
        return _compressed_tensors(section)
    if method == "modelopt" or section.get("quant_algo"):
        return (_packed(r"weight$", ("U8",), 8, 4), _packed(r"weight$", ("I8",), 8, 8))
    return ()


def _compressed_tensors(section: Mapping[str, Any]) -> tuple[Scheme, ...]:
    """pack-quantized of one width, and the eight-bit and FP4 layouts beside it. Several widths cannot be told apart."""
    groups = section.get("config_groups")
    named = (
        [group.get("weights") for group in groups.values() if isinstance(group, dict)]
        if isinstance(groups, dict)
        else []
    )
    widths = {one.get("num_bits") for one in named if isinstance(one, dict) and one.get("type") == "int"}
    found = [_packed(r"\.weight$", ("I8",), 8, 8), _packed(r"\.weight(?:_packed)?$", ("U8",), 8, 4)]
    packed = widths - {8} or widths
    if len(packed) == 1 and _is_width(width := next(iter(packed))):
        found.append(_packed(r"\.weight_packed$", ("I32",), 32, width))
    return tuple(found)


def _hqq_bits(section: Mapping[str, Any]) -> object:
    settings: Any = section
    for key in ("quant_config", "weight_quant_params"):
        settings = settings.get(key, settings) if isinstance(settings, dict) else {}
    return settings.get("nbits", settings.get("bits")) if isinstance(settings, dict) else None


def _is_width(bits: object) -> bool:
    return type(bits) is int and 1 <= bits <= 16


def _packed(name: str, dtypes: tuple[str, ...], container: int, bits: Any) -> Scheme:
    return Scheme(re.compile(name), dtypes, Fraction(container, bits))
