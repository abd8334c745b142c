"""Every shape at every precision, with what the pair alone decides.

The precision `stored` stands for whatever format a repository has: kernels, training recipes and splits ask for that
format (`effective`), only its bytes come from the repository.
"""

from __future__ import annotations

import polars as pl

from estimator.splits import ALIGNMENTS, Frame

STORED = "stored"

__all__ = ["STORED", "Frame", "pairs"]


def pairs(shapes: Frame, precisions: Frame) -> pl.LazyFrame:
    """Grain: shape x precision. Columns shape_ix, precision_ix, kind, layers, mtp_parameters, precision, effective,
    effective_ix, effective_bits and alignment.

    `effective` is null when the repository's format is unknown, and so are position and bits without a catalog row.
    `alignment` (UInt8): input columns of a block of the format that no split may cut, 0 when nobody can tell.
    """
    c = pl.col
    formats = precisions.lazy().select(
        effective="precision",
        effective_ix="precision_ix",
        effective_bits=c("bits_per_weight").cast(pl.Float64),
        aligned="shard_alignment",
    )
    return (
        shapes.lazy()
        .select("shape_ix", "kind", "layers", "mtp_parameters", "stored_precision")
        .join(precisions.lazy().select("precision_ix", "precision"), how="cross")
        .with_columns(effective=pl.when(c("precision") == STORED).then("stored_precision").otherwise("precision"))
        .join(formats, on="effective", how="left")
        .select(
            *("shape_ix", "precision_ix", "kind", "layers", "mtp_parameters", "precision", "effective", "effective_ix"),
            "effective_bits",
            alignment=pl.when(c("aligned").is_in(list(ALIGNMENTS))).then("aligned").otherwise(0).cast(pl.UInt8),
        )
    )
