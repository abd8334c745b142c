"""Bytes of activations at the peak of an engine's largest step.

vLLM runs one profiling batch of prefill, then its sampler; transformers runs whole prompts; llama.cpp masks them.

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


def encoder_forward_bytes(*, tokens: pl.Expr, ffn: pl.Expr, hidden: pl.Expr, degree: pl.Expr) -> pl.Expr:
    """The same of an encoder, whose feed-forward has no gate: its product and its activation, and four hidden states.

    Nothing is sampled from its answers (vLLM profiles a pooler, `v1/worker/gpu_model_runner.py`), so that this is its
    whole peak. Null when an input is null.
    """
    return tokens * ELEMENT_BYTES * (2 * ffn / degree + 4 * hidden)


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


# Widths of heads for which MLX has fused kernels of attention over several tokens (`backend/metal/
# scaled_dot_product_attention.cpp`, sdpa_full_supported_head_dim); other widths go through all scores.
FUSED_IN_MLX = (64, 80, 128)


def chunk_bytes(*, tokens: pl.Expr, ffn: pl.Expr, hidden: pl.Expr) -> pl.Expr:
    """Bytes of the widest feed-forward of a chunk of one prompt in MLX: gate, up and product, and four hidden states.

    Nobody measured it; its logits are of the last position alone (mlx-lm `generate.py`). Null when an input is.
    """
    return tokens * ELEMENT_BYTES * (3 * ffn + 4 * hidden)


def score_bytes(
    *, tokens: pl.Expr, heads: pl.Expr, elements: pl.Expr, latents: pl.Expr, layers: pl.Expr, kv_heads: pl.Expr
) -> pl.Expr:
    """Bytes of scores that a chunk of `tokens` has for each token of a context in MLX: before and after their softmax.

    0 where no layer attends to the whole context, and where heads are as wide as the fused kernels want: `elements` of
    keys and values in `layers` layers of `kv_heads` heads say how wide; `latents` have no such kernel. Null when a
    needed input is.
    """
    width = elements / (2 * layers * kv_heads)
    is_fused = (elements > 0) & width.is_in([float(each) for each in FUSED_IN_MLX])
    return (
        pl.when((elements == 0) & (latents == 0))
        .then(0)
        .when(is_fused)
        .then(0)
        .when(~is_fused)
        .then(tokens * heads * 2 * ELEMENT_BYTES)
    )


def shared_bytes(*, context: pl.Expr, pair: pl.Expr) -> pl.Expr:
    """Bytes of the distances between tokens that all prompts of a batch share while their mask is made (Float64).

    `pair` bytes for each pair of tokens. They are gone before the first layer and so a peak of their own, the highest
    for few long prompts alone: counted at the upper end. Null when an input is null.
    """
    return pair * context.cast(pl.Float64) ** 2


def held_token_bytes(*, window_elements: pl.Expr) -> pl.Expr:
    """Bytes a token of layers with a window, that have `window_elements` in 16 bits. Null when they are null."""
    return window_elements * ELEMENT_BYTES


def input_token_bytes() -> pl.Expr:
    """Bytes a token of what an encoder reads: a word and whether it is padded, 64 bits each (PyTorch's embeddings)."""
    return pl.lit(2 * 8)


def held_bytes(*, context: pl.Expr, window: pl.Expr, token_bytes: pl.Expr) -> pl.Expr:
    """Bytes that one prompt keeps beyond its cache until the next step: transformers' layers with a window.

    They return the keys and values of the whole prompt, `token_bytes` each, and cut them afterwards, and their mask has
    a byte for every pair of tokens. 0 without such layers and in prompts that do not fill the window. An encoder has
    no window (0) and keeps what it reads (`input_token_bytes`) beside the mask of prompts padded to one length.
    """
    beyond = (context - window) * token_bytes + context * context
    return pl.when((token_bytes == 0) | (context < window)).then(0).when(context >= window).then(beyond)


def whole_prompt_bytes(*, forward: pl.Expr, held: pl.Expr, ends: pl.Expr) -> pl.Expr:
    """Bytes, rounded up (Int64), where a step's activations grow with the prompts: the widest layer and what windows
    hold, or what both ends of the model take. Null when an input is null.

    transformers `generate` runs whole prompts, and the last position alone gets logits, with an fp32 copy: measured on
    11 models. llama.cpp keeps a mask over all tokens. Both in docs/method.md, section "Activations".
    """
    return whole_bytes(larger((forward + held).cast(pl.Float64), ends.cast(pl.Float64)))


def peak_bytes(*, forward: pl.Expr, sampler: pl.Expr, experts: pl.Expr) -> pl.Expr:
    """Bytes of the peak, rounded up (Int64): forward pass and sampler never run together. Null when one is null."""
    return whole_bytes(larger(forward, sampler) + experts)
