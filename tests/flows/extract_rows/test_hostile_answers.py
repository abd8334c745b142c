"""Answers that are wrong, absurd or malicious: a row or a failure each, never a crash, never a wrong number."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import catalogs
from flows.extract import read_config
from flows.extract.extract import Extracted, extract
from flows.extract.info import LARGEST, LARGEST_SIZE, clean, parse, whole
from flows.extract.parts import Parts, extract_part
from flows.extract.read_config import UNREADABLE
from flows.extract.tables import MODELS
from flows.failures import Failure
from flows.raw import HUB, RawModel

NOW = datetime(2026, 1, 2, tzinfo=UTC)
LLAMA = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 4096, "num_hidden_layers": 32,
    "num_attention_heads": 32, "num_key_value_heads": 8, "intermediate_size": 14336, "vocab_size": 128256,
    "max_position_embeddings": 131072,
}  # fmt: skip
NOTHING_LISTED = "the Hub's answer lists no files; no word of its dtype"


def raw_row(info: str | None, config: str | None, model_id: str = "a/b", **failure: Any) -> dict[str, Any]:
    blank = {"failure_kind": None, "failure_message": None, "http_status": None}
    return {
        "model_id": model_id, "revision": "abc", "info": info, "config": config, "fetched_at": NOW, **blank, **failure,
    }  # fmt: skip


def part(*rows: dict[str, Any]) -> Parts:
    return extract_part(pl.DataFrame(list(rows), schema=HUB))


def only(info: Any, config: Any = LLAMA) -> dict[str, Any]:
    """The one row of models that an answer becomes, after a trip through the frames."""
    text = info if isinstance(info, str) else json.dumps(info)
    [found] = part(raw_row(text, None if config is None else json.dumps(config))).models.to_dicts()
    return found


@pytest.mark.parametrize(
    ("value", "read"),
    [
        (7, 7), (0, 0), (7.0, 7), (LARGEST, LARGEST), (LARGEST + 1, None), (-1, None), (1.5, None), (True, None),
        (float("nan"), None), (float("inf"), None), (1e300, None), (10**30, None), ("7", None), (None, None),
    ],
)  # fmt: skip
def test_whole_numbers_are_never_trusted(value: object, read: int | None) -> None:
    assert whole(value) == read


@pytest.mark.parametrize(
    ("field", "column"),
    [("downloads", "downloads"), ("likes", "likes"), ("lastModified", "last_modified_at"), ("pipeline_tag", "task")],
)
def test_an_unusable_field_is_null_and_noted(field: str, column: str) -> None:
    found = only({"id": "a/b", field: {"not": "this"}})
    assert found[column] is None
    assert found["notes"].endswith(f"not usable in the Hub's answer: {field}")


def test_an_absent_or_null_field_is_no_damage() -> None:
    assert only({"id": "a/b", "downloads": None, "pipeline_tag": ""})["notes"] == NOTHING_LISTED


def test_a_moment_outside_of_the_calendar_is_null() -> None:
    assert only({"lastModified": "0001-01-01T00:00:00+10:00"})["last_modified_at"] is None
    assert only({"lastModified": "9999-12-31T23:59:59-10:00"})["last_modified_at"] is None
    assert only({"lastModified": "2026-05-01T12:00:00.000Z"})["last_modified_at"] == datetime(
        2026, 5, 1, 12, tzinfo=UTC
    )


def test_one_unusable_count_voids_all_counts_by_dtype() -> None:
    found = only({"safetensors": {"parameters": {"BF16": 1000, "F32": -1}}})
    assert (found["parameters"], found["parameters_source"], found["stored_bytes"]) == (8_030_261_248, "config", None)
    assert "parameters" in found["notes"]


@pytest.mark.parametrize(
    "info",
    [
        {"safetensors": {"parameters": {"F64": 2**62, "F32": 2**62}}},
        {"safetensors": {"parameters": {"F64": 2**52}}},
        {"siblings": [{"rfilename": f"model-0000{i}-of-00003.safetensors", "size": 2**62} for i in (1, 2, 3)]},
        {"siblings": [{"rfilename": f"model-0000{i}-of-00003.safetensors", "size": 2**52} for i in (1, 2, 3)]},
        {"siblings": [{"rfilename": f"m-Q4_K_M-0000{i}-of-00003.gguf", "size": 2**52} for i in (1, 2, 3)]},
        {"siblings": [{"rfilename": f"{name}/model.safetensors", "size": 2**52} for name in ("unet", "vae", "clip")],
         "library_name": "diffusers"},
        {"gguf": {"total": 2**63, "context_length": 2**63}},
    ],
)  # fmt: skip
def test_sums_do_not_overflow(info: dict[str, Any]) -> None:
    found = only(info)
    assert found["stored_bytes"] is None
    assert (found["parameters"] or 0) <= LARGEST_SIZE


@pytest.mark.parametrize("key", ["hidden_size", "vocab_size", "intermediate_size"])
def test_dimensions_beyond_any_model_are_a_bad_configuration(key: str) -> None:
    found = extract(RawModel("a/b", None, "{}", json.dumps({**LLAMA, key: 2**40, "num_hidden_layers": 100}), NOW))
    assert found == Failure("malformed_config", "the configuration's dimensions are beyond any model")


@pytest.mark.parametrize(
    "info",
    [
        '{"id":"\\ud800"}',
        '{"library_name":"\\udfff","tags":["license:\\ud800"],"cardData":{"base_model":"\\ud800"}}',
        '{"siblings":[{"rfilename":"\\ud800-Q4_K_M.gguf","size":5}]}',
        '{"gguf":{"architecture":"\\ud800"}}',
        '{"safetensors":{"parameters":{"\\ud800":5}}}',
    ],
)
def test_half_surrogates_can_be_written(info: str) -> None:
    assert part(raw_row(info, json.dumps(LLAMA))).models.height == 1


@pytest.mark.parametrize("change", [{"model_type": "\ud800"}, {"architectures": ["\ud800"]}, {"\ud800mamba": 1}])
def test_half_surrogates_in_a_configuration_can_be_written(change: dict[str, Any]) -> None:
    parts = part(raw_row("{}", json.dumps({**LLAMA, "model_type": "brand_new", **change})))
    assert parts.models.height + parts.model_errors.height == 1


def test_text_is_bounded_and_files_keep_their_endings() -> None:
    assert clean("x" * 500) == "x" * 199 + "…"
    assert clean("\x1b[31m\u202e") == "�[31m�"
    assert clean(" \x20 ") is None
    name = "d" * 300 + "-Q4_K_M.gguf"
    parts = part(raw_row(json.dumps({"siblings": [{"rfilename": name, "size": 5}]}), None))
    [artifact] = parts.artifacts.to_dicts()
    assert (len(artifact["artifact"]), artifact["precision"], artifact["bytes"]) == (200, "gguf_q4_k_m", 5)


def test_a_file_that_is_listed_twice_counts_once() -> None:
    listed = [{"rfilename": "model.safetensors", "size": 5}] * 3
    assert only({"siblings": listed})["stored_bytes"] == 5


def test_a_defect_of_the_reader_is_named_and_costs_one_model(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(config: object) -> None:
        raise ZeroDivisionError("division by zero")

    monkeypatch.setattr(read_config, "read_architecture", broken)
    found = extract(RawModel("a/b", None, "{}", json.dumps(LLAMA), NOW))
    assert found == Failure("malformed_config", f"{UNREADABLE} (ZeroDivisionError: division by zero)")


def test_a_row_without_answer_and_without_failure_is_a_failure() -> None:
    parts = part(raw_row(None, None), raw_row(None, None, "a/c", failure_kind="gated", http_status=403))
    assert parts.model_errors["kind"].to_list() == ["malformed_info", "gated"]


def test_every_row_is_accounted_for_in_order() -> None:
    rows = [
        raw_row("{}", json.dumps(LLAMA), "a/1"),
        raw_row("[]", None, "a/2"),
        raw_row("{}", None, "a/3"),
        raw_row("{}", "[]", "a/4"),
        raw_row(None, None, "a/5", failure_kind="timeout", failure_message="late"),
        raw_row(None, None, "a b", failure_kind="invalid_id", failure_message="no name"),
        raw_row('{"siblings":[{"rfilename":"m-Q8_0.gguf","size":9}]}', None, "a/6"),
    ]
    parts = part(*rows)
    assert parts.models["model_id"].to_list() == ["a/1", "a/6"]
    assert parts.model_errors.select("model_id", "stage", "kind").rows() == [
        ("a/2", "extract", "malformed_info"),
        ("a/3", "extract", "no_weights"),
        ("a/4", "extract", "malformed_config"),
        ("a/5", "fetch", "timeout"),
        ("a b", "list", "invalid_id"),
    ]
    assert set(parts.models["shape_id"]) == set(parts.model_shapes["shape_id"])


STRANGE: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 3, 2**31, 2**40, 2**62, 10**30, 1e300, float("nan"), float("inf"), 0.5, "", "x",
    "\ud800", [], [1], ["x"] * 3, [None], {}, {"a": 1}, 10**6, 10**9,
)  # fmt: skip
PUBLISHED = [
    (json.loads(row["info"]), json.loads(row["config"] or "null"))
    for row in catalogs.hub_snapshot()
    if len(row["config"] or "") < 10_000
]


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    inside = value.items() if isinstance(value, dict) else enumerate(value[:9]) if isinstance(value, list) else ()
    for key, inner in inside:
        yield (*path, key)
        yield from places(inner, (*path, key))


def damaged(value: Any, dice: random.Random) -> Any:
    value = json.loads(json.dumps(value))
    for _ in range(dice.choice((0, 1, 2, 4))):
        known = list(places(value))
        if not known:
            break
        *path, last = dice.choice(known)
        place = value
        for key in path:
            place = place[key]
        place[last] = json.loads(json.dumps(dice.choice(STRANGE)))
    return value


@given(seed=st.integers(0, 2**32))
@settings(max_examples=200, deadline=None)
def test_damage_to_published_models_is_survived(seed: int) -> None:
    dice = random.Random(seed)
    info, config = dice.choice(PUBLISHED)
    info, config = damaged(info, dice), damaged(config, dice)
    parts = part(raw_row(json.dumps(info), None if config is None else json.dumps(config)))
    assert parts.models.height + parts.model_errors.height == 1
    assert parts.models.schema == MODELS


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=12), inner, max_size=3),
    max_leaves=10,
)


@given(value=json_values)
@settings(max_examples=200, deadline=None)
def test_any_json_is_an_answer_or_none(value: Any) -> None:
    assert (parse(json.dumps(value)) is None) == (not isinstance(value, dict))


def test_published_models_meet_no_defect_of_the_reader() -> None:
    rows = [raw_row(row["info"], row["config"], row["model_id"]) for row in catalogs.hub_snapshot()]
    parts = part(*rows)
    assert parts.models.filter(pl.col("notes").str.contains(UNREADABLE, literal=True)).is_empty()
    assert parts.model_errors.filter(pl.col("message").str.contains(UNREADABLE, literal=True)).is_empty()
    assert parts.models.height + parts.model_errors.height == len(rows)
    assert isinstance(extract(RawModel("a/b", None, "{}", json.dumps(LLAMA), NOW)), Extracted)
