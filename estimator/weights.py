"""Bytes of a model's weights at a precision, before rounding (Float64).

A quantisation policy says which components carry the format's bits, the rest keeps `keep_bits`:

* `linears`: every linear layer (GPTQ, AWQ, FP8, bitsandbytes; transformers `get_keys_to_not_convert`);
* `experts_only`: only the routed experts (the gpt-oss model card: attention stays in bfloat16);
* `experts_and_mlp`: every feed-forward, of experts, shared or dense (NVIDIA Model Optimizer's `NVFP4_MLP_ONLY_CFG`);
* `all`: everything (GGUF file types, MLX), at the mixture's average where one is known;
* `stored`: not computed, the bytes of the repository.

Bits and scales come with their sources in the precision catalog. Explained in docs/method.md, section "Weights".
"""

from __future__ import annotations

import polars as pl


def scale_bytes(*, scales: pl.Expr, bytes_each: pl.Expr) -> pl.Expr:
    """Bytes of the scales that are counted apart from the bits per weight.

    `bytes_each` null or 0 means that the format has none; null when it has some and their number is unknown.
    """
    return pl.when(bytes_each.is_null() | (bytes_each == 0)).then(0.0).otherwise(scales * bytes_each)


def is_uniform(*, policy: pl.Expr, bits: pl.Expr, keep_bits: pl.Expr) -> pl.Expr:
    """Whether every parameter takes the same bits, so that only their number matters."""
    return (policy == "all") | ((policy != "stored") & (bits == keep_bits))


def uniform_bits(*, policy: pl.Expr, bits: pl.Expr, whole_model_bits: pl.Expr) -> pl.Expr:
    """Bits per parameter of a uniform format: of `all`, the whole model's average wins when it is known."""
    return pl.when(policy == "all").then(pl.coalesce(whole_model_bits, bits)).otherwise(bits)


def uniform_weights_bytes(*, parameters: pl.Expr, bits: pl.Expr) -> pl.Expr:
    """Bytes of parameters that all take `bits` bits; null when either is null."""
    return parameters * bits / 8


def quantised_weights_bytes(
    *,
    policy: pl.Expr,
    linears: pl.Expr,
    feed_forward: pl.Expr,
    experts: pl.Expr,
    rest: pl.Expr,
    scales_bytes: pl.Expr,
    bits: pl.Expr,
    keep_bits: pl.Expr,
) -> pl.Expr:
    """Bytes of weights of which the policy quantises some: dense linears, routed experts and rest in elements.

    `feed_forward` is the part of the dense linears that is neither attention nor a mixer. Null when a count that the
    policy asks for or the bits are null, or the policy is not one that quantises a part.
    """
    kept = (
        pl.when(policy == "linears")
        .then(rest)
        .when(policy == "experts_only")
        .then(linears + rest)
        .when(policy == "experts_and_mlp")
        .then(linears - feed_forward + rest)
    )
    quantised = linears + experts + rest - kept
    return quantised * bits / 8 + scales_bytes + kept * keep_bits / 8


def rope_table_bytes(*, elements: pl.Expr) -> pl.Expr:
    """Bytes of the cosine and sine table that vLLM keeps on every device, 16 bits an element.

    vLLM `model_executor/layers/rotary_embedding`: the table of all positions is a buffer of the model's dtype.
    Null when the number of elements is null.
    """
    return elements * 2.0


def absorbed_bytes(*, elements: pl.Expr, degree: pl.Expr) -> pl.Expr:
    """Bytes of the 16-bit copy of latent attention's up-projections that vLLM makes, split by heads.

    vLLM `v1/attention/backends/mla/common.py` (W_UK, W_UV): DeepSeek-V3 2.05 GB over its devices. Null without a count.
    """
    return elements * 2.0 / degree


# Columns that the kernels for MXFP4 experts want: of the feed-forward on one device, of the hidden state. Marlin and
# TRT-LLM pad both; the Triton kernels that vLLM had on Hopper up to 0.16 the hidden state alone.
MXFP4_FFN, MXFP4_HIDDEN = 128, 256
MXFP4_FFN_OF_TRITON = 1


def repacked_bytes(
    *,
    experts: pl.Expr,
    ffn: pl.Expr,
    hidden: pl.Expr,
    degree: pl.Expr,
    format_: pl.Expr,
    ffn_columns: int = MXFP4_FFN,
) -> pl.Expr:
    """Bytes that vLLM adds to `experts` bytes of MXFP4 by padding them for its kernels; 0 in other formats.

    `ffn_columns`: MXFP4_FFN or MXFP4_FFN_OF_TRITON. vLLM `model_executor/layers/quantization/mxfp4.py`: gpt-oss
    2,880 -> 2,944 and 3,072, 9.04 %, with Triton 6.67 % (its logs on H100: 0.11 0.06 and 0.29 % away, 0.19 loads as
    Marlin does). Null when an input is null.
    """
    padded_ffn = (ffn / degree / ffn_columns).ceil() * ffn_columns * degree / ffn
    padded_hidden = (hidden / MXFP4_HIDDEN).ceil() * MXFP4_HIDDEN / hidden
    more = experts * (padded_ffn * padded_hidden - 1)
    return pl.when(format_ != "mxfp4").then(0.0).when(experts == 0).then(0.0).otherwise(more)


# Engines whose layers are vLLM's, or add the same (TensorRT-LLM: tables, padded rows, copies of latent projections).
VLLM_LAYERS = ("vllm", "sglang", "trtllm")


def added_bytes(*, quantity: pl.Expr, engine: pl.Expr) -> pl.Expr:
    """Bytes that vLLM's layers add to a model's own (padded vocabulary, rope table, copies, kernels' padding).

    0 in engines that keep what the model has. Null for an engine that has no profile here, and when it adds an unknown.
    """
    return (
        pl.when(engine.is_in(["none", "transformers", "llamacpp", "mlx"]))
        .then(0.0)
        .when(engine.is_in(list(VLLM_LAYERS)))
        .then(quantity)
    )
