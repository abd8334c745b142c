"""The format that a repository is stored in, by its settings and by its dtypes."""

from __future__ import annotations

from typing import Any

import pytest

from flows.extract.quantization import known_precisions, stored_precision


def scheme(**weights: Any) -> dict[str, Any]:
    inputs = weights.pop("inputs", None)
    groups = {"group_0": {"targets": ["Linear"], "weights": weights, "input_activations": inputs}}
    form = "pack-quantized" if weights.get("type") == "int" and weights.get("num_bits") == 4 else "other"
    return {"quant_method": "compressed-tensors", "format": form, "config_groups": groups}


INT4 = {"num_bits": 4, "type": "int", "strategy": "group", "group_size": 128, "symmetric": True}
MIXED = scheme(**INT4)
MIXED["config_groups"]["group_1"] = {"weights": {"num_bits": 8, "type": "float", "strategy": "channel"}}
SAME = scheme(**INT4)
SAME["config_groups"]["group_1"] = {"weights": {**INT4, "observer": "mse"}}


@pytest.mark.parametrize(
    ("section", "precision"),
    [
        ({"quant_method": "awq", "w_bit": 4, "q_group_size": 128}, "int4_awq_g128"),
        ({"quant_method": "awq", "bits": 4.0, "group_size": 64}, "int4_awq_g64"),
        ({"quant_method": "gptq", "bits": 3, "group_size": 128}, "int3_gptq_g128"),
        ({"quant_method": "gptq", "bits": 4, "group_size": -1}, None),
        ({"quant_method": "gptq", "bits": "4\n", "group_size": [128]}, None),
        ({"quant_method": "auto-round", "bits": 4, "group_size": 128, "packing_format": "auto_round:auto_gptq"},
         "int4_gptq_g128"),
        ({"quant_method": "intel/auto-round", "bits": 4, "group_size": 128, "packing_format": "auto_round:auto_awq"},
         "int4_awq_g128"),
        ({"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_quant_type": "nf4"}, "nf4"),
        ({"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_quant_type": "nf4",
          "bnb_4bit_use_double_quant": True}, "nf4_dq"),
        ({"quant_method": "bitsandbytes", "load_in_4bit": True}, "fp4_bnb"),
        ({"quant_method": "bitsandbytes", "load_in_8bit": True, "load_in_4bit": False}, "int8_bnb"),
        ({"quant_method": "fp8", "weight_block_size": [128, 128], "fmt": "e4m3"}, "fp8_e4m3_block128"),
        ({"quant_method": "fp8", "weight_block_size": [1, 128]}, None),
        ({"quant_method": "fp8", "weight_block_size": None, "activation_scheme": "static"}, "fp8_e4m3_tensor"),
        ({"quant_method": "fp8", "fmt": "e5m2"}, "fp8_e5m2"),
        ({"quant_method": "fp8", "weight_block_size": [128, 128], "quant_algo": "MIXED_PRECISION"}, None),
        ({"quant_algo": "FP8"}, "fp8_e4m3_tensor"),
        ({"quant_method": "modelopt", "quant_algo": "FP8_PB_WO"}, "fp8_e4m3_block128"),
        ({"quant_method": "modelopt_fp4", "quant_algo": "NVFP4"}, "nvfp4"),
        ({"quant_method": "hqq", "quant_config": {"weight_quant_params": {"nbits": 4, "group_size": 64}}},
         "hqq_4bit_g64"),
        ({"quant_method": "hqq", "quant_config": {"weight_quant_params": 7}}, None),
        ({"quant_method": "exl2", "bits": 4}, "exl2_4.0bpw"),
        ({"quant_method": "exl3", "bits": 3.5}, "exl3_3.5bpw"),
        ({"quant_method": "exl3", "bits": "many"}, None),
        ({"quant_method": "aqlm", "nbits_per_codebook": 16, "num_codebooks": 1, "in_group_size": 8}, "aqlm_2bit_1x16"),
        (scheme(**INT4), "int4_ct_sym_g128"),
        (scheme(**{**INT4, "symmetric": False}), None),
        (scheme(**INT4, inputs={"num_bits": 8, "type": "float"}), "int4_w4a8_fp8"),
        (scheme(num_bits=8, type="float", strategy="block"), "fp8_e4m3_block128"),
        (scheme(num_bits=8, type="float", strategy="tensor"), "fp8_e4m3_tensor"),
        (scheme(num_bits=8, type="float", strategy="channel"), "fp8_e4m3_channel"),
        (scheme(num_bits=4, type="float", group_size=16), "nvfp4"),
        (scheme(num_bits=4, type="float", group_size=32), "mxfp4"),
        (scheme(num_bits=4, type="float", group_size=[16]), None),
        (scheme(num_bits=8, type="int", strategy="channel"), "int8_w8a8"),
        (MIXED, None),
        (SAME, "int4_ct_sym_g128"),
        ({"quant_method": "compressed-tensors", "config_groups": [1]}, None),
        ({"quant_method": 7}, None),
    ],
)  # fmt: skip
def test_settings_name_a_format(section: dict[str, Any], precision: str | None) -> None:
    assert stored_precision({"quantization_config": section}, {"BF16": 5}) == (precision, True)
    assert precision is None or precision in known_precisions()


@pytest.mark.parametrize(
    ("section", "precision"),
    [
        ({"bits": 4, "group_size": 64}, "mlx_4bit_g64"),
        ({"bits": 4, "group_size": 32, "mode": "mxfp4"}, None),
        ({"bits": 4, "group_size": 64, "lm_head": {"bits": 8, "group_size": 64}}, None),
        ({"bits": 4, "group_size": 64, "lm_head": {"bits": 4, "group_size": 64}, "gate": False}, "mlx_4bit_g64"),
    ],
)
def test_mlx(section: dict[str, Any], precision: str | None) -> None:
    assert stored_precision({"quantization": section, "quantization_config": section}, {}) == (precision, True)


def test_experts_in_another_format_make_a_mixture() -> None:
    fp8 = {"quant_method": "fp8", "weight_block_size": [128, 128]}
    assert stored_precision({"expert_dtype": "fp4", "quantization_config": fp8}, {}) == (None, True)


@pytest.mark.parametrize(
    ("dtypes", "found"),
    [
        ({"BF16": 100, "F32": 60}, ("fp32", False)),  # 200 bytes against 240
        ({"BF16": 100, "F32": 40}, ("bf16", False)),
        ({"F16": 100, "I64": 500}, ("fp16", False)),  # a table of positions
        ({"BF16": 100, "F8_E4M3": 6000}, (None, True)),
        ({"F16": 100, "I32": 6000}, (None, True)),
        ({"BF16": 100, "U8": 6000}, (None, True)),
        ({}, ("bf16", False)),
    ],
)
def test_dtypes_without_settings(dtypes: dict[str, int], found: tuple[str | None, bool]) -> None:
    assert stored_precision({"torch_dtype": "bfloat16"}, dtypes) == found


def test_a_text_part_may_carry_the_settings() -> None:
    awq = {"quant_method": "awq", "bits": 4, "group_size": 128}
    assert stored_precision({"text_config": {"quantization_config": awq}}, {}) == ("int4_awq_g128", True)
    assert stored_precision({"text_config": {"dtype": "float16"}}, {}) == ("fp16", False)
    assert stored_precision({"torch_dtype": ["bfloat16"], "text_config": 3}, {}) == (None, False)
    assert stored_precision(None, {}) == (None, False)
