"""What the seed calculators print for every shape: shapes x precisions x calculators x quantities.

An assembling module: it reads columns and calls the formulas of `calculators` and `vram_estimator`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import polars as pl

from estimator import calculators, vram_estimator
from estimator.pairs import Frame
from estimator.plan_schema import CALCULATOR_ROWS

# The tools' dtypes as formats of our catalog, by nominal bits: float32, float16, int8 and int4. The last two are what
# transformers loads under these words through bitsandbytes; bfloat16 has the numbers of float16.
PRECISIONS: Mapping[int, str] = {32: "fp32", 16: "fp16", 8: "int8_bnb", 4: "nf4"}
# What the pages of the tools are set to.
TOKENS = 512
SEQUENCES = 1

Quantities = Mapping[str, pl.Expr]


@dataclass(frozen=True)
class Run:
    """What the pages of `vram_estimator` and, for LoRA, of `can_it_run` ask for."""

    tokens: int
    sequences: int
    devices: int
    is_sharded: bool
    lora_percent: float


def calculator_rows(
    shapes: Frame,
    *,
    tokens: int = TOKENS,
    sequences: int = SEQUENCES,
    devices: int = 1,
    is_sharded: bool = False,
    lora_percent: float = calculators.ADAPTER_PERCENT,
) -> pl.LazyFrame:
    """CALCULATOR_ROWS, sorted by its keys; `shapes` carry shape_ix. What cannot be told has no row.

    For `vram_estimator`: length and number of the sequences, and devices with FSDP (`is_sharded`) or without; its bytes
    are those of the first device. For `can_it_run`: the share of the parameters that LoRA trains.
    """
    cells = [
        (PRECISIONS[bits], calculator, quantity, value)
        for calculator, bits, found in _answers(Run(tokens, sequences, devices, is_sharded, lora_percent))
        for quantity, value in found.items()
    ]
    labels = pl.LazyFrame(
        [(str(number), *words) for number, (*words, _) in enumerate(cells)],
        schema=["number", "precision", "calculator", "quantity"],
        orient="row",
    )
    return (
        shapes.lazy()
        .select("shape_ix", **{str(number): value.cast(pl.Int64) for number, (*_, value) in enumerate(cells)})
        .unpivot(index="shape_ix", variable_name="number", value_name="bytes")
        .drop_nulls("bytes")
        .join(labels, on="number", how="left")
        .select(pl.col("shape_ix").cast(pl.UInt32), "precision", "calculator", "quantity", "bytes")
        .sort("shape_ix", "precision", "calculator", "quantity")
        .match_to_schema(CALCULATOR_ROWS)
    )


def _answers(run: Run) -> Iterator[tuple[str, int, Quantities]]:
    """(calculator, nominal bits, quantity -> bytes) of every table that the tools print."""
    c = pl.col
    fp32_bytes = calculators.automodel_bytes(
        parameters=c("automodel_parameters"), buffer_bytes=c("automodel_buffer_bytes")
    )
    for bits in PRECISIONS:
        yield (
            "rule_1_2",
            bits,
            {"inference": calculators.rule_1_2_bytes(parameters=c("parameters_resident"), nominal_bits=bits)},
        )
        yield (
            "accelerate",
            bits,
            {
                "largest_layer": calculators.accelerate_bytes(fp32_bytes=c("automodel_layer_bytes"), nominal_bits=bits),
                "total": calculators.accelerate_bytes(fp32_bytes=fp32_bytes, nominal_bits=bits),
                "training_adam": calculators.accelerate_training_bytes(fp32_bytes=fp32_bytes, nominal_bits=bits),
            },
        )
        yield (
            "can_it_run",
            bits,
            {
                "inference": calculators.can_it_run_inference_bytes(fp32_bytes=fp32_bytes, nominal_bits=bits),
                "training_adam": calculators.can_it_run_training_bytes(fp32_bytes=fp32_bytes, nominal_bits=bits),
                "lora": calculators.can_it_run_adapter_bytes(
                    fp32_bytes=fp32_bytes,
                    nominal_bits=bits,
                    parameters=c("automodel_parameters"),
                    percent=run.lora_percent,
                ),
            },
        )
    for bits, weight_bytes in ((32, vram_estimator.FP32_BYTES), (16, vram_estimator.HALF_BYTES)):
        trained_bytes = vram_estimator.FP32_BYTES if bits == 32 else vram_estimator.MIXED_BYTES
        yield "vram_estimator", bits, _inference(weight_bytes, run)
        yield "vram_estimator", bits, _training(trained_bytes, weight_bytes, run)


def _inference(bytes_each: float, run: Run) -> Quantities:
    """The page's terms and their sum; one precision for weights and activations."""
    parts = {
        "context": vram_estimator.context_bytes(),
        "weights": _weights(bytes_each, run),
        "activations": _activations(bytes_each, run, is_training=False),
        "outputs": _outputs(run, is_training=False),
    }
    total = _sum(parts)
    known = {f"inference_{name}": pl.when(total.is_not_null()).then(value) for name, value in parts.items()}
    return {**known, "inference": total}


def _training(weight_bytes: float, bytes_each: float, run: Run) -> Quantities:
    """The page's terms, and their sum for each of its optimizers; mixed precision stands under 16 bit."""
    state = vram_estimator.states_bytes(parameters=_parameters(), devices=run.devices, is_sharded=run.is_sharded)
    parts = {
        "context": vram_estimator.context_bytes(),
        "weights": _weights(weight_bytes, run),
        "gradients": state,
        "activations": _activations(bytes_each, run, is_training=True),
        "outputs": _outputs(run, is_training=True),
    }
    total = _sum(parts)
    shown = {**parts, "first_moments": state, "second_moments": state}
    known = {f"training_{name}": pl.when(total.is_not_null()).then(value) for name, value in shown.items()}
    sums = {
        f"training_{optimizer}": total + state * moments
        for optimizer, moments in vram_estimator.OPTIMIZER_MOMENTS.items()
    }
    return {**known, **sums}


def _parameters() -> pl.Expr:
    """Parameters of a model that the page can describe: ordinary heads in every layer, and no experts; else null."""
    c = pl.col
    is_described = (
        c("kind").is_in(["decoder", "encoder"])
        & (c("heads") > 0)
        & (c("experts") == 0)
        & (c("p_ssm") == 0)
        & (c("kv_latent_elements_per_token") == 0)
    )
    return pl.when(is_described).then("parameters_resident")


def _weights(bytes_each: float, run: Run) -> pl.Expr:
    return vram_estimator.parameters_bytes(
        parameters=_parameters(), bytes_each=bytes_each, devices=run.devices, is_sharded=run.is_sharded
    )


def _activations(bytes_each: float, run: Run, *, is_training: bool) -> pl.Expr:
    layer = vram_estimator.layer_activations_bytes(
        hidden=pl.col("hidden_size"),
        heads=pl.col("heads"),
        kv_heads=pl.col("kv_heads"),
        ffn=pl.col("ffn_size"),
        tokens=run.tokens,
        sequences=run.sequences,
        bytes_each=bytes_each,
    )
    return vram_estimator.activations_bytes(layer_bytes=layer, layers=pl.col("layers"), is_training=is_training)


def _outputs(run: Run, *, is_training: bool) -> pl.Expr:
    return vram_estimator.outputs_bytes(
        vocabulary=pl.col("vocab_size"), tokens=run.tokens, sequences=run.sequences, is_training=is_training
    )


def _sum(parts: Quantities) -> pl.Expr:
    first, *others = parts.values()
    total = first
    for part in others:
        total = total + part
    return total
