"""A machine that has more of a device than gpus.csv puts into a node."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import polars as pl

import catalogs
from catalogs.schema import GPUS


def hold(counts: Mapping[str, int], folder: Path) -> None:
    """Write a gpus.csv whose nodes hold at least `counts` into the what-if `folder`, where the one there does not.

    Slices stay alone in theirs, for they cannot reach one another.
    """
    c = pl.col
    gpus = catalogs.gpus(folder)
    there = c("gpu_id").replace_strict(dict(counts), default=None, return_dtype=pl.Int64)
    is_wider = (c("segment") != "slice") & (there > c("max_gpus_per_node").fill_null(1))
    if gpus.filter(is_wider).is_empty():
        return
    wider = gpus.with_columns(max_gpus_per_node=pl.when(is_wider).then(there).otherwise("max_gpus_per_node"))
    wider.select(GPUS.columns.names()).write_csv(folder / GPUS.file)
