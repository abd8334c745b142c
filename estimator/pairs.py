"""Every shape at every precision, with what the pair alone decides.

The precision `stored` stands for whatever format a repository has: kernels, training recipes and splits ask for that
format (`effective`), only its bytes come from the repository.
"""

from __future__ import annotations

import polars as pl

from estimator.schema import UNSPLIT_KINDS
from estimator.sharding import alignment_mask

Frame = pl.DataFrame | pl.LazyFrame

STORED = "stored"


def pairs(shapes: Frame, precisions: Frame) -> pl.LazyFrame:
    """Grain: shape x precision. Columns shape_ix, precision_ix, kind, layers, precision, effective, effective_ix,
    effective_bits and split_mask.

    `effective` is null when the repository's format is unknown, and so are position and bits without a catalog row.
    `split_mask` has bit i set when DEGREES[i] divides the shape without cutting the format's blocks, 1 for kinds that
    nothing splits, and null when unknown.
    """
    formats = precisions.lazy().select(
        effective="precision",
        effective_ix="precision_ix",
        effective_bits=pl.col("bits_per_weight").cast(pl.Float64),
        alignment="shard_alignment",
    )
    masks = ["tp_ok_mask", "tp_ok_mask_32", "tp_ok_mask_64", "tp_ok_mask_128"]
    return (
        shapes.lazy()
        .select("shape_ix", "kind", "layers", "stored_precision", *masks)
        .join(precisions.lazy().select("precision_ix", "precision"), how="cross")
        .with_columns(effective=pl.when(pl.col("precision") == STORED).then("stored_precision").otherwise("precision"))
        .join(formats, on="effective", how="left")
        .select(
            "shape_ix",
            "precision_ix",
            "kind",
            "layers",
            "precision",
            "effective",
            "effective_ix",
            "effective_bits",
            split_mask=pl.when(pl.col("kind").is_in(list(UNSPLIT_KINDS)))
            .then(pl.lit(1, dtype=pl.Int64))
            .otherwise(
                alignment_mask(
                    alignment=pl.col("alignment"),
                    any_width=pl.col("tp_ok_mask"),
                    width_32=pl.col("tp_ok_mask_32"),
                    width_64=pl.col("tp_ok_mask_64"),
                    width_128=pl.col("tp_ok_mask_128"),
                )
            ),
        )
    )
