"""Every formula against a value worked by hand or published, and against nulls. Literals in, one literal out."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from literals import real, text, value, whole

import catalogs
import estimator
from estimator import (
    activations,
    bands,
    bounds,
    cache,
    capacity,
    overhead,
    sharding,
    support,
    training,
    weights,
)

GIB = 1 << 30


@pytest.mark.parametrize(("a", "b"), [(3, 8), (8, 3), (8, 8)])
def test_bounds_order(a: int, b: int) -> None:
    assert value(bounds.larger(whole(a), whole(b))) == max(a, b)
    assert value(bounds.smaller(whole(a), whole(b))) == min(a, b)


@pytest.mark.parametrize(("a", "b"), [(None, 8), (8, None), (None, None)])
def test_bounds_keep_nulls(a: int | None, b: int | None) -> None:
    assert value(bounds.larger(whole(a), whole(b))) is None
    assert value(bounds.smaller(whole(a), whole(b))) is None


def test_absent_things_have_no_size_to_know() -> None:
    assert value(bounds.product_or_absent(whole(0), whole(None))) == 0
    assert value(bounds.product_or_absent(whole(3), whole(None))) is None
    assert value(bounds.product_or_absent(whole(None), whole(4))) is None
    assert value(bounds.product_or_absent(whole(3), whole(4))) == 12


def test_bytes_round_up_once() -> None:
    assert value(bounds.whole_bytes(real(10.0))) == 10
    assert value(bounds.whole_bytes(real(10.125))) == 11
    assert value(bounds.whole_bytes(real(None))) is None


def test_awq_weights_of_llama() -> None:
    # 6,979,321,856 * 4.15625 / 8 + 1,050,939,392 * 2: the split of a published 4-bit repository
    assert (
        value(
            weights.quantised_weights_bytes(
                policy=text("linears"),
                linears=whole(6_979_321_856),
                feed_forward=whole(None),
                experts=whole(0),
                rest=whole(1_050_939_392),
                scales_bytes=real(0.0),
                bits=real(4.15625),
                keep_bits=real(16.0),
            )
        )
        == 5_727_854_592
    )


def test_experts_only_keeps_attention_in_16_bit() -> None:
    # gpt-oss-20b: the experts' blocks and scales and everything else in bfloat16, as its repository stores them
    experts, others = 19_110_297_600, 1_804_459_584
    arguments = {"scales_bytes": real(0.0), "bits": real(4.25), "keep_bits": real(16.0)}
    got = weights.quantised_weights_bytes(
        policy=text("experts_only"),
        linears=whole(637_009_920),
        feed_forward=whole(0),
        experts=whole(experts),
        rest=whole(others - 637_009_920),
        **arguments,
    )
    assert value(got) == 13_761_264_768
    unknown = weights.quantised_weights_bytes(
        policy=text("experts_only"),
        linears=whole(1),
        feed_forward=whole(0),
        experts=whole(None),
        rest=whole(1),
        **arguments,
    )
    assert value(unknown) is None


def test_feed_forwards_alone_keep_attention_in_16_bit() -> None:
    # Llama-3.1-8B: 32 layers of 3 x 4,096 x 14,336 at 4.5 bits; attention, embeddings, head and norms at 16
    feed_forward, others = 5_637_144_576, 2_393_116_672
    arguments = {"scales_bytes": real(0.0), "bits": real(4.5), "keep_bits": real(16.0)}

    def got(feed_forward: int | None, experts: int) -> Any:
        return value(
            weights.quantised_weights_bytes(
                policy=text("experts_and_mlp"),
                linears=whole(6_979_321_856),
                feed_forward=whole(feed_forward),
                experts=whole(experts),
                rest=whole(1_050_939_392),
                **arguments,
            )
        )

    assert got(feed_forward, 0) == 3_170_893_824 + 2 * others == 7_957_127_168
    assert got(feed_forward, 1_600) == 7_957_127_168 + 900
    assert got(None, 0) is None


def test_scales_count_where_a_format_has_them() -> None:
    assert value(weights.scale_bytes(scales=whole(1000), bytes_each=real(4.0))) == 4000
    assert value(weights.scale_bytes(scales=whole(None), bytes_each=real(4.0))) is None
    assert value(weights.scale_bytes(scales=whole(None), bytes_each=real(0.0))) == 0
    assert value(weights.scale_bytes(scales=whole(None), bytes_each=real(None))) == 0


def test_uniform_formats_need_no_components() -> None:
    def uniform(policy: str, bits: float | None, keep: float | None) -> Any:
        return value(weights.is_uniform(policy=text(policy), bits=real(bits), keep_bits=real(keep)))

    assert uniform("linears", 16.0, 16.0)
    assert not uniform("linears", 4.0, 16.0)
    assert uniform("all", 4.5, 16.0)
    assert not uniform("stored", None, None)
    assert value(weights.uniform_weights_bytes(parameters=whole(8_030_261_248), bits=real(16.0))) == 16_060_522_496
    assert value(weights.uniform_weights_bytes(parameters=whole(None), bits=real(16.0))) is None
    mixture = weights.uniform_bits(policy=text("all"), bits=real(4.5), whole_model_bits=real(4.8944))
    assert value(mixture) == 4.8944
    plain = weights.uniform_bits(policy=text("linears"), bits=real(16.0), whole_model_bits=real(None))
    assert value(plain) == 16.0


def test_engines_hold_different_weights() -> None:
    # the table of 131,072 positions and 128 rotary dimensions takes 32 MiB
    table = weights.rope_table_bytes(elements=whole(131_072 * 128))
    assert value(table) == 32 << 20
    for engine, more in (("none", 0), ("transformers", 0), ("llamacpp", 0), ("vllm", 100), ("sglang", 100)):
        assert value(weights.added_bytes(quantity=real(100.0), engine=text(engine))) == more
    assert value(weights.added_bytes(quantity=real(100.0), engine=text("another"))) is None
    assert value(weights.added_bytes(quantity=real(None), engine=text("vllm"))) is None


def test_what_vllm_repacks() -> None:
    """gpt-oss: 2,880 columns become 2,944 and 3,072; over eight devices each of 360 keeps 384."""

    def more(experts: float | None, degree: int, format_: str = "mxfp4", **kernels: int) -> Any:
        return value(
            weights.repacked_bytes(
                experts=real(experts), ffn=whole(2880), hidden=whole(2880), degree=pl.lit(degree, dtype=pl.UInt8),
                format_=text(format_), **kernels,
            )
        )  # fmt: skip

    assert more(1e9, 1) == pytest.approx(1e9 * (2944 / 2880 * 3072 / 2880 - 1))
    assert more(1e9, 8) == pytest.approx(1e9 * (8 * 384 / 2880 * 3072 / 2880 - 1))
    assert more(1e9, 1, ffn_columns=weights.MXFP4_FFN_OF_TRITON) == pytest.approx(1e9 * (3072 / 2880 - 1))
    assert more(1e9, 1, "int4_awq_g128") == 0
    assert more(0.0, 1) == 0
    assert more(None, 1) is None


def test_copies_of_latent_projections() -> None:
    """DeepSeek-V3: 61 layers of 128 heads, 512 x (128 + 128) elements each, in 16 bit 2.05 GB over the devices."""
    elements = 61 * 128 * 512 * (128 + 128)
    one = weights.absorbed_bytes(elements=whole(elements), degree=pl.lit(1, dtype=pl.UInt8))
    assert value(one) == 2_046_820_352
    assert value(weights.absorbed_bytes(elements=whole(elements), degree=pl.lit(8, dtype=pl.UInt8))) == 255_852_544


def test_valid_degrees_are_bits() -> None:
    def valid(mask: int | None, degree: int) -> Any:
        return value(sharding.is_valid_degree(mask=whole(mask), degree=pl.lit(degree, dtype=pl.UInt8)))

    assert [valid(0b1000_0000_0000_1011, degree) for degree in (1, 2, 3, 4, 8, 16)] == [
        True, True, False, True, False, True,
    ]  # fmt: skip
    assert valid(0, 1)
    assert valid(None, 1)
    assert valid(None, 2) is None


@pytest.mark.parametrize(("alignment", "mask"), [(1, 1), (32, 2), (64, 4), (128, 8), (7, None), (None, None)])
def test_alignment_picks_its_mask(alignment: int | None, mask: int | None) -> None:
    got = sharding.alignment_mask(
        alignment=whole(alignment), any_width=whole(1), width_32=whole(2), width_64=whole(4), width_128=whole(8)
    )
    assert value(got) == mask


@pytest.mark.parametrize(("degree", "part"), [(1, 258_048), (2, 129_024), (8, 32_256), (16, 32_256)])
def test_kv_heads_are_copied_past_their_number(degree: int, part: float) -> None:
    # Llama-3.1-405B has 8 heads: 16 devices hold as much each as 8 devices do, 64,512 bytes a token in 16 bits
    got = sharding.kv_part(elements=whole(258_048), kv_heads=whole(8), degree=pl.lit(degree, dtype=pl.UInt8))
    assert value(got) == part


def test_kv_part_of_nothing_needs_no_heads() -> None:
    degree = pl.lit(4, dtype=pl.UInt8)
    assert value(sharding.kv_part(elements=whole(0), kv_heads=whole(0), degree=degree)) == 0
    assert value(sharding.kv_part(elements=whole(0), kv_heads=whole(None), degree=degree)) == 0
    assert value(sharding.kv_part(elements=whole(8), kv_heads=whole(None), degree=degree)) is None
    assert value(sharding.kv_part(elements=whole(None), kv_heads=whole(8), degree=degree)) is None


def test_linears_divide_but_for_copies() -> None:
    # (1000 - 80 - 20) / 4 + 80 * 1 / 2 + 20: two heads on four devices, half of their projections on each
    got = sharding.sharded_linears(
        linears=whole(1000),
        kv_projections=whole(80),
        replicated=whole(20),
        kv_heads=whole(2),
        degree=pl.lit(4, dtype=pl.UInt8),
    )
    assert value(got) == 285
    assert value(sharding.sharded_rest(rest=whole(100), split=whole(80), degree=pl.lit(4, dtype=pl.UInt8))) == 40


def test_vocabulary_is_padded_to_64() -> None:
    def padding(words: int | None) -> Any:
        return value(sharding.padded_vocabulary_elements(vocabulary=whole(words), hidden=whole(10), matrices=whole(2)))

    assert padding(128_256) == 0
    assert padding(50_257) == (50_304 - 50_257) * 10 * 2
    assert padding(None) is None


def test_context_stops_at_the_models_limit() -> None:
    def context(limit: int | None) -> Any:
        return value(cache.context_tokens(asked=whole(8192), limit=whole(limit)))

    assert (context(2048), context(131_072), context(None)) == (2048, 8192, 8192)


def test_gemma_cache_has_a_window() -> None:
    # Gemma-3-27B at 8,192 tokens: (40,960 * 8,192 + 212,992 * 1,024) * 2 bytes
    got = cache.sequence_kv_bytes(
        context=whole(8192),
        window_tokens=whole(1024),
        per_token=real(40_960 * 2.0),
        per_window_token=cache.window_token_bytes(window=whole(212_992), bytes_per_element=real(2.0)),
        constant=real(0.0),
    )
    assert value(got) == 1_107_296_256


def test_deepseek_token_is_latent() -> None:
    # 61 layers of 512 + 64 elements, not per head
    arguments = {"full": real(0.0), "fixed_bytes": whole(0), "bytes_per_element": real(2.0)}
    token = cache.token_bytes(latent=real(61 * 576.0), cross=real(0.0), cross_tokens=whole(0), **arguments)
    assert value(token) == 70_272
    unknown = cache.token_bytes(latent=real(None), cross=real(0.0), cross_tokens=whole(0), **arguments)
    assert value(unknown) is None


def test_whisper_crosses_a_fixed_encoder() -> None:
    # self attention over 448 tokens and cross attention over 1,500 frames, 81,920 elements each, 2 bytes
    arguments = {"cross": real(81_920.0), "bytes_per_element": real(2.0)}
    constant = cache.constant_bytes(cross_tokens=whole(1500), **arguments)
    token = cache.token_bytes(
        full=real(81_920.0), latent=real(0.0), cross_tokens=whole(1500), fixed_bytes=whole(0), **arguments
    )
    sequence = cache.sequence_kv_bytes(
        context=whole(448),
        window_tokens=whole(0),
        per_token=token,
        per_window_token=real(0.0),
        constant=constant,
    )
    assert value(sequence) == 319_160_320
    assert value(cache.constant_bytes(cross_tokens=whole(-1), **arguments)) == 0
    assert value(cache.constant_bytes(cross_tokens=whole(None), **arguments)) is None


def test_indexer_keys_are_bytes_whatever_the_cache() -> None:
    token = cache.token_bytes(
        full=real(100.0),
        latent=real(0.0),
        cross=real(0.0),
        cross_tokens=whole(0),
        fixed_bytes=whole(132),
        bytes_per_element=real(1.0),
    )
    assert value(token) == 232


@pytest.mark.parametrize(
    ("engine", "each", "indexer", "bytes_"),
    [("vllm", 1, 132, 656), ("vllm", 2, 132, 1152), ("vllm", 1, 0, 576), ("sglang", 1, 132, 576)],
)
def test_sparse_latents_in_fp8_have_scales(engine: str, each: float, indexer: int, bytes_: float) -> None:
    """DeepSeek-V3.2: 656 bytes a token and layer, beside 132 of its indexer."""
    ratio = cache.latent_ratio(engine=text(engine), bytes_per_element=real(each), indexer_bytes=whole(indexer))
    assert value(real(576 * each) * ratio) == pytest.approx(bytes_)


def test_nemotron_state_divides() -> None:
    # 8 sequences of 737,280 convolution elements in 2 bytes and 25,165,824 recurrent ones in 4
    arguments = {"convolution": whole(737_280), "convolution_bytes": whole(2), "share": real(1.0)}
    one = cache.sequence_state_bytes(recurrent=whole(25_165_824), recurrent_bytes=real(4.0), **arguments)
    assert value(cache.concurrent_bytes(one_sequence=one, sequences=whole(8))) == 817_102_848
    half = cache.sequence_state_bytes(
        **{**arguments, "share": real(0.5)}, recurrent=whole(0), recurrent_bytes=real(None)
    )
    assert value(half) == 737_280
    unknown = cache.sequence_state_bytes(recurrent=whole(8), recurrent_bytes=real(None), **arguments)
    assert value(unknown) is None


# vLLM 0.19 on H100 (8,192 batched tokens, 1,024 sequences), published growth of the peak in GiB:
# vocabulary, hidden, feed-forward, degree, experts per token, expert width, measured
MEASURED_ACTIVATIONS = [
    ("Qwen2.5-7B", 152_064, 3584, 18_944, 1, 0, 0, 2.21),
    ("Qwen3-30B-A3B", 151_936, 2048, 0, 1, 8, 768, 2.68),
    ("CodeLlama-7B", 32_016, 4096, 11_008, 1, 0, 0, 0.77),
    ("DeepSeek-V2-Lite", 102_400, 2048, 10_944, 1, 6, 1408, 1.93),
    ("Gemma-2-27B", 256_000, 4608, 36_864, 1, 0, 0, 3.66),
    ("Granite-3.1-8B", 49_155, 4096, 12_800, 1, 0, 0, 0.85),
    ("Llama-3.1-8B on 4", 128_256, 4096, 14_336, 4, 0, 0, 1.89),
    ("Phi-2", 51_200, 2560, 10_240, 1, 0, 0, 0.79),
    ("Qwen2.5-72B on 2", 152_064, 8192, 29_568, 2, 0, 0, 2.29),
    ("Mixtral-8x7B on 2", 32_000, 4096, 0, 2, 2, 14_336, 1.21),
]


@pytest.mark.parametrize(
    ("model", "vocabulary", "hidden", "ffn", "degree", "chosen", "expert_ffn", "measured"), MEASURED_ACTIVATIONS
)
def test_activations_are_within_3_percent_of_logs(
    model: str, vocabulary: int, hidden: int, ffn: int, degree: int, chosen: int, expert_ffn: int, measured: float
) -> None:
    tokens, devices = whole(8192), pl.lit(degree, dtype=pl.UInt8)
    peak = activations.peak_bytes(
        forward=activations.forward_bytes(
            tokens=tokens, ffn=whole(ffn), hidden=whole(hidden), hidden_copies=real(4.2), degree=devices
        ),
        sampler=activations.sampler_bytes(
            tokens=tokens,
            hidden=whole(hidden),
            sequences=whole(1024),
            vocabulary=whole(vocabulary),
            logit_bytes=real(15.0),
        ),
        experts=activations.experts_bytes(
            tokens=tokens,
            experts=whole(128 if chosen else 0),
            experts_per_token=whole(chosen),
            expert_ffn=whole(expert_ffn),
            hidden=whole(hidden),
            degree=devices,
        ),
    )
    assert value(peak) / GIB == pytest.approx(measured, rel=0.03)


def test_experts_workspace_by_hand() -> None:
    # 10 tokens, 2 experts each, width 6 on 2 devices: (max(6, 4) + max(3, 4)) elements of 2 bytes
    def workspace(experts: int | None) -> Any:
        return value(
            activations.experts_bytes(
                tokens=whole(10),
                experts=whole(experts),
                experts_per_token=whole(2),
                expert_ffn=whole(6),
                hidden=whole(4),
                degree=pl.lit(2, dtype=pl.UInt8),
            )
        )

    assert (workspace(8), workspace(0), workspace(None)) == (400, 0, None)


def test_mxfp4_kernels_have_no_workspaces() -> None:
    formats = [("mxfp4", False), ("nvfp4", True), ("bf16", True), (None, True)]
    for stored, expected in formats:
        assert value(activations.has_workspaces(stored=text(stored))) is expected


@pytest.mark.parametrize(("degree", "bytes_"), [(1, 13), (2, 24), (4, 35), (16, 35)])
def test_overhead_by_degree(degree: int, bytes_: int) -> None:
    outside = overhead.non_torch_bytes(
        one=whole(10), two=whole(21), more=whole(32), degree=pl.lit(degree, dtype=pl.UInt8)
    )
    assert value(overhead.overhead_bytes(non_torch=outside, graphs=whole(3))) == bytes_
    assert value(overhead.overhead_bytes(non_torch=outside, graphs=whole(None))) is None


# ZeRO paper, figure 1: 7.5 billion parameters on 64 devices, mixed precision with Adam, in GB
@pytest.mark.parametrize(("sharding_", "gigabytes"), [("none", 120), ("zero1", 31.4), ("zero2", 16.6), ("zero3", 1.9)])
def test_zero_paper(sharding_: str, gigabytes: float) -> None:
    def share(stage: int) -> pl.Expr:
        return training.zero_share(sharding=text(sharding_), divided_from=stage, degree=pl.lit(64, dtype=pl.UInt8))

    each = training.weight_bytes_each(precision=text("bf16"))
    states = 4 + 8
    assert value(7.5 * (each * share(3) + each * share(2) + states * share(1))) == pytest.approx(gigabytes, abs=0.06)


def test_training_recipes() -> None:
    assert value(training.weight_bytes_each(precision=text("fp32"))) == 4
    assert value(training.weight_bytes_each(precision=text("nf4"))) is None
    assert value(training.zero_share(sharding=text("fsdp"), divided_from=3, degree=pl.lit(2))) == 0.5
    assert value(training.zero_share(sharding=text("ddp"), divided_from=1, degree=pl.lit(2))) is None
    # Llama-3.1-8B, rank 16 on all linears of its 32 layers
    io = 32 * (2 * (4096 + 4096) + 2 * (4096 + 1024) + 3 * (4096 + 14_336))
    rows = 32 * (4096 + 2 * 1024 + 4096 + 2 * 14_336 + 4096)

    def adapters(method: str, io: int | None) -> Any:
        return value(training.adapter_parameters(method=text(method), rank=whole(16), io=whole(io), rows=whole(rows)))

    assert adapters("lora", io) == adapters("qlora", io) == 41_943_040
    assert adapters("dora", io) == 41_943_040 + 1_376_256
    assert adapters("lora", None) is None


@pytest.mark.parametrize(
    ("targets", "qv", "found"),
    [("all_linear", 4, 10), ("all_linear", None, 10), ("attention_qv", 4, 4), ("attention_qv", None, None),
     ("embeddings", 4, None), (None, 4, None)],
)  # fmt: skip
def test_sums_of_the_modules_that_get_adapters(targets: str | None, qv: int | None, found: int | None) -> None:
    assert value(training.of_targets(targets=text(targets), all_linear=whole(10), qv=whole(qv))) == found


# bytes of weight, gradient, master and moments of a parameter with AdamW
@pytest.mark.parametrize(
    ("recipe", "precision", "each"),
    [
        ("mixed", "bf16", [2, 4, 8]),
        ("pure", "bf16", [2, 0, 4]),
        ("deepspeed", "bf16", [2, 4, 8]),
        ("megatron", "fp16", [2, 4, 8]),
        ("autocast", "fp32", [4, 0, 8]),
        ("mixed", "nf4", [None, None, 8]),
        (None, "bf16", [2, None, None]),
    ],
)
def test_bytes_of_a_trained_parameter(recipe: str | None, precision: str, each: list[int | None]) -> None:
    which = {"precision": text(precision), "recipe": text(recipe)}
    number = training.moment_number_bytes(**which)
    found = [
        value(training.weight_bytes_each(precision=text(precision))),
        value(training.master_bytes_each(**which)),
        value(moments("adamw", number_bytes=number)),
    ]
    assert found == each


@pytest.mark.parametrize(
    ("recipe", "precision", "sharding", "each"),
    [
        ("mixed", "bf16", "zero2", 2), ("pure", "bf16", "none", 2), ("megatron", "bf16", "none", 4),
        ("deepspeed", "bf16", "zero2", 6),  # 16 bits and their sum in fp32
        ("deepspeed", "bf16", "zero3", 4),  # the sum alone
        ("autocast", "fp32", "none", 4), ("mixed", "nf4", "none", None), (None, "bf16", "none", None),
        ("deepspeed", "bf16", None, None),
    ],
)  # fmt: skip
def test_bytes_of_a_gradient(recipe: str | None, precision: str, sharding: str | None, each: int | None) -> None:
    found = training.gradient_bytes_each(precision=text(precision), recipe=text(recipe), sharding=text(sharding))
    assert value(found) == each


@pytest.mark.parametrize(
    ("recipe", "is_accumulated", "keeps"),
    [("mixed", None, False), ("mixed", False, False), ("mixed", True, True), ("megatron", None, True),
     ("deepspeed", False, True), (None, True, True), (None, None, False)],
)  # fmt: skip
def test_gradients_that_stay_between_passes(recipe: str | None, is_accumulated: bool | None, keeps: bool) -> None:
    flag = pl.lit(is_accumulated, dtype=pl.Boolean)
    assert value(training.keeps_gradients(recipe=text(recipe), is_accumulated=flag)) is keeps


def moments(optimizer: str | None, *, trained: int = 1, number_bytes: pl.Expr | None = None) -> pl.Expr:
    return training.moment_bytes(
        optimizer=text(optimizer), trained=whole(trained), matrices=whole(600), factors=whole(40),
        number_bytes=real(4.0) if number_bytes is None else number_bytes,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("optimizer", "bytes_"),
    [
        ("adamw", 8000), ("adamw_foreach", 8000), ("adamw_paged", 8000), ("adamw_8bit", 2031.25), ("lion", 4000),
        ("sgd", 0), ("sgd_momentum", 4000),
        ("muon", 600 * 4 + 400 * 8),  # one moment of matrices, two of the rest
        ("adafactor", 160),  # rows and columns
        ("telepathy", None), (None, None),
    ],
)  # fmt: skip
def test_moments_of_optimizers(optimizer: str | None, bytes_: float | None) -> None:
    assert value(moments(optimizer, trained=1000)) == bytes_


def test_pages_need_not_be_on_a_device() -> None:
    names = ("adamw_paged", "adamw", "adamw_8bit", None)
    assert [value(training.paged_share(optimizer=text(name))) for name in names] == [1, 0, 0, None]


def test_the_foreach_loop_makes_all_roots_at_once() -> None:
    def update(optimizer: str | None) -> Any:
        return value(training.update_bytes(optimizer=text(optimizer), trained=whole(1000), number_bytes=real(4.0)))

    assert [update(name) for name in ("adamw_foreach", "adamw", "muon", "telepathy")] == [4000, 0, 0, None]


# DPO keeps a reference, PPO a reference and a reward model; the reference of an adapter is its base
@pytest.mark.parametrize(
    ("objective", "method", "copies"),
    [
        ("sft", "full", 0), ("dpo", "full", 1), ("grpo", "full", 1), ("ppo", "full", 2), ("dpo", "lora", 0),
        ("ppo", "qlora", 1), ("sft", "lora", 0), ("wishing", "full", None),
    ],
)  # fmt: skip
def test_copies_beside_the_trained_one(objective: str, method: str, copies: int | None) -> None:
    found = value(training.frozen_copies_bytes(objective=text(objective), method=text(method), one=whole(1000)))
    assert found == (None if copies is None else copies * 1000)


def test_qlora_casts_what_is_not_quantised() -> None:
    assert value(training.kept_in_fp32_bytes(method=text("qlora"), rest=whole(1000))) == 2000
    assert value(training.kept_in_fp32_bytes(method=text("lora"), rest=whole(1000))) == 0


@pytest.mark.parametrize(
    ("method", "recipe", "precision", "trains"),
    [
        ("full", "mixed", "bf16", True),
        ("full", "pure", "fp16", True),
        ("full", "deepspeed", "bf16", True),
        ("full", "megatron", "fp32", False),
        ("full", "autocast", "bf16", False),
        ("full", "autocast", "fp32", True),
        ("full", "mixed", "fp32", False),
        ("full", "mixed", "nf4", False),
        ("lora", "mixed", "fp32", True),
        ("dora", "mixed", "bf16", True),
        ("lora", "mixed", "int4_awq_g128", False),
        ("qlora", "mixed", "nf4_dq", True),
        ("qlora", "mixed", "bf16", False),
        ("full", "mixed", None, None),
        ("full", None, "bf16", None),
        (None, "mixed", "bf16", None),
    ],
)
def test_methods_train_on_precisions(
    method: str | None, recipe: str | None, precision: str | None, trains: bool | None
) -> None:
    found = training.is_trainable(method=text(method), precision=text(precision), recipe=text(recipe))
    assert value(found) is trains


def test_usable_bytes() -> None:
    def usable(engine: str, visible: int | None, utilization: float, ratio: float = 1.0, warmup: int | None = 0) -> Any:
        return value(
            capacity.usable_bytes(
                engine=text(engine),
                visible=whole(visible),
                reserve=whole(10),
                utilization=real(utilization),
                context=whole(50),
                reserved_ratio=real(ratio),
                left=whole(None),
                warmup=whole(warmup),
            )
        )

    assert usable("transformers", 1000, 1.0, 1.07) == 878  # floor((1000 - 10 - 50) / 1.07)
    assert usable("none", 1000, 0.92) == 990
    assert usable("vllm", 1000, 0.9255) == 915  # floor(925.5) - 10
    assert usable("vllm", 1000, 0.98) == 940  # the context leaves less: 1000 - 50 - 10
    assert usable("vllm", 1000, 0.92, warmup=30) == 910  # 1000 - 50 - 30 are as much as the share
    assert usable("vllm", 1000, 0.92, warmup=31) == 909  # the sampler has no room beside it
    assert usable("vllm", 1000, 0.92, warmup=None) is None
    assert usable("llamacpp", 1000, 1.0, warmup=None) == 940
    assert usable("vllm", None, 0.92) is None
    assert usable("mlx", 1000, 1.0) == usable("trtllm", 1000, 1.0) == 940
    assert usable("exllama", 1000, 0.92) is None


def test_what_a_sampler_is_warmed_up_with() -> None:
    """gpt-oss-20b, 1,024 sequences of 201,088 words in fp32: 785.5 MiB, where a log asks for 786 and has 552."""
    needed = capacity.warmup_bytes(sequences=whole(1024), vocabulary=whole(201_088))
    assert value(needed) == 823_656_448
    assert value(needed) / 2**20 == pytest.approx(786, abs=0.6)
    assert value(capacity.warmup_bytes(sequences=whole(None), vocabulary=whole(201_088))) is None


OF_A_CHUNK = {"constant_mib": real(512), "token_mib": real(1.5), "sequence_mib": real(2), "device_mib": real(128)}


def test_what_an_engine_leaves() -> None:
    """512 + 1.5 x 2,048 + 2 x 24 + 128 = 3,760 MiB."""
    left = capacity.left_bytes(prefill_tokens=whole(2048), graph_sequences=whole(24), **OF_A_CHUNK)
    assert value(left) == 3760 << 20
    unknown = capacity.left_bytes(prefill_tokens=whole(None), graph_sequences=whole(24), **OF_A_CHUNK)
    assert value(unknown) is None


@pytest.mark.parametrize(
    ("visible", "below_gib", "is_below"),
    [
        *[((20 << 30) - 1, 20.0, True), (20 << 30, 20.0, False), (20 << 30, 20.5, True)],
        *[(1 << 40, None, True), (None, None, None), (None, 20.0, None)],
    ],
)
def test_bounds_of_reserves(visible: int | None, below_gib: float | None, is_below: bool | None) -> None:
    assert value(capacity.is_below(visible=whole(visible), below_gib=real(below_gib))) is is_below


@pytest.mark.parametrize(
    ("gib", "mib"),
    [
        (16, 512 + 3072 + 16 + 128),
        (24, 512 + 3072 + 48 + 128),
        (48, 512 + 6144 + 64 + 128),
        (80, 512 + 12_288 + 512 + 128),
        (141, 512 + 12_288 + 512 + 128),
        (180, 512 + 24_576 + 1024 + 128),
        (None, None),
    ],
)
def test_what_sglang_leaves(gib: int | None, mib: int | None) -> None:
    visible = None if gib is None else gib << 30
    device = pl.DataFrame({"gpu_ix": [7], "visible_bytes": [visible]}, {"gpu_ix": pl.UInt16, "visible_bytes": pl.Int64})
    rows = estimator.reserved(device, catalogs.reserves()).collect().to_dicts()
    at = {"gpu_ix": 7, "engine": "sglang", "version_range": "0.5"}
    assert rows == ([] if mib is None else [{**at, "left_bytes": mib << 20}])


def test_usable_bytes_of_sglang() -> None:
    """An H100 of 79.18 GiB: (81,080 - 13,440) / 81,080 MiB = 0.834 of what is left beside a context of 0.5 GiB."""
    visible = 81_080 << 20

    def usable(left: int | None) -> Any:
        return value(
            capacity.usable_bytes(
                engine=text("sglang"), visible=whole(visible), reserve=whole(0), utilization=real(1.0),
                context=whole(512 << 20), reserved_ratio=real(1.0), left=whole(left), warmup=whole(None),
            )
        )  # fmt: skip

    assert usable(13_440 << 20) == int(0.834 * (visible - (512 << 20)))
    assert usable(None) is None


@pytest.mark.parametrize(
    ("basis", "counts", "format_", "margin"),
    [
        ("computed", "exact", "high", 1_000_000),
        ("computed", "derived", "high", 5_000_000),
        ("computed", "exact", "medium", 20_000_000),
        ("computed", "estimated", "medium", 150_000_000),
        ("computed", None, "high", 150_000_000),
        ("computed", "exact", "low", 150_000_000),
        ("computed", "exact", "averaged", 70_000_000),
        ("computed", "exact", "older", 25_000_000),
        # the bytes of published files need neither counts nor bits
        ("stored", "estimated", "low", 1_000_000),
    ],
)
def test_margin_of_weights(basis: str, counts: str | None, format_: str, margin: int) -> None:
    def of(held: int | None, unpacking: float = 0.0) -> Any:
        known = {"basis": text(basis), "counts": text(counts), "format_": text(format_)}
        return value(bands.weights_margin_bytes(held=whole(held), **known, unpacking=real(unpacking)))

    assert of(10**9) == margin + 21_474_836
    assert of(10**9, 0.15) == 150_000_000 + 21_474_836
    assert of(None) is None


@pytest.mark.parametrize(
    ("engine", "bits", "error"),
    [("transformers", 4.5, 0.15), ("transformers", 16, 0), ("vllm", 4.5, 0), ("transformers", None, 0)],
)
def test_transformers_unpacks_while_it_multiplies(engine: str, bits: float | None, error: float) -> None:
    assert value(bands.unpacking_error(engine=text(engine), bits=real(bits))) == error


@pytest.mark.parametrize(
    ("is_ruled", "bits", "average", "layers", "word"),
    [
        (False, 4.5, 4.8944, 32, "averaged"),  # Q4_K_M
        (True, 4.5, 4.8944, 32, "high"),
        (True, 4.5, 4.8944, 126, "older"),
        (True, 4.5, 4.8944, None, "high"),
        (False, 8.5, 8.5008, 126, "high"),  # Q8_0 is of one format
        (True, 8.5, 8.5008, 126, "high"),
        (False, 4.15625, None, 126, "high"),  # no GGUF
    ],
)
def test_mixtures_are_less_certain(
    is_ruled: bool, bits: float, average: float | None, layers: int | None, word: str
) -> None:
    found = bands.mixture_word(
        confidence=text("high"), is_ruled=pl.lit(is_ruled), bits=real(bits), average_bits=real(average),
        layers=whole(layers),
    )  # fmt: skip
    assert value(found) == word


def test_margin_of_a_cache_is_a_block_a_sequence_and_its_layout() -> None:
    def margin(kept: int | None, counts: str | None) -> Any:
        return value(
            bands.cache_margin_bytes(kept=whole(kept), token=real(131_072.0), sequences=whole(4), counts=text(counts))
        )

    blocks = 4 * 16 * 131_072
    assert margin(2**30, "exact") == 10_737_419 + blocks  # a hundredth of a GiB, rounded up
    assert margin(2**30, "derived") == 53_687_092 + blocks
    assert margin(2**30, None) == 322_122_548 + blocks
    assert margin(None, "exact") is None


@pytest.mark.parametrize(("degree", "margin"), [(1, 570), (2, 1070), (8, 1070)])
def test_margin_of_an_engine(degree: int, margin: int) -> None:
    def of(activation: int | None) -> Any:
        return value(
            bands.engine_margin_bytes(
                activation=whole(activation), relative=real(0.05), one=whole(70), several=whole(570),
                degree=whole(degree),
            )
        )  # fmt: skip

    assert of(10_000) == margin
    assert of(None) is None


def test_whole_prompts_run_at_once() -> None:
    def peak(forward: int | None, held: int | None, ends: int | None) -> Any:
        return value(activations.whole_prompt_bytes(forward=whole(forward), held=whole(held), ends=whole(ends)))

    assert peak(100, 20, 90) == 120
    assert peak(100, 20, 121) == 121
    assert [peak(None, 20, 90), peak(100, None, 90), peak(100, 20, None)] == [None] * 3


@pytest.mark.parametrize(
    ("context", "window", "token_bytes", "held"),
    [
        # Mistral-7B-v0.1: 4,096 tokens beyond the window, 131,072 bytes each, and a mask of 8,192 times 8,192
        (8192, 4096, 131_072, 4096 * 131_072 + 67_108_864),
        (4095, 4096, 131_072, 0),
        (4096, 4096, 131_072, 4096 * 4096),  # the mask is there as soon as the window is full
        (8192, 0, 0, 0),
        (8192, None, 0, 0),
        (8192, None, 131_072, None),
        (None, 4096, 131_072, None),
    ],
)
def test_windows_hold_the_prompt_until_the_next_step(
    context: int | None, window: int | None, token_bytes: int, held: int | None
) -> None:
    needed = activations.held_bytes(context=whole(context), window=whole(window), token_bytes=whole(token_bytes))
    assert value(needed) == held


def test_windows_have_elements_of_two_bytes() -> None:
    assert value(activations.held_token_bytes(window_elements=whole(65_536))) == 131_072
    assert value(activations.held_token_bytes(window_elements=whole(None))) is None


@pytest.mark.parametrize(
    ("layers", "others", "engine", "slots"),
    [
        (52, 10, "vllm", 60 / 52),  # Gemma 3 27B: six groups of ten, two of them with a layer each to spare
        (10, 52, "vllm", 1),
        (29, 5, "vllm", 30 / 29),  # Gemma 3 4B
        (12, 13, "vllm", 13 / 12),  # nearly as many: one group each
        (13, 12, "vllm", 1),
        (10, 15, "vllm", 1),  # not nearly: 15 in two groups of ten
        (15, 10, "vllm", 20 / 15),
        (52, 10, "llamacpp", 1),
        (32, 0, "vllm", 1),
        (0, 32, "vllm", 1),
        (None, 10, "vllm", 1),
        (10, None, "vllm", 1),
    ],
)
def test_groups_of_layers_are_filled_up(layers: int | None, others: int | None, engine: str, slots: float) -> None:
    found = cache.slots_per_layer(layers=whole(layers), others=[whole(others)], engine=text(engine))
    assert value(found) == pytest.approx(slots)


def test_groups_of_three_kinds_have_the_size_of_the_fewest() -> None:
    # 4 with full attention, 9 with a window, 22 with states: one, three and six groups of four
    found = [
        cache.slots_per_layer(layers=whole(own), others=[whole(a), whole(b)], engine=text("vllm"))
        for own, a, b in ((4, 9, 22), (9, 22, 4), (22, 4, 9))
    ]
    assert [value(slots) for slots in found] == [1, pytest.approx(12 / 9), pytest.approx(24 / 22)]


@pytest.mark.parametrize(
    ("state", "token", "is_latent", "engine", "tokens"),
    [
        # Qwen3.5-9B: 32 x 128 x 128 x 4 + 3 x 8,192 x 2 bytes of a layer's state over 4,096 of a token: 524 of 16 each
        (2_146_304, 4096, False, "vllm", 528),
        (3_207_168, 2048, False, "vllm", 1568),  # Qwen3.8-27B with a cache of 8 bits
        (2_146_304, 1152, True, "vllm", 1920),  # 1,864 of 64 each
        (100, 4096, False, "vllm", 16),
        (None, 4096, False, "vllm", 16),
        (2_146_304, None, False, "vllm", 16),
        (0, 4096, False, "vllm", 16),
        (0, 1152, True, "vllm", 64),
        (2_146_304, 4096, False, "llamacpp", 256),
        (2_146_304, 4096, True, "transformers", 1),
    ],
)
def test_pages_hold_a_layers_state(
    state: int | None, token: int | None, is_latent: bool, engine: str, tokens: int
) -> None:
    found = cache.page_tokens(
        engine=text(engine), is_latent=pl.lit(is_latent), state_bytes=real(state), token_bytes=real(token)
    )
    assert value(found) == tokens


def test_states_fill_pages() -> None:
    # Nemotron-H-8B: 24 layers of states in six groups of the four with attention, a page of 2,162,688 bytes each
    assert value(cache.page_state_bytes(page=whole(2_162_688), layers=real(24.0), slots=real(1.0))) == 51_904_512
    assert value(cache.page_state_bytes(page=whole(None), layers=real(24.0), slots=real(1.0))) is None


def test_a_step_writes_states_too() -> None:
    def moved(state: float | None, predicted: int = 0) -> Any:
        return value(cache.step_bytes(kv=real(1000.0), state=real(state), predicted=whole(predicted)))

    assert moved(50.0) == 1100
    assert moved(50.0, predicted=3) == 1250  # one read, four written
    assert moved(None) is None


@pytest.mark.parametrize(
    ("engine", "has_prefix_caching", "predicted", "copies"),
    [("vllm", False, 0, 1), ("vllm", True, 0, 2), ("vllm", True, 3, 5), ("sglang", True, 0, 1), ("none", False, 2, 3)],
)
def test_states_of_a_sequence(engine: str, has_prefix_caching: bool, predicted: int, copies: int) -> None:
    found = cache.state_copies(
        engine=text(engine), has_prefix_caching=pl.lit(has_prefix_caching), predicted=whole(predicted)
    )
    assert value(found) == copies


@pytest.mark.parametrize(
    ("tokens", "window", "in_flight", "bytes_"),
    [
        (8192, 1040, 8192, 7152 * 100),  # all of a prompt that is shorter than the batch
        (32_768, 1040, 8192, 8192 * 100),
        (1024, 1040, 8192, 0),
        (32_768, 1040, 0, 0),
        (None, 1040, 8192, None),
        (8192, None, 8192, None),
        (8192, 1040, None, None),
    ],
)
def test_a_batch_in_flight(tokens: int | None, window: int | None, in_flight: float | None, bytes_: int | None) -> None:
    found = cache.in_flight_bytes(
        tokens=whole(tokens), window=whole(window), in_flight=real(in_flight), token_bytes=real(100.0)
    )
    assert value(found) == bytes_


def test_a_batch_is_spread_over_all_sequences() -> None:
    def tokens(engine: str, batch: int | None) -> Any:
        found = cache.in_flight_tokens(engine=text(engine), batch=whole(batch), batches=batches, sequences=whole(16))
        return value(found)

    batches = whole(1)
    assert (tokens("vllm", 8192), tokens("llamacpp", 512), tokens("vllm", None)) == (512, 0, None)
    batches = whole(2)
    assert tokens("vllm", 8192) == 1024


@pytest.mark.parametrize(
    ("sharding", "trained", "degree", "weights", "host_bytes"),
    [
        ("zero2_offload", 1000, 1, 2000, 24_000),
        ("zero2_offload", 1000, 8, 2000, 48_000),
        ("zero3_offload", 1000, 8, None, 24_000),
        ("zero3_param_offload", 1000, 8, 2000, 27_000),  # 18 bytes a parameter with weights in 16 bits
        ("zero3_param_offload", 1000, 8, None, None),
        ("zero3", 1000, 8, 2000, 0),
        ("zero3", None, 8, None, 0),
        ("zero3_offload", None, 8, 2000, None),
    ],
)
def test_what_a_host_holds_of_states(
    sharding: str, trained: int | None, degree: int, weights: int | None, host_bytes: int | None
) -> None:
    found = training.offloaded_host_bytes(
        sharding=text(sharding), trained=whole(trained), degree=whole(degree), weights=whole(weights)
    )
    assert value(found) == host_bytes


def test_weights_leave_with_the_states_or_not_at_all() -> None:
    def stays(sharding: str | None, states: float | None) -> Any:
        return value(training.device_weights(sharding=text(sharding), states=real(states)))

    assert [stays("zero3_param_offload", states) for states in (0.0, 1.0, None)] == [0, 1, None]
    assert [stays("zero3_offload", states) for states in (0.0, 1.0, None)] == [1, 1, None]


def test_states_leave_where_there_is_room() -> None:
    def stays(sharding: str, need: float | None, room: float | None) -> Any:
        share = training.device_states(sharding=text(sharding), host_need=real(need), host_bytes=real(room))
        return value(share)

    assert [stays("zero2_offload", 10.0, room) for room in (10.0, 9.0, None)] == [0, 1, 1]
    assert stays("zero3", 0.0, 100.0) == 1
    assert stays("zero3_offload", None, 100.0) is None


def test_capability_sorts_as_a_number() -> None:
    assert value(support.capability_number(capability=text("8.9"))) == 809
    assert value(support.capability_number(capability=text("12.0"))) == 1200
    assert value(support.capability_number(capability=text(None))) is None


@pytest.mark.parametrize(
    ("vendor", "capability", "formats", "runs"),
    [
        ("nvidia", "8.9", "bf16 fp8", True),
        ("nvidia", "8.9", "bf16", True),
        ("nvidia", "7.5", "fp16", False),
        ("nvidia", None, "bf16 fp8", None),
        ("amd", None, "bf16 fp8", True),
        ("amd", None, "bf16", False),
        ("amd", None, None, None),
        ("apple", None, "bf16 fp8", False),
    ],
)
def test_kernels(vendor: str, capability: str | None, formats: str | None, runs: bool | None) -> None:
    got = support.has_kernel(
        vendor=text(vendor),
        vendors=text("nvidia amd"),
        capability=text(capability),
        min_capability=text("8.0"),
        native_formats=text(formats),
        requires_native=text(None),
        requires_native_elsewhere=text("fp8"),
    )
    assert value(got) is runs


def test_a_format_may_need_its_arithmetic() -> None:
    assert not value(support.computes_in(native_formats=text("bf16 fp16"), required=text("fp8")))
    assert value(support.computes_in(native_formats=text("bf16 fp8"), required=text("fp8")))
    assert value(support.computes_in(native_formats=text(None), required=text("fp8"))) is None


@pytest.mark.parametrize(
    ("engine", "widening", "vendor", "capability", "keeps"),
    [
        ("transformers", "transformers", "nvidia", "7.5", False),
        ("transformers", "transformers", "nvidia", "8.9", True),
        ("transformers", "transformers", "amd", None, True),
        ("transformers", "transformers", "nvidia", None, None),
        ("vllm", "transformers", "nvidia", "7.5", True),
        ("none", "transformers", "nvidia", "7.5", True),
        ("transformers", None, "nvidia", None, True),
    ],
)
def test_engines_that_widen_a_format(
    engine: str, widening: str | None, vendor: str, capability: str | None, keeps: bool | None
) -> None:
    found = support.keeps_format(
        engine=text(engine), widening=text(widening), vendor=text(vendor), capability=text(capability),
        below=text("8.9"),
    )  # fmt: skip
    assert value(found) is keeps


def test_engines_load_run_and_cache() -> None:
    assert value(support.engine_loads(engine=text("none"), engines=text("llamacpp")))
    assert not value(support.engine_loads(engine=text("vllm"), engines=text("llamacpp mlx")))

    def runs(engine: str, vendor: str, capability: str | None) -> Any:
        return value(
            support.engine_runs(
                engine=text(engine),
                vendor=text(vendor),
                vendors=text("nvidia amd"),
                capability=text(capability),
                min_capability=text("7.0"),
            )
        )

    assert [runs("none", "apple", None), runs("vllm", "amd", None), runs("vllm", "nvidia", "9.0")] == [True] * 3
    assert [runs("vllm", "apple", None), runs("vllm", "nvidia", "6.1")] == [False] * 2

    def caches(
        kv_precision: str | None,
        engines: str | None,
        capability: str,
        engine: str = "vllm",
        options: str | None = None,
        each: float | None = 1.0,
    ) -> Any:
        return value(
            support.caches(
                engine=text(engine),
                options=text(options),
                kv_precision=text(kv_precision),
                bytes_per_element=real(each),
                engines=text(engines),
                vendor=text("nvidia"),
                capability=text(capability),
                min_capability=text("8.0"),
            )
        )

    assert caches(None, None, "7.5")
    assert caches("fp8_e4m3", "vllm", "8.0")
    assert not caches("fp8_e4m3", "vllm", "7.5")
    assert not caches("q8_0", "llamacpp", "9.0")
    assert caches("made_up", None, "9.0") is None
    # llama.cpp: "quantized V cache was requested, but this requires Flash Attention"
    without = ("llamacpp", "full_window no_flash_attention")
    assert not caches("q8_0", "llamacpp", "9.0", *without, 1.0625)
    assert caches("q8_0", "llamacpp", "9.0", "llamacpp", "full_window", 1.0625)
    assert caches("fp16", "llamacpp", "9.0", *without, 2.0)
    assert caches(None, None, "9.0", *without, None)


def test_vllm_serves_no_pipelines() -> None:
    assert not value(support.serves_kind(engine=text("vllm"), kind=text("diffusion")))
    assert not value(support.serves_kind(engine=text("sglang"), kind=text("adapter")))
    assert value(support.serves_kind(engine=text("none"), kind=text("diffusion")))
    assert value(support.serves_kind(engine=text("vllm"), kind=text("encoder")))
    assert value(support.serves_kind(engine=text("vllm"), kind=text(None))) is None
