"""Peaks of a training step beside what stays resident: shapes x training workloads x splits.

An assembling module: it reads columns and calls the formulas of `training_activations` and `training_gathers`. In
steps, because a formula that names another's answer twice is planned twice, and again in each that names it.
"""

from __future__ import annotations

import polars as pl

from estimator import cache, training, training_gathers
from estimator import training_activations as saved
from estimator.bounds import larger, whole_bytes
from estimator.layouts import split_rows
from estimator.splits import Frame

_KEYS = ["shape_ix", "workload_ix", "split_ix"]
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


def training_peaks(shapes: Frame, workloads: Frame) -> pl.LazyFrame:
    """Bytes (Int64) of each device: `forward` before there are gradients, `backward` beside all of them.

    Grain: shape x training workload x split. Null where a width or the layers of the shape are not known.
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
    keeps = training.keeps_gradients(recipe=c("recipe"), is_accumulated=c("gradient_accumulation"))
    return (
        split_rows(shapes, trained)
        .join(shapes.lazy().select("shape_ix", *_SHAPE), on="shape_ix")
        .join(trained.select("workload_ix", *_RECIPE), on="workload_ix")
        .with_columns(
            context=cache.context_tokens(asked=c("context_tokens"), limit=c("max_context_tokens")),
            sequences=c("concurrent_sequences")
            * training.copies(objective=c("objective"), counts=training.SEQUENCES_OF_AN_EXAMPLE),
            each=each,
            between=saved.input_bytes(**which, hidden=hidden),
            dequantised=training_gathers.dequantised_bytes(
                method=c("method"), ffn=c("ffn_size"), expert_ffn=c("expert_ffn_size"), hidden=hidden
            ),
            unit=training_gathers.unit_parameters(
                layer=c("layer_parameters"), vocabulary=c("vocab_size"), hidden=hidden
            ),
        )
        .with_columns(
            tokens=c("context") * c("sequences"),
            kept=saved.token_bytes(
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
            )
            + saved.sequence_bytes(
                context=c("context"),
                window=c("window_tokens"),
                **{name: in_arithmetic(name) for name in ("pair", "masked", "masked_pair")},
            ),
            gathered=training_gathers.gathered_bytes(**gathers, each=c("each")),
            # a frozen unit has no gradients to scatter
            scattered=training_gathers.scattered_bytes(**gathers, each=pl.when(is_full).then("each").otherwise(0.0)),
            bucket=training_gathers.bucket_bytes(
                sharding=c("sharding"), degree=c("degree"), recipe=c("recipe"), each=c("each")
            ),
        )
        .with_columns(
            loss_bytes=saved.loss_bytes(
                loss=c("loss"),
                tokens=c("tokens"),
                hidden=hidden,
                vocabulary=c("vocab_size"),
                logit_bytes=saved.logit_bytes(**which, half=c("train_logit_bytes")),
                norm=saved.norm_bytes(**which, hidden=hidden),
                between=c("between"),
                head_gradient=pl.when(is_full).then(c("each") * c("vocab_size") * hidden).otherwise(0.0),
            )
        )
        .with_columns(
            forward=saved.forward_peak_bytes(
                tokens=c("tokens"),
                saved=c("kept"),
                layers=layers,
                between=c("between"),
                loss=c("loss_bytes"),
                dequantised=c("dequantised"),
                is_checkpointed=c("gradient_checkpointing"),
            )
            + saved.cast_bytes(
                **which,
                linears=c("p_attn") + c("p_mlp") + c("p_shared") + c("p_expert"),
                head=c("vocab_size") * hidden,
                is_checkpointed=c("gradient_checkpointing"),
            )
            + c("gathered"),
            backward=c("kept") / layers * c("tokens") + c("gathered") + c("scattered") + c("bucket") + c("dequantised"),
        )
        .select(
            *_KEYS,
            forward=whole_bytes(c("forward")),
            backward=whole_bytes(pl.when(keeps).then(larger(c("forward"), c("backward"))).otherwise("backward")),
        )
    )
