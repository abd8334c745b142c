"""Plans against logged and published sizes, and what they hold when something is not known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl
import pytest
from with_devices import with_devices

import estimator
from catalogs.schema import scenarios
from estimator import training, training_activations
from estimator.plan_schema import CACHE_PLANS, OVERHEAD_PLANS, TRAINING_SLOPES, WEIGHT_PLANS, WORK_PLANS
from estimator.schema import DEGREES, WEIGHT_OVERRIDES

GIB = 1 << 30
COMPONENTS = [name for name in estimator.schema.SHAPES if name.startswith("p_")]

QWEN_25_7B: dict[str, Any] = {
    "parameters_resident": 7_615_616_512,
    "p_attn": 822_083_584,
    "p_mlp": 5_703_204_864,
    "p_embed": 544_997_376,
    "p_lm_head": 544_997_376,
    "p_bias": 129_024,
    "p_norm": 204_288,
    "p_kv_proj": 102_760_448,
    "kv_heads": 4,
    "hidden_size": 3584,
    "vocab_size": 152_064,
    "rope_cache_elements": 32_768 * 128,
}
QWEN_3_30B: dict[str, Any] = {
    "parameters_resident": 30_532_122_624,
    "p_attn": 905_969_664,
    "p_mlp": 0,
    "p_expert": 28_991_029_248,
    "p_embed": 311_164_928,
    "p_lm_head": 311_164_928,
    "p_router": 12_582_912,
    "p_norm": 210_944,
    "p_kv_proj": 100_663_296,
    "kv_heads": 4,
    "hidden_size": 2048,
    "vocab_size": 151_936,
    "rope_cache_elements": 40_960 * 128,
}

# vLLM's "model loading took", in GiB a device
LOADED = [
    ({}, 1, 14.99),
    ({}, 2, 7.51),
    ({}, 4, 3.77),
    (QWEN_25_7B, 2, 7.12),
    (QWEN_25_7B, 4, 3.55),
    (QWEN_3_30B, 4, 14.247),
]


def weights_of(
    shapes: pl.DataFrame, precisions: pl.DataFrame, workloads: pl.DataFrame, overrides: pl.DataFrame
) -> pl.DataFrame:
    plans = estimator.weight_plans(shapes, overrides, precisions, estimator.residencies(workloads))
    return plans.collect().join(precisions.select("precision_ix", "precision"), on="precision_ix")


@pytest.mark.parametrize(("shape", "degree", "gib"), LOADED)
def test_vllm_weights_match_logs(
    shape: dict[str, Any],
    degree: int,
    gib: float,
    shapes_of: Callable[..., pl.DataFrame],
    workloads_of: Callable[..., pl.DataFrame],
    precisions: pl.DataFrame,
    no_overrides: pl.DataFrame,
) -> None:
    plans = weights_of(shapes_of(shape), precisions, workloads_of({"engine": "vllm"}), no_overrides)
    row = plans.filter(precision="bf16", degree=degree)
    assert row["weights_bytes"].item() / GIB == pytest.approx(gib, abs=0.02)


def test_deepseek_latent_cache_is_whole_on_every_device(
    shapes_of: Callable[..., pl.DataFrame], workloads_of: Callable[..., pl.DataFrame], kv_precisions: pl.DataFrame
) -> None:
    shapes = shapes_of(
        {"kv_heads": 1, "kv_full_elements_per_token": 0, "kv_latent_elements_per_token": 35_136.0},
        {"kv_full_elements_per_token": 258_048},
    )
    plans = with_devices(estimator.cache_plans(shapes, workloads_of({}), kv_precisions)).filter(stages=1)
    assert plans.filter(shape_ix=0)["kv_bytes_per_token"].to_list() == [70_272] * 5
    # Llama-3.1-405B: 8 heads, so 16 devices keep 64,512 bytes a token each
    assert plans.filter(shape_ix=1, degree=16)["kv_bytes_per_token"].to_list() == [64_512]


def test_training_states_of_llama(
    shapes_of: Callable[..., pl.DataFrame],
    workloads: pl.DataFrame,
    precisions: pl.DataFrame,
    no_overrides: pl.DataFrame,
) -> None:
    plans = weights_of(shapes_of({}), precisions, workloads, no_overrides)
    states = pl.col("weights_bytes") + pl.col("gradient_bytes") + pl.col("optimizer_bytes")
    full = plans.filter(residency_ix=2, degree=1).with_columns(states=states)
    assert full.filter(precision="bf16")["states"].item() == 128_484_179_968
    assert full.filter(precision="fp32")["states"].item() is None  # a recipe of its own: autocast, fp32
    assert full.filter(precision="int4_awq_g128")["states"].item() is None
    assert plans.filter(residency_ix=2, precision="bf16")["degree"].to_list() == list(DEGREES)
    lora = plans.filter(residency_ix=3, precision="bf16").with_columns(states=states)
    assert lora["states"].to_list() == [16_060_522_496 + 16 * 41_943_040]
    assert lora["states"].item() < full.filter(precision="bf16")["states"].item()
    qlora = plans.filter(residency_ix=4).filter(pl.col("weights_bytes").is_not_null())
    assert qlora["precision"].to_list() == ["nf4_dq"]
    # PEFT casts to fp32 what is not quantised: embeddings, head and norms, 1,050,939,392 parameters
    assert qlora["weights_bytes"].item() == 5_702_295_552 + 4 * 41_943_040 + 2 * 1_050_939_392


def test_what_is_known_without_components(
    shapes_of: Callable[..., pl.DataFrame],
    workloads_of: Callable[..., pl.DataFrame],
    precisions: pl.DataFrame,
    no_overrides: pl.DataFrame,
) -> None:
    shapes = shapes_of(dict.fromkeys(COMPONENTS), {"parameters_resident": None, "stored_bytes": None})
    plans = weights_of(shapes, precisions, workloads_of({}), no_overrides)
    alone = plans.filter(shape_ix=0)
    assert alone["degree"].unique().to_list() == [1]
    known = alone.filter(pl.col("weights_bytes").is_not_null())
    assert set(known["precision"]) == {"bf16", "fp16", "fp32", "gguf_q4_k_m", "stored"}
    assert plans.filter(shape_ix=1)["weights_bytes"].null_count() == plans.filter(shape_ix=1).height
    assert plans.filter(shape_ix=1)["weights_basis"].null_count() == plans.filter(shape_ix=1).height


def test_overrides_win_and_divide_like_the_model(
    shapes_of: Callable[..., pl.DataFrame], workloads_of: Callable[..., pl.DataFrame], precisions: pl.DataFrame
) -> None:
    overrides = pl.DataFrame(
        [("shape-0", "int4_awq_g128", 6_000_000_000, "stored")], schema=WEIGHT_OVERRIDES, orient="row"
    )
    plans = weights_of(shapes_of({}, {}), precisions, workloads_of({}), overrides)
    ours = plans.filter(shape_ix=0, precision="int4_awq_g128")
    assert ours.filter(degree=1)["weights_bytes"].item() == 6_000_000_000
    assert ours["weights_basis"].unique().to_list() == ["stored"]
    whole, half = plans.filter(shape_ix=0, precision="bf16")["weights_bytes"].to_list()[:2]
    assert ours.filter(degree=2)["weights_bytes"].item() == pytest.approx(6_000_000_000 * half / whole, abs=1)
    other = plans.filter(shape_ix=1, precision="int4_awq_g128", degree=1)
    assert other.select("weights_bytes", "weights_basis").rows() == [(5_727_854_592, "computed")]


def test_scales_of_rows_and_blocks(
    shapes_of: Callable[..., pl.DataFrame],
    workloads_of: Callable[..., pl.DataFrame],
    precisions: pl.DataFrame,
    no_overrides: pl.DataFrame,
) -> None:
    plans = weights_of(shapes_of({}), precisions, workloads_of({}), no_overrides).filter(degree=1)
    plain = 6_979_321_856 + 2 * 1_050_939_392
    size = dict(plans.select("precision", "weights_bytes").iter_rows())
    assert size["fp8_e4m3"] == plain
    assert size["int8_w8a8"] == plain + 2 * 1_376_256
    assert size["fp8_e4m3_block128"] == plain + 4 * 425_984


def test_kinds_without_cache(
    shapes_of: Callable[..., pl.DataFrame], workloads_of: Callable[..., pl.DataFrame], kv_precisions: pl.DataFrame
) -> None:
    unknown = {name: None for name in estimator.schema.SHAPES if name.startswith(("kv_", "state_", "cross_"))}
    shapes = shapes_of(*({"kind": kind, **unknown} for kind in ("encoder", "diffusion", "decoder", "other")))
    plans = estimator.cache_plans(shapes, workloads_of({}), kv_precisions).filter(split_ix=0).collect()
    assert plans["kv_cache_bytes"].to_list() == [0, 0, None, None]
    assert plans["state_bytes"].to_list() == [0, 0, None, None]


def test_unknown_cache_dtype_is_unknown(
    shapes_of: Callable[..., pl.DataFrame], workloads_of: Callable[..., pl.DataFrame], kv_precisions: pl.DataFrame
) -> None:
    plans = estimator.cache_plans(shapes_of({}), workloads_of({"kv_precision": "made_up"}), kv_precisions).collect()
    assert plans["kv_cache_bytes"].null_count() == plans.height


def test_engine_none_takes_nothing_and_an_unknown_engine_is_unknown(
    shapes_of: Callable[..., pl.DataFrame], workloads_of: Callable[..., pl.DataFrame], engines: pl.DataFrame
) -> None:
    workloads = workloads_of({}, {"engine": "vllm"}, {"engine": "made_up"})
    plans = estimator.overhead_plans(shapes_of({}), workloads, engines).collect()
    total = pl.col("activation_bytes") + pl.col("overhead_bytes")
    taken = plans.with_columns(total=total).filter(split_ix=0, memory_tier_ix=2)["total"].to_list()
    assert taken[0] == 0
    # 1024 sequences x 128,256 words x 15 bytes, 8,192 x 4,096 x 2 bytes of hidden states, 0.25 GiB and 1 GiB
    assert taken[1] == 1024 * 128_256 * 15 + 8192 * 4096 * 2 + GIB // 4 + GIB
    assert taken[2] is None


def test_workspaces_of_experts_in_mxfp4_are_in_the_margin(
    shapes_of: Callable[..., pl.DataFrame], workloads_of: Callable[..., pl.DataFrame], engines: pl.DataFrame
) -> None:
    """gpt-oss: 4 of 32 experts as wide as the model. Marlin's kernels take what Triton's do not."""
    experts = {"experts": 32, "experts_per_token": 4, "expert_ffn_size": 2880, "hidden_size": 2880, "ffn_size": 0}
    shapes = shapes_of({**experts, "stored_precision": "mxfp4"}, {**experts, "stored_precision": "bf16"})
    workloads = workloads_of({"engine": "vllm"})
    plans = estimator.overhead_plans(shapes, workloads, engines).filter(split_ix=0, memory_tier_ix=2).collect()
    mxfp4, bf16 = plans.sort("shape_ix").to_dicts()
    # 8,192 tokens x 4 experts x (2 x 2,880 + 2,880) elements x 2 bytes
    workspaces = 8192 * 4 * 3 * 2880 * 2
    assert bf16["activation_bytes"] - mxfp4["activation_bytes"] == workspaces
    # those that are counted have an error of 5 % themselves
    assert abs(mxfp4["margin_bytes"] - bf16["margin_bytes"] - 0.95 * workspaces) <= 1


def test_sglang_leaves_room_for_activations_that_need_not_be_known(
    shapes_of: Callable[..., pl.DataFrame], workloads_of: Callable[..., pl.DataFrame], engines: pl.DataFrame
) -> None:
    sglang = engines.with_columns(engine=pl.lit("sglang"), batched_tokens=pl.lit(0), max_sequences=pl.lit(0))
    shapes = shapes_of({"ffn_size": None, "vocab_size": None})
    plans = estimator.overhead_plans(shapes, workloads_of({"engine": "sglang"}), sglang).collect()
    assert plans["activation_bytes"].unique().to_list() == [0]
    assert plans["margin_bytes"].null_count() == 0


def test_plans_follow_their_schemas_and_keys(
    shapes_of: Callable[..., pl.DataFrame],
    workloads: pl.DataFrame,
    precisions: pl.DataFrame,
    kv_precisions: pl.DataFrame,
    engines: pl.DataFrame,
    no_overrides: pl.DataFrame,
) -> None:
    for shapes in (shapes_of({}, {"kind": "diffusion"}, {"tp_ok_mask": 0b1011}), shapes_of({}).clear()):
        residencies = estimator.residencies(workloads)
        for plans, schema, keys in (
            (estimator.weight_plans(shapes, no_overrides, precisions, residencies), WEIGHT_PLANS, 4),
            (estimator.cache_plans(shapes, workloads, kv_precisions), CACHE_PLANS, 3),
            (estimator.overhead_plans(shapes, workloads, engines), OVERHEAD_PLANS, 4),
            (estimator.work_plans(shapes, workloads), WORK_PLANS, 3),
            (estimator.training_slopes(shapes, workloads), TRAINING_SLOPES, 3),
        ):
            # a formula is planned anew wherever it is named: nested ones grow without bounds, and belong in steps
            assert len(plans.explain(optimized=False)) < 200_000
            frame = plans.collect()
            key = list(schema)[:keys]
            assert frame.schema == schema
            assert frame.select(key).equals(frame.select(key).unique().sort(key))


def test_residencies_tell_apart_what_stays(workloads: pl.DataFrame) -> None:
    got = estimator.residencies(workloads).collect()
    assert got["residency_ix"].to_list() == [0, 1, 1, 2, 3, 4]
    assert got.schema == estimator.plan_schema.RESIDENCIES


@pytest.mark.parametrize(
    ("sharding", "degree", "host_gib", "shares"),
    [
        ("none", 1, None, [2, 2, 12]),
        # ZeRO divides optimizer states first, then gradients, then weights
        ("zero1", 8, None, [2, 2, 1.5]),
        ("zero2", 8, None, [2, 0.25, 1.5]),
        ("zero3", 8, None, [0.25, 0.25, 1.5]),
        # 8,030,261,248 parameters at 1.5 x 16 bytes are 179.49 GiB, at 1.5 x 4 for each of eight processes 358.97
        ("zero2_offload", 1, 180, [2, 0, 0]),
        ("zero2_offload", 8, 359, [2, 0, 0]),
        ("zero2_offload", 8, 358, [2, 0.25, 1.5]),  # a host without the room takes none
        ("zero3_offload", 8, 180, [0.25, 0, 0]),
        ("zero3_offload", 8, 179, [0.25, 0.25, 1.5]),
        # at 1.5 x 18 bytes 201.93 GiB
        ("zero3_param_offload", 1, 202, [0, 0, 0]),
        ("zero3_param_offload", 8, 202, [0, 0, 0]),
        ("zero3_param_offload", 8, 201, [0.25, 0.25, 1.5]),
    ],
)
def test_zero_stages_divide_in_turn_and_states_leave_for_a_host_with_room(
    sharding: str,
    degree: int,
    host_gib: float | None,
    shares: list[float],
    shapes_of: Callable[..., pl.DataFrame],
    workloads_of: Callable[..., pl.DataFrame],
    precisions: pl.DataFrame,
    no_overrides: pl.DataFrame,
) -> None:
    recipe = {"method": "full", "recipe": "mixed", "objective": "sft", "optimizer": "adamw"}
    workloads = workloads_of({"mode": "training", **recipe, "sharding": sharding, "host_memory_gib": host_gib})
    plans = weights_of(shapes_of({}), precisions, workloads, no_overrides).filter(precision="bf16", degree=degree)
    states = plans.select("weights_bytes", "gradient_bytes", "optimizer_bytes").row(0)
    assert list(states) == [share * 8_030_261_248 for share in shares]


@pytest.mark.parametrize(
    ("recipe", "sharding", "degree", "host_gib", "states", "pages"),
    [
        ("mixed", "none", 1, None, 4, 8),  # the master copy stays
        ("pure", "none", 1, None, 0, 4),
        ("mixed", "zero1", 8, None, 0.5, 1),
        ("mixed", "zero3_offload", 8, 180, 0, 0),  # all of it on the host for good
    ],
)
def test_moments_with_pages_stand_by_themselves(
    recipe: str,
    sharding: str,
    degree: int,
    host_gib: float | None,
    states: float,
    pages: float,
    shapes_of: Callable[..., pl.DataFrame],
    workloads_of: Callable[..., pl.DataFrame],
    precisions: pl.DataFrame,
    no_overrides: pl.DataFrame,
) -> None:
    training = {"mode": "training", "method": "full", "recipe": recipe, "objective": "sft", "sharding": sharding}
    training |= {"host_memory_gib": host_gib, "optimizer": "adamw_paged"}
    plans = weights_of(shapes_of({}), precisions, workloads_of(training), no_overrides)
    bytes_ = plans.filter(precision="bf16", degree=degree).select("optimizer_bytes", "paged_bytes").row(0)
    assert bytes_ == (states * 8_030_261_248, pages * 8_030_261_248)


def test_the_catalog_and_the_estimator_know_the_same_words() -> None:
    assert set(scenarios.OPTIMIZERS) == set(training.OPTIMIZERS)
    assert scenarios.OFFLOADED == training.OFFLOADED
    assert scenarios.LOSSES == training_activations.LOSSES
    assert (scenarios.TARGETS, scenarios.ADAPTED) == (training.TARGETS, training.ADAPTED)
    assert set(scenarios.SHARDINGS) == {"none", *training.ZERO_STAGES}


def test_stored_weights_are_known_to_every_engine(
    shapes_of: Callable[..., pl.DataFrame],
    workloads_of: Callable[..., pl.DataFrame],
    precisions: pl.DataFrame,
    no_overrides: pl.DataFrame,
) -> None:
    """A repository's own bytes do not become unknown because an engine pads the vocabulary."""
    shapes = shapes_of({"stored_bytes": 16_060_522_496, "stored_precision": "bf16", "vocab_size": 128_255})
    plans = weights_of(shapes, precisions, workloads_of({"engine": "vllm"}), no_overrides)
    [stored] = plans.filter(precision="stored", degree=1)["weights_bytes"]
    rope, padding = 131_072 * 128 * 2, 2 * 4096 * 2  # one row in each of two matrices
    assert stored == 16_060_522_496 + rope + padding


def test_stored_weights_of_a_dense_model_are_known_in_an_unknown_format(
    shapes_of: Callable[..., pl.DataFrame],
    workloads_of: Callable[..., pl.DataFrame],
    precisions: pl.DataFrame,
    no_overrides: pl.DataFrame,
) -> None:
    """vLLM pads MXFP4 experts: where there are none, the format does not matter; of a mixture it does."""
    experts = {"p_expert": 5_637_144_576, "p_mlp": 0, "experts": 8, "experts_per_token": 2, "expert_ffn_size": 1792}
    shapes = shapes_of({"stored_precision": None}, {"stored_precision": None, **experts})
    plans = weights_of(shapes, precisions, workloads_of({"engine": "vllm"}), no_overrides)
    stored = plans.filter(precision="stored", degree=1).sort("shape_ix")["weights_bytes"].to_list()
    assert stored == [16_060_522_496 + 131_072 * 128 * 2, None]


def test_gradients_that_are_kept_stand_beside_the_forward_pass(
    shapes_of: Callable[..., pl.DataFrame], workloads_of: Callable[..., pl.DataFrame], engines: pl.DataFrame
) -> None:
    """The peak is the forward pass, or gradients and the larger of it and the backward pass."""
    training = {"mode": "training", "method": "full", "recipe": "mixed", "objective": "sft", "optimizer": "adamw",
                "sharding": "none", "gradient_checkpointing": True, "context_tokens": 2048}  # fmt: skip
    workloads = workloads_of(training, {**training, "gradient_accumulation": True}, {**training, "recipe": "megatron"})
    plans = estimator.overhead_plans(shapes_of({}), workloads, engines).collect().filter(split_ix=0, memory_tier_ix=0)
    forward = 2048 * (2 * 4096 * 32 + 8 * 4096 + 12 * 128_256)
    assert plans["activation_bytes"].to_list() == [forward] * 3
    assert plans["backward_bytes"].to_list() == [2048 * 200_840, forward, forward]


@pytest.mark.parametrize(
    ("sharding", "method", "forward", "backward"),
    [
        ("zero2", "full", 0, 1_000_000_000 / 525_336_576),  # a bucket of gradients
        ("zero2", "lora", 0, 1_000_000_000 / 525_336_576),
        ("zero3", "full", 4, 4),
        ("zero3_param_offload", "full", 0, 0),  # one device gathers as well
        ("fsdp", "full", 4, 6),
        ("fsdp", "lora", 4, 4),  # a frozen unit has no gradients to scatter
    ],
)
def test_divided_weights_are_gathered_a_unit_at_a_time(
    sharding: str,
    method: str,
    forward: int,
    backward: float,
    shapes_of: Callable[..., pl.DataFrame],
    workloads_of: Callable[..., pl.DataFrame],
    engines: pl.DataFrame,
) -> None:
    """The largest unit of Llama-3.1-8B are its words, 525,336,576 parameters; bytes for each of them."""
    workloads = workloads_of(
        {"mode": "training", "method": method, "recipe": "mixed", "objective": "sft", "optimizer": "adamw",
         "sharding": sharding, "gradient_checkpointing": True, "context_tokens": 2048,
         "lora_rank": None if method == "full" else 16}
    )  # fmt: skip
    plans = with_devices(estimator.overhead_plans(shapes_of({}), workloads, engines)).filter(memory_tier_ix=0)
    whole, divided = (plans.filter(degree=degree).row(0, named=True) for degree in (1, 8))
    assert divided["activation_bytes"] - whole["activation_bytes"] == forward * 525_336_576
    assert divided["backward_bytes"] - whole["backward_bytes"] == backward * 525_336_576
