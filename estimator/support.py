"""Whether a device has a kernel for a precision in an engine, and whether the engine serves the kind of model.

The facts are catalog rows: which vendors and engines have a kernel, from which NVIDIA compute capability on, and
whether the format needs a number format that the device computes in. Explained in docs/method.md, section "Support".
"""

from __future__ import annotations

import polars as pl

from estimator.plan_schema import UNSPLIT_KINDS

# A workload's option for llama.cpp: attention holds all scores of a batch.
NO_FLASH_ATTENTION = "no_flash_attention"
PLAIN_CACHE_BYTES = 2  # of an element; formats with fewer are quantised


def is_member(*, member: pl.Expr, members: pl.Expr) -> pl.Expr:
    """Whether a word is in a space-separated set; null when either is null."""
    return members.str.split(" ").list.contains(member)


def has_option(*, options: pl.Expr, name: str) -> pl.Expr:
    """Whether a workload asks its engine for an option; false for null, which is none."""
    return is_member(member=pl.lit(name), members=options).fill_null(False)


def capability_number(*, capability: pl.Expr) -> pl.Expr:
    """An NVIDIA compute capability as a number that sorts: "8.9" is 809, "12.0" is 1200. Null stays null."""
    parts = capability.str.split(".")
    return parts.list.get(0).cast(pl.Int64) * 100 + parts.list.get(1).cast(pl.Int64)


def is_new_enough(*, vendor: pl.Expr, capability: pl.Expr, min_capability: pl.Expr) -> pl.Expr:
    """Whether an NVIDIA device has the compute capability; others have none to ask for, and a null minimum is none.

    Null for an NVIDIA device of unknown capability where one is asked for.
    """
    return (
        pl.when((vendor != "nvidia") | min_capability.is_null())
        .then(True)
        .otherwise(capability_number(capability=capability) >= capability_number(capability=min_capability))
    )


def computes_in(*, native_formats: pl.Expr, required: pl.Expr) -> pl.Expr:
    """Whether a device computes in a number format; true when none is required."""
    return pl.when(required.is_null()).then(True).otherwise(is_member(member=required, members=native_formats))


def has_kernel(
    *,
    vendor: pl.Expr,
    vendors: pl.Expr,
    capability: pl.Expr,
    min_capability: pl.Expr,
    native_formats: pl.Expr,
    requires_native: pl.Expr,
    requires_native_elsewhere: pl.Expr,
) -> pl.Expr:
    """Whether any software runs the precision on the device.

    `requires_native` holds everywhere, `requires_native_elsewhere` for vendors other than NVIDIA, whose kernels
    widen the format instead. Null where the device's row lacks what the answer depends on.
    """
    elsewhere = (vendor == "nvidia") | computes_in(native_formats=native_formats, required=requires_native_elsewhere)
    return (
        is_member(member=vendor, members=vendors)
        & is_new_enough(vendor=vendor, capability=capability, min_capability=min_capability)
        & computes_in(native_formats=native_formats, required=requires_native)
        & elsewhere
    )


def engine_loads(*, engine: pl.Expr, engines: pl.Expr) -> pl.Expr:
    """Whether an engine loads a precision; engine `none` stands for any software."""
    return (engine == "none") | is_member(member=engine, members=engines)


def keeps_format(
    *, engine: pl.Expr, widening: pl.Expr, vendor: pl.Expr, capability: pl.Expr, below: pl.Expr
) -> pl.Expr:
    """Whether an engine holds the format as it is, and not in 16 bits as the `widening` engines do on older devices.

    `below` is the CUDA compute capability from which on none does. True for a format that nobody widens; null for an
    NVIDIA device of unknown capability in such an engine. Source: transformers' FP8 quantizers, which dequantise
    below 8.9, where vLLM's Marlin kernels keep 8 bits.
    """
    is_widening = is_member(member=engine, members=widening).fill_null(False)
    new_enough = is_new_enough(vendor=vendor, capability=capability, min_capability=below)
    return pl.when(is_widening).then(new_enough).otherwise(True)


def engine_runs(
    *, engine: pl.Expr, vendor: pl.Expr, vendors: pl.Expr, capability: pl.Expr, min_capability: pl.Expr
) -> pl.Expr:
    """Whether an engine runs on a device; engine `none` runs on all. Null for an engine that no catalog row names."""
    new_enough = is_new_enough(vendor=vendor, capability=capability, min_capability=min_capability)
    return (engine == "none") | (is_member(member=vendor, members=vendors) & new_enough)


def caches(
    *,
    engine: pl.Expr,
    options: pl.Expr,
    kv_precision: pl.Expr,
    bytes_per_element: pl.Expr,
    engines: pl.Expr,
    vendor: pl.Expr,
    capability: pl.Expr,
    min_capability: pl.Expr,
) -> pl.Expr:
    """Whether an engine keeps a cache of that number format on a device; a workload without a cache asks nothing.

    llama.cpp refuses quantised values without flash attention (`src/llama-context.cpp`); keys alone have no row here.
    """
    quantised = bytes_per_element < PLAIN_CACHE_BYTES
    refused = has_option(options=options, name=NO_FLASH_ATTENTION) & quantised.fill_null(False)
    new_enough = is_new_enough(vendor=vendor, capability=capability, min_capability=min_capability)
    return kv_precision.is_null() | (engine_loads(engine=engine, engines=engines) & new_enough & ~refused)


def serves_kind(*, engine: pl.Expr, kind: pl.Expr) -> pl.Expr:
    """Whether an engine runs this kind of model: servers neither pipelines nor adapters without a base, mlx-lm decoders
    alone.
    """
    is_served = ~engine.is_in(["vllm", "sglang", "llamacpp", "trtllm"]) | ~kind.is_in(list(UNSPLIT_KINDS))
    return is_served & ((engine != "mlx") | (kind == "decoder"))
