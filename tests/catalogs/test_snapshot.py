"""The embedded snapshot as data: what must be in it, what must not, and that building it is a function."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

import catalogs
from catalogs import build_snapshot
from catalogs.model_list import id_problem

LINES = [json.loads(text) for text in build_snapshot.SNAPSHOT.read_text(encoding="utf-8").splitlines()]
# An absolute path, but not the path of an address.
FOLDER_OF_A_MACHINE = re.compile(r"file:|(?<![\w/])/[\w.-]+/")
BY_ID = {line["model_id"]: line for line in LINES}

# Repositories whose dimensions the golden weight, cache and state figures are about.
WORKED_EXAMPLES = """
    meta-llama/Llama-3.1-8B meta-llama/Llama-3.1-70B meta-llama/Llama-3.1-405B Qwen/Qwen3-30B-A3B Qwen/Qwen3-0.6B
    Qwen/Qwen3-Next-80B-A3B-Instruct Qwen/Qwen2.5-7B deepseek-ai/DeepSeek-V3 deepseek-ai/DeepSeek-V2-Lite
    openai/gpt-oss-20b openai/gpt-oss-120b google/gemma-3-27b-it mistralai/Mixtral-8x7B-v0.1 mistralai/Mistral-7B-v0.1
    microsoft/phi-4 tiiuae/Falcon-H1-34B-Instruct nvidia/Nemotron-H-8B-Base-8K ai21labs/Jamba-v0.1
    ibm-granite/granite-4.0-h-small MiniMaxAI/MiniMax-Text-01-hf meta-llama/Llama-4-Scout-17B-16E-Instruct
    state-spaces/mamba-2.8b-hf openai/whisper-large-v3 google-t5/t5-base google/flan-t5-xxl
    google-bert/bert-base-uncased stabilityai/stable-diffusion-xl-base-1.0 black-forest-labs/FLUX.1-dev
"""

# Counts over stored tensors that publications give exactly.
STORED_TENSORS = {
    "meta-llama/Llama-3.1-8B": {"BF16": 8_030_261_248},
    "deepseek-ai/DeepSeek-V3": {"BF16": 3_918_786_560, "F8_E4M3": 680_571_043_840, "F32": 41_555_600},
    "openai/gpt-oss-20b": {"BF16": 1_804_459_584, "U8": 2 * 9_555_148_800},
    "google/gemma-3-27b-it": {"BF16": 27_432_406_640},
    "google-bert/bert-base-uncased": {"F32": 110_106_428},
    "unsloth/Meta-Llama-3.1-8B-bnb-4bit": {"BF16": 1_050_939_392, "U8": 2 * 3_489_660_928},
    "RedHatAI/Llama-3.3-70B-Instruct-quantized.w4a16": {"I32": 68_451_041_280, "BF16": 2_102_665_216},
}


def config_of(line: Mapping[str, Any]) -> dict[str, Any]:
    return line["config"] or {}


def keys_in(value: Any) -> set[str]:
    if isinstance(value, list):
        return {key for item in value for key in keys_in(item)}
    if isinstance(value, dict):
        return set(value) | keys_in(list(value.values()))
    return set()


def size_of(model_id: str, file: str) -> int:
    (found,) = [entry["size"] for entry in BY_ID[model_id]["info"]["siblings"] if entry["rfilename"] == file]
    assert isinstance(found, int)
    return found


def test_there_is_enough_of_it() -> None:
    ids = [line["model_id"] for line in LINES]
    assert len(ids) >= 150
    assert ids == sorted(set(ids))
    assert all(id_problem(model_id) is None for model_id in ids)
    assert len({config_of(line).get("model_type") for line in LINES} - {None}) >= 50


def test_the_loader_reads_it_and_the_default_list_names_it() -> None:
    assert [row["model_id"] for row in catalogs.hub_snapshot()] == list(BY_ID)
    listed = catalogs.model_ids()
    assert listed.ids == tuple(BY_ID)
    assert listed.rejected == ()


@pytest.mark.parametrize("model_id", WORKED_EXAMPLES.split())
def test_the_worked_examples_are_there(model_id: str) -> None:
    assert model_id in BY_ID


@pytest.mark.parametrize(("model_id", "parameters"), STORED_TENSORS.items())
def test_published_counts(model_id: str, parameters: dict[str, int]) -> None:
    assert BY_ID[model_id]["info"]["safetensors"] == {"parameters": parameters, "total": sum(parameters.values())}


def test_published_file_sizes() -> None:
    assert (
        size_of("bartowski/Meta-Llama-3.1-8B-Instruct-GGUF", "Meta-Llama-3.1-8B-Instruct-Q4_K_M.gguf") == 4_912_898_048
    )
    sdxl = [
        s for s in BY_ID["stabilityai/stable-diffusion-xl-base-1.0"]["info"]["siblings"] if ".fp16." in s["rfilename"]
    ]
    flux = [s for s in BY_ID["black-forest-labs/FLUX.1-dev"]["info"]["siblings"] if "size" in s]
    assert sum(s["size"] for s in sdxl) == 6_937_675_734
    assert sum(s["size"] for s in flux) == 33_741_198_278


@pytest.mark.parametrize(
    ("kind", "model_type"),
    [
        ("dense decoder", "llama"),
        ("mixture of experts", "qwen3_moe"),
        ("latent attention", "deepseek_v3"),
        ("latent attention with an indexer", "deepseek_v32"),
        ("linear and latent attention", "kimi_linear"),
        ("sliding window", "gemma2"),
        ("sliding window with sinks", "gpt_oss"),
        ("chunked attention", "llama4"),
        ("hybrid", "jamba"),
        ("parallel hybrid", "falcon_h1"),
        ("pattern of letters", "nemotron_h"),
        ("delta net", "qwen3_next"),
        ("lightning attention", "minimax"),
        ("short convolutions", "lfm2"),
        ("gated recurrence", "recurrent_gemma"),
        ("state space", "mamba"),
        ("receptance", "rwkv"),
        ("multimodal", "gemma3"),
        ("cross attention", "mllama"),
        ("encoder", "bert"),
        ("encoder-decoder", "t5"),
        ("speech", "whisper"),
        ("vision", "vit"),
    ],
)
def test_every_family_has_a_member(kind: str, model_type: str) -> None:
    assert any(config_of(line).get("model_type") == model_type for line in LINES), kind


def test_every_way_to_quantise_has_a_member() -> None:
    schemes = [config_of(line).get("quantization_config") or {} for line in LINES]
    methods = {scheme.get("quant_method") for scheme in schemes}
    assert methods >= {"awq", "gptq", "fp8", "compressed-tensors", "bitsandbytes", "mxfp4", "modelopt"}
    assert any("NVFP4" in str(scheme.get("quant_algo")) for scheme in schemes)
    assert sum("gguf" in line["info"] for line in LINES) >= 4
    assert any(line["info"].get("library_name") == "mlx" for line in LINES)


def test_repositories_that_are_no_transformers_model() -> None:
    libraries = {line["model_id"]: line["info"].get("library_name") for line in LINES}
    assert "peft" in libraries.values()
    assert list(libraries.values()).count("diffusers") >= 2
    bare = BY_ID["CompVis/stable-diffusion"]
    assert bare["config"] is None
    assert {entry["rfilename"] for entry in bare["info"]["siblings"]} == {".gitattributes", "README.md"}
    gated = BY_ID["meta-llama/Llama-Guard-3-8B"]
    assert (gated["config"], gated["info"]["gated"]) == (None, "manual")
    assert "model_type" not in config_of(BY_ID["OrionZheng/openmoe-base"])
    assert BY_ID["THUDM/chatglm3-6b"]["info"]["id"] == "zai-org/chatglm3-6b"


@pytest.mark.parametrize("line", LINES, ids=BY_ID)
def test_an_answer_says_where_every_part_is_from(line: dict[str, Any]) -> None:
    provenance, info = line["provenance"], line["info"]
    assert provenance["source"]
    assert provenance["as_of"].startswith("20")
    assert provenance["kind"] in {"verbatim", "trimmed", "literal", "partial", "retyped", "reconstructed"}
    parts = {"revision", *(f"info.{key}" for key in info)} | ({"config"} if line["config"] is not None else set())
    assert sorted([*provenance["verbatim"], *provenance["reconstructed"]]) == sorted(parts)
    assert info["sha"] == line["revision"]
    assert len(line["revision"]) == 40
    assert not provenance.get("dropped") or line["config"] is not None


@pytest.mark.parametrize("line", LINES, ids=BY_ID)
def test_a_line_has_facts_only(line: dict[str, Any]) -> None:
    hand = json.loads(build_snapshot.HAND.read_text(encoding="utf-8"))
    assert not keys_in([line["config"], line["info"]]) & set(hand["not_facts"])
    assert "chat_template" in hand["not_facts"]
    text = json.dumps(line)
    assert not FOLDER_OF_A_MACHINE.search(text)
    assert not any(len(tag) > 200 for tag in line["info"]["tags"])


@pytest.mark.parametrize("line", [line for line in LINES if "safetensors" in line["info"]], ids=lambda x: x["model_id"])
def test_totals_are_sums(line: dict[str, Any]) -> None:
    counted = line["info"]["safetensors"]
    assert counted["total"] == sum(counted["parameters"].values())
    assert all(count > 0 for count in counted["parameters"].values())


# --- building


def table(path: Path, *rows: Mapping[str, str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


ENTRY = {
    "model_id": "b/one",
    "file": "configs/one.json",
    "model_type": "llama",
    "kind": "verbatim",
    "id_certainty": "exact",
    "source_repo": "someone/something",
    "source_path": "one/config.json",
    "source_commit": "0123456789abcdef",
    "note": "",
}
SCRAPED = {
    "model_id": "b/one",
    "parameters_raw": "100",
    "pipeline_tag": "text-generation",
    "downloads": "7",
    "likes": "0",
    "value_kind": "safetensors.total",
    "snapshot": "2026-04-06",
    "source": "a/b@c",
}
CONFIG = {
    "model_type": "llama",
    "hidden_size": 8,
    "torch_dtype": "bfloat16",
    "chat_template": "{{ x }}",
    "deep": {"top_k": 1},
}
HAND: dict[str, Any] = {
    "as_of": "2026-01-01",
    "not_facts": ["chat_template", "top_k"],
    "left_out": {},
    "current_ids": {},
    "resolved_ids": {},
    "drop_keys": {},
    "set_keys": {},
    "safetensors": {},
    "gated": {"b/": "manual", "b/free": False},
    "licenses": {"b/": "mit"},
    "base_models": {"a/two": ["quantized", "b/one"]},
    "notes": {},
    "commits": {},
    "siblings": {},
    "models": [
        {"model_id": "a/two", "config": None, "info": {"gguf": {"total": 5}}, "source": "s", "as_of": "d", "note": ""}
    ],
}


@pytest.fixture
def facts(tmp_path: Path) -> Path:
    table(tmp_path / "models" / "index.csv", ENTRY)
    table(tmp_path / "models" / "params.csv", {"model_id": "b/one", "params_total": "100"})
    table(tmp_path / "hub_models.csv", SCRAPED)
    (tmp_path / "models" / "configs").mkdir()
    (tmp_path / "models" / "configs" / "one.json").write_text(json.dumps(CONFIG), encoding="utf-8")
    return tmp_path


def test_same_facts_same_bytes(facts: Path) -> None:
    first, second = (build_snapshot.snapshot_text(build_snapshot.build(facts, HAND)) for _ in range(2))
    assert first == second
    assert build_snapshot.list_text(build_snapshot.build(facts, HAND)).splitlines()[1:] == ["a/two", "b/one"]


def test_a_gathered_line(facts: Path) -> None:
    _, line = build_snapshot.build(facts, HAND)
    assert line["config"] == {"model_type": "llama", "hidden_size": 8, "torch_dtype": "bfloat16", "deep": {}}
    assert line["info"] == {
        "id": "b/one",
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "downloads": 7,
        "safetensors": {"parameters": {"BF16": 100}, "total": 100},
        "private": False,
        "disabled": False,
        "gated": "manual",
        "config": {"model_type": "llama"},
        "tags": ["transformers", "safetensors", "llama", "text-generation", "license:mit"],
        "cardData": {"license": "mit"},
        "sha": line["revision"],
    }
    assert line["provenance"]["verbatim"] == ["config", "info.downloads", "info.id", "info.pipeline_tag"]
    assert line["provenance"]["kind"] == "trimmed"
    assert line["provenance"]["dropped"] == ["chat_template", "top_k"]


def test_a_given_line(facts: Path) -> None:
    line, _ = build_snapshot.build(facts, HAND)
    assert line["config"] is None
    assert line["info"]["baseModels"] == {"relation": "quantized", "models": [{"id": "b/one"}]}
    assert line["info"]["tags"] == ["gguf", "base_model:b/one", "base_model:quantized:b/one"]


def test_a_total_that_the_class_does_not_explain_is_only_noted(facts: Path) -> None:
    table(facts / "models" / "params.csv", {"model_id": "b/one", "params_total": "99"})
    _, line = build_snapshot.build(facts, HAND)
    assert "safetensors" not in line["info"]
    assert "was 100; its split by type is not known" in line["provenance"]["note"]


def test_a_known_commit_is_the_revision(facts: Path) -> None:
    _, line = build_snapshot.build(facts, {**HAND, "commits": {"b/one": "f" * 40}})
    assert line["revision"] == line["info"]["sha"] == "f" * 40
    assert {"revision", "info.sha"} <= set(line["provenance"]["verbatim"])


def test_what_the_source_changed_goes_and_what_we_add_is_ours(facts: Path) -> None:
    changed = {
        **HAND,
        "drop_keys": {"b/one": {"keys": ["hidden_size"], "why": "wrong"}},
        "set_keys": {"b/one": {"x": 1}},
    }
    _, line = build_snapshot.build(facts, changed)
    assert "hidden_size" not in line["config"]
    assert line["config"]["x"] == 1
    assert "config" in line["provenance"]["reconstructed"]


def test_two_lines_of_one_id(facts: Path) -> None:
    table(facts / "models" / "index.csv", ENTRY, ENTRY)
    with pytest.raises(ValueError, match="b/one is there twice"):
        build_snapshot.build(facts, HAND)


def test_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert build_snapshot.main([]) == 2
    assert "FACTS_DIR" in capsys.readouterr().err
