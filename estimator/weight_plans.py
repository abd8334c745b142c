"""Plans of weights, gradients and optimizer states: shapes x precisions x residencies x numbers of devices.

An assembling module: `device_weights` says what the model has on a device, here it becomes what an engine or a training
run keeps there, by the formulas of `weights`, `sharding` and `training`.
"""

from __future__ import annotations

import polars as pl

from estimator import bands, components, sharding, speculation, weights
from estimator.bounds import larger, whole_bytes
from estimator.device_weights import device_weights
from estimator.layouts import layouts
from estimator.pairs import Frame
from estimator.plan_schema import RESIDENCIES, WEIGHT_PLANS
from estimator.splits import of_workloads
from estimator.training_states import training_states
from estimator.whole_weights import whole_weights

_RESIDENCY = [
    *("scheme", "engine", "mode", "method", "recipe", "objective", "optimizer", "sharding", "lora_rank"),
    *("lora_targets", "host_memory_gib", "speculative_tokens"),
]
_KEYS = ["shape_ix", "precision_ix", "residency_ix", "degree"]
_CONFIDENCES = ["confidence", "format_confidence"]


def residencies(workloads: Frame) -> pl.LazyFrame:
    """Which workloads keep the same weights resident: RESIDENCIES, one row for each workload.

    Nulls (an inference workload has no method) are values like any other here.
    """
    # what weights leave a device for in inference is decided when all needs are known
    host = pl.when(pl.col("mode") == "training").then("host_memory_gib")
    rows = (
        workloads.lazy()
        .with_columns(scheme=of_workloads(), host_memory_gib=host)
        .select("workload_ix", *_RESIDENCY)
        .sort("workload_ix")
    )
    distinct = rows.select(_RESIDENCY).unique(maintain_order=True).with_row_index("residency_ix")
    return (
        rows.join(distinct, on=_RESIDENCY, how="left", nulls_equal=True, maintain_order="left")
        .with_columns(pl.col("residency_ix").cast(pl.UInt8), pl.col("workload_ix").cast(pl.UInt8))
        .select(RESIDENCIES.names())
        .match_to_schema(RESIDENCIES, missing_columns="raise")
    )


def weight_plans(
    shapes: Frame,
    overrides: Frame,
    precisions: Frame,
    residencies: Frame,
    *,
    mxfp4_ffn_columns: int = weights.MXFP4_FFN,
) -> pl.LazyFrame:
    """What stays resident on the fullest device: WEIGHT_PLANS, sorted by its keys.

    `shapes` carry shape_ix, `precisions` precision_ix; `residencies` is the answer of `residencies()`,
    `mxfp4_ffn_columns` what the kernels of vLLM pad to.
    A row for every number of devices whose split is known (`layouts`) and whose bytes can be told. One device
    has a row always, null bytes being unknown or (training on a precision without a recipe) meaningless.
    """
    c = pl.col
    shapes, precisions = shapes.lazy(), precisions.lazy()
    distinct = residencies.lazy().select("residency_ix", *_RESIDENCY).unique()
    inference, training_ = distinct.filter(c("mode") == "inference"), distinct.filter(c("mode") == "training")
    whole = whole_weights(shapes, overrides.lazy(), precisions)
    matrices = (c("p_embed") > 0).cast(pl.Int64) + (c("p_lm_head") > 0).cast(pl.Int64)
    serving = (
        device_weights(shapes, whole, inference.select("scheme").unique())
        .join(inference.select("scheme", "residency_ix", "engine", "speculative_tokens"), on="scheme")
        .join(
            shapes.select(
                *("shape_ix", "confidence", "expert_ffn_size", "hidden_size"),
                matrices=matrices,
                rope_table=weights.rope_table_bytes(elements=c("rope_cache_elements")),
            ),
            on="shape_ix",
        )
        .pipe(_serving, mxfp4_ffn_columns)
    )
    learning = (
        whole.join(training_, how="cross")
        .join(
            # replicas ask nothing of a format's blocks: any alignment has the same splits
            layouts(shapes).filter(c("alignment") == 0).select("shape_ix", "scheme", "degree", "split_ix"),
            on=["shape_ix", "scheme"],
        )
        .join(
            shapes.select(
                *("shape_ix", "confidence", "parameters_resident"),
                *("lora_io", "quant_rows", "lora_qv_io", "lora_qv_rows"),
                linears_whole=components.dense_linears() + c("p_expert"),
                # rows and columns of all matrices, and what is no matrix; experts are stacked, which no rule covers
                factors=pl.when(c("p_expert") == 0).then(
                    c("lora_io")
                    + (c("vocab_size") + c("hidden_size")) * matrices
                    + (components.outside_linears() - c("p_embed") - c("p_lm_head"))
                ),
            ),
            on="shape_ix",
        )
        .pipe(training_states)
        .with_columns(mtp_margin=0.0)
    )
    return (
        pl.concat([serving, learning])
        .filter((c("degree") == 1) | c("weights_bytes").is_not_null())
        .with_columns(weights_basis=pl.when(c("weights_bytes").is_not_null()).then("weights_basis"))
        .with_columns(
            margin_bytes=bands.weights_margin_bytes(
                held=c("weights_bytes") + c("gradient_bytes") + c("optimizer_bytes"),
                basis=c("weights_basis"),
                counts=c("confidence"),
                format_=c("format_confidence"),
                unpacking=c("unpacking"),
            )
            + whole_bytes(c("mtp_margin"))
        )
        .sort(_KEYS)
        .select(WEIGHT_PLANS.names())
        .match_to_schema(WEIGHT_PLANS)
    )


def _serving(rows: pl.LazyFrame, mxfp4_ffn_columns: int) -> pl.LazyFrame:
    """Inference holds weights alone. Stages work one after another, so that a step still reads all of them."""
    c = pl.col

    def added(quantity: pl.Expr) -> pl.Expr:
        return weights.added_bytes(quantity=quantity, engine=c("engine"))

    repacked = weights.repacked_bytes(
        experts=c("stored_experts"),
        ffn=c("expert_ffn_size"),
        hidden=c("hidden_size"),
        degree=pl.when("has_whole_experts").then(1).otherwise("tensor"),
        format_=c("effective"),
        ffn_columns=mxfp4_ffn_columns,
    )
    predicted = speculation.predicted_tokens(speculative_tokens=c("speculative_tokens"))
    speculates = predicted > 0
    mtp_bytes = c("mtp_dense_bytes") + c("mtp_expert_bytes")
    # files of a repository have the blocks already
    is_beside = speculates & (c("weights_basis") == "computed")
    ends = c("first_bytes") + c("last_bytes")
    # steps of their own, for the largest of three stages would name each of these many times
    stages = sharding.stage_bytes(
        first=c("first_bytes") + c("padding"),
        last=c("last_bytes") + c("padding"),
        plain=c("base") - c("expert_bytes") - ends + c("absorbed"),
        experts=c("expert_bytes") + c("repacked"),
        plain_shares={stage: c(f"{stage}_plain") for stage in sharding.STAGES},
        expert_shares={stage: c(f"{stage}_experts") for stage in sharding.STAGES},
    )
    return (
        rows.with_columns(
            padding=added(c("padding")),
            padded=added(c("padding") * c("matrices")),
            absorbed=added(c("absorbed")),
            repacked=added(repacked),
            rope_table=added(c("rope_table")),
        )
        .with_columns(**stages)
        .select(
            *_KEYS,
            *_CONFIDENCES,
            "split_ix",
            "format_ix",
            "weights_basis",
            unpacking=bands.unpacking_error(engine=c("engine"), bits=c("effective_bits")),
            step_dense_bytes=whole_bytes(
                (c("base") - c("expert_bytes")) * sharding.part_of(c("dense_share"), 1 - c("expert_share"))
                + speculation.draft_read_bytes(dense=c("mtp_dense_bytes"), head=c("head_bytes"), predicted=predicted)
            ),
            step_expert_bytes=whole_bytes(
                c("expert_bytes") + pl.when(speculates).then("mtp_expert_bytes").otherwise(0.0)
            ),
            weights_bytes=whole_bytes(
                pl.when(c("stages") == 1)
                .then(c("base") + c("padded") + c("absorbed") + c("repacked"))
                .when(c("scheme") == "layers")
                .then(
                    sharding.staged_bytes(
                        whole=c("base"), ends_share=ends / c("base"), layers=c("layers"), degree=c("stages")
                    )
                )
                .otherwise(larger(larger(c("front"), c("back")), c("between")))
                + c("rope_table")
                # whichever stage has them: the fullest may
                + pl.when(is_beside).then(mtp_bytes).otherwise(0.0)
            ),
            gradient_bytes=pl.lit(0, dtype=pl.Int64),
            optimizer_bytes=pl.lit(0, dtype=pl.Int64),
            update_bytes=pl.lit(0, dtype=pl.Int64),
            paged_bytes=pl.lit(0, dtype=pl.Int64),
            mtp_margin=pl.when(is_beside)
            .then(speculation.wide_margin_bytes(elements=c("mtp_elements"), held=mtp_bytes))
            .otherwise(0.0),
        )
    )
