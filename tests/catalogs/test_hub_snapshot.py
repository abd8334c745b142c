"""The embedded snapshot as rows of the raw layer."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import catalogs


def line(model_id: str, **changes: object) -> str:
    row: dict[str, object] = {
        "model_id": model_id,
        "revision": "abc",
        "info": {"id": model_id, "tags": ["ä"]},
        "config": {"model_type": "llama"},
        "provenance": {"source": "somewhere"},
    }
    return json.dumps({**row, **changes}, ensure_ascii=False)


def written(folder: Path, *lines: str) -> Path:
    path = folder / "hub_snapshot.jsonl"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def test_rows(tmp_path: Path) -> None:
    path = written(tmp_path, line("a/a"), "", line("a/b", config=None))
    first, second = catalogs.hub_snapshot(path)
    assert first == {
        "model_id": "a/a",
        "revision": "abc",
        "info": '{"id":"a/a","tags":["ä"]}',
        "config": '{"model_type":"llama"}',
        "provenance": {"source": "somewhere"},
    }
    assert second["config"] is None


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ((line("a/a"), "{"), r"hub_snapshot\.jsonl line 2: is not JSON"),
        (("[]",), "line 1: must have the keys model_id, revision, info, config, provenance"),
        ((line("a/a", extra=1),), "line 1: must have the keys"),
        ((line("a/a", info="text"),), r"line 1: info has the wrong type \(str\)"),
        ((line("a/a", config=[]),), r"line 1: config has the wrong type \(list\)"),
        ((line("b/b"), line("a/a")), r"line 2: model_id must be sorted and unique \(got a/a\)"),
        ((line("a/a"), line("a/a")), r"line 2: model_id must be sorted and unique"),
    ],
)
def test_bad_rows(tmp_path: Path, lines: tuple[str, ...], message: str) -> None:
    with pytest.raises(catalogs.CatalogError, match=message):
        list(catalogs.hub_snapshot(written(tmp_path, *lines)))


def test_an_absent_snapshot_is_said_at_once(tmp_path: Path) -> None:
    with pytest.raises(catalogs.CatalogError, match=r"hub_snapshot\.jsonl: cannot be read"):
        catalogs.hub_snapshot(tmp_path / "hub_snapshot.jsonl")
