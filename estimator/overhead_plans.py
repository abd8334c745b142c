"""Plans of activations and engine overhead: shapes x workloads x memory tiers x degrees.

An assembling module: it reads columns and calls the formulas of `activations` and `overhead`.
"""

from __future__ import annotations

import polars as pl

from estimator import activations, bands, cache, overhead, training
from estimator import training_activations as saved
from estimator.bounds import larger, whole_bytes
from estimator.cache_plans import splits
from estimator.pairs import Frame
from estimator.schema import MEMORY_TIERS, OVERHEAD_PLANS

_KEYS = ["shape_ix", "workload_ix", "memory_tier_ix", "degree"]
_PROFILE = [
    "batched_tokens",
    "max_sequences",
    "logit_bytes",
    "hidden_copies",
    "activation_margin",
    "non_torch_bytes_1",
    "non_torch_bytes_2",
    "non_torch_bytes_4",
    "graph_bytes",
    "margin_bytes_1",
    "margin_bytes_2",
]

# Of shapes and workloads, for training and transformers.
_TRAINED = [
    "layers", "heads", "kv_heads", "max_context_tokens", "p_attn", "p_mlp", "p_ssm", "p_norm", "p_embed",
    "kv_latent_elements_per_token", "kv_window_elements_per_token", "window_tokens",
]  # fmt: skip
_RECIPE = [
    "method", "recipe", "objective", "gradient_checkpointing", "lora_rank", "context_tokens", "concurrent_sequences",
]  # fmt: skip


def tiers() -> pl.LazyFrame:
    """The memory tiers and their positions."""
    return pl.LazyFrame(
        {"memory_tier": MEMORY_TIERS, "memory_tier_ix": range(len(MEMORY_TIERS))},
        schema={"memory_tier": pl.String, "memory_tier_ix": pl.UInt8},
    )


def overhead_plans(shapes: Frame, workloads: Frame, engines: Frame) -> pl.LazyFrame:
    """What an engine takes besides weights and cache: OVERHEAD_PLANS, sorted by its keys.

    Engine `none` is the architectural minimum and takes 0 on every tier; training keeps what its backward pass needs.
    Null for an engine without a row of that tier in the catalog, where a width or the vocabulary of the shape is
    unknown, and for anything but a gated dense decoder in training and in transformers.
    """
    c = pl.col
    is_none = c("engine") == "none"
    sequences = c("concurrent_sequences")
    context = cache.context_tokens(asked=c("context_tokens"), limit=c("max_context_tokens"))
    profile = engines.lazy().select("engine", "memory_tier", *_PROFILE)
    of_whole_prompts = activations.whole_prompt_bytes(
        forward=activations.forward_bytes(
            tokens=context * sequences,
            ffn=c("ffn_size"),
            hidden=c("hidden_size"),
            hidden_copies=c("hidden_copies"),
            degree=c("degree"),
        ),
        held=activations.held_bytes(
            context=context, window=c("window_tokens"), window_elements=c("kv_window_elements_per_token")
        )
        * sequences,
        logits=sequences * c("vocab_size") * c("logit_bytes"),
    )
    workspaces = activations.experts_bytes(
        tokens=c("batched_tokens"),
        experts=c("experts"),
        experts_per_token=c("experts_per_token"),
        expert_ffn=c("expert_ffn_size"),
        hidden=c("hidden_size"),
        degree=c("degree"),
    )
    is_counted = activations.has_workspaces(stored=c("stored_precision"))
    of_batches = activations.peak_bytes(
        forward=activations.forward_bytes(
            tokens=c("batched_tokens"),
            ffn=c("ffn_size"),
            hidden=c("hidden_size"),
            hidden_copies=c("hidden_copies"),
            degree=c("degree"),
        ),
        sampler=activations.sampler_bytes(
            tokens=c("batched_tokens"),
            hidden=c("hidden_size"),
            sequences=c("max_sequences"),
            vocabulary=c("vocab_size"),
            logit_bytes=c("logit_bytes"),
        ),
        experts=pl.when(is_counted).then(workspaces).otherwise(0.0),
    )
    # other kernels for the same experts, and other formats of the same model, have them
    has_batches = (c("mode") == "inference") & ~c("engine").is_in(["transformers", "llamacpp"])
    uncounted = pl.when(is_counted | ~has_batches).then(0).otherwise(whole_bytes(workspaces))
    of_llamacpp = activations.llamacpp_bytes(
        tokens=c("batched_tokens"),
        # its cache, and with it the mask, comes in whole blocks for each sequence
        kept=cache.whole_blocks(tokens=context, block=cache.block_tokens(engine=c("engine"))) * sequences,
        ffn=larger(c("ffn_size"), c("expert_ffn_size") * c("experts_per_token")),
        hidden=c("hidden_size"),
        vocabulary=c("vocab_size"),
    )
    outside = overhead.overhead_bytes(
        non_torch=overhead.non_torch_bytes(
            one=c("non_torch_bytes_1"),
            two=c("non_torch_bytes_2"),
            more=c("non_torch_bytes_4"),
            degree=c("degree"),
        ),
        graphs=c("graph_bytes"),
    )
    return (
        splits(
            shapes.lazy().select(
                "shape_ix",
                "kind",
                "tp_ok_mask",
                "hidden_size",
                "vocab_size",
                "ffn_size",
                "expert_ffn_size",
                "experts",
                "experts_per_token",
                "stored_precision",
                *_TRAINED,
            ),
            workloads.lazy().select("workload_ix", "mode", "engine", *_RECIPE),
        )
        .join(tiers(), how="cross")
        .join(profile, on=["engine", "memory_tier"], how="left")
        .with_columns(
            activation_bytes=pl.when(c("mode") == "training")
            .then(_training_bytes().struct.field("forward"))
            .when(is_none)
            .then(pl.lit(0, dtype=pl.Int64))
            .when(c("engine") == "transformers")
            .then(pl.when(_is_gated_dense()).then(of_whole_prompts))
            .when(c("engine") == "llamacpp")
            .then(of_llamacpp)
            # SGLang has no batches here: they live in what `capacity` leaves to them, whatever the widths
            .when(c("batched_tokens") == 0)
            .then(pl.lit(0, dtype=pl.Int64))
            .otherwise(of_batches),
            backward_bytes=pl.when(c("mode") == "training")
            .then(_training_bytes().struct.field("backward"))
            .otherwise(pl.lit(0, dtype=pl.Int64)),
            overhead_bytes=pl.when(is_none).then(pl.lit(0, dtype=pl.Int64)).otherwise(outside),
        )
        .select(
            *_KEYS,
            "activation_bytes",
            "backward_bytes",
            "overhead_bytes",
            margin_bytes=pl.when(is_none)
            .then(pl.lit(0, dtype=pl.Int64))
            .otherwise(
                bands.engine_margin_bytes(
                    activation=c("activation_bytes"),
                    relative=c("activation_margin"),
                    one=c("margin_bytes_1"),
                    several=c("margin_bytes_2"),
                    degree=c("degree"),
                )
                + uncounted
            ),
        )
        .sort(_KEYS)
        .match_to_schema(OVERHEAD_PLANS)
    )


def _training_bytes() -> pl.Expr:
    """Struct of bytes on each device, from the columns of _TRAINED and _RECIPE: `forward`, `backward`."""
    c = pl.col
    layers, hidden, heads, kv_heads = c("layers"), c("hidden_size"), c("heads"), c("kv_heads")
    which = {"method": c("method"), "recipe": c("recipe")}
    context = cache.context_tokens(asked=c("context_tokens"), limit=c("max_context_tokens"))
    sequences = c("concurrent_sequences") * training.copies(
        objective=c("objective"), counts=training.SEQUENCES_OF_AN_EXAMPLE
    )
    tokens = context * sequences
    width = saved.attention_width(p_attn=c("p_attn"), layers=layers, hidden=hidden)
    layer = saved.layer_bytes(
        **which, hidden=hidden, width=width, ffn=c("ffn_size"), heads=heads, kv_heads=kv_heads, rank=c("lora_rank")
    ) + saved.query_key_norm_bytes(
        method=c("method"), norm=c("p_norm"), layers=layers, hidden=hidden, width=width, heads=heads + kv_heads
    )
    forward = saved.forward_peak_bytes(
        tokens=tokens,
        layer=layer,
        layers=layers,
        between=saved.input_bytes(**which, hidden=hidden),
        hidden=hidden,
        vocabulary=c("vocab_size"),
        is_checkpointed=c("gradient_checkpointing"),
    ) + saved.cast_bytes(
        **which,
        linears=c("p_attn") + c("p_mlp"),
        head=c("vocab_size") * hidden,
        is_checkpointed=c("gradient_checkpointing"),
    )
    return pl.when(_is_gated_dense()).then(
        pl.struct(forward=whole_bytes(forward), backward=whole_bytes(layer * tokens))
    )


def _is_gated_dense() -> pl.Expr:
    """Whether PyTorch's own layers are those that were measured."""
    c = pl.col
    return saved.is_known(
        kind=c("kind"),
        experts=c("experts"),
        p_ssm=c("p_ssm"),
        latent=c("kv_latent_elements_per_token"),
        p_mlp=c("p_mlp"),
        layers=c("layers"),
        hidden=c("hidden_size"),
        ffn=c("ffn_size"),
        p_embed=c("p_embed"),
        vocabulary=c("vocab_size"),
    )
