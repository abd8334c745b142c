"""How long a decoding step and a prompt take: the roofline, and what is lost to it.

A step reads the weights that its tokens need and the cache of its sequences, or multiplies for longer than that takes;
every layer and every reduction over devices adds a latency. The shares of the nominal rates that are reached and the
latencies are in `catalogs/speeds.csv` and `catalogs/links.csv`, each with its source. Estimates, never promises.
Roofline: Williams et al. 2009; batched decoding: arXiv 2211.05102 section 3. Explained in docs/method.md, "Speed".
"""

from __future__ import annotations

import polars as pl

from estimator.bounds import larger, product_or_absent, smaller

# A reduction moves 2 (n - 1) / n of its bytes over each link (ring all-reduce), and a layer has two of them.
REDUCTIONS_A_LAYER = 2
BYTES_OF_HIDDEN = 2  # hidden states are 16 bit


def drawn_watts(*, board_watts: pl.Expr, devices_per_board: pl.Expr, power_share: float) -> pl.Expr:
    """What one device draws while it works, in watts; null where nobody knows the board's rated power.

    `power_share` is that of the rated power while memory is the limit (spec section 6.4, low confidence).
    """
    return board_watts / devices_per_board * power_share


def expert_share(*, experts: pl.Expr, per_token: pl.Expr, sequences: pl.Expr) -> pl.Expr:
    """Share of the routed experts that at least one of `sequences` tokens visits, when they choose evenly.

    1 - (1 - k/E)^B. 0 without experts; null when a number is null. `internal.expert_share` says the same.
    """
    missed = (1 - per_token / experts).pow(sequences)
    return pl.when(experts == 0).then(0.0).otherwise(1 - missed)


def step_dense_bytes(*, weights: pl.Expr, experts: pl.Expr, unread: pl.Expr) -> pl.Expr:
    """Bytes of weights outside routed experts that every step reads: all but embeddings, towers and encoders.

    Null when a number is null, 0 at least.
    """
    return larger(weights - experts - unread, pl.lit(0.0))


def step_flops(
    *,
    active: pl.Expr,
    width: pl.Expr,
    window_width: pl.Expr,
    context: pl.Expr,
    window: pl.Expr,
    sequences: pl.Expr,
) -> pl.Expr:
    """Operations of one step of all sequences: two for each active parameter and each element of attention.

    Recurrent scans and cross attention are left out (small beside their projections). Null when an input is null.
    """
    seen = product_or_absent(width, context) + product_or_absent(window_width, smaller(context, window))
    return sequences * 2.0 * (active + seen)


def prompt_linear_flops(*, active: pl.Expr, head: pl.Expr, tokens: pl.Expr) -> pl.Expr:
    """Operations of the matrices over one prompt; the head answers for its last token alone."""
    return 2.0 * (active - head) * tokens + 2.0 * head


def prompt_attention_flops(*, width: pl.Expr, window_width: pl.Expr, tokens: pl.Expr, window: pl.Expr) -> pl.Expr:
    """Operations of causal attention over one prompt: half of all pairs, in windows fewer. Null when an input is null.

    2 for multiply and add, times the pairs: S^2 / 2 of all, S w - w^2 / 2 in windows of w tokens.
    """
    tokens = tokens.cast(pl.Float64)
    near = smaller(tokens, window.cast(pl.Float64))
    return product_or_absent(width, tokens * tokens) + product_or_absent(
        window_width, 2 * (tokens * near - near * near / 2)
    )


def step_seconds(
    *,
    weight_bytes: pl.Expr,
    cache_bytes: pl.Expr,
    flops: pl.Expr,
    weight_bytes_per_second: pl.Expr,
    cache_bytes_per_second: pl.Expr,
    flops_per_second: pl.Expr,
    layers: pl.Expr,
    layer_seconds: pl.Expr,
    reduce_seconds: pl.Expr,
    host_seconds: pl.Expr,
) -> pl.Expr:
    """Seconds of one step, bytes and operations being those of one device. Null when an input is null.

    `internal.step_seconds` in flows/sql/formulas.sql says the same to the database.
    """
    reading = weight_bytes / weight_bytes_per_second + cache_bytes / cache_bytes_per_second
    latency = layers * (layer_seconds + REDUCTIONS_A_LAYER * reduce_seconds) + host_seconds
    return larger(reading, flops / flops_per_second) + latency


def step_rate(*, experts: pl.Expr, dense: pl.Expr, mixed: pl.Expr) -> pl.Expr:
    """Operations a second that a step of many sequences reaches: `dense`, or `mixed` of models with routed experts.

    Null when it is not known whether there are any. TensorRT-LLM's tables of output tokens a second reach 0.2 to 0.37
    of the dense rate, and 0.04 to 0.12 of it with experts, whose products are small. `internal.fit_of` says the same.
    """
    return pl.when(experts == 0).then(dense).when(experts > 0).then(mixed)


def prompt_seconds(
    *,
    linear_flops: pl.Expr,
    attention_flops: pl.Expr,
    linear_flops_per_second: pl.Expr,
    attention_flops_per_second: pl.Expr,
    reduced_bytes: pl.Expr,
    reduced_bytes_per_second: pl.Expr,
) -> pl.Expr:
    """Seconds until the first token of one prompt on an idle engine. Null when an input is null.

    `reduced_bytes` are those of a device, 0 on one. `internal.prompt_seconds` says the same to the database.
    """
    computing = linear_flops / linear_flops_per_second + attention_flops / attention_flops_per_second
    return computing + pl.when(reduced_bytes == 0).then(0.0).otherwise(reduced_bytes / reduced_bytes_per_second)


def reduced_bytes(*, layers: pl.Expr, hidden: pl.Expr, tokens: pl.Expr, degree: pl.Expr) -> pl.Expr:
    """Bytes that every device sends for the reductions of a prompt: 2 (n - 1) / n of each hidden state, two a layer.

    0 on one device, whatever is not known; else null when a width is.
    """
    sent = 2.0 * (degree.cast(pl.Float64) - 1) / degree
    every = sent * REDUCTIONS_A_LAYER * BYTES_OF_HIDDEN * layers * tokens * hidden
    return pl.when(degree == 1).then(0.0).otherwise(every)


def share_of_bits(*, bits: pl.Expr, wide: pl.Expr, half: pl.Expr, quarter: pl.Expr) -> pl.Expr:
    """Share of the bandwidth that weights of a format reach: 16 bit, about 8, about 4 or fewer. Null without bits."""
    return pl.when(bits > 12).then(wide).when(bits > 6).then(half).when(bits > 0).then(quarter)


def matrix_tflops(
    *, compute_format: pl.Expr, requires_native: pl.Expr, native_formats: pl.Expr, rates: dict[str, pl.Expr]
) -> pl.Expr:
    """Dense rate at which a device multiplies weights of a format, in TFLOP/s (int8: TOP/s).

    `rates` by number format. A format that is not native, or whose kernels want another one that is not
    (`requires_native`, null when they want none: MXFP4 with 8-bit activations only where fp4 is), is widened to 16 bit,
    which falls back to fp32 where a device has no faster rate. Null when the device's rates are not known.
    """
    natives = native_formats.str.split(" ")
    is_met = requires_native.is_null() | natives.list.contains(requires_native)
    wide = pl.coalesce(rates["bf16"], rates["fp16"], rates["fp32"])
    answer = wide
    for name in ("fp8", "int8", "fp4"):
        is_native = (compute_format == name) & natives.list.contains(name) & is_met
        answer = pl.when(is_native).then(pl.coalesce(rates[name], wide)).otherwise(answer)
    return pl.when(compute_format == "fp32").then(rates["fp32"]).otherwise(answer)
