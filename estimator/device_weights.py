"""A model's own weights on one device, for each way to split it: shapes x precisions x schemes x numbers of devices.

An assembling module: it reads columns and calls the formulas of `weights` and `sharding`.
"""

from __future__ import annotations

import polars as pl

from estimator import components, sharding, weights
from estimator.bounds import product_or_absent
from estimator.layouts import layouts
from estimator.splits import splits

# What decides which part of every layer a device has.
_PARTS = ["tensor", "expert_devices", "has_whole_experts"]


def device_weights(shapes: pl.LazyFrame, whole_weights: pl.LazyFrame, schemes: pl.LazyFrame) -> pl.LazyFrame:
    """Grain: shape x precision x scheme x degree, where the split is known. Bytes on one device of every stage.

    `base` has all of the model's own, `expert_bytes`, `first_bytes` and `last_bytes` are parts of it; what groups of
    layers have of the rest has names like `front_plain`. Beside it `mtp_*` are blocks that predict further tokens, and
    `head_bytes` is what makes logits of them. A known size is divided as its routed experts and the rest are. Null
    where a count is. `whole_weights`: the answer of that function.
    """
    c = pl.col
    taken = (
        layouts(shapes)
        .join(schemes, on="scheme", how="semi")
        .filter(c("split_ix").is_not_null())
        .join(splits().lazy().drop("degree", "parallelism"), on="split_ix")
        .with_columns(expert_devices=pl.when("has_whole_experts").then(c("tensor") * c("replicas")).otherwise("tensor"))
        .join(shapes.select("shape_ix", "layers", "expert_layers"), on="shape_ix")
        .with_columns(
            sharding.stage_shares(layers=c("layers"), some=some, stages=c("stages"))[stage].alias(f"{stage}_{kind}")
            for kind, some in (("plain", c("layers")), ("experts", c("expert_layers")))
            for stage in sharding.STAGES
        )
    )
    parts = taken.select("shape_ix", "alignment", *_PARTS).unique()
    divided = c("whole") * (c("expert_share") * c("expert_part") + (1 - c("expert_share")) * c("dense_part"))
    computed = (
        pl.when("is_uniform")
        .then(weights.uniform_weights_bytes(parameters=c("linears") + c("experts") + c("rest"), bits=c("one_size")))
        .otherwise(
            weights.quantised_weights_bytes(
                policy=c("policy"),
                linears=c("linears"),
                feed_forward=c("feed_forward"),
                experts=c("experts"),
                rest=c("rest"),
                scales_bytes=pl.when(c("scales") == 0).then(0.0).otherwise(c("scales") * c("quantised_part")),
                bits=c("bits_per_weight"),
                keep_bits=c("keep_bits"),
            )
        )
    )
    return (
        whole_weights.join(parts.join(_elements(shapes, parts), on=["shape_ix", *_PARTS]), on=["shape_ix", "alignment"])
        .select(
            *("shape_ix", "precision_ix", "alignment", *_PARTS, "effective", "format_ix", "weights_basis"),
            *("format_confidence", "effective_bits", "dense_share", "expert_share"),
            base=pl.when("is_whole").then("whole").when("is_known").then(divided).otherwise(computed),
            expert_bytes=pl.when(c("p_expert") == 0)
            .then(0.0)
            .otherwise(c("whole") * c("expert_share") * c("expert_part")),
            # routed experts as they are stored: the rest of a repository may be in 16 bits (gpt-oss)
            stored_experts=pl.when(c("p_expert") == 0).then(0.0).otherwise(c("experts") * c("effective_bits") / 8),
            first_bytes=c("first") * c("end_bytes"),
            last_bytes=c("last") * c("end_bytes"),
            padding=c("padding") * c("padding_bytes"),
            absorbed="absorbed",
            head_bytes=c("head") * c("end_bytes"),
            mtp_elements=c("mtp_dense") + c("mtp_experts"),
            mtp_dense_bytes=product_or_absent(c("mtp_dense"), c("dense_bytes")),
            mtp_expert_bytes=product_or_absent(c("mtp_experts"), c("routed_bytes")),
        )
        .join(
            taken.drop("replicas"),
            on=["shape_ix", "alignment", *_PARTS],
        )
    )


def _elements(shapes: pl.LazyFrame, parts: pl.LazyFrame) -> pl.LazyFrame:
    """Grain: shape x part. Elements of all stages on one device of each by group, and what an engine adds."""
    c = pl.col
    dense, rest = components.dense_linears(), components.outside_linears()
    split = c("p_embed") + c("p_lm_head") + c("p_bias")
    is_whole = (c("tensor") == 1) & ~c("has_whole_experts")
    return (
        shapes.join(parts.drop("alignment").unique(), on="shape_ix")
        .with_columns(
            is_whole=is_whole,
            expert_part=pl.when(is_whole)
            .then(1.0)
            .otherwise(
                sharding.expert_part(
                    experts=c("experts"), devices=c("expert_devices"), are_whole=c("has_whole_experts")
                )
            ),
            linears=sharding.sharded_linears(
                linears=dense,
                kv_projections=c("p_kv_proj"),
                replicated=c("p_tp_replicated"),
                kv_heads=c("kv_heads"),
                degree=c("tensor"),
            ),
            feed_forward=components.dense_feed_forward() / c("tensor"),
            rest=sharding.sharded_rest(rest=rest, split=split, degree=c("tensor")),
        )
        .with_columns(experts_here=product_or_absent(c("p_expert"), c("expert_part")).cast(pl.Float64))
        .select(
            *("shape_ix", *_PARTS, "p_expert", "is_whole", "expert_part", "linears", "feed_forward", "rest"),
            experts="experts_here",
            quantised_part=sharding.part_of(c("linears") + c("experts_here"), dense + c("p_expert")),
            dense_part=sharding.part_of(c("linears") + c("rest"), dense + rest),
            # outside the layers: what is looked up or sees and hears comes first, what predicts comes last; the copy of
            # a tied head is left out, for it has no more layers beside it than the embedding and never decides
            first=c("p_embed") / c("tensor")
            + (c("p_pos_embed") + c("p_vision") + c("p_audio") + c("p_speech") + c("p_projector")),
            last=c("p_lm_head") / c("tensor") + c("p_head_other"),
            padding=sharding.padded_vocabulary_elements(
                vocabulary=c("vocab_size"), hidden=c("hidden_size"), matrices=pl.lit(1)
            )
            / c("tensor"),
            absorbed=weights.absorbed_bytes(elements=c("absorbed_elements"), degree=c("tensor")),
            head=c("vocab_size") * c("hidden_size") / c("tensor"),
            mtp_dense=(c("mtp_parameters") - c("mtp_expert_parameters")) / c("tensor"),
            mtp_experts=product_or_absent(c("mtp_expert_parameters"), c("expert_part")).cast(pl.Float64),
        )
    )
