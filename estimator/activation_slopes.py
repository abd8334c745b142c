"""How activations grow with prompts: shapes x workloads x memory tiers, of engines in which they do.

An assembling module: one row of numbers from which `overhead_plans` has the peak of a workload, and the database how
long a context and how many sequences would still have room. Explained in docs/method.md, section "Activations".
"""

from __future__ import annotations

import polars as pl

from estimator import activations
from estimator.bounds import larger
from estimator.plan_schema import ACTIVATION_SLOPES, MEMORY_TIERS
from estimator.splits import Frame

# transformers runs whole prompts; llama.cpp runs batches, with a mask over all that is kept; MLX runs a chunk of each
# sequence, with scores of all that is kept. The others profile one batch of their own, whatever is asked of them.
GROWING_ENGINES = ("transformers", "llamacpp", "mlx")
_KEYS = ["shape_ix", "workload_ix", "memory_tier_ix"]
_FP32_BYTES = 4
_MASK_BYTES = 2  # llama.cpp with flash attention


def tiers() -> pl.LazyFrame:
    """The memory tiers and their positions."""
    return pl.LazyFrame(
        {"memory_tier": MEMORY_TIERS, "memory_tier_ix": range(len(MEMORY_TIERS))},
        schema={"memory_tier": pl.String, "memory_tier_ix": pl.UInt8},
    )


def activation_slopes(shapes: Frame, workloads: Frame, engines: Frame) -> pl.LazyFrame:
    """ACTIVATION_SLOPES, sorted by its keys: no row for training and for engines whose activations do not grow.

    `engines` has one row for each engine and memory tier. Null where a width, the vocabulary, or a layer's measured
    bytes are unknown. An encoder draws no next word: if its class answers with words, logits of all tokens are in the
    bytes of its widest layer. Sources: `activations.whole_prompt_bytes`; llama.cpp `ggml_gallocr` dry runs, with
    Llama-3.1-8B's 258.5 MiB; MLX: `activations.chunk_bytes` and `score_bytes`.
    """
    c = pl.col
    is_whole, is_chunked = c("engine") == "transformers", c("engine") == "mlx"
    # of llama.cpp: logits and hidden states of a batch in fp32, or its mask with the widest layer
    ffn = larger(c("ffn_size"), c("expert_ffn_size") * c("experts_per_token"))
    is_encoder = c("kind") == "encoder"
    drawn = pl.when(is_encoder).then(0).otherwise("vocab_size")  # words to choose the next one from
    ends = c("batched_tokens") * _FP32_BYTES * (drawn + c("hidden_size"))
    layer = c("batched_tokens") * _FP32_BYTES * (3 * ffn + 4 * c("hidden_size"))
    chunk = larger(
        activations.chunk_bytes(tokens=c("batched_tokens"), ffn=ffn, hidden=c("hidden_size")),
        c("vocab_size") * c("logit_bytes"),
    )
    scores = activations.score_bytes(
        tokens=c("batched_tokens"),
        heads=c("heads"),
        elements=c("kv_full_elements_per_token"),
        latents=c("kv_latent_elements_per_token"),
        layers=c("kv_full_layers"),
        kv_heads=c("kv_heads"),
    )
    columns = [
        "kind", "ffn_size", "expert_ffn_size", "experts_per_token", "hidden_size", "vocab_size", "prefill_layer_bytes",
        "prefill_attention_bytes", "prefill_pair_bytes", "kv_window_elements_per_token",
        "heads", "kv_heads", "kv_full_layers", "kv_full_elements_per_token", "kv_latent_elements_per_token",
    ]  # fmt: skip

    def choose(whole: pl.Expr | str | float, batches: pl.Expr | float, chunks: pl.Expr | float = 0.0) -> pl.Expr:
        return pl.when(is_whole).then(whole).when(is_chunked).then(chunks).otherwise(batches).cast(pl.Float64)

    return (
        shapes.lazy()
        .select("shape_ix", *columns)
        .join(
            workloads.lazy()
            .filter(c("engine").is_in(list(GROWING_ENGINES)), c("mode") == "inference")
            .select("workload_ix", "engine"),
            how="cross",
        )
        .join(tiers(), how="cross")
        .join(
            engines.lazy().select("engine", "memory_tier", "batched_tokens", "logit_bytes"),
            on=["engine", "memory_tier"],
            how="left",
        )
        .select(
            *_KEYS,
            fixed_bytes=choose(pl.lit(0), ends),
            sequence_bytes=choose(drawn * c("logit_bytes"), 0, chunk),
            layer_bytes=choose(pl.lit(0), layer),
            token_bytes=choose("prefill_layer_bytes", c("batched_tokens") * _MASK_BYTES, scores),
            attention_bytes=choose("prefill_attention_bytes", 0),
            pair_bytes=choose("prefill_pair_bytes", 0),
            held_bytes=choose(
                pl.when(is_encoder)
                .then(activations.input_token_bytes())
                .otherwise(activations.held_token_bytes(window_elements=c("kv_window_elements_per_token"))),
                0,
            ),
        )
        .sort(_KEYS)
        .match_to_schema(ACTIVATION_SLOPES)
    )


def peak_bytes(*, context: pl.Expr, sequences: pl.Expr) -> pl.Expr:
    """Bytes (Int64) of the columns of ACTIVATION_SLOPES for prompts of `context` tokens, in whole blocks of the cache.

    `window_tokens` is the shape's. Null when an input is null. The macros of flows/sql/formulas.sql invert it.
    """
    c = pl.col
    return activations.whole_prompt_bytes(
        forward=c("layer_bytes")
        + activations.prompt_bytes(
            tokens=context * sequences,
            context=context,
            layer=c("token_bytes"),
            attention=c("attention_bytes"),
            pair=c("pair_bytes"),
        ),
        held=activations.held_bytes(context=context, window=c("window_tokens"), token_bytes=c("held_bytes"))
        * sequences,
        ends=c("fixed_bytes") + c("sequence_bytes") * sequences,
    )
