"""What the web page "VRAM Estimator" (furiousteabag/vram-calculator, commit ea7ab04) answers for its first device.

Every term is rounded to whole MiB before the sum, as the page does. It knows dense transformers with ordinary heads:
no cache, no experts, no quantisation, and a head is always hidden / heads wide. Its numbers are typed in by a reader;
here they are ours, since its presets are wrong for some models. Sequences are of one length.

Bytes are whole MiB (Int64); null when an input is null. Explained in docs/method.md, section "Calculators".
"""

from __future__ import annotations

import polars as pl

MIB = 1 << 20
CONTEXT_MIB = 1000  # what the page takes for CUDA's own kernels
FP32_BYTES = 4.0
HALF_BYTES = 2.0
MIXED_BYTES = 6.0  # a 16-bit copy beside the 32-bit weights
OPTIMIZER_MOMENTS = {"adam": 2, "sgd_momentum": 1, "sgd": 0}


def whole_mib_bytes(quantity_bytes: pl.Expr) -> pl.Expr:
    """Bytes rounded to the nearest MiB, halves to the even one; null stays null.

    As the estimator specification's golden rows have it. The page's own `toFixed` rounds a half up, so that a term
    that is exactly half a MiB over (the outputs of Llama-3.1-8B: 250.5) is one MiB more there.
    """
    return (quantity_bytes / MIB).round(mode="half_to_even").cast(pl.Int64) * MIB


def context_bytes() -> pl.Expr:
    """Bytes of the driver's kernels, the same for every model."""
    return pl.lit(CONTEXT_MIB * MIB, dtype=pl.Int64)


def parameters_bytes(*, parameters: pl.Expr, bytes_each: float, devices: int = 1, is_sharded: bool = False) -> pl.Expr:
    """Bytes of the weights on one device; only FSDP (`is_sharded`) divides them among the devices."""
    return whole_mib_bytes(parameters * bytes_each / _share(devices, is_sharded))


def states_bytes(*, parameters: pl.Expr, devices: int = 1, is_sharded: bool = False) -> pl.Expr:
    """Bytes of the gradients, and of each of the optimizer's moments: 32 bit in every precision."""
    return whole_mib_bytes(parameters * FP32_BYTES / _share(devices, is_sharded))


def outputs_bytes(*, vocabulary: pl.Expr, tokens: int, sequences: int, is_training: bool) -> pl.Expr:
    """Bytes of the logits in 32 bit on the first device; twice as many in training."""
    copies = 2 if is_training else 1
    return whole_mib_bytes(vocabulary * (FP32_BYTES * tokens * sequences * copies))


def layer_activations_bytes(
    *,
    hidden: pl.Expr,
    heads: pl.Expr,
    kv_heads: pl.Expr,
    ffn: pl.Expr,
    tokens: int,
    sequences: int,
    bytes_each: float,
) -> pl.Expr:
    """Bytes that one layer keeps for the backward pass, unrounded: attention, feed-forward and two norms.

    Scores are kept for all pairs of tokens; masks of dropout take one byte an element. Null without heads.
    """
    positions = float(tokens * sequences)
    width = pl.when(heads > 0).then(hidden / heads)
    stream = hidden * (bytes_each * positions)
    queries = width * heads * (bytes_each * positions)
    keys_values = width * kv_heads * (2 * bytes_each * positions)
    scores = heads * ((2 * bytes_each + 1) * sequences * float(tokens) ** 2)
    mask = hidden * positions
    attention = stream + queries + keys_values + scores + queries + mask
    feed_forward = stream + ffn * (2 * bytes_each * positions) + mask
    return attention + feed_forward + 2 * stream


def activations_bytes(*, layer_bytes: pl.Expr, layers: pl.Expr, is_training: bool) -> pl.Expr:
    """Bytes of activations, never divided among devices: of all layers in training, of one in inference."""
    return whole_mib_bytes(layer_bytes * layers if is_training else layer_bytes)


def _share(devices: int, is_sharded: bool) -> int:
    return devices if is_sharded and devices > 1 else 1
