"""Terms of a training step: shapes x training workloads x splits.

An assembling module: it reads columns and calls the formulas of `training_activations` and `training_gathers`. From its
rows `training_peaks` has the peaks of a workload, and `training_slopes` what they grow by. In steps, because a formula
that names another's answer twice is planned twice, and again in each that names it.
"""

from __future__ import annotations

import polars as pl

from estimator import cache, training, training_gathers
from estimator import training_activations as saved
from estimator.layouts import split_rows
from estimator.splits import Frame

KEYS = ["shape_ix", "workload_ix", "split_ix"]
_SHAPE = [
    "layers", "hidden_size", "vocab_size", "ffn_size", "expert_ffn_size", "max_context_tokens", "p_attn", "p_mlp",
    "p_shared", "p_expert", "window_tokens", "train_full_bytes", "train_autocast_bytes", "train_adapter_bytes",
    "train_adapter_qv_bytes", "train_rank_bytes", "train_pair_bytes", "train_fp32_bytes", "train_fp32_pair_bytes",
    "train_fp32_masked_bytes", "train_fp32_masked_pair_bytes", "train_masked_bytes", "train_masked_pair_bytes",
    "train_logit_bytes", "layer_parameters",
]  # fmt: skip
_RECIPE = [
    "method", "recipe", "objective", "gradient_checkpointing", "lora_rank", "context_tokens", "concurrent_sequences",
    "sharding", "gradient_accumulation", "loss", "lora_targets",
]  # fmt: skip


def training_terms(shapes: Frame, workloads: Frame) -> pl.LazyFrame:
    """Grain: shape x training workload x split. KEYS, `loss`, the shape's widths and bytes of each term.

    Of a token in all layers: `saved`, `pair` for each token of its sequence, and `masked` with `masked_pair` where that
    fills the window. Of a token elsewhere: `between` two layers, `norm`; `logit` of a logit. Whatever is trained on:
    `dequantised`, `gathered`, `scattered`, `bucket`, `cast`, `head_gradient`. `answers` are sequences of an example,
    `keeps` says that gradients stay. Null where a width or the layers of the shape are not known.
    """
    c = pl.col
    trained = workloads.lazy().filter(c("mode") == "training")
    which = {"method": c("method"), "recipe": c("recipe")}
    hidden, layers = c("hidden_size"), c("layers")
    is_full = c("method") == "full"

    def in_arithmetic(name: str) -> pl.Expr:
        is_all_fp32 = is_full & (c("recipe") == "fp32")
        return pl.when(is_all_fp32).then(f"train_fp32_{name}_bytes").otherwise(f"train_{name}_bytes")

    each = pl.when(is_full & c("recipe").is_in(["autocast", "fp32"])).then(4.0).otherwise(2.0)
    gathers = {"sharding": c("sharding"), "degree": c("degree"), "unit": c("unit")}
    return (
        split_rows(shapes, trained)
        .join(shapes.lazy().select("shape_ix", *_SHAPE), on="shape_ix")
        .join(trained.select("workload_ix", *_RECIPE), on="workload_ix")
        .with_columns(
            each=each,
            unit=training_gathers.unit_parameters(
                layer=c("layer_parameters"), vocabulary=c("vocab_size"), hidden=hidden
            ),
        )
        .select(
            *KEYS,
            *("layers", "hidden_size", "vocab_size", "window_tokens", "concurrent_sequences", "loss"),
            context=cache.context_tokens(asked=c("context_tokens"), limit=c("max_context_tokens")),
            answers=training.copies(objective=c("objective"), counts=training.SEQUENCES_OF_AN_EXAMPLE),
            is_checkpointed=c("gradient_checkpointing"),
            keeps=training.keeps_gradients(recipe=c("recipe"), is_accumulated=c("gradient_accumulation")),
            saved=saved.token_bytes(
                **which,
                full=c("train_full_bytes"),
                autocast=c("train_autocast_bytes"),
                fp32=c("train_fp32_bytes"),
                adapted=saved.adapted_bytes(
                    targets=c("lora_targets"),
                    adapters=c("train_adapter_bytes"),
                    rank_bytes=c("train_rank_bytes"),
                    qv=c("train_adapter_qv_bytes"),
                    layers=layers,
                    rank=c("lora_rank"),
                ),
            ),
            **{name: in_arithmetic(name) for name in ("pair", "masked", "masked_pair")},
            between=saved.input_bytes(**which, hidden=hidden),
            norm=saved.norm_bytes(**which, hidden=hidden),
            logit=saved.logit_bytes(**which, half=c("train_logit_bytes")),
            head_gradient=pl.when(is_full).then(c("each") * c("vocab_size") * hidden).otherwise(0.0),
            dequantised=training_gathers.dequantised_bytes(
                method=c("method"), ffn=c("ffn_size"), expert_ffn=c("expert_ffn_size"), hidden=hidden
            ),
            gathered=training_gathers.gathered_bytes(**gathers, each=c("each")),
            # a frozen unit has no gradients to scatter
            scattered=training_gathers.scattered_bytes(**gathers, each=pl.when(is_full).then("each").otherwise(0.0)),
            bucket=training_gathers.bucket_bytes(
                sharding=c("sharding"), degree=c("degree"), recipe=c("recipe"), each=c("each")
            ),
            cast=saved.cast_bytes(
                **which,
                linears=c("p_attn") + c("p_mlp") + c("p_shared") + c("p_expert"),
                head=c("vocab_size") * hidden,
                is_checkpointed=c("gradient_checkpointing"),
            ),
        )
    )


def grown_bytes(context: pl.Expr) -> pl.Expr:
    """Of a token in all layers, what depends on the `context` tokens of its sequence: from the terms above."""
    c = pl.col
    return saved.sequence_bytes(
        context=context,
        window=c("window_tokens"),
        pair=c("pair"),
        masked=c("masked"),
        masked_pair=c("masked_pair"),
    )
