"""How activations grow with prompts."""

from __future__ import annotations

from collections.abc import Callable

import polars as pl

import catalogs
import estimator
from estimator.activation_slopes import peak_bytes
from estimator.plan_schema import ACTIVATION_SLOPES


def test_slopes_are_those_of_engines_that_grow(
    shapes_of: Callable[..., pl.DataFrame], workloads_of: Callable[..., pl.DataFrame], engines: pl.DataFrame
) -> None:
    """Llama-3.1-8B: 128,256 logits of 15 bytes a sequence in transformers; a mask of 512 x 2 bytes in llama.cpp."""
    profiles = pl.concat(
        [
            engines.with_columns(engine=pl.lit(engine), batched_tokens=pl.lit(512, dtype=pl.Int32))
            for engine in ("vllm", "llamacpp", "transformers")
        ]
    )
    training = {"mode": "training", "engine": "transformers", "method": "full", "recipe": "pure", "objective": "sft"}
    workloads = workloads_of({"engine": "vllm"}, {"engine": "llamacpp"}, {"engine": "transformers"}, training)
    unknown = {"vocab_size": None, "ffn_size": None, "prefill_layer_bytes": None}
    shapes = shapes_of({"kv_window_elements_per_token": 1_000}, unknown)
    slopes = estimator.activation_slopes(shapes, workloads, profiles).filter(memory_tier_ix=2).collect()
    layer = 512 * 4 * (3 * 14_336 + 4 * 4_096)
    assert slopes.schema == ACTIVATION_SLOPES
    assert [row[:2] + row[3:] for row in slopes.rows()] == [
        (0, 1, 512 * 4 * (128_256 + 4_096), 0, layer, 1_024, 0, 0, 0),
        (0, 2, 0, 128_256 * 15, 0, 118_784, 0, 0, 2_000),
        (1, 1, None, 0, None, 1_024, 0, 0, 0),
        (1, 2, 0, None, 0, None, 0, 0, 0),
    ]


def test_an_encoder_draws_no_word(
    shapes_of: Callable[..., pl.DataFrame], workloads_of: Callable[..., pl.DataFrame], engines: pl.DataFrame
) -> None:
    """BERT-large, 2 prompts of 512 tokens: 2 x 512 x (4 x 4,096 + 6 x 1,024 + 16 + 512), and no 30,522 logits.

    In attention, which is narrower, 12 x 1,024 + 4 x 16 + 2 x 512. llama.cpp's ends are 512 hidden states in fp32.
    """
    profiles = pl.concat(
        [
            engines.with_columns(engine=pl.lit(engine), batched_tokens=pl.lit(512, dtype=pl.Int32))
            for engine in ("llamacpp", "transformers")
        ]
    )
    bert = {
        "kind": "encoder", "vocab_size": 30_522, "hidden_size": 1024, "ffn_size": 4096, "window_tokens": 0,
        "kv_window_elements_per_token": 0, "prefill_layer_bytes": 22_528, "prefill_attention_bytes": 12_352,
        "prefill_pair_bytes": 2, "prefill_shared_bytes": 0,
    }  # fmt: skip
    shapes, workloads = shapes_of(bert), workloads_of({"engine": "llamacpp"}, {"engine": "transformers"})
    slopes = estimator.activation_slopes(shapes, workloads, profiles).filter(memory_tier_ix=2).collect()
    assert [row[:2] + row[3:] for row in slopes.rows()] == [
        (0, 0, 512 * 4 * 1024, 0, 512 * 4 * (3 * 4096 + 4 * 1024), 1_024, 0, 0, 0),
        (0, 1, 0, 0, 0, 22_528, 12_352, 2, 16),
    ]
    peak = peak_bytes(context=pl.lit(512), sequences=pl.lit(2))
    whole = slopes.filter(workload_ix=1).with_columns(window_tokens=0)
    assert whole.select(peak).item() == 2 * 512 * (22_528 + 16 + 512) == 23_609_344


def test_what_prompts_share_while_their_mask_is_made_is_a_margin(
    shapes_of: Callable[..., pl.DataFrame], workloads_of: Callable[..., pl.DataFrame]
) -> None:
    """ModernBERT: 16 bytes for each pair of 8,192 tokens, 2^30 for any number of prompts; in transformers alone."""
    encoder = {"kind": "encoder", "prefill_shared_bytes": 16}
    shapes = shapes_of({**encoder, "prefill_shared_bytes": 0}, encoder)
    workloads = workloads_of(*({"engine": engine, "concurrent_sequences": 4} for engine in ("transformers", "vllm")))
    plans = estimator.overhead_plans(shapes, workloads, catalogs.engines().filter("is_default"))
    margins = plans.filter(split_ix=0, memory_tier_ix=2).sort("workload_ix", "shape_ix").collect()["margin_bytes"]
    without, shared, of_vllm, also_of_vllm = margins
    assert (shared - without, of_vllm) == (2**30, also_of_vllm)


def test_prompts_peak_at_an_end_or_in_a_layer() -> None:
    """Two prompts of 10 tokens: 5 + 2 x 100 at the ends; 7 + 20 x 9 in a layer; 7 + 20 x (1 + 3 x 10) in attention.

    With a window of 4: 2 x (6 x 2 + 100) more.
    """
    row = {"fixed_bytes": 5.0, "sequence_bytes": 100.0, "layer_bytes": 7.0, "token_bytes": 9.0, "window_tokens": 4}
    attention = {"attention_bytes": 1.0, "pair_bytes": 3.0}
    nothing = {"attention_bytes": 0.0, "pair_bytes": 0.0, "held_bytes": 0.0}
    peak = peak_bytes(context=pl.lit(10), sequences=pl.lit(2))
    for changes, bytes_ in (({}, 205), ({"token_bytes": 11.0}, 227), (attention, 627), ({"held_bytes": 2.0}, 411)):
        assert pl.DataFrame([row | nothing | changes]).select(peak).item() == bytes_
    unknown = pl.DataFrame([row | nothing | {"layer_bytes": None}], schema_overrides={"layer_bytes": pl.Float64})
    assert unknown.select(peak).item() is None
