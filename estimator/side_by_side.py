"""Plans that have a row for each split, spread into columns for each number of devices.

A decision asks for all degrees at once, so that the widest join never does. Formats of different alignments mostly
split a shape alike: all splits of a shape are a layout, and what depends on the shape alone is spread once for each.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import polars as pl

from estimator.layouts import layouts
from estimator.schema import DEGREES
from estimator.splits import Frame

# A layout is one number of six bits for each degree: `split_ix` + 1, or one of these.
_BITS = 6
_MISSING, _UNCLEAR = 0, 63  # no split at that degree; nobody knows


def is_valid(*, layout: pl.Expr, degree: int) -> pl.Expr:
    """Whether a layout has a split at a degree; null where nobody knows."""
    digit = layout // (1 << _BITS * DEGREES.index(degree)) % (1 << _BITS)
    return pl.when(digit != _UNCLEAR).then(digit != _MISSING)


class Layouts:
    """The different layouts of the shapes of one shard, under each of `schemes`."""

    def __init__(self, shapes: Frame, schemes: Collection[str]) -> None:
        c = pl.col
        taken = layouts(shapes).filter(c("scheme").is_in(list(schemes))).collect(engine="in-memory")
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
        numbers = numbers.join(distinct, on=["scheme", "shape_ix", "layout"])
        self._height = distinct.height
        self._numbers = numbers.drop("layout").partition_by("scheme", as_dict=True, include_key=False)
        self._splits = (
            taken.filter(c("split_ix").is_not_null())
            .join(numbers, on=["scheme", "shape_ix", "alignment"])
            .select("scheme", "shape_ix", "split_ix", "layout_ix", "degree")
            .unique()
            .partition_by("scheme", as_dict=True, include_key=False)
        )
        # Grain: layout_ix. Columns valid_1 ... valid_16.
        self.valid = distinct.select(
            is_valid(layout=c("layout"), degree=degree).alias(f"valid_{degree}") for degree in DEGREES
        )
        self._places: dict[str, tuple[pl.DataFrame, Places]] = {}

    def of_scheme(self, scheme: str) -> pl.DataFrame:
        """Grain: shape x alignment. Columns shape_ix, alignment, layout_ix."""
        return self._numbers.get((scheme,), pl.DataFrame(schema=_NUMBERS))

    def spread(self, plans: pl.DataFrame | None, *, scheme: str, names: Sequence[str]) -> pl.DataFrame:
        """Plans with a row for each shape_ix and split_ix -> the columns of `spread`, a row for each layout_ix."""
        if plans is None:
            return spread(None, places_of(None, "layout_ix", self._height), names=names)
        keys = plans.select("shape_ix", "split_ix")
        if scheme not in self._places or not self._places[scheme][0].equals(keys):
            # plans of all workloads and tiers of a scheme are of the same splits, so that this is found once
            rows = keys.with_row_index("row").join(self._splits[(scheme,)], on=["shape_ix", "split_ix"])
            self._places[scheme] = keys, places_of(rows, "layout_ix", self._height)
        return spread(plans, self._places[scheme][1], names=names)


_NUMBERS = pl.Schema({"shape_ix": pl.UInt32, "alignment": pl.UInt8, "layout_ix": pl.UInt32})

# For each degree, which row of plans belongs to each answer; null where none does.
Places = dict[int, pl.Series]


def places_of(rows: pl.DataFrame | None, at: str, height: int) -> Places:
    """`rows`: which `row` of plans belongs to the `height` answers that `at` names, at each degree."""
    empty = pl.Series([None], dtype=pl.UInt32).new_from_index(0, height * len(DEGREES))
    if rows is not None:
        place = pl.col("degree").replace_strict(dict(zip(DEGREES, range(len(DEGREES)), strict=True)))
        where = rows.select((pl.col(at).cast(pl.UInt32) * len(DEGREES) + place).cast(pl.UInt32)).to_series()
        empty = empty.scatter(where, rows["row"])
    return {degree: empty.gather_every(len(DEGREES), offset) for offset, degree in enumerate(DEGREES)}


def spread(plans: pl.DataFrame | None, places: Places, *, names: Sequence[str]) -> pl.DataFrame:
    """Columns NAME_1 ... NAME_16 for each of `names`, and the margin of the first of them.

    Null where a degree has no row.
    """
    sources = (*((name, name) for name in names), (f"{names[0]}_margin", "margin_bytes"))
    if plans is None:
        height = len(places[DEGREES[0]])
        nothing = pl.Series([None], dtype=pl.Int64).new_from_index(0, height)
        return pl.DataFrame([nothing.alias(f"{name}_{degree}") for name, _ in sources for degree in DEGREES])
    return plans.select(
        pl.col(source).gather(place).alias(f"{name}_{degree}")
        for name, source in sources
        for degree, place in places.items()
    )
