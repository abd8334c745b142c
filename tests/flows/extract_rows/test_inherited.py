"""Repositories without a configuration take their base's architecture, and say so."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from flows.extract.extract import Extracted, extract
from flows.failures import Failure
from flows.raw import RawModel

LLAMA_3B = {
    "model_type": "llama", "architectures": ["LlamaForCausalLM"], "hidden_size": 3072, "intermediate_size": 8192,
    "num_hidden_layers": 28, "num_attention_heads": 24, "num_key_value_heads": 8, "head_dim": 128,
    "vocab_size": 128_256, "max_position_embeddings": 131_072, "tie_word_embeddings": True,
    "quantization_config": {"quant_method": "gptq", "bits": 4, "group_size": 128},
}  # fmt: skip
COUNT = 3_212_749_824


def read(base: Any = LLAMA_3B, *, siblings: list[dict[str, Any]] | None = None, **info: Any) -> Extracted | Failure:
    files = [{"rfilename": "m-Q4_K_M.gguf", "size": 2_019_377_696}] if siblings is None else siblings
    text = json.dumps({"id": "copies/m", "siblings": files, "gguf": {"total": COUNT, "architecture": "llama"}, **info})
    config = base if isinstance(base, str) or base is None else json.dumps(base)
    return extract(RawModel("copies/m", "0" * 40, text, None, datetime.now(UTC), "owner/base", config))


def test_a_gguf_copy_has_the_cache_of_its_base() -> None:
    found = read()
    assert isinstance(found, Extracted)
    assert found.model["inherited_from"] == "owner/base"
    assert found.model["parameters_source"] == "inherited"
    assert found.model["parameters"] == COUNT
    assert found.model["confidence"] == "estimated"
    assert found.model["layers"] == 28
    assert found.shape["kv_full_elements_per_token"] == 28 * 2 * 8 * 128
    assert [(group["kind"], group["layers"]) for group in found.groups] == [("full", 28)]
    assert "architecture inherited from owner/base" in found.model["notes"]
    # the base may be quantised, the copy is what its file says
    assert found.shape["stored_precision"] == "gguf_q4_k_m"


def test_another_size_is_not_the_bases_model() -> None:
    found = read(gguf={"total": 1_800_000_000, "architecture": "llama"})
    assert isinstance(found, Extracted)
    assert found.model["inherited_from"] is None
    assert found.model["parameters"] == 1_800_000_000
    assert found.shape["kv_full_elements_per_token"] is None
    assert "1,800,000,000 parameters are not those of owner/base" in found.model["notes"]


def test_an_adapter_lives_in_the_layers_of_its_base_and_is_sized_by_itself() -> None:
    files = [
        {"rfilename": "adapter_config.json", "size": 500},
        {"rfilename": "adapter_model.safetensors", "size": 6_000_000},
    ]
    found = read(siblings=files, gguf=None)
    assert isinstance(found, Extracted)
    assert found.model["kind"] == "adapter"
    assert found.model["inherited_from"] == "owner/base"
    assert found.model["layers"] == 28
    assert found.shape["stored_bytes"] == 6_000_000
    assert found.shape["p_attn"] is None
    assert [group["kind"] for group in found.groups] == ["full"]


@pytest.mark.parametrize(
    "base", [None, "", "[]", "null", "{", '{"model_type": 3}', '{"model_type": "llama", "vocab_size": -1}']
)
def test_a_base_that_cannot_be_read_changes_nothing(base: str | None) -> None:
    found = read(base)
    assert isinstance(found, Extracted)
    assert found.model["inherited_from"] is None
    assert found.shape["kv_full_elements_per_token"] is None
