"""What training keeps resident on each device: trained parameters, gradients, optimizer states, a frozen base.

An assembling module: it reads columns and calls the formulas of `training`. In steps, because what a formula names
twice is planned twice, and again in each that names that.
"""

from __future__ import annotations

import polars as pl

from estimator import training
from estimator.bounds import GIB, product_or_absent, whole_bytes


def training_states(rows: pl.LazyFrame) -> pl.LazyFrame:
    """Columns of WEIGHT_PLANS on the fullest device, and `unpacking` of `bands`, beside the keys of `rows`.

    `rows`: shape x precision x residency of training x split, with the columns of `whole_weights` and of both. Bytes
    are null where the precision has no recipe for the method, and where a count is not known.
    """
    c = pl.col
    is_full = c("method") == "full"
    adapters = training.adapter_parameters(
        method=c("method"),
        rank=c("lora_rank"),
        io=training.of_targets(targets=c("lora_targets"), all_linear=c("lora_io"), qv=c("lora_qv_io")),
        rows=training.of_targets(targets=c("lora_targets"), all_linear=c("quant_rows"), qv=c("lora_qv_rows")),
    )
    widths = {"precision": c("trained_precision"), "recipe": c("trained_recipe")}
    moments = training.moment_bytes(
        optimizer=c("optimizer"),
        trained=c("trained"),
        matrices=pl.when(is_full).then(c("linears_whole") * c("models")).otherwise("trained"),
        factors=pl.when(is_full).then(c("factors") * c("models")),
        number_bytes=c("number"),
    )
    frozen = pl.when(is_full).then(0.0).otherwise(
        c("whole") + training.kept_in_fp32_bytes(method=c("method"), rest=c("parameters_resident") - c("linears_whole"))
    ) + training.frozen_copies_bytes(
        objective=c("objective"),
        method=c("method"),
        one=pl.when(is_full).then(c("parameters_resident") * c("each")).otherwise("whole"),
    )

    def share(divided_from: int) -> pl.Expr:
        return training.zero_share(sharding=c("sharding"), divided_from=divided_from, degree=c("degree"))

    def known(quantity: pl.Expr) -> pl.Expr:
        trains = training.is_trainable(method=c("method"), precision=c("effective"), recipe=c("recipe"))
        trains &= c("engine").is_in(training.ENGINES)
        return pl.when(trains).then(whole_bytes(quantity))

    steps = (
        rows.with_columns(
            adapters=adapters,
            models=training.copies(objective=c("objective"), counts=training.TRAINED_COPIES),
            # adapters are matrices in fp32 whatever the precision and the recipe of the base
            trained_precision=pl.when(is_full).then("effective").otherwise(pl.lit("fp32")),
            trained_recipe=pl.when(is_full).then("recipe").otherwise(pl.lit("autocast")),
        )
        .with_columns(
            trained=pl.when(is_full).then("parameters_resident").otherwise("adapters") * c("models"),
            each=training.weight_bytes_each(precision=c("trained_precision")),
            number=training.moment_number_bytes(**widths),
            paged=training.paged_share(optimizer=c("optimizer")),
        )
        .with_columns(
            moments=moments,
            masters=c("trained") * training.master_bytes_each(**widths),
            held=frozen + c("trained") * c("each"),
        )
        .with_columns(
            states=training.device_states(
                sharding=c("sharding"),
                host_need=training.offloaded_host_bytes(
                    sharding=c("sharding"), trained=c("trained"), degree=c("degree"), weights=c("held")
                ),
                host_bytes=c("host_memory_gib") * GIB,
            )
        )
    )
    of_gradients = training.gradient_bytes_each(**widths, sharding=c("sharding"))
    update = training.update_bytes(optimizer=c("optimizer"), trained=c("trained"), number_bytes=c("number"))
    on_device = share(1) * c("states")
    return steps.select(
        *("shape_ix", "precision_ix", "residency_ix", "degree", "confidence", "format_confidence"),
        "split_ix",
        "format_ix",
        pl.when(is_full).then(pl.lit("computed")).otherwise("weights_basis").alias("weights_basis"),
        unpacking=pl.lit(0.0),
        step_dense_bytes=pl.lit(None, dtype=pl.Int64),
        step_expert_bytes=pl.lit(None, dtype=pl.Int64),
        weights_bytes=known(c("held") * share(3) * training.device_weights(sharding=c("sharding"), states=c("states"))),
        gradient_bytes=known(c("trained") * of_gradients * share(2) * c("states")),
        optimizer_bytes=known((c("masters") + c("moments") * (1 - c("paged"))) * on_device),
        update_bytes=known(product_or_absent(update, on_device)),
        paged_bytes=known(product_or_absent(c("paged"), c("moments") * on_device)),
    )
