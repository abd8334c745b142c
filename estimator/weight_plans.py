"""Plans of weights, gradients and optimizer states: shapes x precisions x residencies x degrees.

An assembling module: it reads columns and calls the formulas of `weights`, `sharding` and `training`.
"""

from __future__ import annotations

import polars as pl

from estimator import bands, sharding, training, weights
from estimator.bounds import whole_bytes
from estimator.pairs import Frame, pairs
from estimator.read_shares import read_shares
from estimator.schema import DEGREES, RESIDENCIES, WEIGHT_PLANS

_RESIDENCY = ["engine", "mode", "method", "recipe", "objective", "optimizer", "sharding", "lora_rank"]
_KEYS = ["shape_ix", "precision_ix", "residency_ix", "degree"]
_CONFIDENCES = ["confidence", "format_confidence"]


def residencies(workloads: Frame) -> pl.LazyFrame:
    """Which workloads keep the same weights resident: RESIDENCIES, one row for each workload.

    Nulls (an inference workload has no method) are values like any other here.
    """
    rows = workloads.lazy().select("workload_ix", *_RESIDENCY).sort("workload_ix")
    distinct = rows.select(_RESIDENCY).unique(maintain_order=True).with_row_index("residency_ix")
    return (
        rows.join(distinct, on=_RESIDENCY, how="left", nulls_equal=True, maintain_order="left")
        .with_columns(pl.col("residency_ix").cast(pl.UInt8), pl.col("workload_ix").cast(pl.UInt8))
        .select(RESIDENCIES.names())
        .match_to_schema(RESIDENCIES, missing_columns="raise")
    )


def degrees() -> pl.LazyFrame:
    """The degrees that are tried, one row each."""
    return pl.LazyFrame({"degree": DEGREES}, schema={"degree": pl.UInt8})


def weight_plans(shapes: Frame, overrides: Frame, precisions: Frame, residencies: Frame) -> pl.LazyFrame:
    """What stays resident on the fullest device: WEIGHT_PLANS, sorted by its keys.

    `shapes` carry shape_ix, `precisions` precision_ix; `residencies` is the answer of `residencies()`.
    An inference residency has a row for every degree that divides the pair and whose bytes can be told; a training
    one for every degree of its ZeRO stage, degree 1 without. Degree 1 has a row always, null bytes being unknown or
    (training on a precision without a recipe) meaningless.
    """
    distinct = residencies.lazy().select("residency_ix", *_RESIDENCY).unique()
    bases = _bases(shapes.lazy(), overrides.lazy(), precisions.lazy())
    read = bases.join(read_shares(shapes, precisions), on=["shape_ix", "format_ix"], how="left")
    inference = distinct.filter(pl.col("mode") == "inference")
    is_staged = pl.col("engine").is_in(list(sharding.STAGED_ENGINES))
    serving = pl.concat(
        [
            read.join(inference.filter(~is_staged), how="cross").pipe(_serving),
            read.filter(pl.col("degree") == 1)
            .drop("degree")
            .join(inference.filter(is_staged), how="cross")
            .join(degrees(), how="cross")
            .filter(sharding.may_stage(layers=pl.col("layers"), degree=pl.col("degree")))
            .pipe(_staged),
        ]
    )
    learning = (
        bases.filter(pl.col("degree") == 1)
        .drop("degree")
        .join(distinct.filter(pl.col("mode") == "training"), how="cross")
        .join(degrees(), how="cross")
        .filter((pl.col("degree") == 1) | pl.col("sharding").is_in(list(training.ZERO_STAGES)))
        .pipe(_learning)
    )
    return (
        pl.concat([serving, learning])
        .with_columns(weights_basis=pl.when(pl.col("weights_bytes").is_not_null()).then("weights_basis"))
        .with_columns(
            margin_bytes=bands.weights_margin_bytes(
                held=pl.col("weights_bytes") + pl.col("gradient_bytes") + pl.col("optimizer_bytes"),
                basis=pl.col("weights_basis"),
                counts=pl.col("confidence"),
                format_=pl.col("format_confidence"),
            )
        )
        .sort(_KEYS)
        .select(WEIGHT_PLANS.names())
        .match_to_schema(WEIGHT_PLANS)
    )


def _elements(shapes: pl.LazyFrame) -> pl.LazyFrame:
    """Grain: shape x degree. Elements on one device by group, and what an engine adds; degree 1 always has a row."""
    c = pl.col
    dense = c("p_attn") + c("p_mlp") + c("p_shared") + c("p_ssm")
    split = c("p_embed") + c("p_lm_head") + c("p_bias")
    matrices = (c("p_embed") > 0).cast(pl.Int64) + (c("p_lm_head") > 0).cast(pl.Int64)
    padding = sharding.padded_vocabulary_elements(
        vocabulary=c("vocab_size"), hidden=c("hidden_size"), matrices=matrices
    )
    rest = c("parameters_resident") - dense - c("p_expert")
    return (
        shapes.join(degrees(), how="cross")
        .select(
            "shape_ix",
            "shape_id",
            "degree",
            "parameters_resident",
            "layers",
            "confidence",
            "stored_bytes",
            "quant_rows",
            "fp8_block_scales",
            "lora_io",
            "p_embed",
            "p_lm_head",
            "expert_ffn_size",
            "hidden_size",
            linears=sharding.sharded_linears(
                linears=dense,
                kv_projections=c("p_kv_proj"),
                replicated=c("p_tp_replicated"),
                kv_heads=c("kv_heads"),
                degree=c("degree"),
            ),
            experts=c("p_expert") / c("degree"),
            rest=sharding.sharded_rest(rest=rest, split=split, degree=c("degree")),
            linears_whole=dense + c("p_expert"),
            # rows and columns of all matrices, and what is no matrix; experts are stacked, which no rule covers
            factors=pl.when(c("p_expert") == 0).then(
                c("lora_io") + (c("vocab_size") + c("hidden_size")) * matrices + (rest - c("p_embed") - c("p_lm_head"))
            ),
            padding=padding / c("degree"),
            rope_table=weights.rope_table_bytes(elements=c("rope_cache_elements")),
            absorbed=weights.absorbed_bytes(elements=c("absorbed_elements"), degree=c("degree")),
        )
        .with_columns(
            elements=c("linears") + c("experts") + c("rest"),
            quantised_share=pl.when(c("linears_whole") > 0)
            .then((c("linears") + c("experts")) / c("linears_whole"))
            .when(c("linears_whole") == 0)
            .then(0.0),
        )
        .with_columns(share=pl.when(c("degree") == 1).then(1.0).otherwise(c("elements") / c("parameters_resident")))
        .filter((c("degree") == 1) | c("share").is_not_null())
    )


def _bases(shapes: pl.LazyFrame, overrides: pl.LazyFrame, precisions: pl.LazyFrame) -> pl.LazyFrame:
    """Grain: shape x precision x degree that divides it. `base`: bytes of the model's own weights on one device.

    A known size (an override, the repository itself) is divided as the model's elements are: `share`.
    """
    c = pl.col
    scales = weights.scale_bytes(scales=c("quant_rows"), bytes_each=c("row_scale_bytes")) + weights.scale_bytes(
        scales=c("fp8_block_scales"), bytes_each=c("block_scale_bytes")
    )
    one_size = weights.uniform_bits(
        policy=c("policy"), bits=c("bits_per_weight"), whole_model_bits=c("whole_model_bits")
    )
    uniform = weights.uniform_weights_bytes(
        parameters=pl.when(c("degree") == 1).then(c("parameters_resident")).otherwise(c("elements")), bits=one_size
    )
    parted = weights.quantised_weights_bytes(
        policy=c("policy"),
        linears=c("linears"),
        experts=c("experts"),
        rest=c("rest"),
        scales_bytes=pl.when(scales == 0).then(0.0).otherwise(scales * c("quantised_share")),
        bits=c("bits_per_weight"),
        keep_bits=c("keep_bits"),
    )
    is_uniform = weights.is_uniform(policy=c("policy"), bits=c("bits_per_weight"), keep_bits=c("keep_bits"))
    known = pl.coalesce("override_bytes", pl.when(c("policy") == "stored").then("stored_bytes"))
    return (
        pairs(shapes, precisions)
        .join(
            precisions.select(
                "precision_ix",
                "policy",
                c("confidence").alias("format_confidence"),
                *(
                    c(name).cast(pl.Float64)
                    for name in (
                        "bits_per_weight",
                        "row_scale_bytes",
                        "block_scale_bytes",
                        "keep_bits",
                        "whole_model_bits",
                    )
                ),
            ),
            on="precision_ix",
            how="left",
        )
        .join(_elements(shapes), on="shape_ix", how="inner")
        .filter(sharding.is_valid_degree(mask=c("split_mask"), degree=c("degree")))
        .join(
            overrides.select("shape_id", "precision", override_bytes="weights_bytes", override_basis="weights_basis"),
            on=["shape_id", "precision"],
            how="left",
        )
        .select(
            "shape_ix",
            "precision_ix",
            "degree",
            "effective",
            "confidence",
            "format_confidence",
            c("effective_ix").alias("format_ix"),
            "parameters_resident",
            "layers",
            ((c("p_embed") + c("p_lm_head")) / c("parameters_resident")).alias("ends_share"),
            "lora_io",
            "quant_rows",
            "linears_whole",
            "factors",
            "rope_table",
            "absorbed",
            # routed experts as they are stored: the rest of a repository may be in 16 bits (gpt-oss)
            pl.when(c("experts") == 0)
            .then(0.0)
            .otherwise(c("experts") * c("effective_bits") / 8)
            .alias("expert_bytes"),
            "expert_ffn_size",
            "hidden_size",
            base=pl.coalesce(known * c("share"), pl.when(is_uniform).then(uniform).otherwise(parted)),
            # padded rows take the bits of the embedding: the format's where it quantises everything
            # (repositories keep embeddings in 16 bit; at most 63 rows are at stake)
            padding=c("padding")
            / 8
            * pl.when(c("policy") == "all")
            .then(one_size)
            .when(c("policy") == "stored")
            .then(16.0)
            .otherwise(c("keep_bits")),
            weights_basis=pl.when(c("override_bytes").is_not_null())
            .then("override_basis")
            .when(c("policy") == "stored")
            .then(pl.lit("stored"))
            .otherwise(pl.lit("computed")),
        )
    )


def _serving(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Inference holds weights alone."""
    c = pl.col
    return rows.select(
        *_KEYS,
        *_CONFIDENCES,
        "format_ix",
        "weights_basis",
        step_dense_bytes=whole_bytes(c("base") * c("dense_share")),
        step_expert_bytes=whole_bytes(c("base") * c("expert_share")),
        weights_bytes=weights.resident_bytes(
            base=c("base"),
            padding=c("padding")
            + c("absorbed")
            + weights.repacked_bytes(
                experts=c("expert_bytes"),
                ffn=c("expert_ffn_size"),
                hidden=c("hidden_size"),
                degree=c("degree"),
                format_=c("effective"),
            ),
            rope_table=c("rope_table"),
            engine=c("engine"),
        ),
        gradient_bytes=pl.lit(0, dtype=pl.Int64),
        optimizer_bytes=pl.lit(0, dtype=pl.Int64),
        update_bytes=pl.lit(0, dtype=pl.Int64),
    )


def _staged(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Every device holds some layers; they work one after another, so that a step still reads all of them."""
    c = pl.col
    return rows.select(
        *_KEYS,
        *_CONFIDENCES,
        "format_ix",
        "weights_basis",
        step_dense_bytes=whole_bytes(c("base") * c("dense_share")),
        step_expert_bytes=whole_bytes(c("base") * c("expert_share")),
        weights_bytes=whole_bytes(
            sharding.staged_bytes(whole=c("base"), ends_share=c("ends_share"), layers=c("layers"), degree=c("degree"))
        ),
        gradient_bytes=pl.lit(0, dtype=pl.Int64),
        optimizer_bytes=pl.lit(0, dtype=pl.Int64),
        update_bytes=pl.lit(0, dtype=pl.Int64),
    )


def _learning(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Training holds the trained parameters, their gradients and optimizer states, and for adapters a frozen base."""
    c = pl.col
    is_full = c("method") == "full"
    adapters = training.adapter_parameters(
        method=c("method"), rank=c("lora_rank"), io=c("lora_io"), rows=c("quant_rows")
    )
    models = training.copies(objective=c("objective"), counts=training.TRAINED_COPIES)
    trained = pl.when(is_full).then("parameters_resident").otherwise(adapters) * models
    # adapters are matrices in fp32 whatever the precision and the recipe of the base
    precision = pl.when(is_full).then("effective").otherwise(pl.lit("fp32"))
    recipe = pl.when(is_full).then("recipe").otherwise(pl.lit("autocast"))
    each = training.weight_bytes_each(precision=precision)
    of_gradients = training.gradient_bytes_each(precision=precision, recipe=recipe, sharding=c("sharding"))
    number = training.moment_number_bytes(precision=precision, recipe=recipe)
    moments = training.moment_bytes(
        optimizer=c("optimizer"),
        trained=trained,
        matrices=pl.when(is_full).then(c("linears_whole") * models).otherwise(trained),
        factors=pl.when(is_full).then(c("factors") * models),
        number_bytes=number,
    )
    masters = trained * training.master_bytes_each(precision=precision, recipe=recipe)
    frozen = pl.when(is_full).then(0.0).otherwise(
        c("base") + training.kept_in_fp32_bytes(method=c("method"), rest=c("parameters_resident") - c("linears_whole"))
    ) + training.frozen_copies_bytes(
        objective=c("objective"),
        method=c("method"),
        one=pl.when(is_full).then(c("parameters_resident") * each).otherwise("base"),
    )

    def share(divided_from: int) -> pl.Expr:
        return training.zero_share(sharding=c("sharding"), divided_from=divided_from, degree=c("degree"))

    def known(quantity: pl.Expr) -> pl.Expr:
        trains = training.is_trainable(method=c("method"), precision=c("effective"), recipe=c("recipe"))
        trains &= c("engine").is_in(training.ENGINES)
        return pl.when(trains).then(whole_bytes(quantity))

    return rows.select(
        *_KEYS,
        *_CONFIDENCES,
        "format_ix",
        pl.when(is_full).then(pl.lit("computed")).otherwise("weights_basis").alias("weights_basis"),
        step_dense_bytes=pl.lit(None, dtype=pl.Int64),
        step_expert_bytes=pl.lit(None, dtype=pl.Int64),
        weights_bytes=known((frozen + trained * each) * share(3)),
        gradient_bytes=known(trained * of_gradients * share(2)),
        optimizer_bytes=known((masters + moments) * share(1)),
        update_bytes=known(
            training.update_bytes(optimizer=c("optimizer"), trained=trained, number_bytes=number) * share(1)
        ),
    )
