"""Which of our weight formats a repository is stored in: `quantization_config` first, then the dtype."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

import catalogs

FLOATS = {"BF16": "bf16", "F16": "fp16", "F32": "fp32"}
TORCH = {"bfloat16": "bf16", "float16": "fp16", "float32": "fp32"}


@cache
def known_precisions() -> frozenset[str]:
    """Every precision of the embedded catalog."""
    return frozenset(catalogs.precisions()["precision"])


def stored_precision(config: Mapping[str, Any] | None, dtypes: Mapping[str, int]) -> tuple[str | None, bool]:
    """(precision or null when not recognised, whether the repository is quantised)."""
    config = config or {}
    section = config.get("quantization_config") or config.get("quantization")
    if isinstance(config.get("text_config"), dict):
        section = section or config["text_config"].get("quantization_config")
    if isinstance(section, dict):
        found = _quantised(section, is_mlx="quantization" in config and "quant_method" not in section)
        return (found if found in known_precisions() else None), True
    plain = {FLOATS[dtype]: count for dtype, count in dtypes.items() if dtype in FLOATS}
    if plain:
        return max(plain, key=lambda precision: plain[precision]), False
    if dtypes:
        return None, True  # packed or 8-bit tensors without a word about them
    text = config.get("text_config")
    for place in (config, text if isinstance(text, dict) else {}):
        dtype = place.get("dtype") or place.get("torch_dtype")
        if isinstance(dtype, str) and dtype in TORCH:
            return TORCH[dtype], False
    return None, False


def _quantised(section: Mapping[str, Any], *, is_mlx: bool) -> str | None:
    method = str(section.get("quant_method", "")).lower()
    bits, group = section.get("bits"), section.get("group_size")
    if is_mlx:
        return f"mlx_{bits}bit_g{group}"
    if method == "awq":
        return f"int{bits}_awq_g{group}"
    if method == "gptq":
        return f"int{bits}_gptq_g{group}"
    if method == "fp8":
        return "fp8_e4m3_block128" if section.get("weight_block_size") == [128, 128] else "fp8_e4m3_tensor"
    if method == "fbgemm_fp8":
        return "fp8_e4m3_channel"
    if method == "mxfp4":
        return "mxfp4"
    if method == "bitsandbytes":
        return _bitsandbytes(section)
    if method == "hqq":
        return f"hqq_{bits}bit_g{group}"
    if method == "compressed-tensors":
        return _compressed_tensors(section)
    if method == "modelopt" or "quant_algo" in section:
        algorithm = str(section.get("quant_algo", "")).upper()
        return {"NVFP4": "nvfp4", "FP8": "fp8_e4m3_tensor"}.get(algorithm)
    return None


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
    named = groups.values() if isinstance(groups, dict) else ()
    weights = (group.get("weights") for group in named if isinstance(group, dict))
    schemes: list[dict[str, Any]] = [scheme for scheme in weights if isinstance(scheme, dict)]
    if not schemes or any(scheme != schemes[0] for scheme in schemes):
        return None  # a mixture of formats has no single name
    scheme = schemes[0]
    bits, kind, strategy = scheme.get("num_bits"), scheme.get("type"), scheme.get("strategy")
    if kind == "float" and bits == 8:
        return {"channel": "fp8_e4m3_channel", "tensor": "fp8_e4m3_tensor", "block": "fp8_e4m3_block128"}.get(
            str(strategy)
        )
    if kind == "float" and bits == 4:
        return "nvfp4"
    if kind == "int" and bits == 8 and section.get("format") != "pack-quantized":
        return "int8_w8a8"
    if kind == "int" and bits == 4 and scheme.get("symmetric", True):
        return f"int4_ct_sym_g{scheme.get('group_size')}"
    return None
