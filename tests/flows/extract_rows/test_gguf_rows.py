"""GGUF repositories, and the bytes of GGUF files that nobody made yet."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from estimator.schema import SHAPES
from flows.extract import gguf, gguf_mix
from flows.extract.extract import Extracted, extract
from flows.extract.info import File
from flows.raw import RawModel

NOW = datetime(2026, 1, 2, tzinfo=UTC)
LLAMA_8B = gguf_mix.Decoder(4096, 14336, 32, 32, 8, 128, 128256, is_tied=False, experts=0, unquantised=266_240)
LLAMA_8B_PARAMETERS = 8_030_261_248
LLAMA_70B = gguf_mix.Decoder(8192, 28672, 80, 64, 8, 128, 128256, is_tied=False, experts=0, unquantised=161 * 8192)
# routers (8 x 4096 a layer) stay in F32 like the norms
MIXTRAL = gguf_mix.Decoder(4096, 14336, 32, 32, 8, 128, 32000, is_tied=False, experts=8,
                           unquantised=65 * 4096 + 32 * 8 * 4096)  # fmt: skip

# Bits per weight of Llama-3.1-8B: llama.cpp tools/quantize/README.md at 311c2c9f.
PUBLISHED = {
    "iq1_s": 2.0042, "iq1_m": 2.1460, "iq2_xxs": 2.3824, "iq2_xs": 2.5882, "iq2_s": 2.7403, "iq2_m": 2.9294,
    "iq3_xxs": 3.2548, "iq3_xs": 3.4977, "iq3_s": 3.6606, "iq3_m": 3.7628, "iq4_xs": 4.4597, "iq4_nl": 4.6818,
    "q2_k_s": 2.9697, "q2_k": 3.1593, "q3_k_s": 3.6429, "q3_k_m": 3.9960, "q3_k_l": 4.2979, "q4_k_s": 4.6672,
    "q4_k_m": 4.8944, "q5_k_s": 5.5704, "q5_k_m": 5.7036, "q6_k": 6.5633, "q8_0": 8.5008,
}  # fmt: skip


@pytest.mark.parametrize("kind", PUBLISHED)
def test_published_bits_per_weight(kind: str) -> None:
    size = gguf_mix.weight_bytes(LLAMA_8B)[f"gguf_{kind}"]
    assert round(size * 8 / LLAMA_8B_PARAMETERS, 4) == pytest.approx(PUBLISHED[kind], abs=1e-9)


def test_half_precision_keeps_vectors_in_single() -> None:
    """The 24th published value, F16 16.0005: nothing is mixed there, so the rule has only its remainder."""
    matrices = LLAMA_8B_PARAMETERS - LLAMA_8B.unquantised
    assert round((16 * matrices + 32 * LLAMA_8B.unquantised) / LLAMA_8B_PARAMETERS, 4) == 16.0005


@pytest.mark.parametrize(
    ("decoder", "size"), [(LLAMA_8B, 4_912_898_048), (LLAMA_70B, 42_512_531_456), (MIXTRAL, 28_447_727_616)]
)
def test_q4_k_m_to_the_byte(decoder: gguf_mix.Decoder, size: int) -> None:
    assert gguf_mix.weight_bytes(decoder)["gguf_q4_k_m"] == size


def test_q4_0_of_a_70b_class_model() -> None:
    """The published file of Llama-3.3-70B has 37.35 GiB."""
    assert round(gguf_mix.weight_bytes(LLAMA_70B)["gguf_q4_0"] / 2**30, 2) == 37.35


def test_widths_that_do_not_divide_fall_back() -> None:
    odd = replace(LLAMA_8B, hidden=896, heads=14, kv_heads=2, head_dim=64, ffn=4864, unquantised=0)
    sizes, floor = gguf_mix.weight_bytes(odd), gguf_mix.BITS["Q5_0"]
    matrices = 2 * 128256 * 896 + 32 * (2 * 896 * 896 + 2 * 896 * 128 + 3 * 896 * 4864)
    assert sizes["gguf_q4_k_m"] * 8 / matrices > floor  # Q4_K (4.5) is not possible over 896 columns


def test_a_model_without_layers_is_not_mixed() -> None:
    columns: dict[str, int | float | None] = dict.fromkeys(SHAPES.names(), 0)
    assert gguf_mix.decoder_of(columns, {"head_dim": 0}) is None


@pytest.mark.parametrize(
    ("name", "precision"),
    [
        ("m-Q4_K_M.gguf", "gguf_q4_k_m"), ("m.q4_k_m.gguf", "gguf_q4_k_m"), ("Q8_0/m-Q8_0.gguf", "gguf_q8_0"),
        ("m-fp16.gguf", "fp16"), ("m.f16.gguf", "fp16"), ("m-BF16.gguf", "bf16"), ("m-F32.gguf", "fp32"),
        ("m-UD-IQ1_S.gguf", "gguf_iq1_s"), ("m-IQ4_XS.gguf", "gguf_iq4_xs"), ("m-Q2_K_S.gguf", "gguf_q2_k_s"),
        ("m-UD-Q4_K_XL.gguf", None), ("m-Q6_K_L.gguf", None), ("Q4_K_M-model-Q5_K_S.gguf", "gguf_q5_k_s"),
        ("m-mxfp4.gguf", "gguf_mxfp4_moe"), ("model.gguf", None), ("m-IQ9_Z.gguf", None),
    ],
)  # fmt: skip
def test_the_precision_is_the_last_type_in_the_name(name: str, precision: str | None) -> None:
    assert gguf.precision_of(name) == precision


def test_what_lies_beside_the_model() -> None:
    names = ["mmproj-F16.gguf", "m-imatrix.gguf", "m-imatrix-Q4_K_M.gguf", "m-draft-Q8_0.gguf", "m-Q8_0.gguf"]
    found = {one.name: one.is_beside for one in gguf.quants([File(name, 1) for name in names])}
    assert found == {
        "mmproj-F16.gguf": True, "m-imatrix.gguf": True, "m-imatrix-Q4_K_M.gguf": False, "m-draft-Q8_0.gguf": True,
        "m-Q8_0.gguf": False,
    }  # fmt: skip


def repository(files: dict[str, int], config: Any = None, **info: Any) -> Extracted:
    siblings = [{"rfilename": name, "size": size} for name, size in files.items()]
    text = None if config is None else json.dumps(config)
    found = extract(RawModel("a/b", "abc", json.dumps({"siblings": siblings, **info}), text, NOW))
    assert isinstance(found, Extracted), found
    return found


def test_a_repository_of_files_only() -> None:
    files = {
        "m-Q4_K_M.gguf": 100, "m-Q8_0-00001-of-00002.gguf": 70, "m-Q8_0-00002-of-00002.gguf": 80,
        "m-Q6_K-00001-of-00002.gguf": 60, "mmproj-F16.gguf": 9, "m-UD-Q4_K_XL.gguf": 105,
    }  # fmt: skip
    found = repository(files, gguf={"total": 999, "architecture": "llama", "context_length": 4096})
    assert [(row["precision"], row["weights_bytes"], row["weights_basis"]) for row in found.overrides] == [
        ("gguf_q4_k_m", 100, "stored"),
        ("gguf_q8_0", 150, "stored"),
    ]  # half of the Q6_K shards are missing, and the last file's type has no name
    assert {row["artifact"]: (row["bytes"], row["files"]) for row in found.artifacts} == {
        "m-Q4_K_M.gguf": (100, 1), "m-Q8_0.gguf": (150, 2), "m-Q6_K.gguf": (None, 1), "m-UD-Q4_K_XL.gguf": (105, 1),
        "mmproj-F16.gguf": (9, 1),
    }  # fmt: skip
    model = found.model
    assert (model["parameters"], model["parameters_source"], model["confidence"]) == (999, "gguf_api", "estimated")
    assert (model["kind"], model["model_type"], model["max_context_tokens"]) == ("decoder", "llama", 4096)
    assert (model["stored_bytes"], model["stored_precision"], model["layers"]) == (None, None, None)
    assert found.shape["kv_full_elements_per_token"] is None


def test_a_single_file_is_the_weight_set() -> None:
    model = repository({"m-Q4_K_M.gguf": 100}, gguf={"total": 999}).model
    assert (model["stored_bytes"], model["stored_precision"]) == (100, "gguf_q4_k_m")


def test_files_beside_a_configuration_do_not_become_its_dtype() -> None:
    config = {"model_type": "brand_new", "torch_dtype": "bfloat16"}
    model = repository({"m-Q4_K_M.gguf": 100, "m-Q8_0.gguf": 200}, config).model
    assert (model["stored_bytes"], model["stored_precision"]) == (None, None)


def test_of_two_files_of_one_type_the_larger_is_promised() -> None:
    found = repository({"a-Q4_K_M.gguf": 100, "b-Q4_K_M.gguf": 300, "c-Q4_K_M.gguf": 200})
    assert [row["weights_bytes"] for row in found.overrides] == [300]


@pytest.mark.parametrize(("name", "kind"), [("flux", "diffusion"), ("bert", "encoder"), ("qwen3", "decoder")])
def test_the_kind_follows_the_architecture_of_the_file(name: str, kind: str) -> None:
    assert repository({"m-Q8_0.gguf": 5}, gguf={"total": 4, "architecture": name}).model["kind"] == kind
