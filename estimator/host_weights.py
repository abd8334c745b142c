"""Weights in the memory of a host: what a step and a prompt wait for them.

A step has them read by the host's processor, one side after the other; a prompt has them copied to the device for each
batch of its tokens. The shares that are reached are read off published speeds, with low confidence. Explained in
docs/method.md, section "Speed".
"""

from __future__ import annotations

import polars as pl

from estimator.bounds import product_or_absent, smaller

# Share of a host's bandwidth that its processor reaches over weights (llama.cpp; low confidence).
HOST_READ_SHARE = 0.6

# Share of the link between a host and a device that copies of weights reach in prompts (low confidence). llama.cpp with
# experts of Qwen3.6-35B-A3B in host memory: about 0.51 of PCIe 4 on an RX 9070 XT (22.1 GB in Q4_K_M, 22 of 40 layers,
# batches of 512: 705 tokens a second; llama.cpp issue 25859, 2026-08-27) and 0.39 of PCIe 5 on an RTX 5080 (all layers,
# about 15 GB, 692 tokens a second; ollama issue 11772, 2026-06-05), once the multiplying is taken off.
HOST_LINK_SHARE = 0.45

# llama.cpp multiplies weights of host memory on the device from this many tokens in a batch on
# (ggml/src/ggml-cuda/ggml-cuda.cu, min_batch_size), and on the host's processor below it.
COPIED_BATCH_TOKENS = 32


def host_read_bytes(
    *, left_bytes: pl.Expr, held: pl.Expr, dense: pl.Expr, experts: pl.Expr, expert_share: pl.Expr
) -> pl.Expr:
    """Bytes that a step reads of the weights that a device left in host memory (Float64).

    Of `left_bytes` routed experts come first, because a step reads few of them (llama.cpp `--n-cpu-moe`), and what is
    left of other weights is read as all of them are: `dense` of the `held` bytes. 0 where nothing is left, else null
    when an input is null. `internal.host_read_bytes` in flows/sql/formulas.sql says the same.
    """
    of_experts = smaller(left_bytes, experts)
    of_others = product_or_absent(left_bytes - of_experts, dense / (held - experts))
    return pl.when(left_bytes == 0).then(0.0).otherwise(of_experts * expert_share + of_others)


def host_step_seconds(*, read: pl.Expr, bytes_per_second: pl.Expr) -> pl.Expr:
    """Seconds that a host takes in a step for weights of its own; 0 without any, null when its bandwidth is null.

    `internal.host_step_seconds` in flows/sql/formulas.sql says the same.
    """
    return product_or_absent(read, 1 / bytes_per_second)


def prompt_batch_tokens(*, engine: pl.Expr, batched_tokens: pl.Expr, tokens: pl.Expr) -> pl.Expr:
    """Tokens of a prompt that an engine computes at once: its batch, or the whole prompt where that is shorter.

    A null `batched_tokens` is an engine that runs whole prompts. Null for an engine whose batches are not known (0),
    for a prompt of unknown length, and in llama.cpp for batches too small for the device, which the host computes as
    fast as nobody knows. `internal.prompt_batch_tokens` in flows/sql/formulas.sql says the same.
    """
    within = pl.when(batched_tokens > 0).then(smaller(batched_tokens, tokens))
    batch = pl.when(batched_tokens.is_null()).then(tokens).otherwise(within)
    return pl.when((engine != "llamacpp") | (batch >= COPIED_BATCH_TOKENS)).then(batch)


def host_prompt_seconds(*, read: pl.Expr, tokens: pl.Expr, batch: pl.Expr, bytes_per_second: pl.Expr) -> pl.Expr:
    """Seconds that a prompt waits for weights in host memory: `read` bytes are copied to the device for every batch.

    They come on top of the prompt's own seconds, for llama.cpp copies and multiplies one after the other (its issue
    25859). 0 where nothing is read, else null when an input is null. `internal.host_prompt_seconds` says the same.
    """
    return product_or_absent(read, (tokens / batch).ceil() / bytes_per_second)
