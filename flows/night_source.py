"""Answers that a night has already: a plan beside it speaks of the same files, and asks nobody twice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields

import polars as pl

from flows.failures import Failure
from flows.night import Night
from flows.raw import RawModel, Source

_OF_A_MODEL = [field.name for field in fields(RawModel)]


def of_night(night: Night, otherwise: Source) -> Source:
    """A source that gives what was read for `night`, and asks `otherwise` for models that are not of its list.

    What failed there fails here: it would not be another answer a minute later.
    """

    def source(model_ids: Iterable[str]) -> Iterator[tuple[str, RawModel | Failure]]:
        wanted = list(dict.fromkeys(model_ids))
        rows = pl.scan_parquet(night.parts("hub")).filter(pl.col("model_id").is_in(wanted)).collect()
        read = {row["model_id"]: row for row in rows.iter_rows(named=True)}
        for model_id, row in read.items():
            if row["failure_kind"] is None:
                yield model_id, RawModel(**{name: row[name] for name in _OF_A_MODEL})
            else:
                yield model_id, Failure(row["failure_kind"], row["failure_message"], row["http_status"])
        if others := [model_id for model_id in wanted if model_id not in read]:
            yield from otherwise(others)

    return source
