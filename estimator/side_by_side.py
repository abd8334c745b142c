"""Plans that have a row for each split, spread into columns for each number of devices.

A decision asks for all degrees at once, so that the widest join never does. Formats of different alignments mostly
split a shape alike: all splits of a shape are a layout, and what depends on the shape alone is spread once for each.
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from estimator.schema import DEGREES
from estimator.splits import Frame, layouts

# A layout is one number of six bits for each degree: `split_ix` + 1, or one of these.
_BITS = 6
_MISSING, _UNCLEAR = 0, 63  # no split at that degree; nobody knows


def is_valid(*, layout: pl.Expr, degree: int) -> pl.Expr:
    """Whether a layout has a split at a degree; null where nobody knows."""
    digit = layout // (1 << _BITS * DEGREES.index(degree)) % (1 << _BITS)
    return pl.when(digit != _UNCLEAR).then(digit != _MISSING)


class Layouts:
    """The different layouts of the shapes of one shard, under every scheme."""

    def __init__(self, shapes: Frame) -> None:
        c = pl.col
        taken = layouts(shapes).collect(engine="in-memory")
        units = pl.DataFrame(
            {"degree": DEGREES, "unit": [1 << _BITS * place for place in range(len(DEGREES))]},
            schema={"degree": pl.UInt8, "unit": pl.Int64},
        )
        digit = pl.when(c("split_ix").is_null()).then(_UNCLEAR).otherwise(c("split_ix").cast(pl.Int64) + 1)
        numbers = (
            taken.join(units, on="degree")
            .group_by("scheme", "shape_ix", "alignment")
            .agg(layout=(digit * c("unit")).sum())
        )
        distinct = numbers.select("scheme", "shape_ix", "layout").unique().with_row_index("layout_ix")
        self._height = distinct.height
        self._numbers = numbers.join(distinct, on=["scheme", "shape_ix", "layout"])
        self._splits = (
            taken.filter(c("split_ix").is_not_null())
            .join(self._numbers, on=["scheme", "shape_ix", "alignment"])
            .select("scheme", "shape_ix", "split_ix", "layout_ix", "degree")
            .unique()
            .partition_by("scheme", as_dict=True, include_key=False)
        )

    def of_scheme(self, scheme: str) -> pl.DataFrame:
        """Grain: shape x alignment. Columns shape_ix, alignment, layout, layout_ix."""
        return self._numbers.filter(scheme=scheme).drop("scheme")

    def spread(self, plans: pl.DataFrame | None, *, scheme: str, names: Sequence[str]) -> pl.DataFrame:
        """Plans with a row for each shape_ix and split_ix -> the columns of `spread`, a row for each layout_ix."""
        splits = self._splits.get((scheme,))
        rows = None if plans is None or splits is None else splits.join(plans, on=["shape_ix", "split_ix"])
        return spread(rows, at="layout_ix", height=self._height, names=names)


def spread(rows: pl.DataFrame | None, *, at: str, height: int, names: Sequence[str]) -> pl.DataFrame:
    """Columns NAME_1 ... NAME_16 for each of `names`, and the margin of the first of them, from rows for each degree.

    `at` says which of `height` rows a value belongs to; null where a degree has no row there.
    """
    by_degree = {} if rows is None else rows.partition_by("degree", as_dict=True)
    columns = []
    for name, source in (*((name, name) for name in names), (f"{names[0]}_margin", "margin_bytes")):
        for degree in DEGREES:
            column = pl.repeat(None, height, dtype=pl.Int64, eager=True).alias(f"{name}_{degree}")
            if (part := by_degree.get((degree,))) is not None:
                column = column.scatter(part[at], part[source])
            columns.append(column)
    return pl.DataFrame(columns)
