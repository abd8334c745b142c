"""Stored tensors of every packed format -> logical parameters, beside the worked repositories of the specification."""

from __future__ import annotations

from typing import Any

import pytest

from flows.extract.logical import Logical, logical
from flows.headers.tensor_set import TensorGroup, TensorSet

Row = tuple[str, str, tuple[int, ...], int]


def tensor_set(*rows: Row) -> TensorSet:
    return TensorSet("model.safetensors", "safetensors", 1, None, tuple(TensorGroup(*row) for row in rows))


def count(rows: list[Row], section: Any = None, *, is_tied: bool = False, **config: Any) -> Logical:
    settings = config if section is None else {"quantization_config": section, **config}
    return logical(tensor_set(*rows), settings, is_tied=is_tied)


def scheme(bits: int, kind: str = "int", group: int | None = 128, **changes: Any) -> dict[str, Any]:
    weights = {"num_bits": bits, "type": kind, "group_size": group, "strategy": "group"}
    return {"quant_method": "compressed-tensors", "config_groups": {"group_0": {"weights": weights}}, **changes}


EMBEDDING: Row = ("model.embed_tokens.weight", "BF16", (1000, 256), 1)
NORM: Row = ("model.norm.weight", "BF16", (256,), 1)
BESIDE = 1000 * 256 + 256  # the two above
# A matrix of 512 outputs and 256 inputs in four layers, 524,288 weights, as each format stores it.
PROJ = "model.layers.#.mlp.up_proj"
PACKED: list[tuple[str, Any, list[Row]]] = [
    ("gptq 4", {"quant_method": "gptq", "bits": 4, "group_size": 128}, [
        (f"{PROJ}.qweight", "I32", (32, 512), 4), (f"{PROJ}.qzeros", "I32", (2, 64), 4),
        (f"{PROJ}.scales", "F16", (2, 512), 4), (f"{PROJ}.g_idx", "I32", (256,), 4)]),
    ("gptq 3: 32 weights in 3 words", {"quant_method": "gptq", "bits": 3, "group_size": 128}, [
        (f"{PROJ}.qweight", "I32", (24, 512), 4), (f"{PROJ}.qzeros", "I32", (2, 48), 4),
        (f"{PROJ}.scales", "F16", (2, 512), 4), (f"{PROJ}.g_idx", "I32", (256,), 4)]),
    ("gptq 8", {"quant_method": "gptq", "bits": 8}, [
        (f"{PROJ}.qweight", "I32", (64, 512), 4), (f"{PROJ}.scales", "F16", (2, 512), 4)]),
    ("awq", {"quant_method": "awq", "w_bit": 4, "q_group_size": 128}, [
        (f"{PROJ}.qweight", "I32", (256, 64), 4), (f"{PROJ}.qzeros", "I32", (2, 64), 4),
        (f"{PROJ}.scales", "F16", (2, 512), 4)]),
    ("auto-round", {"quant_method": "auto-round", "bits": 2}, [
        (f"{PROJ}.qweight", "I32", (16, 512), 4), (f"{PROJ}.qzeros", "I32", (2, 32), 4),
        (f"{PROJ}.scales", "F16", (2, 512), 4)]),
    ("compressed-tensors 4", scheme(4), [
        (f"{PROJ}.weight_packed", "I32", (512, 32), 4), (f"{PROJ}.weight_scale", "BF16", (512, 2), 4),
        (f"{PROJ}.weight_zero_point", "I32", (64, 2), 4), (f"{PROJ}.weight_shape", "I64", (2,), 4),
        (f"{PROJ}.weight_g_idx", "I32", (256,), 4)]),
    ("compressed-tensors 3: ten in a word, the last one not full", scheme(3), [
        (f"{PROJ}.weight_packed", "I32", (512, 26), 4), (f"{PROJ}.weight_scale", "BF16", (512, 2), 4),
        (f"{PROJ}.weight_shape", "I64", (2,), 4)]),
    ("compressed-tensors 8 packed", scheme(8, format="pack-quantized"), [
        (f"{PROJ}.weight_packed", "I32", (512, 64), 4), (f"{PROJ}.weight_scale", "BF16", (512, 2), 4)]),
    ("compressed-tensors int8", scheme(8, group=None), [
        (f"{PROJ}.weight", "I8", (512, 256), 4), (f"{PROJ}.weight_scale", "BF16", (512, 1), 4)]),
    ("compressed-tensors fp8", scheme(8, "float", None), [
        (f"{PROJ}.weight", "F8_E4M3", (512, 256), 4), (f"{PROJ}.weight_scale", "BF16", (512, 1), 4),
        (f"{PROJ}.input_scale", "BF16", (1,), 4)]),
    ("compressed-tensors nvfp4", scheme(4, "float", 16), [
        (f"{PROJ}.weight_packed", "U8", (512, 128), 4), (f"{PROJ}.weight_scale", "F8_E4M3", (512, 16), 4),
        (f"{PROJ}.weight_global_scale", "F32", (1,), 4), (f"{PROJ}.input_global_scale", "F32", (1,), 4)]),
    ("fp8 by tensor", {"quant_method": "fp8"}, [
        (f"{PROJ}.weight", "F8_E4M3", (512, 256), 4), (f"{PROJ}.weight_scale", "F32", (), 4)]),
    ("fp8 by block", {"quant_method": "fp8", "weight_block_size": [128, 128]}, [
        (f"{PROJ}.weight", "F8_E4M3", (512, 256), 4), (f"{PROJ}.weight_scale_inv", "F32", (4, 2), 4)]),
    ("fbgemm by channel", {"quant_method": "fbgemm_fp8"}, [
        (f"{PROJ}.weight", "F8_E4M3", (512, 256), 4), (f"{PROJ}.weight_scale", "F32", (512, 1), 4)]),
    ("modelopt nvfp4", {"quant_method": "modelopt", "quant_algo": "NVFP4"}, [
        (f"{PROJ}.weight", "U8", (512, 128), 4), (f"{PROJ}.weight_scale", "F8_E4M3", (512, 16), 4),
        (f"{PROJ}.weight_scale_2", "F32", (), 4), (f"{PROJ}.input_scale", "F32", (), 4),
        ("model.layers.#.self_attn.k_proj.k_scale", "F32", (), 4)]),
    ("mxfp4", {"quant_method": "mxfp4"}, [
        ("model.layers.#.mlp.experts.gate_up_proj_blocks", "U8", (2, 256, 8, 16), 4),
        ("model.layers.#.mlp.experts.gate_up_proj_scales", "U8", (2, 256, 8), 4)]),
    ("experts of fp4 in an fp8 checkpoint", {"quant_method": "fp8", "weight_block_size": [128, 128]}, [
        ("layers.#.ffn.experts.#.w1.weight", "I8", (512, 64), 4),
        ("layers.#.ffn.experts.#.w1.scale", "F8_E8M0", (512, 8), 4),
        ("layers.#.ffn.shared_experts.w1.weight", "F8_E4M3", (512, 128), 4),
        ("layers.#.ffn.shared_experts.w1.scale", "F8_E8M0", (4, 1), 4)]),
    ("bitsandbytes 4", {"quant_method": "bitsandbytes", "load_in_4bit": True}, [
        (f"{PROJ}.weight", "U8", (65536, 1), 4), (f"{PROJ}.weight.absmax", "U8", (2048,), 4),
        (f"{PROJ}.weight.quant_map", "F32", (16,), 4), (f"{PROJ}.weight.nested_absmax", "F32", (8,), 4),
        (f"{PROJ}.weight.nested_quant_map", "F32", (256,), 4),
        (f"{PROJ}.weight.quant_state.bitsandbytes__nf4", "U8", (83,), 4)]),
    ("bitsandbytes 8", {"quant_method": "bitsandbytes", "load_in_8bit": True}, [
        (f"{PROJ}.weight", "I8", (512, 256), 4), (f"{PROJ}.SCB", "F32", (512,), 4),
        (f"{PROJ}.weight_format", "U8", (), 4)]),
    ("hqq 4", {"quant_method": "hqq", "quant_config": {"weight_quant_params": {"nbits": 4, "group_size": 64}}}, [
        (f"{PROJ}.W_q", "U8", (32, 2048), 4), (f"{PROJ}.scale", "F16", (1, 2048), 4),
        (f"{PROJ}.zero", "F16", (1, 2048), 4), (f"{PROJ}.shape", "I64", (2,), 4), (f"{PROJ}.nbits", "I32", (), 4)]),
    ("aqlm 1x16", {"quant_method": "aqlm", "nbits_per_codebook": 16, "num_codebooks": 1, "in_group_size": 8}, [
        (f"{PROJ}.codes", "I16", (512, 32, 1), 4), (f"{PROJ}.codebooks", "F16", (1, 65536, 1, 8), 4),
        (f"{PROJ}.scales", "F16", (512, 1, 1, 1), 4)]),
    ("aqlm 2x8", {"quant_method": "aqlm", "nbits_per_codebook": 8, "num_codebooks": 2, "in_group_size": 8}, [
        (f"{PROJ}.codes", "I8", (512, 32, 2), 4), (f"{PROJ}.codebooks", "F16", (2, 256, 1, 8), 4),
        (f"{PROJ}.scales", "F16", (512, 1, 1, 1), 4)]),
    ("exl2: widths differ from row to row", {"quant_method": "exl2", "bits": 4.0}, [
        (f"{PROJ}.q_weight", "I32", (34, 512), 3), (f"{PROJ}.q_weight", "I32", (30, 512), 1),
        (f"{PROJ}.q_invperm", "I32", (256,), 4), (f"{PROJ}.q_scale", "I32", (4, 64), 4),
        (f"{PROJ}.q_scale_max", "F16", (4,), 4), (f"{PROJ}.q_groups", "I16", (8,), 4)]),
    ("exl3", {"quant_method": "exl3", "bits": 3.0}, [
        (f"{PROJ}.trellis", "I16", (16, 32, 48), 3), (f"{PROJ}.trellis", "I16", (16, 32, 64), 1),
        (f"{PROJ}.suh", "F16", (256,), 4), (f"{PROJ}.svh", "F16", (512,), 4), (f"{PROJ}.mcg", "I32", (), 4)]),
    ("quark mxfp4", {"quant_method": "quark", "global_quant_config": {"weight": {"dtype": "fp4"}}}, [
        (f"{PROJ}.weight", "U8", (512, 128), 4), (f"{PROJ}.weight_scale", "U8", (512, 8), 4)]),
    ("bitnet: four ternary weights a byte", {"quant_method": "bitnet"}, [
        (f"{PROJ}.weight", "U8", (128, 256), 4), (f"{PROJ}.weight_scale", "BF16", (1,), 4)]),
]  # fmt: skip


@pytest.mark.parametrize(("section", "rows"), [row[1:] for row in PACKED], ids=[row[0] for row in PACKED])
def test_every_format_unpacks_to_the_same_matrix(section: dict[str, Any], rows: list[Row]) -> None:
    extra = {"expert_dtype": "fp4"} if any("ffn.experts" in row[0] for row in rows) else {}
    assert count([EMBEDDING, *rows, NORM], section, **extra) == Logical(4 * 512 * 256 + BESIDE)


@pytest.mark.parametrize(
    ("settings", "rows"),
    [
        ({"bits": 4, "group_size": 64}, [
            (f"{PROJ}.weight", "U32", (512, 32), 4), (f"{PROJ}.scales", "BF16", (512, 4), 4),
            (f"{PROJ}.biases", "BF16", (512, 4), 4)]),
        ({"bits": 4, "group_size": 64, f"{PROJ}": {"bits": 6, "group_size": 64}}, [
            (f"{PROJ}.weight", "U32", (512, 32), 3), (f"{PROJ}.weight", "U32", (512, 48), 1),
            (f"{PROJ}.scales", "BF16", (512, 4), 4), (f"{PROJ}.biases", "BF16", (512, 4), 4)]),
        ({"bits": 4, "group_size": 32, "mode": "mxfp4"}, [
            (f"{PROJ}.weight", "U32", (512, 32), 4), (f"{PROJ}.scales", "U8", (512, 8), 4)]),
    ],
    ids=["affine", "layers of other widths", "mxfp4"],
)  # fmt: skip
def test_mlx(settings: dict[str, Any], rows: list[Row]) -> None:
    both = {"quantization": settings, "quantization_config": settings}
    assert logical(tensor_set(*rows, NORM), both, is_tied=False) == Logical(4 * 512 * 256 + 256)


def test_worked_repositories() -> None:
    """The counts by dtype of published checkpoints (estimator specification, section 1.6)."""
    kept: Row = ("model.embed_tokens.weight", "BF16", (1_050_939_392,), 1)
    nf4 = [kept, ("model.layers.#.x.weight", "U8", (3_489_660_928, 1), 1)]
    assert count(nf4, {"quant_method": "bitsandbytes", "load_in_4bit": True}).parameters == 8_030_261_248
    w4a16 = [("a.weight_packed", "I32", (68_451_041_280 // 8,), 1), ("b.weight", "BF16", (2_102_665_216,), 1)]
    assert count(w4a16, scheme(4, format="pack-quantized")).parameters == 70_553_706_496
    gpt_oss = [("a.weight", "BF16", (1_804_459_584,), 1),
               ("mlp.experts.gate_up_proj_blocks", "U8", (9_555_148_800,), 1),
               ("mlp.experts.gate_up_proj_scales", "U8", (597_196_800,), 1)]  # fmt: skip
    assert count(gpt_oss, {"quant_method": "mxfp4"}).parameters == 20_914_757_184
    scales, biases = 41_540_496, 41_555_600 - 41_540_496
    deepseek = [
        ("a.weight", "BF16", (3_918_786_560,), 1),
        ("b.weight", "F8_E4M3", (680_571_043_840,), 1),
        ("b.weight_scale_inv", "F32", (scales,), 1),
        ("gate.e_score_correction_bias", "F32", (biases,), 1),
    ]
    assert count(deepseek, {"quant_method": "fp8", "weight_block_size": [128, 128]}).parameters == 684_489_830_400


@pytest.mark.parametrize(
    ("rows", "section", "note"),
    [
        ([(f"{PROJ}.weight", "U8", (5,), 1)], None, "no rule for model.layers.#.mlp.up_proj.weight of U8"),
        ([(f"{PROJ}.weight", "U8", (5,), 1)], {"quant_method": "telepathy"}, "no rule"),
        ([(f"{PROJ}.qweight", "I32", (5,), 1)], {"quant_method": "gptq", "bits": "four"}, "no rule"),
        ([(f"{PROJ}.qweight", "I32", (5,), 1)], {"quant_method": "gptq", "bits": 3}, "whole number"),
        ([(f"{PROJ}.W_q", "I32", (5, 5), 1)], {"quant_method": "hqq", "quant_config": {"nbits": 3}}, "no rule"),
        ([(f"{PROJ}.weight_packed", "I32", (5,), 1)], scheme(4, format="marlin-24"), "no rule"),
        ([(f"{PROJ}.weight_packed", "I32", (5,), 1)], scheme(3, group=None), "no rule"),
        ([(f"{PROJ}.q_invperm", "I32", (5,), 1)], {"quant_method": "exl2"}, "no usable neighbours"),
        ([(f"{PROJ}.q_invperm", "I32", (5,), 2), (f"{PROJ}.q_weight", "I32", (3, 4), 1),
          (f"{PROJ}.q_weight", "I32", (3, 8), 1)], {"quant_method": "exl2"}, "no usable neighbours"),
        ([(f"{PROJ}.trellis", "I16", (5, 5), 1)], {"quant_method": "exl3"}, "no usable neighbours"),
        ([(f"{PROJ}.weight", "U32", (5, 5), 1)], None, "no rule"),
        ([("a", "F32", (2**32, 2**32), 1)], None, "whole number"),
        ([("position_ids", "I64", (512,), 1)], None, "whole number"),
    ],
)  # fmt: skip
def test_what_has_no_rule_is_unknown(rows: list[Row], section: Any, note: str) -> None:
    found = count(rows, section)
    assert found.parameters is None
    assert note in str(found.note)


@pytest.mark.parametrize(
    ("extra", "is_tied", "more"),
    [
        (("lm_head.weight", "BF16", (1000, 256), 1), True, 0),
        (("lm_head.weight", "BF16", (1000, 256), 1), False, 256_000),
        (("lm_head.weight", "BF16", (1008, 256), 1), True, 1008 * 256),  # another shape is no copy
        (("model.layers.#.self_attn.rotary_emb.inv_freq", "F32", (64,), 4), False, 0),
        (("h.#.attn.bias", "F32", (1, 1, 64, 64), 4), False, 0),
        (("h.#.attn.bias", "F32", (256,), 4), False, 1024),
        (("h.#.attn.masked_bias", "F32", (), 4), False, 0),
        (("embeddings.position_ids", "I64", (1, 512), 1), False, 0),
        (("conv.bn.running_mean", "F32", (64,), 4), False, 0),
        (("model.layers.#.mlp.gate.e_score_correction_bias", "F32", (256,), 4), False, 0),
        (("model.mask", "BOOL", (64, 64), 1), False, 0),
        (("model.scale", "F32", (), 1), False, 1),  # a learned scalar is one parameter
    ],
)  # fmt: skip
def test_copies_and_buffers_are_no_parameters(extra: Row, is_tied: bool, more: int) -> None:
    assert count([EMBEDDING, NORM, extra], is_tied=is_tied).parameters == BESIDE + more


def test_both_halves_may_repeat_a_shared_embedding() -> None:
    halves: list[Row] = [(f"{half}.embed_tokens.weight", "F32", (1000, 256), 1) for half in ("encoder", "decoder")]
    assert count([("shared.weight", "F32", (1000, 256), 1), *halves]).parameters == 256_000
    # without a shared one they are the embeddings, and OPT calls its only one so
    assert count(halves).parameters == 512_000
    assert count([("model.decoder.embed_tokens.weight", "F16", (1000, 256), 1)], is_tied=True).parameters == 256_000


def test_a_head_may_keep_its_bias_twice() -> None:
    rows: list[Row] = [("cls.predictions.bias", "F32", (1000,), 1), ("cls.predictions.decoder.bias", "F32", (1000,), 1)]
    assert count([EMBEDDING, *rows]).parameters == 256_000 + 1000
    assert count([EMBEDDING, rows[1]]).parameters == 256_000 + 1000


def test_settings_of_the_text_part_count() -> None:
    awq = {"quant_method": "awq", "bits": 4}
    found = logical(
        tensor_set((f"{PROJ}.qweight", "I32", (256, 64), 4)),
        {"text_config": {"quantization_config": awq}},
        is_tied=False,
    )
    assert found.parameters == 4 * 512 * 256
