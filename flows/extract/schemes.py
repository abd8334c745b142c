"""How packed checkpoints store their matrices: for each tensor of a scheme, how many logical weights it stands for.

A scheme is a list of rules; the first whose name and dtype match a tensor decides, and a rule of no weights marks what
belongs to the packing (scales, zero points, indices). Sources: huggingface.js parse-safetensors-metadata for gptq, awq,
bitsandbytes, mxfp4 and pack-quantized; the writers themselves for the others (auto-gptq, compressed-tensors, mlx,
exllamav2 and v3, hqq, aqlm, quark, bitnet as transformers 5 reads them).
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, TypeGuard

from flows.headers.tensor_set import TensorGroup

# The groups of one module by the last word of their names.
Neighbours = Mapping[str, Sequence[TensorGroup]]
# Logical weights of a group; null when its neighbours do not tell.
Weights = Callable[[TensorGroup, Neighbours], Fraction | None]


@dataclass(frozen=True)
class Rule:
    """`name` is searched in the tensor's name, `dtypes` may be any when empty."""

    name: re.Pattern[str]
    dtypes: tuple[str, ...]
    weights: Weights


def rules(config: Mapping[str, Any]) -> tuple[Rule, ...]:
    """The rules that hold under this configuration, the most particular first; none for a plain checkpoint."""
    section = _section(config)
    if section is None:
        return ()
    if "quant_method" not in section and isinstance(config.get("quantization"), dict):
        return _mlx(section)
    method = str(section.get("quant_method", "")).lower()
    if "expert_dtype" in config or "expert_dtype" in section:
        return (_times(r"\.experts\..*weight$", ("I8", "U8"), 2),)
    if method in _METHODS:
        return _METHODS[method](section)
    if "quant_algo" in section:
        return _modelopt(section)
    return ()


def _section(config: Mapping[str, Any]) -> Mapping[str, Any] | None:
    text = config.get("text_config")
    inner = text if isinstance(text, dict) else {}
    for section in (config.get("quantization_config"), config.get("quantization"), inner.get("quantization_config")):
        if isinstance(section, dict) and section:
            return section
    return None


def _times(name: str, dtypes: tuple[str, ...], factor: int | Fraction) -> Rule:
    """A fixed number of weights for each stored element."""
    return Rule(re.compile(name), dtypes, lambda group, _: group.elements * Fraction(factor))


def _nothing(name: str) -> Rule:
    return Rule(re.compile(name), (), lambda _group, _neighbours: Fraction(0))


def _gptq(section: Mapping[str, Any]) -> tuple[Rule, ...]:
    """Rows of 32-bit words; widths that do not divide 32 run on over word borders, so the ratio is exact."""
    bits = section.get("bits", section.get("w_bit"))
    return (_times(r"\.qweight$", ("I32",), Fraction(32, bits)),) if _is_width(bits) else ()


def _bitsandbytes(section: Mapping[str, Any]) -> tuple[Rule, ...]:
    if section.get("load_in_8bit"):
        return (_times(r"\.weight$", ("I8",), 1),)
    return (_times(r"\.weight$", ("U8",), 2),)


def _mxfp4(_section: Mapping[str, Any]) -> tuple[Rule, ...]:
    return (_times(r"_blocks$", ("U8",), 2),)


def _modelopt(_section: Mapping[str, Any]) -> tuple[Rule, ...]:
    return _times(r"weight$", ("U8",), 2), _times(r"weight$", ("I8",), 1)


def _compressed_tensors(section: Mapping[str, Any]) -> tuple[Rule, ...]:
    """Words of whole integers where the width divides 32; otherwise, or of several widths, a scale for each group.

    Such words are padded, the scales are not: a group of the scale's size is the surer count.
    """
    if section.get("format") == "marlin-24":
        return ()  # half of its weights are not stored
    plain = (_times(r"\.weight$", ("I8",), 1), _times(r"\.weight(?:_packed)?$", ("U8",), 2))
    groups = section.get("config_groups")
    named = [one.get("weights") for one in groups.values() if isinstance(one, dict)] if isinstance(groups, dict) else []
    packed = [one for one in named if isinstance(one, dict) and one.get("type") == "int"]
    widths = {one.get("num_bits") for one in packed}
    width = next(iter(widths)) if len(widths) == 1 else None
    if _is_width(width) and 32 % width == 0:
        return (*plain, _times(r"\.weight_packed$", ("I32",), 32 // width))
    sizes = {one.get("group_size") for one in packed}
    size = next(iter(sizes)) if len(sizes) == 1 else None
    return (*plain, *_by_scales(r"\.weight_packed$", ("I32",), r"\.weight_scale$", size)) if _is_width(size) else plain


def _mlx(section: Mapping[str, Any]) -> tuple[Rule, ...]:
    """A scale, and in affine mode a bias, for each group; the widths may differ from layer to layer."""
    sizes = {section.get("group_size")}
    sizes |= {one.get("group_size") for one in section.values() if isinstance(one, dict) and "group_size" in one}
    size = next(iter(sizes)) if len(sizes) == 1 else None
    if not _is_width(size):
        return ()
    return *_by_scales(r"\.weight$", ("U32",), r"\.scales$", size), _nothing(r"\.biases$")


def _by_scales(words: str, dtypes: tuple[str, ...], scales: str, size: int) -> tuple[Rule, Rule]:
    """The words count nothing, their scales a group each."""
    return _times(words, dtypes, 0), _times(scales, (), size)


def _hqq(section: Mapping[str, Any]) -> tuple[Rule, ...]:
    """Bytes of whole integers. Three bits lie ten to a word, padded: nothing exact can be said of them."""
    settings: Any = section
    for key in ("quant_config", "weight_quant_params"):
        settings = settings.get(key, settings) if isinstance(settings, dict) else {}
    bits = settings.get("nbits", settings.get("bits")) if isinstance(settings, dict) else None
    if not _is_width(bits) or 8 % bits:
        return ()
    return _times(r"\.W_q$", ("U8",), 8 // bits), _nothing(
        r"\.(?:scale|zero|meta|axis|group_size|nbits|channel_wise|packing|view_as_float|offload_meta|shape|compute_dtype"
        r"|quant_scale|quant_zero|round_zero|optimize|unpack_view_dtype|stores_quant_config|encoded_state_dict)$"
    )


def _aqlm(section: Mapping[str, Any]) -> tuple[Rule, ...]:
    """A code for each codebook and group of weights; 16-bit codes are stored as I16, 8-bit ones as I8."""
    books, inside = section.get("num_codebooks"), section.get("in_group_size")
    outside = section.get("out_group_size", 1)
    if not (_is_width(books) and _is_width(inside) and _is_width(outside)):
        return ()
    return _times(r"\.codes$", ("I8", "I16", "U8", "U16"), Fraction(inside * outside, books)), _nothing(r"\.codebooks$")


def _exl2(_section: Mapping[str, Any]) -> tuple[Rule, ...]:
    """Widths differ from row to row; the order of the inputs has one entry for each, the words one column an output."""

    def matrix(group: TensorGroup, neighbours: Neighbours) -> Fraction | None:
        outputs = {words.shape[1:] for words in neighbours.get("q_weight", ())}
        if len(outputs) != 1 or len(group.shape) != 1:
            return None
        return Fraction(group.elements * math.prod(next(iter(outputs))))

    return (
        Rule(re.compile(r"\.q_(?:inv)?perm$"), (), matrix),
        _nothing(r"\.(?:q_weight|q_scale|q_scale_max|q_groups|q_group_map)$"),
    )


def _exl3(_section: Mapping[str, Any]) -> tuple[Rule, ...]:
    """Tiles of 16 x 16 weights, whatever the width; sign and scale vectors beside them."""

    def tiles(group: TensorGroup, _neighbours: Neighbours) -> Fraction | None:
        return Fraction(group.count * math.prod(group.shape[:2]) * 256) if len(group.shape) == 3 else None

    return Rule(re.compile(r"\.trellis$"), (), tiles), _nothing(r"\.(?:suh|svh|su|sv|mcg|mul1)$")


def _quark(section: Mapping[str, Any]) -> tuple[Rule, ...]:
    weight: Any = section.get("global_quant_config")
    weight = weight.get("weight") if isinstance(weight, dict) else None
    weight = weight[0] if isinstance(weight, list) and weight else weight
    dtype = str(weight.get("dtype")) if isinstance(weight, dict) else ""
    if dtype in ("fp4", "mxfp4"):
        return (_times(r"\.weight$", ("U8",), 2),)
    if dtype in ("int4", "uint4"):
        return (_times(r"\.weight$", ("I32",), 8),)
    return (_times(r"\.weight$", ("I8",), 1),)


def _bitnet(_section: Mapping[str, Any]) -> tuple[Rule, ...]:
    """Four ternary weights a byte."""
    return (_times(r"\.weight$", ("U8",), 4),)


def _eetq(_section: Mapping[str, Any]) -> tuple[Rule, ...]:
    return _times(r"\.weight$", ("I8",), 1), _nothing(r"\.weight_scales$")


def _is_width(bits: object) -> TypeGuard[int]:
    return type(bits) is int and 1 <= bits <= 4096


_METHODS: dict[str, Callable[[Mapping[str, Any]], tuple[Rule, ...]]] = {
    "gptq": _gptq, "awq": _gptq, "auto-round": _gptq, "intel/auto-round": _gptq, "bitsandbytes": _bitsandbytes,
    "mxfp4": _mxfp4, "modelopt": _modelopt, "modelopt_fp4": _modelopt, "modelopt_mixed": _modelopt,
    "compressed-tensors": _compressed_tensors, "hqq": _hqq, "aqlm": _aqlm, "exl2": _exl2, "exl3": _exl3,
    "quark": _quark, "bitnet": _bitnet, "eetq": _eetq,
}  # fmt: skip
