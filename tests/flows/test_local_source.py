"""A folder is answered for like a repository of the Hub with the same files: row by row the same."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from gguf_bytes import STRING, described, gguf, pair
from gguf_llama import F16, Q4_0, Q8_0, gguf_llama
from local_folders import MATRIX, Files, here, rows, write
from local_hub import LLAMA, SHA
from weight_bytes import safetensors
from wire import SETTINGS, ask

from flows.extract.extract import Extracted, extract
from flows.extract.read_config import read_architecture
from flows.local_bases import bases_of
from flows.local_model import LocalModel
from flows.local_source import local_source
from flows.raw import RawModel

if TYPE_CHECKING:
    from local_hub import HubServer

PICKLES = Path(__file__).parents[1] / "data" / "pickles"
AWQ = {**LLAMA, "quantization_config": {"quant_method": "awq", "bits": 4, "group_size": 128}}
LORA = {"r": 4, "peft_type": "LORA", "base_model_name_or_path": "ok/base"}
PACKED = safetensors({"model.layers.0.mlp.up_proj.qweight": ("I32", (64, 16)), "model.norm.weight": ("F16", (64,))})
LOW_RANK = safetensors({"x.lora_A.weight": ("F32", (4, 64)), "x.lora_B.weight": ("F32", (64, 4))})
CUT = MATRIX[:40]
CLIP = gguf([pair("general.architecture", STRING, "clip")], [described("x", (32, 2), F16, 0)], data=128)
FOLDERS: dict[str, Files] = {
    "single": {"config.json": LLAMA, "model.safetensors": MATRIX},
    "sharded": {
        "config.json": LLAMA,
        "model.safetensors.index.json": {"metadata": {}},
        "model-00001-of-00002.safetensors": MATRIX,
        "model-00002-of-00002.safetensors": safetensors({"lm_head.weight": ("BF16", (256, 64))}),
    },
    "missing shard": {"config.json": LLAMA, "model-00001-of-00002.safetensors": MATRIX},
    "packed": {"config.json": AWQ, "model.safetensors": PACKED},
    "gguf": {"m-Q8_0.gguf": gguf_llama(), "m-Q4_0.gguf": gguf_llama(Q4_0), "mmproj-F16.gguf": gguf_llama(F16)},
    "one gguf of a name that says nothing": {"weights.gguf": gguf_llama(Q8_0)},
    "gguf of an architecture without a table": {"m-F16.gguf": CLIP},
    "pipeline": {
        "model_index.json": {"_class_name": "SomePipeline"},
        "transformer/config.json": {},
        "transformer/diffusion_pytorch_model.safetensors": MATRIX,
        "transformer/diffusion_pytorch_model.fp16.safetensors": MATRIX,
        "vae/diffusion_pytorch_model.safetensors": PACKED,
    },
    "modules": {
        "config.json": LLAMA, "modules.json": {}, "model.safetensors": MATRIX, "2_Dense/model.safetensors": LOW_RANK,
    },
    "adapter": {"adapter_config.json": LORA, "adapter_model.safetensors": LOW_RANK},
    "adapter without weights": {"adapter_config.json": LORA},
    "pickle": {"config.json": LLAMA, "pytorch_model.bin": (PICKLES / "tied.bin").read_bytes()},
    "many pickles": {
        "config.json": LLAMA,
        "pytorch_model.bin.index.json": {"metadata": {"total_size": 290}},
        **{f"pytorch_model-{number:05}-of-00003.bin": bytes(100) for number in (1, 2, 3)},
    },
    "no configuration": {"model.safetensors": MATRIX},
    "no weights": {"config.json": LLAMA},
    "cut off": {"config.json": LLAMA, "model.safetensors": CUT},
    "a header of gigabytes": {"config.json": LLAMA, "model.safetensors": (2**33).to_bytes(8, "little") + bytes(99)},
    "not a GGUF file": {"m-Q8_0.gguf": b"not a model"},
    "configuration that is none": {"config.json": [], "model.safetensors": MATRIX},
}  # fmt: skip


def on_the_hub(hub: HubServer, files: Files, **facts: Any) -> RawModel:
    blobs = {name: content for name, content in files.items() if isinstance(content, bytes)}
    others = {name: content for name, content in files.items() if name not in blobs}
    hub.add("ok/base")
    hub.add("a/b", config=None, files=others, blobs=blobs, **facts)
    answer = ask("a/b")["a/b"]
    assert isinstance(answer, RawModel), answer
    return answer


@pytest.mark.parametrize("name", FOLDERS)
def test_a_folder_has_the_rows_of_a_repository_with_the_same_files(hub: HubServer, tmp_path: Path, name: str) -> None:
    facts: dict[str, Any] = {}
    if "without a table" in name:
        facts = {"gguf": {"total": 64, "architecture": "clip"}}
    elif name == "gguf" or name.startswith("one gguf"):
        # what the Hub reads of a file itself: 57,664 weights of a llama of two layers
        facts = {"gguf": {"total": 57_664, "architecture": "llama", "context_length": 512}}
    there = on_the_hub(hub, FOLDERS[name], **facts)
    assert rows(here(write(tmp_path, FOLDERS[name]))) == rows(there)


def test_where_the_hub_counted_itself_only_the_source_of_the_count_differs(hub: HubServer, tmp_path: Path) -> None:
    parameters = read_architecture(LLAMA).parameters
    weights = safetensors({"all.weight": ("BF16", (parameters,))})
    files = {"config.json": LLAMA, "model.safetensors": weights}
    counts = {"safetensors": {"parameters": {"BF16": parameters}, "total": parameters}}
    theirs, ours = rows(on_the_hub(hub, files, **counts)), rows(here(write(tmp_path, files)))
    assert (theirs["model"].pop("parameters_source"), ours["model"].pop("parameters_source")) == (
        "safetensors_api",
        "safetensors_header",
    )
    assert (theirs.pop("tensor_types"), len(ours.pop("tensor_types"))) == ([], 1)
    assert ours == theirs


def test_the_sizes_are_those_of_the_files_byte_by_byte(tmp_path: Path) -> None:
    found = extract(here(write(tmp_path, FOLDERS["single"])))
    assert isinstance(found, Extracted)
    # 128 x 64 numbers of 2 bytes and 64 of 4; the header is no weight
    assert found.model["stored_bytes"] == 128 * 64 * 2 + 64 * 4
    assert {(row["dtype"], row["tensors"], row["elements"]) for row in found.tensor_types} == {
        ("BF16", 1, 128 * 64),
        ("F32", 1, 64),
    }


def test_one_file_is_a_model_with_its_shards_and_the_settings_beside_it(tmp_path: Path) -> None:
    shards = FOLDERS["sharded"] | {"other.safetensors": PACKED, "m.gguf": gguf_llama()}
    write(tmp_path, shards)
    found = rows(here(tmp_path / "model-00002-of-00002.safetensors"))
    assert found["model"]["model_type"] == "llama"
    assert [(row["artifact"], row["files"]) for row in found["artifacts"]] == [("model.safetensors", 2)]
    alone = rows(here(tmp_path / "m.gguf"))
    assert [(row["artifact"], row["precision"]) for row in alone["artifacts"]] == [("m.gguf", "gguf_q8_0")]
    assert alone["model"]["parameters_source"] == "gguf_header"


def test_a_base_on_this_machine_needs_no_hub(tmp_path: Path) -> None:
    write(tmp_path / "base", {"config.json": LLAMA})
    for place in ("../base", str(tmp_path / "base")):
        adapter = write(tmp_path / "adapter", {"adapter_config.json": LORA | {"base_model_name_or_path": place}})
        assert rows(here(adapter))["model"]["inherited_from"] == place


def test_a_base_is_looked_for_in_the_snapshot_where_that_is_the_source(tmp_path: Path) -> None:
    for base, layers in (("openai-community/gpt2", 12), ("no/body", None)):
        folder = write(tmp_path, {"adapter_config.json": LORA | {"base_model_name_or_path": base}})
        source = local_source(LocalModel(folder, "x"), bases_of(folder, "snapshot", SETTINGS))
        [(_, answer)] = source(["x"])
        assert rows(answer)["model"]["layers"] == layers


def test_a_base_in_the_cache_is_read_there(hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    base = tmp_path / "cache" / "models--ok--base"
    write(base, {f"snapshots/{SHA}/config.json": LLAMA, "refs/main": SHA.encode()})
    adapter = write(tmp_path / "adapter", FOLDERS["adapter"])
    assert rows(here(adapter))["model"]["inherited_from"] == "ok/base"
    assert hub.seen == []


def test_a_hub_that_may_not_be_asked_leaves_the_base_unknown(
    hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    hub.add("ok/base")
    assert rows(here(write(tmp_path, FOLDERS["adapter"])))["model"]["inherited_from"] is None
    assert hub.seen == []
