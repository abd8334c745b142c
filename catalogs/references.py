"""Which cells of one catalog name rows of another."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from catalogs.errors import CatalogError
from catalogs.load import OURS, TABLE_BY_NAME, check_rule, file_name, frame_with_lines, path_of
from catalogs.rules import Rule
from catalogs.schema.reserves import RESERVING


@dataclass(frozen=True)
class Reference:
    """`table.column` must be found in `target.target_column`, in a row with the same `shared` where one is named."""

    table: str
    column: str
    target: str
    target_column: str
    # A site's own list is shorter than ours: our prices and measurements of the other devices say nothing to it.
    ours_may_dangle: bool = False
    shared: str | None = None  # a column of both tables
    only: tuple[str, ...] = ()  # values of `shared` that the reference is followed for
    remedy: str = ""  # what to do about a row that names nothing


REFERENCES = (
    # without its reserve an engine's usable memory would silently be unknown
    Reference("engines", "version_range", "reserves", "version_range", shared="engine", only=RESERVING),
    Reference("speeds", "engine", "engines", "engine"),
    Reference("workloads", "engine", "engines", "engine"),
    Reference("workloads", "kv_precision", "kv_precisions", "kv_precision"),
    Reference(
        "prices", "gpu", "gpus", "gpu_id", ours_may_dangle=True, remedy="; add the device there or leave its prices out"
    ),
    Reference("price_names", "gpu", "gpus", "gpu_id", ours_may_dangle=True),
    Reference("measurements", "gpu", "gpus", "gpu_id", ours_may_dangle=True),
    Reference("measurements", "precision", "precisions", "precision", ours_may_dangle=True),
    Reference("measurements", "kv_precision", "kv_precisions", "kv_precision", ours_may_dangle=True),
)


def resolve(reference: Reference, frame: pl.DataFrame, folder: Path | None) -> pl.DataFrame:
    """`frame` itself, or without our own rows that a what-if file orphaned. Errors: CatalogError."""
    table, target = TABLE_BY_NAME[reference.table], TABLE_BY_NAME[reference.target]
    shared = [] if reference.shared is None else [reference.shared]
    known = frame_with_lines(target, folder).select(_name(*shared, reference.target_column)).to_series().unique()
    found = _name(*shared, reference.column).is_in(known.to_list())
    for column in shared:
        found = ~pl.col(column).is_in(reference.only) | found
    path = path_of(table, folder)
    if reference.ours_may_dangle and path.parent == OURS and path_of(target, folder).parent != OURS:
        return frame.filter(found.fill_null(True))  # an empty cell names nothing
    must = " ".join(
        [f"must be found in {target.file} as {reference.target_column}", *(f"for its {column}" for column in shared)]
    )
    try:
        check_rule(Rule(reference.column, must, found), file_name(path), frame)
    except CatalogError as error:
        raise CatalogError(error.file, error.rule + reference.remedy, error.line) from error
    return frame


def _name(*columns: str) -> pl.Expr:
    """Null where one of them is: an empty cell names nothing."""
    return pl.concat_str(columns, separator="\n")
