"""Which of our weight formats a repository is stored in: `quantization_config` first, then the dtypes."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import catalogs

FLOATS = {"BF16": "bf16", "F16": "fp16", "F32": "fp32"}
TORCH = {"bfloat16": "bf16", "float16": "fp16", "float32": "fp32"}
# Bytes an element, for the question which dtype holds most of a checkpoint.
_WIDTHS = {"F64": 8, "I64": 8, "F32": 4, "I32": 4, "U32": 4, "BF16": 2, "F16": 2, "I16": 2, "U16": 2}
# Buffers, never weights.
_BUFFERS = ("I64", "BOOL")
_MODELOPT = {
    "NVFP4": "nvfp4", "NVFP4_AWQ": "nvfp4", "FP8": "fp8_e4m3_tensor", "FP8_PB_WO": "fp8_e4m3_block128",
    "FP8_PER_CHANNEL_PER_TOKEN": "fp8_e4m3_channel", "MXFP8": "mxfp8", "MXFP4": "mxfp4",
}  # fmt: skip
_FP8_STRATEGY = {"channel": "fp8_e4m3_channel", "tensor": "fp8_e4m3_tensor", "block": "fp8_e4m3_block128"}


@cache
def known_precisions() -> frozenset[str]:
    """Every precision of the embedded catalog."""
    return frozenset(catalogs.precisions()["precision"])


def stored_precision(config: Mapping[str, Any] | None, dtypes: Mapping[str, int]) -> tuple[str | None, bool]:
    """(precision or null when not recognised, whether the repository is quantised)."""
    config = config or {}
    text = config.get("text_config")
    inner = text if isinstance(text, dict) else {}
    section = config.get("quantization_config") or config.get("quantization") or inner.get("quantization_config")
    if isinstance(section, dict):
        is_mlx = "quant_method" not in section and "quantization" in config
        found = None if "expert_dtype" in config else _quantised(section, is_mlx=is_mlx)
        return (found if found in known_precisions() else None), True
    if weights := {dtype: count for dtype, count in dtypes.items() if dtype not in _BUFFERS}:
        most = max(weights, key=lambda dtype: weights[dtype] * _WIDTHS.get(dtype, 1))
        # packed or 8-bit tensors without a word about them: quantised, nothing says how
        return FLOATS.get(most), most not in FLOATS
    for place in (config, inner):
        dtype = place.get("dtype") or place.get("torch_dtype")
        if isinstance(dtype, str) and dtype in TORCH:
            return TORCH[dtype], False
    return None, False


def _quantised(section: Mapping[str, Any], *, is_mlx: bool) -> str | None:
    """The name that these settings would have, whether or not the catalog knows it. Mixtures have none."""
    if is_mlx:
        return _mlx(section)
    method = str(section.get("quant_method", "")).lower()
    bits = _whole(section.get("bits", section.get("w_bit")))
    group = section.get("group_size", section.get("q_group_size"))
    if method in ("awq", "gptq"):
        return f"int{bits}_{method}_g{group}"
    if method in ("auto-round", "intel/auto-round"):
        layout = "awq" if "awq" in str(section.get("packing_format")) else "gptq"
        return f"int{bits}_{layout}_g{group}"
    if method == "bitsandbytes":
        return _bitsandbytes(section)
    if method == "compressed-tensors":
        return _compressed_tensors(section)
    if algorithm := section.get("quant_algo"):
        return _MODELOPT.get(str(algorithm).upper())
    if method == "fp8":
        return _fp8(section)
    if method == "hqq":
        return _hqq(section)
    if method in ("exl2", "exl3"):
        bits = section.get("bits")
        return f"{method}_{bits:.1f}bpw" if isinstance(bits, int | float) else None
    if method == "aqlm":
        codebooks = [section.get(name) for name in ("nbits_per_codebook", "num_codebooks", "in_group_size")]
        return "aqlm_2bit_1x16" if codebooks == [16, 1, 8] else None
    return {"fbgemm_fp8": "fp8_e4m3_channel", "mxfp4": "mxfp4"}.get(method)


def _whole(bits: object) -> object:
    return int(bits) if isinstance(bits, float) and bits.is_integer() else bits


def _mlx(section: Mapping[str, Any]) -> str | None:
    """Affine groups. Sections named after layers are exceptions: equal ones say nothing, others make a mixture."""
    bits, group = section.get("bits"), section.get("group_size")
    layers = [value for value in section.values() if isinstance(value, dict)]
    if any((layer.get("bits", bits), layer.get("group_size", group)) != (bits, group) for layer in layers):
        return None
    return f"mlx_{bits}bit_g{group}" if section.get("mode") in (None, "affine") else None


def _fp8(section: Mapping[str, Any]) -> str | None:
    if "e5m2" in str(section.get("fmt")):
        return "fp8_e5m2"
    block = section.get("weight_block_size")
    if block is None:
        return "fp8_e4m3_tensor"
    return "fp8_e4m3_block128" if block == [128, 128] else None


def _hqq(section: Mapping[str, Any]) -> str | None:
    settings: Any = section
    for key in ("quant_config", "weight_quant_params"):
        settings = settings.get(key, settings) if isinstance(settings, dict) else {}
    if not isinstance(settings, dict):
        return None
    return f"hqq_{settings.get('nbits', settings.get('bits'))}bit_g{settings.get('group_size')}"


def _bitsandbytes(section: Mapping[str, Any]) -> str | None:
    if section.get("load_in_8bit"):
        return "int8_bnb"
    if not section.get("load_in_4bit"):
        return None
    if section.get("bnb_4bit_quant_type", "fp4") == "fp4":
        return "fp4_bnb"
    return "nf4_dq" if section.get("bnb_4bit_use_double_quant") else "nf4"


def _compressed_tensors(section: Mapping[str, Any]) -> str | None:
    groups = section.get("config_groups")
    named = [group for group in groups.values() if isinstance(group, dict)] if isinstance(groups, dict) else []
    schemes = [_scheme(group.get("weights")) for group in named]
    if not schemes or any(scheme != schemes[0] for scheme in schemes):
        return None  # a mixture of formats has no single name
    bits, kind, strategy, group, symmetric = schemes[0]
    if kind == "float" and bits == 8:
        return _FP8_STRATEGY.get(str(strategy))
    if kind == "float" and bits == 4:
        return {16: "nvfp4", 32: "mxfp4"}.get(group) if isinstance(group, int) else None
    if kind == "int" and bits == 8 and section.get("format") != "pack-quantized":
        return "int8_w8a8"
    if kind == "int" and bits == 4 and symmetric is not False:
        inputs = _scheme(named[0].get("input_activations"))
        if inputs[:2] == (8, "float"):
            return "int4_w4a8_fp8" if group == 128 else None
        return f"int4_ct_sym_g{group}"
    return None


def _scheme(weights: object) -> tuple[object, ...]:
    """What tells two formats apart; observers and the like do not."""
    names = ("num_bits", "type", "strategy", "group_size", "symmetric")
    return tuple(weights.get(name) for name in names) if isinstance(weights, dict) else (None,) * len(names)
