"""Plans that name their split, with the devices of that split beside them."""

from __future__ import annotations

import polars as pl

import estimator


def with_devices(plans: pl.DataFrame | pl.LazyFrame) -> pl.DataFrame:
    """The same rows with the columns of SPLIT_TABLE."""
    named = plans.lazy().collect().join(estimator.splits(), on="split_ix", maintain_order="left")
    assert isinstance(named, pl.DataFrame)
    return named
