"""Tensor headers on the wire: asked for where they add something, in the fewest requests, into the right rows."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from gguf_bytes import STRING, U32, described, gguf, pair
from gguf_llama import F16, Q4_0, Q8_0, gguf_llama
from local_hub import LLAMA, SHA, raw, reset, status
from weight_bytes import Tensors, safetensors
from wire import ask

from flows import hub_files
from flows.extract.extract import Extracted, extract
from flows.extract.read_config import read_architecture
from flows.raw import RawModel

if TYPE_CHECKING:
    from gguf_bytes import STRING, U32, described, gguf, pair
from local_hub import HubServer

INDEX = "model.safetensors.index.json"
AWQ = {**LLAMA, "quantization_config": {"quant_method": "awq", "bits": 4, "group_size": 128}}
MATRIX: Tensors = {"model.layers.0.mlp.up_proj.qweight": ("I32", (64, 16)), "model.norm.weight": ("F16", (64,))}


def shards(number: int) -> dict[str, bytes]:
    return {
        f"model-{i:05}-of-{number:05}.safetensors": safetensors({f"model.layers.{i}.x.weight": ("BF16", (8, 4))})
        for i in range(1, number + 1)
    }


def read(hub: HubServer, model_id: str = "a/b") -> Extracted:
    answer = ask(model_id)[model_id]
    assert isinstance(answer, RawModel), answer
    found = extract(answer)
    assert isinstance(found, Extracted), found
    return found


def asked_for_weights(hub: HubServer) -> list[str]:
    paths = [path for path, _, _ in hub.seen]
    return [path for path in paths if "/resolve/" in path or "safetensors-metadata" in path]


def test_a_plain_counted_checkpoint_costs_no_more(hub: HubServer) -> None:
    parameters = read_architecture(LLAMA).parameters
    counts = {"parameters": {"BF16": parameters}, "total": parameters}
    hub.add("a/b", blobs={"model.safetensors": safetensors({"x": ("BF16", (8, 4))})}, safetensors=counts)
    ask("a/b")
    assert len(hub.seen) == 2


def test_a_packed_checkpoint_is_counted_by_its_header_in_one_request(hub: HubServer) -> None:
    hub.add(
        "a/b", config=AWQ, blobs={"model.safetensors": safetensors(MATRIX)}, safetensors={"parameters": {"I32": 1024}}
    )
    found = read(hub)
    assert asked_for_weights(hub) == [f"/a/b/resolve/{SHA}/model.safetensors"]
    assert found.model["config_parameters"] != 64 * 128 + 64
    assert (found.model["parameters"], found.model["parameters_source"]) == (64 * 128 + 64, "safetensors_header")
    assert found.model["stored_bytes"] == 64 * 16 * 4 + 128
    assert found.model["stored_precision"] == "int4_awq_g128"
    assert found.tensor_types == [
        {
            "model_id": "a/b",
            "artifact": "model.safetensors",
            "dtype": "I32",
            "tensors": 1,
            "elements": 1024,
            "bytes": 4096,
        },
        {
            "model_id": "a/b",
            "artifact": "model.safetensors",
            "dtype": "F16",
            "tensors": 1,
            "elements": 64,
            "bytes": 128,
        },
    ]


def test_thirty_shards_cost_one_request_and_thirty_where_the_hub_does_not_serve_them_together(hub: HubServer) -> None:
    hub.add("a/together", files={INDEX: {}}, blobs=shards(30))
    hub.add("a/apart", files={INDEX: {}}, blobs=shards(30), serves_headers=False)
    for model_id in ("a/together", "a/apart"):
        found = read(hub, model_id)
        assert found.model["parameters"] == 30 * 32
        assert found.model["stored_bytes"] == 30 * 64
    assert len([path for path in asked_for_weights(hub) if "a/together" in path]) == 1
    assert len([path for path in asked_for_weights(hub) if "/a/apart/resolve" in path]) == 30


def test_headers_of_a_newer_revision_are_not_those_of_this_one(hub: HubServer) -> None:
    """The endpoint knows only the current revision; files of other sizes give it away."""
    hub.add("a/b", files={INDEX: {}}, blobs=shards(2))
    newer = {name: safetensors({f"{name}.weight": ("BF16", (80, 4))}) for name in shards(2)}
    headers = {name: json.loads(blob[8 : 8 + int.from_bytes(blob[:8], "little")]) for name, blob in newer.items()}
    hub.faults[f"/api/models/a/b/safetensors-metadata/{INDEX}"] = status(200, body={"headers": headers})
    assert read(hub).model["parameters"] == 2 * 32


def test_a_tensor_in_two_shards_counts_once(hub: HubServer) -> None:
    twice = safetensors({"x.weight": ("BF16", (8, 4))})
    hub.add("a/b", blobs={f"model-0000{i}-of-00002.safetensors": twice for i in (1, 2)})
    assert read(hub).model["parameters"] == 32


@pytest.mark.parametrize(
    ("respond", "why"),
    [
        (status(404, {"X-Error-Code": "EntryNotFound"}), "not_found"),
        (status(403, {"X-Error-Code": "GatedRepo"}), "gated"),
        (raw(b"\xff" * 8 + b"{}"), "a header of"),
        (raw(b"<html>"), "malformed_answer"),
        (raw((10**3).to_bytes(8, "little") + b"x" * 10**3), "not a JSON object"),
        (status(500), "server_error"),
        (reset, "connection"),
        (raw(b"not gzip", {"Content-Encoding": "gzip"}), "compression is broken"),
        (status(302, {"Location": "http://[::1"}), "no usable address"),
    ],
    ids=["missing", "gated", "length", "short", "garbage", "500", "reset", "gzip", "redirect"],
)
def test_a_header_that_cannot_be_had_is_a_note_and_the_configuration_counts(
    hub: HubServer, respond: Any, why: str
) -> None:
    hub.add("a/b", config=AWQ, blobs={"model.safetensors": safetensors(MATRIX)})
    hub.faults[f"/a/b/resolve/{SHA}/model.safetensors"] = respond
    found = read(hub)
    assert (found.model["parameters_source"], found.model["confidence"]) == ("config", "derived")
    assert "its tensor headers cannot be read" in found.model["notes"]
    assert why in found.model["notes"]


def test_a_server_that_ignores_ranges_costs_no_more_than_the_header(hub: HubServer) -> None:
    whole = safetensors({"x.weight": ("F32", (1000, 1000))})
    hub.add("a/b", blobs={"model.safetensors": whole})
    hub.faults[f"/a/b/resolve/{SHA}/model.safetensors"] = raw(whole)
    assert read(hub).model["parameters"] == 1_000_000


def test_the_token_does_not_follow_a_range_to_another_origin(hub: HubServer) -> None:
    blob = safetensors(MATRIX)
    hub.add("a/b", config=AWQ, blobs={"model.safetensors": blob})
    elsewhere = hub.url.replace("127.0.0.1", "localhost") + "/cdn/file"
    hub.faults[f"/a/b/resolve/{SHA}/model.safetensors"] = status(302, {"Location": elsewhere})
    hub.faults["/cdn/file"] = lambda handler: handler.raw(
        206, blob, {"Content-Range": f"bytes 0-{len(blob) - 1}/{len(blob)}"}
    )
    assert read(hub).model["parameters_source"] == "safetensors_header"
    [headers] = [headers for path, headers, _ in hub.seen if path == "/cdn/file"]
    assert "authorization" not in headers
    assert headers["range"].startswith("bytes=0-")


@pytest.mark.parametrize(
    "name", ["../../etc/passwd.safetensors", "/etc/model.safetensors", "http://x/model.safetensors"]
)
def test_names_that_leave_the_repository_are_not_asked_for(hub: HubServer, name: str) -> None:
    hub.add("a/b", config=AWQ)
    hub.models["a/b"]["info"]["siblings"].append({"rfilename": name, "size": 100})
    ask("a/b")
    assert asked_for_weights(hub) == []


def test_a_pipeline_is_counted_component_by_component(hub: HubServer) -> None:
    index = {"_class_name": "StableDiffusionPipeline", "_diffusers_version": "0.30"}
    hub.add("a/b", config=None, files={"model_index.json": index}, library_name="diffusers", blobs={
        "unet/diffusion_pytorch_model.safetensors": safetensors({"conv.weight": ("F16", (4, 4, 3, 3))}),
        "unet/diffusion_pytorch_model.fp16.safetensors": safetensors({"conv.weight": ("F16", (4, 4, 3, 3))}),
        "vae/diffusion_pytorch_model.safetensors": safetensors({"conv.weight": ("F32", (8, 8))}),
        "text_encoder/model.safetensors": safetensors({"x": ("F16", (10, 10)), "position_ids": ("I64", (1, 77))}),
    })  # fmt: skip
    found = read(hub)
    assert len(asked_for_weights(hub)) == 3
    assert (found.model["kind"], found.model["parameters"]) == ("diffusion", 144 + 64 + 100)
    assert (found.model["parameters_source"], found.model["confidence"]) == ("safetensors_header", "exact")
    assert {row["artifact"]: (row["role"], row["precision"], row["bytes"]) for row in found.artifacts} == {
        "unet": ("component", "fp16", 288),
        "vae": ("component", "fp32", 256),
        "text_encoder": ("component", "fp16", 200 + 77 * 8),  # a table of positions is no weight
    }
    assert found.model["stored_bytes"] == 288 + 256 + 816
    assert found.model["stored_precision"] is None


def test_modules_beside_a_transformer_are_part_of_the_model(hub: HubServer) -> None:
    counts = {"parameters": {"BF16": 1000}, "total": 1000}
    dense = safetensors({"linear.weight": ("F32", (16, 8)), "linear.bias": ("F32", (16,))})
    files = {"modules.json": [], "2_Dense/config.json": {}}
    blobs = {"2_Dense/model.safetensors": dense}
    hub.add("a/b", config={"model_type": "unheard-of"}, files=files, safetensors=counts, blobs=blobs)
    found = read(hub)
    assert asked_for_weights(hub) == [f"/a/b/resolve/{SHA}/2_Dense/model.safetensors"]
    assert found.model["parameters"] == 1000 + 144
    assert found.model["stored_bytes"] == 2000 + 576
    assert {row["artifact"]: row["role"] for row in found.artifacts} == {
        "model.safetensors": "model",
        "2_Dense": "module",
    }


def test_an_old_sentence_transformer_keeps_its_transformer_in_a_folder(hub: HubServer) -> None:
    blob = safetensors({"x.weight": ("F32", (8, 4))})
    hub.add("a/b", config=None, files={"modules.json": [], "0_Transformer/config.json": LLAMA},
            blobs={"0_Transformer/model.safetensors": blob})  # fmt: skip
    found = read(hub)
    assert found.model["model_type"] == "llama"
    assert found.model["stored_bytes"] == 128


def test_an_adapter_tells_its_rank_its_size_and_its_base(hub: HubServer) -> None:
    lora = {f"base.layers.{i}.q_proj.lora_{x}.weight": ("F32", shape)
            for i in range(2) for x, shape in (("A", (16, 64)), ("B", (64, 16)))}  # fmt: skip
    config = {"peft_type": "LORA", "r": 8, "base_model_name_or_path": "ok/base"}
    hub.add("ok/base")
    hub.add(
        "a/b",
        config=None,
        files={"adapter_config.json": config},
        blobs={"adapter_model.safetensors": safetensors(lora)},
    )
    found = read(hub)
    model = found.model
    assert (model["kind"], model["base_model"], model["adapter_rank"]) == (
        "adapter",
        "ok/base",
        16,
    )  # the file knows better
    assert (model["parameters"], model["parameters_source"], model["confidence"]) == (
        4096,
        "safetensors_header",
        "exact",
    )
    assert (model["stored_bytes"], model["stored_precision"], model["layers"]) == (16384, "fp32", 2)
    assert model["inherited_from"] == "ok/base"


def test_an_adapter_without_readable_weights_has_the_rank_of_its_configuration(hub: HubServer) -> None:
    config = {"r": 8, "rank_pattern": {"q_proj": 32}, "base_model_name_or_path": "/home/me/base"}
    hub.add("a/b", config=None, files={"adapter_config.json": config}, blobs={"adapter_model.safetensors": b"?"})
    model = read(hub).model
    assert (model["adapter_rank"], model["parameters"], model["inherited_from"]) == (32, None, None)


def test_an_index_tells_the_bytes_of_many_pickles_in_one_request(hub: HubServer) -> None:
    names = [f"pytorch_model-{i:05}-of-00030.bin" for i in range(1, 31)]
    index = {"metadata": {"total_size": 2900}, "weight_map": {}}
    hub.add("a/b", files={"pytorch_model.bin.index.json": index}, blobs=dict.fromkeys(names, bytes(100)))
    found = read(hub)
    assert asked_for_weights(hub) == [f"/a/b/resolve/{SHA}/pytorch_model.bin.index.json"]
    assert (found.model["stored_bytes"], found.model["parameters_source"]) == (2900, "config")


@pytest.mark.parametrize(
    "index", [[], {}, {"metadata": 3}, {"metadata": {"total_size": -1}}, {"metadata": {"total_size": 1e30}}]
)
def test_an_index_that_lies_leaves_the_files(hub: HubServer, index: Any) -> None:
    names = [f"pytorch_model-{i:05}-of-00003.bin" for i in range(1, 4)]
    hub.add("a/b", files={"pytorch_model.bin.index.json": index}, blobs=dict.fromkeys(names, bytes(100)))
    assert read(hub).model["stored_bytes"] == 300


VECTORS_OF_THE_LLAMA = 5 * 64
MATRICES_OF_THE_LLAMA = 256 * 64 + 2 * 64 * (64 + 32 + 32 + 64 + 128 + 128 + 128)
PARAMETERS_OF_THE_LLAMA = MATRICES_OF_THE_LLAMA + VECTORS_OF_THE_LLAMA


def test_gguf_files_tell_the_architecture_and_types_of_a_repository_without_a_configuration(hub: HubServer) -> None:
    blobs = {"m-Q8_0.gguf": gguf_llama(), "m-Q4_0.gguf": gguf_llama(Q4_0, name="another name"),
             "m-F16.gguf": gguf_llama(F16), "mmproj-F16.gguf": gguf_llama(F16)}  # fmt: skip
    hub.add("a/b", config=None, blobs=blobs, gguf={"total": 5, "architecture": "llama"})
    found = read(hub)
    # one request for each whole model, the smallest first; the vocabulary of the others is passed over
    asked = [(path, headers["range"]) for path, headers, _ in hub.seen if "/resolve/" in path]
    assert [path for path, _ in asked] == [f"/a/b/resolve/{SHA}/m-{kind}.gguf" for kind in ("Q4_0", "Q8_0", "F16")]
    starts = [int(told.removeprefix("bytes=").partition("-")[0]) for _, told in asked]
    assert starts[0] == 0
    assert min(starts[1:]) > 100_000
    model = found.model
    assert (model["parameters"], model["parameters_source"]) == (PARAMETERS_OF_THE_LLAMA, "gguf_header")
    assert (model["confidence"], model["model_type"], model["layers"]) == ("exact", "llama", 2)
    assert [group["kind"] for group in found.groups] == ["full"]
    vectors = 4 * VECTORS_OF_THE_LLAMA
    assert {row["artifact"]: (row["role"], row["bytes"]) for row in found.artifacts} == {
        "m-Q8_0.gguf": ("model", MATRICES_OF_THE_LLAMA * 34 // 32 + vectors),
        "m-Q4_0.gguf": ("model", MATRICES_OF_THE_LLAMA * 18 // 32 + vectors),
        "m-F16.gguf": ("model", MATRICES_OF_THE_LLAMA * 2 + vectors),
        "mmproj-F16.gguf": ("projector", len(blobs["mmproj-F16.gguf"])),
    }
    assert {(row["artifact"], row["dtype"], row["elements"]) for row in found.tensor_types} == {
        (f"m-{kind}.gguf", *told)
        for kind in ("Q8_0", "Q4_0", "F16")
        for told in ((kind, MATRICES_OF_THE_LLAMA), ("F32", VECTORS_OF_THE_LLAMA))
    }
    assert {row["precision"]: row["weights_bytes"] for row in found.overrides if row["weights_basis"] == "stored"} == {
        "gguf_q8_0": MATRICES_OF_THE_LLAMA * 34 // 32 + vectors,
        "gguf_q4_0": MATRICES_OF_THE_LLAMA * 18 // 32 + vectors,
        "fp16": MATRICES_OF_THE_LLAMA * 2 + vectors,
    }


def test_a_gguf_file_that_is_not_like_its_sibling_is_read_whole(hub: HubServer) -> None:
    other = gguf([pair("general.architecture", STRING, "llama")], [described("x", (32, 2), F16, 0)], data=128)
    hub.add("a/b", config=None, blobs={"m-Q4_0.gguf": gguf_llama(Q4_0), "m-F16.gguf": other + bytes(400_000)})
    found = read(hub)
    assert ("m-F16.gguf", "F16", 64) in {(row["artifact"], row["dtype"], row["elements"]) for row in found.tensor_types}
    assert len(asked_for_weights(hub)) == 3  # where the sibling's are; then from the beginning


def test_a_gguf_file_whose_name_says_nothing_is_named_by_its_header(hub: HubServer) -> None:
    hub.add("a/b", blobs={"weights.gguf": gguf_llama()})
    found = read(hub)
    assert [(row["artifact"], row["precision"]) for row in found.artifacts] == [("weights.gguf", "gguf_q8_0")]
    assert [row["precision"] for row in found.overrides if row["weights_basis"] == "stored"] == ["gguf_q8_0"]


def test_gguf_shards_are_one_model(hub: HubServer) -> None:
    first = gguf_llama()
    second = gguf([pair("split.no", U32, 1)], [described("blk.9.extra.weight", (64, 64), Q8_0, 0)], data=64 * 68)
    blobs = {"m-00001-of-00002.gguf": first, "m-00002-of-00002.gguf": second}
    hub.add("a/b", config=None, blobs=blobs)
    model = read(hub).model
    assert (model["parameters"], model["parameters_source"]) == (PARAMETERS_OF_THE_LLAMA + 64 * 64, "gguf_header")
    assert "its tensors" in model["notes"]  # the extra matrix is none of a llama's: no cache is claimed
    assert model["layers"] is None


def test_a_gguf_file_that_is_none_is_a_note(hub: HubServer) -> None:
    hub.add("a/b", config=None, blobs={"m-Q8_0.gguf": b"not a model"}, gguf={"total": 5, "architecture": "llama"})
    model = read(hub).model
    assert (model["parameters"], model["parameters_source"], model["stored_bytes"]) == (5, "gguf_api", 11)
    assert "not a GGUF file" in model["notes"]


def test_the_headers_of_one_repository_are_bounded_in_bytes(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_files, "MOST_BYTES", 1000)
    blobs = {
        f"x_{i}.safetensors": safetensors({f"x{i}": ("BF16", (8, 4)), "pad" * 200: ("U8", (1,))}) for i in range(9)
    }
    hub.add("a/b", blobs=blobs)
    assert "more than a night can read" in read(hub).model["notes"]
    assert 1 < len(asked_for_weights(hub)) < 9


PICKLES = Path(__file__).parents[1] / "data" / "pickles"


@pytest.mark.parametrize("file", ["tied.bin", "legacy_tied.bin"])
def test_a_pickle_that_the_hub_did_not_count_is_counted_and_never_unpickled(hub: HubServer, file: str) -> None:
    hub.add("a/b", blobs={"pytorch_model.bin": (PICKLES / file).read_bytes()})
    found = read(hub)
    assert asked_for_weights(hub) == [f"/a/b/resolve/{SHA}/pytorch_model.bin"]
    assert found.model["parameters_source"] == "pickle_header"
    assert [(row["artifact"], row["format"], row["files"]) for row in found.artifacts] == [
        ("pytorch_model.bin", "pickle", 1)
    ]
    assert sum(row["elements"] for row in found.tensor_types) == found.model["parameters"]


def test_a_pickle_that_wants_to_run_code_is_a_note(hub: HubServer) -> None:
    hostile = io.BytesIO()
    with zipfile.ZipFile(hostile, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02cos\nsystem\nX\x02\x00\x00\x00id\x85R.")
    hub.add("a/b", config=AWQ, blobs={"pytorch_model.bin": hostile.getvalue()})
    model = read(hub).model
    assert model["parameters_source"] == "config"
    assert "os.system" in model["notes"]


def test_a_count_that_contradicts_the_configuration_is_settled_by_the_header(hub: HubServer) -> None:
    tensors: Tensors = {"model.embed_tokens.weight": ("BF16", (256, 64)), "model.other.weight": ("BF16", (1000, 1000))}
    counts = {"parameters": {"BF16": 999}, "total": 999}
    hub.add("a/b", blobs={"model.safetensors": safetensors(tensors)}, safetensors=counts)
    model = read(hub).model
    assert len(asked_for_weights(hub)) == 1
    assert (model["parameters"], model["parameters_source"]) == (256 * 64 + 1_000_000, "safetensors_header")
    assert (model["parameters_conflict"], model["confidence"]) == (True, "derived")
    assert "the configuration gives" in model["notes"]


@pytest.mark.parametrize("respond", [raw(b"not gzip", {"Content-Encoding": "gzip"}), raw(b"[1"), status(500), reset])
def test_broken_headers_of_all_shards_are_read_one_by_one(hub: HubServer, respond: Any) -> None:
    hub.add("a/b", files={INDEX: {}}, blobs=shards(2))
    hub.faults[f"/api/models/a/b/safetensors-metadata/{INDEX}"] = respond
    assert read(hub).model["parameters"] == 2 * 32
