"""How far a need may lie from its middle estimate: what is added for the upper end and taken off for the lower.

A false `fits` costs an outage, so a model fits only at the upper end. Relative errors come from how well a number is
known, fixed ones from what an engine allocates beside the model. Sources: the errors of the formulas against published
start-up logs and tensor headers (docs/method.md, section "Uncertainty", says which); those of an engine are in its
catalog row. Every margin is Int64 bytes, rounded up.
"""

from __future__ import annotations

import polars as pl

from estimator.bounds import larger, whole_bytes

# Relative error of a model's counts by `confidence`, and of a format's bits by the confidence of its catalog row.
# What nobody vouches for is as wide as an estimate. `averaged` and `older` are mixtures: see mixture_word.
COUNTS = {"exact": 0.001, "derived": 0.005}
ESTIMATED_COUNTS = 0.15
FORMATS = {"exact": 0.001, "high": 0.001, "medium": 0.02, "averaged": 0.07, "older": 0.025}
UNSURE_FORMAT = 0.15

# Engines that multiply packed weights by widening them first.
UNPACKING = 0.15

# Relative error of a cache by the same confidence of the model: its layout is read from the same configuration.
CACHES = {"exact": 0.01, "derived": 0.05}
ESTIMATED_CACHE = 0.30

# Headers of files, alignment and scales of whole tensors: 0.02 GiB.
LOADING_BYTES = 21_474_836

# A sequence may hold one block more than its tokens fill (vLLM `block_size`, llama.cpp pads further).
BLOCK_TOKENS = 16


def _relative(word: pl.Expr, errors: dict[str, float], otherwise: float) -> pl.Expr:
    return word.replace_strict(errors, default=otherwise, return_dtype=pl.Float64)


# llama.cpp's tools of 2023 and 2024 mixed more bits into models with as many layers as 70B has.
OLDER_MIXTURE_LAYERS = 80
# Bits above the format's own by which an average is one of a mixture, and no header or single tensor.
MIXTURE_RATIO = 1.01


def mixture_word(
    *, confidence: pl.Expr, is_ruled: pl.Expr, bits: pl.Expr, average_bits: pl.Expr, layers: pl.Expr
) -> pl.Expr:
    """The confidence of a GGUF file type in a model: the catalog's word, `averaged` or `older`.

    Types that mix several formats have the average of another model where no rule tells each tensor's
    (`is_ruled`): ten models' Q4_K_M were up to 6.7 % larger, small ones with large vocabularies. Files of large models
    that older tools made are up to 2.5 % larger than today's rule says (Llama-3.1-405B 2.4 %). Null `average_bits`: no
    mixture.
    """
    is_mixed = average_bits > bits * MIXTURE_RATIO
    word = pl.when(is_mixed & ~is_ruled).then(pl.lit("averaged"))
    return word.when(is_ruled & is_mixed & (layers >= OLDER_MIXTURE_LAYERS)).then(pl.lit("older")).otherwise(confidence)


def unpacking_error(*, engine: pl.Expr, bits: pl.Expr) -> pl.Expr:
    """Relative error of weights that are unpacked to be multiplied: 0.15 in transformers below 16 bits, else 0.

    bitsandbytes and GPTQ widen one matrix at a time, AWQ was logged with more than that. 0 of unknown bits, whose bytes
    are unknown too.
    """
    return pl.when((engine == "transformers") & (bits < 16)).then(UNPACKING).otherwise(0.0)


def weights_margin_bytes(
    *, held: pl.Expr, basis: pl.Expr, counts: pl.Expr, format_: pl.Expr, unpacking: pl.Expr
) -> pl.Expr:
    """Margin of what stays resident (`held` bytes); `counts` and `format_` are confidences.

    The bytes of a published file need neither counts nor bits, but an engine may widen them (`unpacking`, relative).
    Null when `held` is null.
    """
    of_formula = larger(_relative(counts, COUNTS, ESTIMATED_COUNTS), _relative(format_, FORMATS, UNSURE_FORMAT))
    relative = pl.when(basis == "stored").then(COUNTS["exact"]).otherwise(of_formula)
    return whole_bytes(held * larger(relative, unpacking) + LOADING_BYTES)


def cache_margin_bytes(*, kept: pl.Expr, token: pl.Expr, sequences: pl.Expr, counts: pl.Expr) -> pl.Expr:
    """Margin of cache and state (`kept` bytes): relative, and one block of `token` bytes each for every sequence."""
    return whole_bytes(kept * _relative(counts, CACHES, ESTIMATED_CACHE) + sequences * BLOCK_TOKENS * token)


def engine_margin_bytes(
    *, activation: pl.Expr, relative: pl.Expr, one: pl.Expr, several: pl.Expr, degree: pl.Expr
) -> pl.Expr:
    """Margin of what an engine takes: relative to its activations, and fixed for one device or for each of several."""
    return whole_bytes(activation * relative + pl.when(degree == 1).then(one).otherwise(several))
