"""The declared dialects and the generated class defaults."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from catalogs import CatalogError, architectures


def test_class_defaults_are_those_of_the_class_and_not_of_its_relative() -> None:
    classes = architectures.classes()
    assert classes["gemma3_text"]["defaults"]["vocab_size"] == 262_208
    assert classes["gemma3"]["sections"] == {"text_config": "gemma3_text", "vision_config": "siglip_vision_model"}
    assert architectures.dialects()["gemma3_text"]["defaults"]["head_dim"] == 256
    # qwen3 is built like qwen2, but its heads are 128 wide whatever the hidden size
    assert architectures.dialects()["qwen3"]["defaults"]["head_dim"] == 128
    # a remote-code type has no class: it takes its relative's
    assert "kimi_k2" not in classes
    assert architectures.dialects()["kimi_k2"]["defaults"]["kv_lora_rank"] == 512


def test_class_defaults_know_every_type_of_the_library() -> None:
    assert len(architectures.classes()) >= 800
    for row in architectures.classes().values():
        assert row["source"].startswith("transformers 5.")


def test_a_row_declared_twice_names_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in architectures.FILES:
        (tmp_path / name).write_text('[dialects.llama]\nsource = "here"\n', encoding="utf-8")
    monkeypatch.setattr(architectures, "FOLDER", tmp_path)
    architectures._tables.cache_clear()
    try:
        with pytest.raises(CatalogError, match=r"decoders.toml.*dialects.llama is declared twice"):
            architectures._tables()
    finally:
        architectures._tables.cache_clear()


def test_activations_are_of_declared_types_and_never_inherited() -> None:
    rows = architectures.activations()
    assert rows.keys() <= architectures.dialects().keys()
    assert architectures.dialects()["phi3"]["activations"] is rows["phi3"]
    # apertus is like llama, and was not counted
    assert architectures.dialects()["apertus"]["activations"] is None
    for name, row in rows.items():
        assert row["source"].startswith("transformers 5."), name
        # encoders are counted in prompts alone
        is_encoder = "family" in architectures.dialects()[name]
        assert row.get("logit") in ((None,) if is_encoder else (12, 14)), name
    # parts are inherited one expression at a time
    assert rows["glm"]["adapted"] == {"layer": 4, "dense": 2, "sparse": 0}
    assert rows["mixtral"]["prefill"]["dense"] == rows["llama"]["prefill"]["dense"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ({"a": {"source": "x", "like": "b"}}, "activations.a: like = 'b' leads nowhere"),
        ({"a": {"source": "x", "like": "a"}}, "activations.a: like = 'a' leads nowhere"),
        ({"a": {"logit": 12}}, "activations.a must have a source"),
    ],
)
def test_a_row_of_activations_that_cannot_be_read(rows: dict[str, Any], message: str) -> None:
    with pytest.raises(CatalogError, match=re.escape(message)):
        architectures._merged("a", rows, ())


@pytest.mark.parametrize("rows", [{"no_such_type": {"source": "x"}}, {"llama": {"fused": True}}])
def test_a_row_of_gguf_tensors_is_of_a_declared_type(rows: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    tables = {**architectures._tables(), "gguf_tensors": rows}
    monkeypatch.setattr(architectures, "_tables", lambda: tables)
    with pytest.raises(CatalogError, match=rf"gguf_tensors.{next(iter(rows))} must be a known dialect with a source"):
        architectures.gguf_tensors.__wrapped__()


def test_layouts_of_gguf_tensors_are_never_inherited() -> None:
    assert architectures.dialects()["qwen3_moe"]["gguf_tensors"]["checked"] == "Qwen3-30B-A3B"
    own = architectures.gguf_tensors()
    assert {name for name, row in architectures.dialects().items() if row["gguf_tensors"] is not None} == set(own)
