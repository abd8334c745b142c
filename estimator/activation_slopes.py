"""How activations grow with prompts: shapes x workloads x memory tiers, of engines in which they do.

An assembling module: one row of numbers from which `overhead_plans` has the peak of a workload, and the database how
long a context and how many sequences would still have room. Explained in docs/method.md, section "Activations".
"""

from __future__ import annotations

import polars as pl

from estimator import activations, support
from estimator.bounds import larger
from estimator.plan_schema import ACTIVATION_SLOPES, MEMORY_TIERS
from estimator.splits import Frame

# transformers runs whole prompts; llama.cpp runs batches, with a mask over all that is kept; MLX runs a chunk of each
# sequence, with scores of all that is kept. The others profile one batch of their own, whatever is asked of them.
GROWING_ENGINES = ("transformers", "llamacpp", "mlx")
_KEYS = ["shape_ix", "workload_ix", "memory_tier_ix"]
_FP32_BYTES = 4
_MASK_BYTES = 2  # llama.cpp with flash attention; _FP32_BYTES without


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
    Llama-3.1-8B's 258.5 MiB, and 560 MiB at 8,192 tokens without flash attention; MLX: `activations.chunk_bytes` and
    `score_bytes`.
    """
    c = pl.col
    is_whole, is_chunked = c("engine") == "transformers", c("engine") == "mlx"
    is_encoder = c("kind") == "encoder"
    drawn = _drawn()
    ends, layer, token = _batches()
    chunk = larger(
        activations.chunk_bytes(tokens=c("batched_tokens"), ffn=_widest(), hidden=c("hidden_size")),
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
        "kind", "heads", "ffn_size", "expert_ffn_size", "experts_per_token", "hidden_size", "vocab_size",
        "prefill_layer_bytes", "prefill_attention_bytes", "prefill_pair_bytes", "kv_window_elements_per_token",
        "kv_heads", "kv_full_layers", "kv_full_elements_per_token", "kv_latent_elements_per_token",
    ]  # fmt: skip

    def choose(whole: pl.Expr | str | float, batches: pl.Expr | float, chunks: pl.Expr | float = 0.0) -> pl.Expr:
        return pl.when(is_whole).then(whole).when(is_chunked).then(chunks).otherwise(batches).cast(pl.Float64)

    return (
        shapes.lazy()
        .select("shape_ix", *columns)
        .join(
            workloads.lazy()
            .filter(c("engine").is_in(list(GROWING_ENGINES)), c("mode") == "inference")
            .select("workload_ix", "engine", "engine_options"),
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
            token_bytes=choose("prefill_layer_bytes", token, scores),
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


def _drawn() -> pl.Expr:
    """Words to choose the next one from: an encoder draws none."""
    return pl.when(pl.col("kind") == "encoder").then(0).otherwise("vocab_size")


def _widest() -> pl.Expr:
    """Width of the widest feed-forward that a token passes through; null when one is."""
    c = pl.col
    return larger(c("ffn_size"), c("expert_ffn_size") * c("experts_per_token"))


def _batches() -> tuple[pl.Expr, pl.Expr, pl.Expr]:
    """Of llama.cpp's batches: bytes at the ends, of a layer, and of each token that is kept.

    Logits and hidden states of a batch in fp32, or its mask with the widest layer. Without flash attention the mask is
    in fp32, and beside hidden states lie all scores of a batch, or the feed-forward while tokens are fewer than its
    width over the heads: with a mask of so many it counts as an end.
    """
    c = pl.col
    batch = c("batched_tokens") * _FP32_BYTES
    ends, hidden, widest = batch * (_drawn() + c("hidden_size")), batch * 4 * c("hidden_size"), _widest() * 3
    holds_scores = support.has_option(options=c("engine_options"), name=support.NO_FLASH_ATTENTION) & (c("heads") != 0)

    def choose(with_scores: pl.Expr, without: pl.Expr) -> pl.Expr:
        return pl.when(holds_scores).then(with_scores).when(~holds_scores).then(without)

    return (
        choose(larger(ends, hidden + batch * (widest + widest / c("heads"))), ends),
        choose(hidden, hidden + batch * widest),
        choose(batch * (c("heads") + 1), c("batched_tokens") * _MASK_BYTES),
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
