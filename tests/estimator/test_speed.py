"""Steps and prompts: worked by hand, published throughput, and what is unknown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl
import pytest
from with_devices import with_devices

import catalogs
import estimator
from estimator import host_weights, speed
from estimator.read_shares import read_shares

MIXTRAL: dict[str, Any] = {
    "parameters_resident": 46_702_792_704,
    "p_attn": 1_342_177_280,
    "p_mlp": 0,
    "p_expert": 45_097_156_608,
    "p_embed": 131_072_000,
    "p_lm_head": 131_072_000,
    "p_router": 1_048_576,
    "p_norm": 266_240,
    "experts": 8,
    "experts_per_token": 2,
    "active_read_parameters": 12_748_853_248,
    "quant_rows": 0,
    "fp8_block_scales": 0,
}


def value(expression: pl.Expr) -> Any:
    return pl.select(expression).item()


def lit(number: float | None) -> pl.Expr:
    return pl.lit(number, dtype=pl.Float64)


@pytest.mark.parametrize(
    ("experts", "per_token", "sequences", "percent"),
    [
        (128, 8, 1, 6.25), (128, 8, 8, 40.3), (128, 8, 32, 87.3), (128, 8, 128, 100.0),
        (256, 8, 1, 3.125), (256, 8, 8, 22.4), (256, 8, 32, 63.8), (256, 8, 128, 98.3),
        (8, 2, 1, 25.0), (8, 2, 8, 90.0), (0, 0, 4, 0.0),
    ],
)  # fmt: skip
def test_experts_that_a_step_visits(experts: int, per_token: int, sequences: int, percent: float) -> None:
    share = speed.expert_share(experts=pl.lit(experts), per_token=pl.lit(per_token), sequences=pl.lit(sequences))
    assert 100 * value(share) == pytest.approx(percent, abs=0.05)


def test_what_is_unknown_stays_unknown() -> None:
    nothing = pl.lit(None, dtype=pl.Int64)
    assert value(speed.expert_share(experts=nothing, per_token=pl.lit(2), sequences=pl.lit(1))) is None
    step = {name: lit(1.0) for name in speed.step_seconds.__kwdefaults__ or speed.step_seconds.__annotations__}
    step.pop("return", None)
    assert value(speed.step_seconds(**step)) == 2 + 1 * (1 + 2 * 1) + 1
    for name in step:
        assert value(speed.step_seconds(**{**step, name: lit(None)})) is None


@pytest.mark.parametrize(
    ("left", "experts", "share", "read"),
    [
        (0, 20, 0.25, 0),
        (12, 20, 0.25, 3),  # experts leave first, of which a step visits a quarter
        (20, 20, 0.25, 5),
        (24, 20, 0.25, 5 + 4 * 0.8),  # of the other ten a step reads eight
        (24, 0, 0.0, 24 * 8 / 30),
        (0, None, None, 0),
        (12, None, 0.25, None),
        (12, 20, None, None),
    ],
)
def test_what_a_host_reads_in_a_step(left: int, experts: int | None, share: float | None, read: float | None) -> None:
    found = host_weights.host_read_bytes(
        left_bytes=lit(left), held=lit(30), dense=lit(8), experts=lit(experts), expert_share=lit(share)
    )
    assert value(found) == (None if read is None else pytest.approx(read))
    assert value(
        host_weights.host_step_seconds(read=lit(53.76), bytes_per_second=lit(host_weights.HOST_READ_SHARE * 89.6))
    ) == pytest.approx(1)
    assert value(host_weights.host_step_seconds(read=lit(0), bytes_per_second=lit(None))) == 0


@pytest.mark.parametrize(
    ("engine", "batched", "tokens", "batch"),
    [
        ("llamacpp", 512, 8192, 512),
        ("llamacpp", 512, 40, 40),
        ("llamacpp", 512, 31, None),  # on the host's processor
        ("vllm", 2048, 31, 31),
        ("transformers", None, 8192, 8192),
        ("sglang", 0, 8192, None),
        ("vllm", 2048, None, None),
        ("transformers", None, None, None),
    ],
)
def test_tokens_of_a_prompt_at_once(engine: str, batched: int | None, tokens: int | None, batch: int | None) -> None:
    numbers = {
        name: pl.lit(number, dtype=pl.Int64) for name, number in (("batched_tokens", batched), ("tokens", tokens))
    }
    assert value(host_weights.prompt_batch_tokens(engine=pl.lit(engine), **numbers)) == batch


def test_what_a_prompt_waits_for_a_host() -> None:
    """Llama-3.1-70B in Q4_K_M on an RTX 4090 leaves 20.75 GB that are read: 16 batches of 8,192 tokens, 14.2 GB/s."""

    def seconds(read: float | None, tokens: int | None, batch: int | None, rate: float | None) -> object:
        numbers = {"read": read, "tokens": tokens, "batch": batch, "bytes_per_second": rate}
        return value(host_weights.host_prompt_seconds(**{name: lit(number) for name, number in numbers.items()}))

    link = host_weights.HOST_LINK_SHARE * 31.5e9
    assert seconds(20.75e9, 8192, 512, link) == pytest.approx(16 * 20.75 / 14.175)
    assert seconds(20.75e9, 8193, 512, link) == pytest.approx(17 * 20.75 / 14.175)
    assert seconds(0, None, None, None) == 0
    for unknown in range(4):
        known = [20.75e9, 8192, 512, link]
        known[unknown] = None  # type: ignore[call-overload]
        assert seconds(*known) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(("experts", "rate"), [(0, 350.0), (128, 80.0), (None, None)])
def test_experts_multiply_at_a_smaller_share(experts: int | None, rate: float | None) -> None:
    number = pl.lit(experts, dtype=pl.Int64)
    assert value(speed.step_rate(experts=number, dense=lit(350.0), mixed=lit(80.0))) == rate


def llama_step(bandwidth: float, share: float, layer: float) -> float:
    """Tokens a second of Llama-3.1-8B in bf16 at a short context."""
    seconds = speed.step_seconds(
        weight_bytes=lit(2 * 7_504_924_672),
        cache_bytes=lit(0),
        flops=lit(2 * 7_504_924_672),
        weight_bytes_per_second=lit(bandwidth * share),
        cache_bytes_per_second=lit(bandwidth),
        flops_per_second=lit(300e12),
        layers=lit(32),
        layer_seconds=lit(layer),
        reduce_seconds=lit(0),
        host_seconds=lit(0),
    )
    return 1 / float(value(seconds))


def test_worked_steps_of_llama_8b() -> None:
    """gpt-fast measured 93.8 tokens a second on an A100; the bound of an H100 is 3,350 GB/s over 15.01 GB."""
    assert llama_step(2039e9, 0.795, 38.8e-6) == pytest.approx(95.2, abs=0.1)
    assert llama_step(3350e9, 1, 0) == pytest.approx(223.2, abs=0.1)
    assert llama_step(3350e9, 0.795, 38.8e-6) == pytest.approx(145.4, abs=0.1)


@pytest.mark.parametrize(("tflops", "share", "milliseconds"), [(989.4, 0.55, 54.6), (312, 0.76, 125.2)])
def test_worked_prompt_of_llama_8b(tflops: float, share: float, milliseconds: float) -> None:
    """2,048 tokens: 28.60 TFLOP in matrices, 1.10 in attention."""
    tokens = pl.lit(2048)
    linear = speed.prompt_linear_flops(active=pl.lit(7_504_924_672), head=pl.lit(525_336_576), tokens=tokens)
    attention = speed.prompt_attention_flops(
        width=pl.lit(262_144), window_width=pl.lit(0), tokens=tokens, window=pl.lit(0)
    )
    assert value(linear) == 2 * (7_504_924_672 - 525_336_576) * 2048 + 2 * 525_336_576
    assert value(attention) == 262_144 * 2048**2
    rate = lit(tflops * 1e12 * share)
    seconds = speed.prompt_seconds(
        linear_flops=linear,
        attention_flops=attention,
        linear_flops_per_second=rate,
        attention_flops_per_second=rate,
        reduced_bytes=lit(0),
        reduced_bytes_per_second=lit(None),
    )
    assert 1000 * value(seconds) == pytest.approx(milliseconds, abs=0.1)


def test_windows_bound_the_work_of_attention() -> None:
    """Two layers of width 10 with a window of 4 over 6 tokens: pairs 6 * 4 - 8 = 16, two operations each."""
    work = speed.prompt_attention_flops(width=pl.lit(0), window_width=pl.lit(20), tokens=pl.lit(6), window=pl.lit(4))
    assert value(work) == 2 * 20 * 16
    step = speed.step_flops(
        active=pl.lit(100), width=pl.lit(10), window_width=pl.lit(20), context=pl.lit(6), window=pl.lit(4),
        sequences=pl.lit(3),
    )  # fmt: skip
    assert value(step) == 3 * 2 * (100 + 10 * 6 + 20 * 4)


def test_an_all_reduce_of_64_mib_over_four_devices() -> None:
    """Published: 603 us over NVLink, 11.4 ms over PCIe 4. One layer has two of them."""
    sent = value(
        speed.reduced_bytes(
            layers=pl.lit(1), hidden=pl.lit(8192), tokens=pl.lit(4096), degree=pl.lit(4, dtype=pl.UInt8)
        )
    )
    assert sent == 2 * (2 * 3 / 4) * 2**26
    rates = {row["link"]: row for row in catalogs.links().filter(degree=4).iter_rows(named=True)}
    assert sent / 2 / (600e9 * rates["nvlink"]["link_share"]) == pytest.approx(603e-6, rel=0.001)
    assert sent / 2 / (1e9 * rates["pcie"]["reduced_gb_per_s"]) == pytest.approx(11.369e-3, rel=0.0055)


def test_what_a_step_reads_of_the_weights(shapes_of: Callable[..., pl.DataFrame], precisions: pl.DataFrame) -> None:
    """Embeddings rest; in a quantised model they are the wide part. Of Mixtral 25.5 GB in bf16 are read at batch 1."""
    shapes = shapes_of({}, MIXTRAL, {"active_read_parameters": None})
    shares = (
        read_shares(shapes, precisions)
        .filter(is_known=False)
        .collect()
        .join(precisions.select("precision", format_ix="precision_ix"), on="format_ix")
    )

    def of(shape_ix: int, precision: str) -> dict[str, Any]:
        return shares.filter(shape_ix=shape_ix, precision=precision).row(0, named=True)

    dense = 8_030_261_248 - 525_336_576
    assert of(0, "bf16")["dense_share"] == pytest.approx(dense / 8_030_261_248, rel=1e-12)
    assert of(0, "bf16")["expert_share"] == 0
    linears = 6_979_321_856
    read = linears * 4.15625 / 8 + (525_336_576 + 266_240) * 2
    assert of(0, "int4_awq_g128")["dense_share"] == pytest.approx(read / (read + 525_336_576 * 2), rel=1e-12)
    assert of(0, "gguf_q4_k_m")["dense_share"] == pytest.approx(dense / 8_030_261_248, rel=1e-12)
    mixtral = of(1, "bf16")
    of_experts = 45_097_156_608 / 46_702_792_704
    assert mixtral["expert_share"] == pytest.approx(of_experts, rel=1e-12)
    assert mixtral["dense_share"] == pytest.approx(1 - of_experts - 131_072_000 / 46_702_792_704, rel=1e-9)
    at_one = (mixtral["dense_share"] + 0.25 * mixtral["expert_share"]) * 46_702_792_704
    assert at_one == pytest.approx(12_748_853_248, rel=1e-9)
    assert of(2, "bf16")["dense_share"] is None
    assert shares.filter(precision="stored").is_empty()


def test_a_known_gguf_file_has_no_tower(shapes_of: Callable[..., pl.DataFrame], precisions: pl.DataFrame) -> None:
    """Qwen2.5-VL-7B: 7,615,616,512 of language, of which 544,997,376 are looked up; 676,550,144 see."""
    shapes = shapes_of(
        {"parameters_resident": 8_292_166_656, "p_vision": 676_550_144, "active_read_parameters": 7_070_619_136}
    )
    q4 = precisions.filter(precision="gguf_q4_k_m")
    rows = read_shares(shapes, q4).sort("is_known").collect()
    computed, known = rows["dense_share"].to_list()
    assert computed == pytest.approx(7_070_619_136 / 8_292_166_656, rel=1e-12)
    assert known == pytest.approx(7_070_619_136 / 7_615_616_512, rel=1e-12)
    bf16 = read_shares(shapes, precisions.filter(precision="bf16")).collect()["dense_share"]
    assert bf16.unique().to_list() == pytest.approx([7_070_619_136 / 8_292_166_656], rel=1e-12)


def test_a_repository_that_quantises_its_experts_alone_is_read_so(shapes_of: Callable[..., pl.DataFrame]) -> None:
    """gpt-oss-20b: 19,110,297,600 weights of experts at 4.25 bits, 1,804,459,584 others at 16."""
    gpt_oss: dict[str, Any] = {
        **dict.fromkeys(("p_mlp", "p_lm_head", "quant_rows", "fp8_block_scales", "p_norm"), 0),
        "parameters_resident": 20_914_757_184, "p_attn": 637_009_920, "p_expert": 19_110_297_600,
        "p_expert_bias": 6_635_520, "p_embed": 579_133_440, "active_read_parameters": 3_608_307_264,
        "experts": 32, "experts_per_token": 4, "stored_bytes": 13_761_264_768, "stored_precision": "mxfp4",
    }  # fmt: skip
    shapes = shapes_of(gpt_oss, {**gpt_oss, "stored_precision": "bf16"}, {**gpt_oss, "stored_bytes": None})
    mxfp4 = catalogs.precisions().filter(precision="mxfp4").with_row_index("precision_ix")
    shares = read_shares(shapes, mxfp4).sort("shape_ix").collect()
    alone, elsewhere, unknown = shares.filter(is_known=True).to_dicts()
    computed = shares.filter(is_known=False).row(0, named=True)  # bytes of the formula have its attention in 4 bits
    experts = 19_110_297_600 * 4.25 / 8
    assert alone["expert_share"] == pytest.approx(experts / 13_761_264_768, rel=1e-12)
    # nothing looks anything up but the embedding
    dense = 1_804_459_584 * 2 - 579_133_440 * 2
    assert alone["dense_share"] == pytest.approx(dense / 13_761_264_768, rel=1e-12)
    everything = experts + 637_009_920 * 4.25 / 8 + (1_804_459_584 - 637_009_920) * 2
    for other in (elsewhere, unknown, computed):
        assert other["expert_share"] == pytest.approx(experts / everything, rel=1e-12)


def test_a_known_size_is_read_in_the_same_shares(
    shapes_of: Callable[..., pl.DataFrame],
    workloads_of: Callable[..., pl.DataFrame],
    precisions: pl.DataFrame,
    no_overrides: pl.DataFrame,
) -> None:
    """The repository's own 5.8 GB of AWQ: what rests is the share that its embedding has by the formula."""
    shapes = shapes_of({"stored_precision": "int4_awq_g128", "stored_bytes": 5_800_000_000})
    workloads = workloads_of({"engine": "none"})
    plans = (
        estimator.weight_plans(shapes, no_overrides, precisions, estimator.residencies(workloads))
        .collect()
        .join(precisions.select("precision", "precision_ix"), on="precision_ix")
    )
    row = plans.filter(precision="stored", degree=1).row(0, named=True)
    read = 6_979_321_856 * 4.15625 / 8 + (525_336_576 + 266_240) * 2
    assert row["step_dense_bytes"] == pytest.approx(5_800_000_000 * read / (read + 525_336_576 * 2), abs=1)
    assert row["step_expert_bytes"] == 0
    unknown = shapes_of({"stored_precision": None})
    plans = estimator.weight_plans(unknown, no_overrides, precisions, estimator.residencies(workloads)).collect()
    stored = precisions.filter(precision="stored")["precision_ix"][0]
    assert plans.filter(precision_ix=stored, degree=1)["step_dense_bytes"].to_list() == [None]


def test_training_and_what_decodes_nothing_have_no_steps(
    shapes_of: Callable[..., pl.DataFrame], workloads: pl.DataFrame
) -> None:
    plans = estimator.work_plans(shapes_of({}, {"kind": "encoder"}), workloads).collect()
    inference = workloads.filter(pl.col("mode") == "inference")["workload_ix"]
    assert set(plans["workload_ix"]) == set(inference)
    assert plans.filter(shape_ix=1)["step_flops"].null_count() == plans.filter(shape_ix=1).height > 0


def test_the_head_of_a_prompt_is_for_its_last_token_where_it_is_the_embedding_too(
    shapes_of: Callable[..., pl.DataFrame], workloads_of: Callable[..., pl.DataFrame]
) -> None:
    """Qwen3-0.6B ties its head: 440,467,456 parameters for 2,048 tokens and 155,582,464 for one."""
    counts = {"parameters_resident": 596_049_920, "p_embed": 155_582_464, "p_lm_head": 0}
    tied = {**counts, "active_read_parameters": 596_049_920}
    headless = {**counts, "active_read_parameters": 440_467_456}  # a base class looks its embedding up
    unknown = {**counts, "active_read_parameters": None}
    shapes = shapes_of(tied, headless, unknown, {})
    plans = estimator.work_plans(shapes, workloads_of({"context_tokens": 2_048})).filter(split_ix=0).collect()
    matrices = 2 * 440_467_456 * 2_048
    llama = 2 * (7_504_924_672 - 525_336_576) * 2_048 + 2 * 525_336_576
    assert plans["prompt_linear_flops"].to_list() == [matrices + 2 * 155_582_464, matrices, None, llama]


def test_one_device_reduces_nothing_whatever_its_width(
    shapes_of: Callable[..., pl.DataFrame], workloads_of: Callable[..., pl.DataFrame]
) -> None:
    plans = with_devices(estimator.work_plans(shapes_of({"hidden_size": None}), workloads_of({})))
    by_width = plans.group_by("tensor").agg(pl.col("reduced_bytes").unique()).sort("tensor")
    assert by_width.rows() == [(1, [0.0]), (2, [None]), (4, [None]), (8, [None]), (16, [None])]


def test_devices_multiply_in_the_format_that_they_have() -> None:
    gpus = catalogs.gpus().filter(pl.col("gpu_id").is_in(["nvidia-h100-sxm-80gb", "nvidia-a100-sxm-80gb"]))
    gpus = gpus.sort("gpu_id", descending=True).with_row_index("gpu_ix").cast({"gpu_ix": pl.UInt16})
    precisions = catalogs.precisions().with_row_index("precision_ix").cast({"precision_ix": pl.UInt16})
    rates = estimator.speeds(precisions, gpus, catalogs.workloads(), catalogs.speeds()).collect()
    rates = rates.join(precisions.select("precision", format_ix="precision_ix"), on="format_ix")

    def teraflops(gpu_ix: int, precision: str) -> float:
        row = rates.filter(gpu_ix=gpu_ix, precision=precision, engine="vllm").row(0, named=True)
        return float(row["nominal_flops_per_second"]) / 1e12

    assert teraflops(0, "bf16") == 989.4
    assert teraflops(0, "fp8_e4m3_block128") == 1978.9
    assert teraflops(1, "fp8_e4m3_block128") == teraflops(1, "bf16") == 312
    assert teraflops(0, "int4_awq_g128") == 989.4
    assert teraflops(0, "nvfp4") == 989.4  # no such units on Hopper
    shares = rates.filter(gpu_ix=1, engine="vllm").select(
        "precision", share=pl.col("weight_bytes_per_second") / pl.col("nominal_bytes_per_second")
    )
    found = {row[0]: round(row[1], 6) for row in shares.iter_rows()}
    assert (found["bf16"], found["int8_w8a8"], found["int4_awq_g128"]) == (0.795, 0.62, 0.55)


def test_links_of_devices() -> None:
    """A bridge joins two, four talk over PCIe; what no row tells is unknown."""
    names = ["nvidia-h100-sxm-80gb", "nvidia-rtx-3090-24gb", "nvidia-rtx-4090-24gb", "amd-mi300x-192gb"]
    gpus = catalogs.gpus().filter(pl.col("gpu_id").is_in(names)).with_row_index("gpu_ix").cast({"gpu_ix": pl.UInt16})
    found = estimator.links(gpus, catalogs.links()).collect().join(gpus.select("gpu_ix", "gpu_id"), on="gpu_ix")
    seconds = {(gpu, degree): s for _, degree, s, _, gpu in found.iter_rows()}
    assert {seconds[name, 1] for name in names} == {0.0}
    assert seconds["nvidia-h100-sxm-80gb", 4] == 12.9e-6
    assert seconds["nvidia-rtx-3090-24gb", 2] == 10.9e-6
    assert seconds["nvidia-rtx-3090-24gb", 4] == seconds["nvidia-rtx-4090-24gb", 4] == 16.1e-6
    assert seconds["amd-mi300x-192gb", 2] is None
    assert seconds["nvidia-h100-sxm-80gb", 16] is None


@pytest.mark.parametrize(
    ("gpu", "precision", "rate"),
    [
        ("nvidia-h100-sxm-80gb", "mxfp4", "bf16_tflops"),  # fp8 is native, fp4 is not
        ("nvidia-a100-sxm-80gb", "mxfp4", "bf16_tflops"),
        ("nvidia-b200-sxm-180gb", "mxfp4", "fp8_tflops"),
        ("nvidia-b200-sxm-180gb", "nvfp4", "fp4_tflops"),
        ("nvidia-h100-sxm-80gb", "nvfp4", "bf16_tflops"),
        ("nvidia-h100-sxm-80gb", "fp8_e4m3_block128", "fp8_tflops"),
    ],
)
def test_rate_of_a_format_on_a_device(gpu: str, precision: str, rate: str) -> None:
    device = catalogs.gpus().filter(gpu_id=gpu).with_columns(gpu_ix=pl.lit(0, dtype=pl.UInt16))
    formats = catalogs.precisions().filter(precision=precision).with_columns(precision_ix=pl.lit(0, dtype=pl.UInt16))
    workloads = catalogs.workloads().filter(mode="inference", engine="none").head(1)
    [row] = estimator.speeds(formats, device, workloads, catalogs.speeds()).collect().to_dicts()
    assert row["nominal_flops_per_second"] == device[rate].item() * 1e12
