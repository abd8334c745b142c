"""Bytes of activations at the peak of an engine's largest step.

vLLM runs one profiling batch of prefill, then its sampler; transformers runs whole prompts.

Sources: vLLM `v1/worker/gpu_worker.py` (determine_available_memory profiles with max_num_batched_tokens and
max_num_seqs), `model_executor/layers/fused_moe` (modular workspaces), `v1/sample`. The two constants (bytes a logit,
copies of the hidden state) are fitted to published start-up logs; they come with version, tier and source from the
engine catalog. Explained in docs/method.md, section "Activations".
"""

from __future__ import annotations

import polars as pl

from estimator.bounds import larger, whole_bytes

# bytes of one activation element: serving computes in 16 bits
ELEMENT_BYTES = 2


def forward_bytes(
    *, tokens: pl.Expr, ffn: pl.Expr, hidden: pl.Expr, hidden_copies: pl.Expr, degree: pl.Expr
) -> pl.Expr:
    """Bytes of the widest point of a layer for a batch of `tokens`: gate, up and product, and hidden states.

    `ffn` is the dense or shared width, 0 when every layer is routed experts. Null when an input is null.
    """
    return tokens * ELEMENT_BYTES * (3 * ffn / degree + hidden_copies * hidden)


def sampler_bytes(
    *, tokens: pl.Expr, hidden: pl.Expr, sequences: pl.Expr, vocabulary: pl.Expr, logit_bytes: pl.Expr
) -> pl.Expr:
    """Bytes while the next tokens are drawn: the logits are gathered, so no degree divides them."""
    return sequences * vocabulary * logit_bytes + tokens * hidden * ELEMENT_BYTES


def experts_bytes(
    *,
    tokens: pl.Expr,
    experts: pl.Expr,
    experts_per_token: pl.Expr,
    expert_ffn: pl.Expr,
    hidden: pl.Expr,
    degree: pl.Expr,
) -> pl.Expr:
    """Bytes of the two workspaces of the fused mixture of experts; 0 without experts, null when unknown."""
    width = expert_ffn / degree
    wide = larger(2 * width, hidden.cast(pl.Float64))
    narrow = larger(width, hidden.cast(pl.Float64))
    return (
        pl.when(experts == 0)
        .then(0.0)
        .when(experts > 0)
        .then(tokens * experts_per_token * (wide + narrow) * ELEMENT_BYTES)
    )


def has_workspaces(*, stored: pl.Expr) -> pl.Expr:
    """Whether an engine runs a repository's experts through kernels with those workspaces; true where unknown.

    MXFP4 experts go through Triton's kernels on Hopper, which keep no product of all tokens and experts at once
    (vLLM `fused_moe/oracle/mxfp4.py`; start-up logs of gpt-oss on H100, 0.11 and 0.19). Marlin's kernels have them.
    """
    return (stored != "mxfp4").fill_null(True)


def prompt_bytes(*, tokens: pl.Expr, context: pl.Expr, layer: pl.Expr, attention: pl.Expr, pair: pl.Expr) -> pl.Expr:
    """Bytes of the widest point of a layer for whole prompts of `context` tokens, `tokens` in all (Float64).

    The feed-forward (`layer` bytes a token), or attention where that computes all scores: `attention` bytes a token and
    `pair` for each token of the prompt. Null when an input is null.
    """
    return tokens * larger(layer.cast(pl.Float64), (attention + pair * context).cast(pl.Float64))


def held_bytes(*, context: pl.Expr, window: pl.Expr, window_elements: pl.Expr) -> pl.Expr:
    """Bytes that one prompt keeps beyond its cache until the next step: transformers' layers with a window.

    They return the keys and values of the whole prompt and cut them afterwards, and their mask has a byte for every
    pair of tokens. 0 without such layers and in prompts that do not fill the window.
    """
    beyond = (context - window) * window_elements * ELEMENT_BYTES + context * context
    return pl.when((window_elements == 0) | (context < window)).then(0).when(context >= window).then(beyond)


def whole_prompt_bytes(*, forward: pl.Expr, held: pl.Expr, logits: pl.Expr) -> pl.Expr:
    """Bytes, rounded up (Int64), where whole prompts run at once and the last position alone gets logits.

    transformers `generate`: the widest layer and what windows hold, or the logits and their fp32 copy. Null when an
    input is null. Measured on 11 models (docs/method.md, section "Activations").
    """
    return whole_bytes(larger(forward + held, logits))


def llamacpp_bytes(*, tokens: pl.Expr, kept: pl.Expr, ffn: pl.Expr, hidden: pl.Expr, vocabulary: pl.Expr) -> pl.Expr:
    """Bytes, rounded up (Int64), of llama.cpp's compute buffer for batches of `tokens` with flash attention.

    Logits and hidden states of a batch in fp32, or its 16-bit mask over all `kept` tokens with the widest layer.
    Sources: llama.cpp `ggml_gallocr` dry runs; Llama-3.1-8B's 258.5 MiB. Null when an input is null.
    """
    ends = tokens * 4 * (vocabulary + hidden)
    layer = 2 * tokens * kept + tokens * 4 * (3 * ffn + 4 * hidden)
    return whole_bytes(larger(ends, layer).cast(pl.Float64))


def peak_bytes(*, forward: pl.Expr, sampler: pl.Expr, experts: pl.Expr) -> pl.Expr:
    """Bytes of the peak, rounded up (Int64): forward pass and sampler never run together. Null when one is null."""
    return whole_bytes(larger(forward, sampler) + experts)
