"""What three well-known rules answer, exactly as they compute it: `rule_1_2`, `accelerate` and `can_it_run`.

They stand beside our own answers so that a difference can be seen and explained; nothing here is used by our estimate.

* `rule_1_2`: weights at the nominal bits times 1.2, the rule of thumb of many articles.
* `accelerate`: `accelerate estimate-memory` of accelerate 1.15 (`commands/estimate.py`, `utils/modeling.py`) builds
  the class behind transformers' AutoModel without memory and adds up its 32-bit parameters and its buffers.
* `can_it_run`: the web page can-it-run-llm (Vokturz), from the same total.

Bytes are whole (Int64), rounded up; null when an input is null. Explained in docs/method.md, section "Calculators".
"""

from __future__ import annotations

import polars as pl

from estimator.bounds import GIB, whole_bytes

# By what accelerate divides its 32-bit sizes: fp32, 16 bit, int8 and int4.
DIVISORS = {32: 1, 16: 2, 8: 4, 4: 8}
INFERENCE_MARGIN = 1.2
ADAM_COPIES = 4  # weights, gradients and two moments
ADAPTER_PERCENT = 2.0  # of the parameters, what can-it-run-llm offers first
# A trained adapter weight of can-it-run-llm: two bytes, four times.
ADAPTER_BYTES_EACH = (16 / 8) * 4


def rule_1_2_bytes(*, parameters: pl.Expr, nominal_bits: int) -> pl.Expr:
    """Bytes of the rule of thumb: parameters at their nominal bits and 20 per cent on top; null without a count."""
    return whole_bytes(parameters * nominal_bits / 8 * INFERENCE_MARGIN)


def automodel_bytes(*, parameters: pl.Expr, buffer_bytes: pl.Expr) -> pl.Expr:
    """Bytes of the class that AutoModel builds in 32 bit, buffers in their own types; null when either is null."""
    return parameters * 4 + buffer_bytes


def accelerate_bytes(*, fp32_bytes: pl.Expr, nominal_bits: int) -> pl.Expr:
    """Bytes that accelerate prints at a dtype, of the whole or of a layer: the 32-bit size divided."""
    return whole_bytes(fp32_bytes / DIVISORS[nominal_bits])


def accelerate_training_bytes(*, fp32_bytes: pl.Expr, nominal_bits: int) -> pl.Expr:
    """Bytes of accelerate's "Training with Adam": the largest of model, gradients, optimizer and step.

    fp32 takes four times the 32-bit size, 16 bit twice; int8 and int4 are not applicable, which is null.
    """
    copies = {32: 4, 16: 2}.get(nominal_bits)
    return pl.lit(None, dtype=pl.Int64) if copies is None else whole_bytes(fp32_bytes * copies)


def can_it_run_inference_bytes(*, fp32_bytes: pl.Expr, nominal_bits: int) -> pl.Expr:
    """Bytes of can-it-run-llm's inference: accelerate's total at the dtype and 20 per cent on top."""
    return whole_bytes(fp32_bytes / DIVISORS[nominal_bits] * INFERENCE_MARGIN)


def can_it_run_training_bytes(*, fp32_bytes: pl.Expr, nominal_bits: int) -> pl.Expr:
    """Bytes of can-it-run-llm's full training with Adam: four totals, at every dtype, int4 included."""
    return whole_bytes(fp32_bytes / DIVISORS[nominal_bits] * ADAM_COPIES)


def can_it_run_adapter_bytes(
    *, fp32_bytes: pl.Expr, parameters: pl.Expr, nominal_bits: int, percent: float = ADAPTER_PERCENT
) -> pl.Expr:
    """Bytes of can-it-run-llm's LoRA, which trains `percent` of the parameters that AutoModel builds.

    The page adds billions of parameters to GiB as if they were one unit: a billion counts as 2^30 bytes.
    """
    adapter_gib = parameters / 1e9 * percent / 100 * ADAPTER_BYTES_EACH
    return whole_bytes((fp32_bytes / DIVISORS[nominal_bits] + adapter_gib * GIB) * INFERENCE_MARGIN)


def devices_needed(*, need_bytes: pl.Expr, memory_gib: pl.Expr) -> pl.Expr:
    """Devices that can-it-run-llm asks for: the need over the advertised memory, rounded up; null without either."""
    return (need_bytes / GIB / memory_gib).ceil().cast(pl.Int64)
