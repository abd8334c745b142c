"""One name for equal shapes, another for every difference that the estimator could see."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

import catalogs
from estimator.schema import SHAPES
from flows.extract.architecture import Architecture, Group, is_sane
from flows.extract.extract import Extracted, extract
from flows.extract.shape import shape_id
from flows.raw import RawModel

NOW = datetime(2026, 1, 2, tzinfo=UTC)
COLUMNS = [name for name in SHAPES if name != "shape_id"]
ROW: dict[str, Any] = {name: "decoder" if SHAPES[name].is_(SHAPES["kind"]) else 7 for name in SHAPES}
OVERRIDES = [{"precision": "gguf_q8_0", "weights_bytes": 5, "weights_basis": "stored"}]


def test_the_name_is_sixteen_hexadecimal_digits_of_everything_but_itself() -> None:
    name = shape_id(ROW, OVERRIDES)
    assert len(name) == 16
    assert int(name, 16) >= 0
    assert shape_id({**ROW, "shape_id": "another"}, OVERRIDES) == name
    assert shape_id(dict(reversed(ROW.items())), OVERRIDES) == name


@pytest.mark.parametrize("column", COLUMNS)
def test_every_column_counts(column: str) -> None:
    name = shape_id(ROW, OVERRIDES)
    assert shape_id({**ROW, column: None}, OVERRIDES) != name
    changed = ROW[column] + 1 if isinstance(ROW[column], int) else "encoder"
    assert shape_id({**ROW, column: changed}, OVERRIDES) != name


@pytest.mark.parametrize("key", OVERRIDES[0])
def test_every_override_counts(key: str) -> None:
    assert shape_id(ROW, [{**OVERRIDES[0], key: "x"}]) != shape_id(ROW, OVERRIDES)
    assert shape_id(ROW, []) != shape_id(ROW, OVERRIDES)


def test_published_models_of_one_shape_have_equal_rows() -> None:
    shapes: dict[str, Any] = {}
    for row in catalogs.hub_snapshot():
        found = extract(RawModel(row["model_id"], row["revision"], row["info"], row["config"], NOW))
        if isinstance(found, Extracted):
            assert found.model["shape_id"] == found.shape["shape_id"]
            assert set(found.shape) == set(SHAPES)
            seen = shapes.setdefault(found.shape["shape_id"], (found.shape, found.overrides))
            assert seen == (found.shape, found.overrides)
    assert len({json.dumps(shape, sort_keys=True) for shape, _ in shapes.values()}) == len(shapes)


@pytest.mark.parametrize(
    "changes",
    [
        {"parameters": 2**54}, {"active_parameters": float("inf")}, {"columns": {"layers": float("nan")}},
        {"dimensions": {"head_dim": 10**30}}, {"groups": (Group("full", 1, elements_per_token=1e300),)},
    ],
)  # fmt: skip
def test_numbers_that_no_table_could_carry(changes: dict[str, Any]) -> None:
    usual: dict[str, Any] = {
        "model_type": "llama", "name": None, "kind": "decoder", "is_verified": True, "parameters": 5,
        "active_parameters": 5, "mtp_parameters": 0, "columns": {"layers": 1}, "dimensions": {"tied": True},
        "groups": (Group("full", 1),),
    }  # fmt: skip
    assert is_sane(Architecture(**usual))
    assert not is_sane(Architecture(**{**usual, **changes}))
