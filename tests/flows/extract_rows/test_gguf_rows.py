"""GGUF repositories, and the bytes of GGUF files that nobody made yet."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

import catalogs
from estimator.schema import SHAPES
from flows.extract import gguf, gguf_mix, gguf_tensors
from flows.extract.extract import Extracted, extract
from flows.extract.info import File
from flows.extract.read_config import configured
from flows.raw import RawModel

NOW = datetime(2026, 1, 2, tzinfo=UTC)
SNAPSHOT = {row["model_id"]: row["config"] for row in catalogs.hub_snapshot()}
FILES = [
    json.loads(line) for line in (Path(__file__).parents[2] / "golden" / "gguf_files.jsonl").read_text().splitlines()
]
LLAMA = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "tie_word_embeddings": False,
    "vocab_size": 128256,
}
LLAMA_8B = {**LLAMA, "hidden_size": 4096, "intermediate_size": 14336, "num_hidden_layers": 32,
            "num_attention_heads": 32, "num_key_value_heads": 8}  # fmt: skip
LLAMA_70B = {**LLAMA, "hidden_size": 8192, "intermediate_size": 28672, "num_hidden_layers": 80,
             "num_attention_heads": 64, "num_key_value_heads": 8}  # fmt: skip
MIXTRAL = {**LLAMA_8B, "model_type": "mixtral", "architectures": ["MixtralForCausalLM"], "vocab_size": 32000,
           "num_local_experts": 8, "num_experts_per_tok": 2}  # fmt: skip
LLAMA_8B_PARAMETERS = 8_030_261_248
# 16 layers of four experts, of width 256, over a hidden state of 512
SPARSE = {"model_type": "qwen3_moe", "architectures": ["Qwen3MoeForCausalLM"], "hidden_size": 512,
          "num_hidden_layers": 16, "num_attention_heads": 8, "num_key_value_heads": 2, "head_dim": 64,
          "num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 256, "intermediate_size": 1024,
          "vocab_size": 1000, "tie_word_embeddings": False}  # fmt: skip


def file_of(config: dict[str, Any]) -> gguf_mix.File:
    found, problem = configured(config)
    assert found is not None, problem
    file = gguf_mix.file_of(found.columns, found.tensors)
    assert file is not None
    return file


def config_of(row: dict[str, Any]) -> dict[str, Any]:
    config: dict[str, Any] = row.get("config") or json.loads(str(SNAPSHOT[row["snapshot"]]))
    return config


def sizes_of(config: dict[str, Any]) -> dict[str, int]:
    return gguf_mix.weight_bytes(file_of(config))


# Bits per weight of Llama-3.1-8B: llama.cpp tools/quantize/README.md at 311c2c9f.
PUBLISHED = {
    "iq1_s": 2.0042, "iq1_m": 2.1460, "iq2_xxs": 2.3824, "iq2_xs": 2.5882, "iq2_s": 2.7403, "iq2_m": 2.9294,
    "iq3_xxs": 3.2548, "iq3_xs": 3.4977, "iq3_s": 3.6606, "iq3_m": 3.7628, "iq4_xs": 4.4597, "iq4_nl": 4.6818,
    "q2_k_s": 2.9697, "q2_k": 3.1593, "q3_k_s": 3.6429, "q3_k_m": 3.9960, "q3_k_l": 4.2979, "q4_k_s": 4.6672,
    "q4_k_m": 4.8944, "q5_k_s": 5.5704, "q5_k_m": 5.7036, "q6_k": 6.5633, "q8_0": 8.5008,
}  # fmt: skip


@pytest.mark.parametrize("kind", PUBLISHED)
def test_published_bits_per_weight(kind: str) -> None:
    size = sizes_of(LLAMA_8B)[f"gguf_{kind}"]
    assert round(size * 8 / LLAMA_8B_PARAMETERS, 4) == pytest.approx(PUBLISHED[kind], abs=1e-9)


def test_half_precision_keeps_vectors_in_single() -> None:
    """The 24th published value, F16 16.0005: nothing is mixed there, so the rule has only its remainder."""
    vectors = file_of(LLAMA_8B).unquantised
    assert vectors == 65 * 4096
    matrices = LLAMA_8B_PARAMETERS - vectors
    assert round((16 * matrices + 32 * vectors) / LLAMA_8B_PARAMETERS, 4) == 16.0005


@pytest.mark.parametrize(
    ("config", "size"), [(LLAMA_8B, 4_912_898_048), (LLAMA_70B, 42_512_531_456), (MIXTRAL, 28_447_727_616)]
)
def test_q4_k_m_to_the_byte(config: dict[str, Any], size: int) -> None:
    assert sizes_of(config)["gguf_q4_k_m"] == size


def test_q4_0_of_a_70b_class_model() -> None:
    """The published file of Llama-3.3-70B has 37.35 GiB."""
    assert round(sizes_of(LLAMA_70B)["gguf_q4_0"] / 2**30, 2) == 37.35


def test_widths_that_do_not_divide_fall_back() -> None:
    odd = {
        **LLAMA_8B,
        "hidden_size": 896,
        "num_attention_heads": 14,
        "num_key_value_heads": 2,
        "intermediate_size": 4864,
    }
    sizes, file = sizes_of(odd), file_of(odd)
    matrices = file.layout.elements + 2 * 128256 * 896
    # Q4_K is not possible over 896 columns; 4,864 are 19 blocks of 256
    assert sizes["gguf_q4_k_m"] * 8 / matrices > gguf_mix.BITS["Q5_0"]
    # of no file type the output has fewer than 8 bits, the embedding is IQ4_NL or Q4_0 instead of two bits
    least = 128256 * 896 * (8.5 + 4.5) / 8
    assert min(sizes.values()) > least


def test_rows_that_no_block_divides_stay_in_16_bits() -> None:
    file = file_of({**LLAMA_8B, "intermediate_size": 1000})
    downs = 32 * 4096 * 1000
    others = file_of({**LLAMA_8B, "intermediate_size": 1024})
    assert gguf_mix.weight_bytes(file)["gguf_q8_0"] - 2 * downs == (
        gguf_mix.weight_bytes(others)["gguf_q8_0"] - 32 * 4096 * 1024 * 8.5 / 8 - 2 * 32 * 4096 * 24 * 8.5 / 8
    )


def test_a_model_without_layers_is_not_mixed() -> None:
    columns: dict[str, int | float | None] = dict.fromkeys(SHAPES.names(), 0)
    assert gguf_tensors.layout([], [], None, None, experts=0, further=0) is None
    assert gguf_mix.file_of(columns, None) is None


def test_experts_by_hand() -> None:
    """More bits are for layers 0, 1, 14, 15 and 4, 7, 10, 13 of 16: eight values and downs of Q6_K, the rest Q4_K.

    Routers (4 x 512) and norms (two of 512 and two of 64 a layer, one of 512) stay in F32.
    """
    attention = 512 * 512 * 2 + 512 * 128
    vectors = 16 * (4 * 512 + 2 * 512 + 2 * 64) + 512
    of_q4 = 16 * (attention + 4 * 2 * 256 * 512) + 8 * (512 * 128 + 4 * 256 * 512)
    of_q6 = 8 * (512 * 128 + 4 * 256 * 512)
    expected = (of_q4 + 1000 * 512) * 4.5 / 8 + (of_q6 + 1000 * 512) * 6.5625 / 8 + 4 * vectors
    assert sizes_of(SPARSE)["gguf_q4_k_m"] == expected == 22_185_376
    # experts in MXFP4, everything else in Q8_0
    matrices = 16 * (attention + 512 * 128) + 2 * 1000 * 512
    experts = 16 * 4 * 3 * 256 * 512
    assert sizes_of(SPARSE)["gguf_mxfp4_moe"] == experts * 4.25 / 8 + matrices * 8.5 / 8 + 4 * vectors
    assert "gguf_mxfp4_moe" not in sizes_of(LLAMA_8B)


def test_below_three_bits_downs_are_counted_one_by_one() -> None:
    """Of 16 layers the first two are early. With a shared expert beside the routed ones a layer has two downs."""
    alone = sizes_of(SPARSE)["gguf_iq2_m"]
    shared = sizes_of({**SPARSE, "model_type": "qwen2_moe", "shared_expert_intermediate_size": 256, "qkv_bias": False,
                       "head_dim": 64})["gguf_iq2_m"]  # fmt: skip
    down, up, gate = 256 * 512, 2 * 256 * 512, 512
    early = (3.4375 - 2.5625) / 8
    # qwen2 has no norms of heads, a shared gate of 512 a layer, and only layer 0's downs are raised
    assert shared - alone == (
        16 * (down + up) * 2.5625 / 8 - (2 * 4 * down - (4 * down + down)) * early + 16 * 4 * (gate - 2 * 64)
    )


def test_latents_are_two_tensors_with_rows_of_their_own() -> None:
    """128 columns of keys fall back (Q4_K to Q5_0), 512 of values do not; neither has a value's extra bits."""
    config = next(row["config"] for row in FILES if "Kimi-VL" in row["source"])
    cells = file_of(config).layout.cells
    stacked = {cell.kind.block: elements for cell, elements in cells if cell.kind.is_stack and not cell.kind.role}
    assert stacked == {32: 27 * 16 * 512 * 128, 256: 27 * 16 * 128 * 512}
    assert "value" not in {cell.kind.role for cell, _ in cells}


def test_published_experts_stay_as_they_are() -> None:
    config = {**SPARSE, "model_type": "gpt_oss", "architectures": ["GptOssForCausalLM"], "num_local_experts": 4,
              "intermediate_size": 256, "layer_types": ["full_attention"] * 16}  # fmt: skip
    sizes = sizes_of(config)
    kept = [elements for cell, elements in file_of(config).layout.cells if cell.kind.is_kept]
    assert sum(kept) == 16 * 4 * 3 * 256 * 512
    assert sizes["gguf_q2_k"] > sum(kept) * 4.25 / 8


def test_a_first_layer_without_attention_shares_no_heads() -> None:
    """Headers that list heads by layer have none there: Q2_K raises values to Q4_K only from four queries a key on."""
    config = next(row["config"] for row in FILES if "h-tiny" in row["source"])
    assert not file_of(config).layout.is_grouped
    assert file_of({**config, "layer_types": ["attention"] * 40, "num_key_value_heads": 3}).layout.is_grouped


@pytest.mark.parametrize("row", FILES, ids=lambda row: row["source"].split(":")[0])
def test_published_files(row: dict[str, Any]) -> None:
    """Beyond its tensors a file has a header and its words, 0.5 to 13 MB; quantisers may have given some tensors more.

    Files of older tools are a fifth of a percent smaller at most.
    """
    sizes = sizes_of(config_of(row))
    for precision, size in row["files"].items():
        beyond = size - sizes[precision]
        assert -0.0022 * size <= beyond <= max(14e6, 0.004 * size), (precision, beyond)


def test_one_model_has_one_header_whatever_its_file_type() -> None:
    """Ten types of Qwen3-30B-A3B and four of Qwen3.6-35B-A3B: the tensors are right to the byte."""
    for name, header in (("Qwen3-30B", 5_970_496), ("Qwen3.6-35B", 10_989_088)):
        row = next(row for row in FILES if name in row["source"])
        sizes = sizes_of(config_of(row))
        assert {size - sizes[precision] for precision, size in row["files"].items()} == {header}


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
