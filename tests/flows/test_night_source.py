"""What a night has read answers again; what it has not is asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path

from flows import night, stages
from flows.failures import Failure
from flows.night_source import of_night
from flows.raw import RawModel

READ_AT = datetime(2026, 1, 2, 3, 0, tzinfo=UTC)
READ = RawModel("a/one", "abc", "{}", None, READ_AT, base_id="a/base", base_config='{"x": 1}', tensors="[]")
GATED = Failure("gated", "needs a token", 403)


def first(model_ids: Iterable[str]) -> Iterator[tuple[str, RawModel | Failure]]:
    known: dict[str, RawModel | Failure] = {"a/one": READ, "b/two": GATED}
    yield from ((model_id, known[model_id]) for model_id in model_ids)


def test_answers_of_a_night_come_back_as_they_were(tmp_path: Path) -> None:
    entries = [("a/one", None), ("b/two", None), ("not an id", "has a blank")]
    this = night.start(tmp_path, "snapshot", entries, models_per_shard=1, now=READ_AT)
    for shard in range(this.shards):
        stages.fetch(this, shard, first)
    asked: list[str] = []

    def others(model_ids: Iterable[str]) -> Iterator[tuple[str, RawModel | Failure]]:
        for model_id in model_ids:
            asked.append(model_id)
            yield model_id, Failure("not_found", "is not there")

    found = dict(of_night(this, others)(["b/two", "c/three", "a/one", "a/one"]))
    assert found == {"a/one": READ, "b/two": GATED, "c/three": Failure("not_found", "is not there")}
    assert asked == ["c/three"]
