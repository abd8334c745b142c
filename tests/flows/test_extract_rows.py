"""From raw answers to rows: provenance, stored bytes, files, and nothing that a hostile answer can break."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import catalogs
from estimator.schema import SHAPES, WEIGHT_OVERRIDES
from flows.extract import gguf
from flows.extract.extract import Extracted, extract
from flows.extract.info import File, parse
from flows.extract.parts import extract_part
from flows.extract.quantization import stored_precision
from flows.extract.stored import stored
from flows.extract.tables import ARTIFACTS, ATTENTION_GROUPS, MODELS
from flows.failures import MODEL_ERRORS, Failure
from flows.raw import HUB, RawModel

NOW = datetime(2026, 1, 2, tzinfo=UTC)
LLAMA = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 4096, "num_hidden_layers": 32,
    "num_attention_heads": 32, "num_key_value_heads": 8, "intermediate_size": 14336, "vocab_size": 128256,
    "max_position_embeddings": 131072,
}  # fmt: skip
PARAMETERS = 8_030_261_248


def one(config: Any = LLAMA, **info: Any) -> Extracted | Failure:
    text = None if config is None else json.dumps(config)
    return extract(RawModel("owner/name", "abc", json.dumps({"id": "owner/name", **info}), text, NOW))


def model(config: Any = LLAMA, **info: Any) -> dict[str, Any]:
    found = one(config, **info)
    assert isinstance(found, Extracted), found
    return found.model


SNAPSHOT = {row["model_id"]: row for row in catalogs.hub_snapshot()}


def from_snapshot(model_id: str) -> Extracted:
    row = SNAPSHOT[model_id]
    found = extract(RawModel(model_id, row["revision"], row["info"], row["config"], NOW))
    assert isinstance(found, Extracted)
    return found


def test_counts_that_agree_are_exact() -> None:
    found = model(safetensors={"parameters": {"BF16": PARAMETERS}, "total": PARAMETERS})
    assert (found["parameters"], found["parameters_source"], found["confidence"]) == (
        PARAMETERS, "safetensors_api", "exact",
    )  # fmt: skip
    assert found["stored_bytes"] == 2 * PARAMETERS
    assert found["stored_precision"] == "bf16"


def test_a_configuration_alone_is_derived() -> None:
    found = model()
    assert (found["parameters"], found["parameters_source"], found["confidence"]) == (PARAMETERS, "config", "derived")
    assert found["stored_bytes"] is None


def test_a_tied_copy_is_explained_and_nonsense_is_a_conflict() -> None:
    copy = PARAMETERS + 128256 * 4096
    assert model(safetensors={"parameters": {"BF16": copy}, "total": copy})["parameters_conflict"] is False
    found = model(safetensors={"parameters": {"BF16": 9_999_999_999}, "total": 9_999_999_999})
    assert found["parameters_conflict"] is True
    assert (found["parameters"], found["config_parameters"]) == (9_999_999_999, PARAMETERS)
    assert found["confidence"] == "estimated"
    assert "9,999,999,999" in found["notes"]


@pytest.mark.parametrize(
    ("model_id", "stored_bytes", "precision"),
    [
        ("deepseek-ai/DeepSeek-V3", 688_574_839_360, "fp8_e4m3_block128"),
        ("openai/gpt-oss-20b", 13_761_264_768, "mxfp4"),
        ("openai/gpt-oss-120b", 65_248_815_744, "mxfp4"),
        ("RedHatAI/Llama-3.3-70B-Instruct-quantized.w4a16", 39_500_398_592, "int4_ct_sym_g128"),
        ("unsloth/Meta-Llama-3.1-8B-bnb-4bit", 5_702_295_552, "nf4_dq"),
        ("google-bert/bert-base-uncased", 440_425_712, "fp32"),
        ("openai-community/gpt2", 548_090_880, "fp32"),
        ("tiiuae/falcon-7b", 14_434_379_520, "bf16"),
    ],
)
def test_stored_bytes_of_published_checkpoints(model_id: str, stored_bytes: int, precision: str) -> None:
    found = from_snapshot(model_id).model
    assert (found["stored_bytes"], found["stored_precision"]) == (stored_bytes, precision)


def test_packed_counts_without_a_reading_stay_unknown() -> None:
    awq = {**LLAMA, "quantization_config": {"quant_method": "awq", "bits": 4, "group_size": 128}}
    found = model(awq, safetensors={"parameters": {"I32": 123_456, "F16": 1_050_939_392}, "total": 1})
    assert found["stored_bytes"] is None
    assert found["parameters"] == PARAMETERS


def test_one_weight_set_is_chosen() -> None:
    names = {
        "model-00001-of-00002.safetensors": 10, "model-00002-of-00002.safetensors": 20, "model.fp16.safetensors": 15,
        "consolidated.safetensors": 99, "original/model.safetensors": 99, "pytorch_model.bin": 99, "adapter.bin": 1,
    }  # fmt: skip
    found = model(siblings=[{"rfilename": name, "size": size} for name, size in names.items()])
    assert found["stored_bytes"] == 30


def test_a_missing_size_makes_the_set_unknown() -> None:
    siblings = [
        {"rfilename": "model-00001-of-00002.safetensors", "size": 10},
        {"rfilename": "model-00002-of-00002.safetensors"},
    ]
    assert model(siblings=siblings)["stored_bytes"] is None


def test_gguf_repositories_keep_every_file_apart() -> None:
    files = [
        File("m-Q4_K_M.gguf", 100), File("m-Q8_0-00001-of-00002.gguf", 70), File("m-Q8_0-00002-of-00002.gguf", 80),
        File("mmproj-F16.gguf", 9), File("m-IQ9_Z.gguf", 5), File("README.md", 1),
    ]  # fmt: skip
    quants = {quant.name: quant for quant in gguf.quants(files)}
    assert quants["m-Q4_K_M.gguf"].precision == "gguf_q4_k_m"
    assert (quants["m-Q8_0.gguf"].bytes, len(quants["m-Q8_0.gguf"].members)) == (150, 2)
    assert quants["mmproj-F16.gguf"].is_beside
    assert quants["m-IQ9_Z.gguf"].precision is None


def test_a_gguf_file_wins_over_the_rule() -> None:
    siblings = [{"rfilename": "m-Q4_K_M.gguf", "size": 4_920_739_232}]
    found = one(siblings=siblings, gguf={"total": PARAMETERS, "architecture": "llama", "context_length": 131072})
    assert isinstance(found, Extracted)
    rows = {row["precision"]: row for row in found.overrides}
    assert (rows["gguf_q4_k_m"]["weights_bytes"], rows["gguf_q4_k_m"]["weights_basis"]) == (4_920_739_232, "stored")
    assert rows["gguf_q8_0"]["weights_basis"] == "computed"


# Published bits per weight of Llama-3.1-8B: llama.cpp tools/quantize/README.md at 311c2c9f.
PUBLISHED = {
    "iq1_s": 2.0042, "iq1_m": 2.1460, "iq2_xxs": 2.3824, "iq2_xs": 2.5882, "iq2_s": 2.7403, "iq2_m": 2.9294,
    "iq3_xxs": 3.2548, "iq3_xs": 3.4977, "iq3_s": 3.6606, "iq3_m": 3.7628, "q2_k": 3.1593, "q3_k_s": 3.6429,
    "q3_k_m": 3.9960, "q3_k_l": 4.2979, "q4_k_s": 4.6672, "q4_k_m": 4.8944, "q5_k_s": 5.5704, "q5_k_m": 5.7036,
    "q6_k": 6.5633, "q8_0": 8.5008,
}  # fmt: skip


@pytest.mark.parametrize("kind", PUBLISHED)
def test_the_mixture_rule_reproduces_published_sizes(kind: str) -> None:
    found = one()
    assert isinstance(found, Extracted)
    [size] = [row["weights_bytes"] for row in found.overrides if row["precision"] == f"gguf_{kind}"]
    assert size * 8 / PARAMETERS == pytest.approx(PUBLISHED[kind], abs=6e-5)


@pytest.mark.parametrize(
    ("model_id", "size"),
    [
        ("meta-llama/Llama-3.1-8B", 4_912_898_048),
        ("meta-llama/Llama-3.1-70B", 42_512_531_456),
        ("mistralai/Mixtral-8x7B-v0.1", 28_447_727_616),
    ],
)
def test_q4_k_m_to_the_byte(model_id: str, size: int) -> None:
    rows = {row["precision"]: row["weights_bytes"] for row in from_snapshot(model_id).overrides}
    assert rows["gguf_q4_k_m"] == size


@pytest.mark.parametrize(
    "model_id",
    [
        "meta-llama/Llama-3.2-11B-Vision-Instruct",  # keys and values of images
        "deepseek-ai/DeepSeek-V4-Flash-0731",  # compressed caches
        "google/gemma-4-E2B-it",  # tables of words by layer
        "bigscience/bloom-7b1",
        "tiiuae/falcon-7b",
        "google/recurrentgemma-9b",
    ],
)
def test_the_rule_declines_models_that_it_was_not_checked_on(model_id: str) -> None:
    assert from_snapshot(model_id).overrides == []


def test_of_a_model_that_takes_pictures_the_file_has_the_text() -> None:
    """The tower has a file of its own, and is no part of this one."""
    found = from_snapshot("google/gemma-3-12b-it")
    rows = {row["precision"]: row for row in found.overrides}
    assert (rows["gguf_q4_k_m"]["weights_bytes"], rows["gguf_q4_k_m"]["weights_basis"]) == (7_294_024_704, "computed")
    assert found.shape["p_vision"] > 0


@pytest.mark.parametrize(
    ("section", "precision"),
    [
        ({"quant_method": "awq", "bits": 4, "group_size": 128}, "int4_awq_g128"),
        ({"quant_method": "gptq", "bits": 4, "group_size": 32}, "int4_gptq_g32"),
        ({"quant_method": "gptq", "bits": 8, "group_size": 128}, "int8_gptq_g128"),
        ({"quant_method": "fp8", "weight_block_size": [128, 128]}, "fp8_e4m3_block128"),
        ({"quant_method": "fp8"}, "fp8_e4m3_tensor"),
        ({"quant_method": "fbgemm_fp8"}, "fp8_e4m3_channel"),
        ({"quant_method": "modelopt", "quant_algo": "NVFP4"}, "nvfp4"),
        ({"quant_method": "modelopt", "quant_algo": "MIXED_PRECISION"}, None),
        ({"quant_method": "mxfp4"}, "mxfp4"),
        ({"quant_method": "bitsandbytes", "load_in_8bit": True}, "int8_bnb"),
        ({"quant_method": "bitsandbytes", "load_in_4bit": True, "bnb_4bit_quant_type": "nf4"}, "nf4"),
        ({"quant_method": "brand_new", "bits": 3}, None),
        ({"quant_method": "awq", "bits": 5, "group_size": 7}, None),
    ],
)
def test_formats_are_named_by_their_settings(section: dict[str, Any], precision: str | None) -> None:
    assert stored_precision({"quantization_config": section}, {}) == (precision, True)


def test_pipelines_count_each_component_once() -> None:
    sdxl = from_snapshot("stabilityai/stable-diffusion-xl-base-1.0")
    assert sdxl.model["kind"] == "diffusion"
    assert sdxl.model["parameters"] == 2_567_463_684 + 123_060_480 + 694_659_840 + 83_653_863
    assert {row["artifact"] for row in sdxl.artifacts} == {"unet", "text_encoder", "text_encoder_2", "vae"}
    flux = from_snapshot("black-forest-labs/FLUX.1-dev")
    assert flux.model["stored_bytes"] == 33_741_198_278


def test_adapters_are_no_models() -> None:
    found = one(
        None, siblings=[{"rfilename": "adapter_config.json"}, {"rfilename": "adapter_model.safetensors", "size": 7}]
    )
    assert isinstance(found, Extracted)
    assert (found.model["kind"], found.model["parameters"], found.model["stored_bytes"]) == ("adapter", None, 7)


def test_nothing_to_size_is_a_failure_and_a_bad_configuration_too() -> None:
    assert one(None) == Failure("no_weights", "neither a configuration nor weights that can be sized")
    found = one({**LLAMA, "hidden_size": -4})
    assert isinstance(found, Failure)
    assert (found.kind, "hidden_size" in found.message) == ("malformed_config", True)


def test_a_bad_configuration_beside_known_weights_is_a_row_with_a_note() -> None:
    found = model({"model_type": 7}, safetensors={"parameters": {"BF16": 1000}, "total": 1000})
    assert (found["parameters"], found["layers"]) == (1000, None)
    assert "model_type" in found["notes"]


def test_equal_models_share_a_shape_and_different_ones_do_not() -> None:
    one_shape, other = model(license="a"), model(downloads=7)
    assert one_shape["shape_id"] == other["shape_id"]
    for change in ({"num_hidden_layers": 31}, {"max_position_embeddings": 4096}, {"tie_word_embeddings": True}):
        assert model({**LLAMA, **change})["shape_id"] != one_shape["shape_id"]
    assert model(siblings=[{"rfilename": "m-Q4_K_M.gguf", "size": 5}])["shape_id"] != one_shape["shape_id"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=10),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=10,
)
KEYS = ("id", "tags", "siblings", "safetensors", "gguf", "config", "cardData", "baseModels", "gated", "lastModified",
        "downloads", "library_name", "pipeline_tag", "sha")  # fmt: skip


@given(info=st.dictionaries(st.sampled_from(KEYS), json_values), config=st.none() | json_values)
@settings(max_examples=300, deadline=None)
def test_no_answer_breaks_a_part_and_every_row_is_accounted_for(info: Any, config: Any) -> None:
    text = None if config is None else json.dumps(config)
    row = {"model_id": "a/b", "revision": None, "info": json.dumps(info), "config": text, "fetched_at": NOW,
           "failure_kind": None, "failure_message": None, "http_status": None}  # fmt: skip
    parts = extract_part(pl.DataFrame([row], schema=HUB))
    assert parts.models.height + parts.model_errors.height == 1
    assert parts.models.schema == MODELS
    assert parts.model_shapes.schema == SHAPES


@pytest.mark.parametrize("text", ["", "null", "[]", "<html>", "[" * 100_000, '{"a":' * 50_000])
def test_answers_that_are_no_object_are_failures(text: str) -> None:
    assert parse(text) is None
    found = extract(RawModel("a/b", None, text, None, NOW))
    assert isinstance(found, Failure)
    assert found.kind == "malformed_info"


def test_hostile_text_is_bounded_and_without_control_characters() -> None:
    found = model(license=None, tags=["license:\x1b[31mevil\u202e" + "x" * 500], downloads=10**30, likes=-1)
    assert len(found["license"]) <= 200
    assert not any(ord(character) < 32 or character == "\u202e" for character in found["license"])
    assert found["downloads"] is None
    assert found["likes"] is None


def test_the_snapshot_is_conserved_and_mostly_known() -> None:
    rows = [
        {"model_id": row["model_id"], "revision": row["revision"], "info": row["info"], "config": row["config"],
         "fetched_at": NOW, "failure_kind": None, "failure_message": None, "http_status": None}
        for row in catalogs.hub_snapshot()
    ]  # fmt: skip
    parts = extract_part(pl.DataFrame(rows, schema=HUB))
    assert parts.models.height + parts.model_errors.height == len(rows)
    assert parts.attention_groups.schema == ATTENTION_GROUPS
    assert parts.artifacts.schema == ARTIFACTS
    assert parts.model_overrides.schema == WEIGHT_OVERRIDES
    assert parts.model_errors.schema == MODEL_ERRORS
    assert parts.models["parameters"].is_not_null().mean() > 0.85
    decoders = parts.models.filter(kind="decoder").join(parts.model_shapes, on="shape_id")
    assert decoders["kv_full_elements_per_token"].is_not_null().mean() > 0.85


def test_failures_of_the_crawl_pass_through() -> None:
    row = {"model_id": "a/b", "revision": None, "info": None, "config": None, "fetched_at": NOW,
           "failure_kind": "gated", "failure_message": "accept", "http_status": 403}  # fmt: skip
    [error] = extract_part(pl.DataFrame([row], schema=HUB)).model_errors.to_dicts()
    assert (error["stage"], error["kind"], error["is_transient"], error["http_status"]) == (
        "fetch",
        "gated",
        False,
        403,
    )


def test_stored_of_nothing_is_nothing() -> None:
    info = parse("{}")
    assert info is not None
    assert stored(info, None, None, None).bytes is None
