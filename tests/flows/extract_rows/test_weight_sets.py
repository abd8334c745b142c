"""Which files are the weights, and how many bytes they have."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from flows.extract.extract import Extracted, extract
from flows.raw import RawModel

NOW = datetime(2026, 1, 2, tzinfo=UTC)
LLAMA = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 4096, "num_hidden_layers": 32,
    "num_attention_heads": 32, "num_key_value_heads": 8, "intermediate_size": 14336, "vocab_size": 128256,
    "max_position_embeddings": 131072, "torch_dtype": "bfloat16",
}  # fmt: skip
PARAMETERS = 8_030_261_248


def read(files: dict[str, int | None] | None = None, document: Any = None, **info: Any) -> Extracted:
    if files is not None:
        info["siblings"] = [
            {"rfilename": name} if size is None else {"rfilename": name, "size": size} for name, size in files.items()
        ]
    text = None if document is None else json.dumps(document)
    found = extract(RawModel("a/b", "abc", json.dumps({"id": "a/b", **info}), text, NOW))
    assert isinstance(found, Extracted), found
    return found


def shards(stem: str, sizes: list[int], ending: str = "safetensors", of: int | None = None) -> dict[str, int | None]:
    return {f"{stem}-{i:05}-of-{of or len(sizes):05}.{ending}": size for i, size in enumerate(sizes, start=1)}


@pytest.mark.parametrize(
    ("files", "size"),
    [
        ({"model.safetensors": 10, "pytorch_model.bin": 11}, 10),
        ({"pytorch_model.bin": 11, "training_args.bin": 3, "optimizer.bin": 30}, 11),
        (shards("model", [10, 20]) | {"model.safetensors": 30}, 30),
        (shards("model", [10, 20]) | shards("other", [5, 5]), 30),
        (shards("model", [10, 20]) | shards("model", [10, 10, 5, 5]), 30),
        (shards("pytorch_model", [10, 20], "bin"), 30),
        ({"model.safetensors": 10, "model.fp16.safetensors": 5}, 10),
        ({"model.fp16.safetensors": 5}, 5),
        (shards("model.fp16", [5, 5]) | shards("model", [10, 10]), 20),
        ({"model_pp0_ep0_shard0.safetensors": 4, "model_pp1_ep0_shard0.safetensors": 5}, 9),
        ({"model.safetensors": 10, "consolidated.safetensors": 11, "original/model.safetensors": 11}, 10),
        (shards("consolidated", [10, 10]), 20),
        ({"model.safetensors": 10, "onnx/model.safetensors": 3, "adapter_model.safetensors": 1}, 10),
        ({"model-00000-of-00002.safetensors": 1, "model-00001-of-00002.safetensors": 2,
          "model-00002-of-00002.safetensors": 3}, 6),
        (shards("model", [10, 20], of=5), None),
        (shards("model", [10, 20], of=5) | {"pytorch_model.bin": 70}, None),
        ({"model.safetensors": None}, None),
        ({"README.md": 5}, None),
    ],
)  # fmt: skip
def test_one_weight_set(files: dict[str, int | None], size: int | None) -> None:
    assert read(files, LLAMA).model["stored_bytes"] == size


def test_a_missing_shard_is_said() -> None:
    assert read(shards("model", [10, 20], of=5), LLAMA).model["notes"] == "not every shard is listed"


def test_tensor_bytes_are_preferred_to_files_that_agree() -> None:
    counts = {"parameters": {"BF16": PARAMETERS}, "total": PARAMETERS}
    found = read({"model.safetensors": 2 * PARAMETERS + 35_000}, LLAMA, safetensors=counts)
    assert (found.model["stored_bytes"], found.model["notes"]) == (2 * PARAMETERS, None)
    [artifact] = found.artifacts
    assert artifact == {
        "model_id": "a/b", "artifact": "model.safetensors", "role": "model", "format": "safetensors",
        "precision": "bf16", "bytes": 2 * PARAMETERS, "files": 1,
    }  # fmt: skip


@pytest.mark.parametrize("size", [2 * PARAMETERS - 1, 3 * PARAMETERS])
def test_files_win_over_counts_that_cannot_be_theirs(size: int) -> None:
    found = read({"model.safetensors": size}, LLAMA, safetensors={"parameters": {"BF16": PARAMETERS}})
    assert found.model["stored_bytes"] == size
    assert f"{size:,} bytes" in found.model["notes"]


def test_buffers_weigh_but_are_no_parameters() -> None:
    found = read(None, LLAMA, safetensors={"parameters": {"BF16": PARAMETERS, "I64": 512, "BOOL": 64}})
    assert found.model["stored_bytes"] == 2 * PARAMETERS + 8 * 512 + 64
    assert (found.model["parameters"], found.model["parameters_conflict"]) == (PARAMETERS, False)


def test_packed_integers_are_never_multiplied_by_their_width() -> None:
    awq = {**LLAMA, "quantization_config": {"quant_method": "awq", "bits": 4, "group_size": 128}}
    elements, parameters = 6_979_321_856 // 8, 6_979_321_856
    for packed in (elements, parameters):  # the Hub has counted both ways
        found = read(None, awq, safetensors={"parameters": {"I32": packed, "F16": 1_050_939_392}})
        assert found.model["stored_bytes"] == 5_727_854_592
        assert (found.model["parameters"], found.model["parameters_source"]) == (PARAMETERS, "config")
    found = read(None, awq, safetensors={"parameters": {"I32": 123_456, "F16": 1_050_939_392}})
    assert found.model["stored_bytes"] is None


def test_a_total_without_dtypes_is_an_estimate() -> None:
    found = read(None, None, safetensors={"total": 6000}).model
    assert (found["parameters"], found["parameters_source"], found["confidence"]) == (
        6000,
        "safetensors_api",
        "estimated",
    )
    assert (found["stored_bytes"], found["kind"]) == (None, "other")


def test_an_adapter_is_read_once() -> None:
    found = read(
        {"adapter_config.json": 1, "adapter_model.safetensors": 7, "adapter_model.bin": 7, "checkpoint-1/model.bin": 9},
        LLAMA,
    )
    assert (found.model["kind"], found.model["stored_bytes"], found.model["layers"]) == ("adapter", 7, None)


@pytest.mark.parametrize(
    "info",
    [
        {"library_name": "diffusers", "tags": ["lora", "base_model:adapter:x/y"]},
        {"baseModels": {"relation": "adapter", "models": [{"id": "x/y"}]}},
        {"library_name": "peft", "cardData": {"base_model": ["x/y"]}},
        {"config": {"peft": {"base_model_name_or_path": "x/y"}}},
    ],
)
def test_low_rank_weights_are_adapters_of_their_base(info: dict[str, Any]) -> None:
    found = read({"pytorch_lora_weights.safetensors": 7}, **info).model
    assert (found["kind"], found["base_model"], found["stored_bytes"]) == ("adapter", "x/y", 7)


def test_a_merged_model_is_no_adapter() -> None:
    merged = read({"model.safetensors": 7}, LLAMA, library_name="peft", tags=["base_model:adapter:x/y"])
    assert merged.model["kind"] == "decoder"


def test_a_pipeline_counts_each_component_once() -> None:
    found = read(
        {
            "model_index.json": 1, "unet/diffusion_pytorch_model.safetensors": 100,
            "unet/diffusion_pytorch_model.fp16.safetensors": 50, "unet/diffusion_pytorch_model.bin": 100,
            "unet/diffusion_pytorch_model.non_ema.safetensors": 100, "vae/diffusion_pytorch_model.safetensors": 8,
            "vae_1_0/diffusion_pytorch_model.safetensors": 8, "vae_decoder/openvino_model.bin": 9,
            "text_encoder/model.safetensors": 4, "text_encoder/model.onnx": 4, "onnx/model.safetensors": 5,
            "sd_xl_base_1.0.safetensors": 112,
            **{f"transformer/diffusion_pytorch_model-0000{i}-of-00002.safetensors": 20 for i in (1, 2)},
        },
        safetensors={"parameters": {"F32": 25}, "total": 25},
    )  # fmt: skip
    assert {row["artifact"]: row["bytes"] for row in found.artifacts} == {
        "unet": 100, "vae": 8, "text_encoder": 4, "transformer": 40,
    }  # fmt: skip
    assert found.model["stored_bytes"] == 152
    assert (found.model["parameters"], found.model["parameters_source"]) == (38, "file_size")
    assert (found.model["kind"], found.model["layers"], found.model["confidence"]) == ("diffusion", None, "estimated")


def test_one_component_alone_is_a_pipeline_of_one() -> None:
    config = {"_class_name": "AutoencoderKL", "_diffusers_version": "0.30"}
    found = read({"diffusion_pytorch_model.safetensors": 400}, config, safetensors={"parameters": {"F32": 99}})
    assert (found.model["kind"], found.model["stored_bytes"], found.model["parameters"]) == ("diffusion", 400, 100)


def test_a_pipeline_without_sizes_is_not_the_one_component_that_the_hub_counts() -> None:
    found = read({"model_index.json": None, "unet/diffusion_pytorch_model.safetensors": None},
                 LLAMA, safetensors={"parameters": {"F32": 25}})  # fmt: skip
    assert found.model["kind"] == "diffusion"
    assert found.model["stored_bytes"] is None
