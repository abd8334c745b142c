"""Towers beside a text decoder: against their classes, and by hand."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest

from catalogs import architectures
from flows.extract import towers
from flows.extract.count import TOWERS, count
from flows.extract.expressions import _parsed
from flows.extract.info import parse
from flows.extract.keys import Keys
from flows.extract.measured import Measured
from flows.extract.read_config import read_architecture

GOLDEN = Path(__file__).parents[2] / "golden" / "multimodal_counts.jsonl"
BY_TYPE: dict[str, list[dict[str, Any]]] = defaultdict(list)
for text in GOLDEN.read_text(encoding="utf-8").splitlines():
    BY_TYPE[json.loads(text)["model_type"]].append(json.loads(text))


@pytest.mark.parametrize("model_type", BY_TYPE)
def test_counts_are_those_of_the_class(model_type: str) -> None:
    for line in BY_TYPE[model_type]:
        config = {"model_type": model_type, "architectures": [line["architecture"]], **line["config"]}
        found = read_architecture(config)
        assert (found.parameters or 0) - (found.mtp_parameters or 0) == line["parameters"], line["config"]
        parts = [found.columns[name] for name in TOWERS]
        assert (found.active_parameters or 0) <= (found.parameters or 0) - sum(part or 0 for part in parts)


def test_verified_means_checked() -> None:
    verified = {name for name, row in architectures.multimodal().items() if row.get("verified")}
    # counts of these were published (test_published_counts.py)
    published = {"deepseek_vl_v2", "internvl_chat", "phi3_v", "ovis", "minicpmv", "dots_ocr", "kimi_vl",
                 "llava_mistral", "llava_llama", "llava_qwen"}  # fmt: skip
    assert verified == set(BY_TYPE) | published
    assert len(verified) >= 30


def test_llava_by_component() -> None:
    found = read_architecture({"model_type": "llava", "architectures": ["LlavaForConditionalGeneration"]})
    # CLIP ViT-L/14 at 336: 3 x 14 x 14 x 1024 patches, class token, 577 positions, 24 blocks, two norms
    assert found.columns["p_vision"] == 602_112 + 1024 + 577 * 1024 + 24 * 12_596_224 + 4 * 1024
    assert found.columns["p_projector"] == 1024 * 4096 + 4096 + 4096 * 4096 + 4096
    assert found.columns["p_audio"] == 0
    assert found.active_parameters == 6_738_415_616
    assert found.parameters == 7_062_902_784


def test_a_null_section_is_no_tower_and_an_absent_one_is_the_classes_own() -> None:
    gemma = {"model_type": "gemma4", "architectures": ["Gemma4ForConditionalGeneration"]}
    assert read_architecture({**gemma, "vision_config": None}).columns["p_vision"] == 0
    assert read_architecture(gemma).columns["p_audio"] == 0
    assert (read_architecture({**gemma, "audio_config": {}}).columns["p_audio"] or 0) > 300_000_000
    assert (read_architecture({"model_type": "llava"}).columns["p_vision"] or 0) > 300_000_000


def test_an_unknown_tower_leaves_the_sum_unknown_and_the_cache_known() -> None:
    config = {
        "model_type": "llava",
        "vision_config": {"model_type": "telescope"},
        "text_config": {"model_type": "llama"},
    }
    found = read_architecture(config)
    assert found.parameters is None
    assert found.columns["p_vision"] is None
    assert found.columns["parameters_resident"] is None
    assert found.active_parameters == 6_738_415_616
    assert found.columns["kv_full_elements_per_token"] == 32 * 2 * 4096
    assert "its vision tower 'telescope' is not counted in closed form" in found.notes


def test_a_tower_of_another_make_is_unknown() -> None:
    assert towers.size("gemma3n_vision", {}) == 294_126_912
    assert towers.size("gemma3n_vision", {"architecture": "resnet50"}) is None
    assert towers.size("telescope", {}) is None


@pytest.mark.parametrize("kind", architectures.towers())
@pytest.mark.parametrize("value", [None, -1, "x", [], [1], [None, None], 10**30, True, {}, float("nan")])
def test_nothing_but_a_value_error(kind: str, value: Any) -> None:
    own = architectures.classes().get(kind, {"defaults": {}})["defaults"]
    for key in (*own, "hidden_size", "merge_kernel_size", "image_size", "patch_size"):
        try:
            size = towers.size(kind, {key: value})
        except ValueError:
            continue
        assert size is None or size >= 0


def test_a_part_that_names_itself_ends() -> None:
    with pytest.raises(ValueError, match="defined by itself"):
        towers.named("a", {"": Keys({}, {})}, {"a": "a + 1"})


def test_every_expression_can_be_read() -> None:
    for row in architectures.towers().values():
        for part in (row["size"], *row["let"].values()):
            for text in part.values() if isinstance(part, dict) else (part,):
                _parsed(text)
    for entry in architectures.multimodal().values():
        for part in ("vision", "audio"):
            if part in entry:
                _parsed(entry[part])


@pytest.mark.parametrize("name", [[1], {"a": 1}, 5, True, ""])
def test_the_name_of_a_tower_may_be_anything(name: Any) -> None:
    found = read_architecture({"model_type": "llava", "vision_config": {"model_type": name}})
    assert (found.columns["p_vision"] or 0) > 0


def test_only_what_thinks_keeps_a_conversation() -> None:
    text = {"hidden_size": 3584, "num_hidden_layers": 28, "num_attention_heads": 28, "num_key_value_heads": 4}
    config = {"model_type": "qwen2_5_omni", "thinker_config": {"text_config": text}}
    found = read_architecture(config)
    assert found.model_type == "qwen2_5_omni"
    assert found.columns["kv_full_elements_per_token"] == 28 * 2 * 4 * 128
    silent = read_architecture({**config, "enable_audio_output": False})
    assert (silent.columns["p_speech"], found.columns["p_speech"]) == (0, 7_048_076_928)
    assert (found.parameters or 0) - (silent.parameters or 0) == 7_048_076_928
    assert found.active_parameters == silent.active_parameters


def test_a_part_of_what_thinks_and_speaks_is_not_counted_as_the_whole() -> None:
    name = "Qwen2_5OmniThinkerForConditionalGeneration"
    found = read_architecture({"model_type": "qwen2_5_omni", "architectures": [name]})
    assert found.parameters is None
    assert name in found.notes[-1]


def test_a_class_that_takes_a_part_of_the_whole_is_not_counted_as_the_whole() -> None:
    assert read_architecture({"model_type": "clip", "architectures": ["CLIPModel"]}).parameters == 151_277_313
    part = read_architecture({"model_type": "clip", "architectures": ["CLIPForImageClassification"]})
    assert part.parameters is None
    assert "CLIPForImageClassification" in part.notes[0]


def test_a_coder_of_pictures_of_another_make_is_unknown() -> None:
    assert towers.size("chameleon_vqgan", {}) == 29_423_616
    assert towers.size("chameleon_vqgan", {"channel_multiplier": [1, 2]}) is None


def test_a_text_that_listens_has_its_own_cache_and_that_of_what_it_hears() -> None:
    flan = {"model_type": "t5", "d_model": 64, "d_ff": 128, "d_kv": 16, "num_heads": 4, "num_layers": 2,
            "feed_forward_proj": "gated-gelu", "vocab_size": 100}  # fmt: skip
    found = read_architecture({"model_type": "blip-2", "text_config": flan})
    assert found.kind == "encoder_decoder"
    assert found.columns["kv_full_elements_per_token"] == 2 * 2 * 64
    assert found.columns["cross_tokens"] == -1
    assert found.parameters is not None


def test_a_section_may_bear_the_name_of_the_whole_model() -> None:
    plain = read_architecture({"model_type": "qwen2_5_vl"})
    assert read_architecture(
        {"model_type": "qwen2_5_vl", "vision_config": {"model_type": "qwen2_5_vl"}}
    ).parameters == (plain.parameters)


def test_an_unknown_text_is_never_read_as_the_usual_one() -> None:
    found = read_architecture({"model_type": "llava", "text_config": {"model_type": "oracle", "hidden_size": 4096}})
    assert found.parameters is None
    assert found.active_parameters is None
    assert found.columns["hidden_size"] == 4096
    assert found.columns.get("kv_full_elements_per_token") is None
    assert "its text part is of the unknown type 'oracle'" in found.notes


@pytest.mark.parametrize(
    ("width", "layers", "positions", "channels", "words", "stored"),
    [
        (768, 6, 1024, 128, 51328, 231_546_368),
        (768, 6, 1024, 128, 51289, 231_567_705),
        (1024, 12, 4096, 256, 51328, 776_710_144),
        (1024, 12, 4096, 256, 51289, 776_721_497),
    ],
)
@pytest.mark.parametrize("is_first", [False, True])
def test_florence_is_what_its_makers_published(
    width: int, layers: int, positions: int, channels: int, words: int, stored: int, is_first: bool
) -> None:
    """florence-community's and the first repositories of Florence-2-base and -large: a table of times is stored, and
    by the first ones a bias of the words."""
    wide = [channels * 2**stage for stage in range(4)]
    vision = {"model_type": "florence_vision", "embed_dim": wide, "projection_dim": width}
    if is_first:
        vision = {
            "model_type": "davit", "dim_embed": wide, "projection_dim": width, "depths": [1, 1, 9, 1],
            "patch_size": [7, 3, 3, 3], "patch_prenorm": [False, True, True, True],
            "visual_temporal_embedding": {"max_temporal_embeddings": 100},
            "image_pos_embed": {"max_pos_embeddings": 50},
        }  # fmt: skip
    text = {
        "model_type": "florence2_language" if is_first else "bart", "d_model": width, "encoder_layers": layers,
        "decoder_layers": layers, "encoder_ffn_dim": 4 * width, "decoder_ffn_dim": 4 * width,
        "encoder_attention_heads": width // 64, "decoder_attention_heads": width // 64,
        "max_position_embeddings": positions, "vocab_size": words,
    }  # fmt: skip
    found = read_architecture({"model_type": "florence2", "vision_config": vision, "text_config": text})
    tables = 100 * wide[-1] + (words if words == 51289 else 0)
    assert found.parameters == stored - tables
    info = parse(json.dumps({"id": "a/b", "safetensors": {"parameters": {"F32": stored}, "total": stored}}))
    assert info is not None
    told = count(info, found, is_quantised=False, from_files=None, measured=Measured({}))
    assert (told.parameters, told.is_conflict) == (found.parameters, False)
