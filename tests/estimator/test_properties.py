"""What must hold for every shape: more of anything never needs less, splits never lose bytes, inverses invert.

1. More memory never worsens the verdict at fixed constants:
   `test_more_memory_is_never_worse_and_longer_context_never_better`; between neighbours of the catalog, where vLLM's
   batches grow: `test_more_catalog_memory_leaves_more_room`.
2. Fewer bits never need more bytes: `test_fewer_bits_need_no_more`, `test_less_is_less`.
3. Longer, more and wider never need less, windows and states do not grow: `test_longer_wider_and_more_need_more`,
   `test_states_do_not_grow`, `test_prefix_caching_keeps_every_state_twice`.
4. No term is less than nothing, bounds enclose the middle: `test_margins_are_no_less_than_nothing`.
5. Splits spare every device and lose nothing: `test_splits_lose_nothing_and_spare_every_device`; latents are whole on
   every device: `test_deepseek_latent_cache_is_whole_on_every_device` in test_plans.py.
6. Fewer devices for more memory (1), no fewer for more sequences and bits: `test_more_asked_takes_no_fewer_devices`;
   longest context and most sequences are inverses that fall with each other: `test_inverse_questions_are_exact`,
   `test_inverse_questions_fall_with_each_other`.
7. Tied, grouped, window, latent: `test_less_is_less`; ZeRO and 8-bit AdamW: `test_training_orders`; checkpointing:
   `test_training_activations_order`; adapters: `test_training_adapters_takes_less_than_training_all`.
8. Speeds below their bounds, falling with length and bits, experts between visited and all: test_speed_properties.py.
9. Null in, unknown out; order and parts change nothing: `test_null_in_unknown_out`,
   `test_order_of_shapes_changes_nothing`, `test_parts_concatenate_to_the_whole` in test_fit.py.
10. Twice the layers: `test_twice_the_layers_keep_twice_as_much_for_the_backward_pass`, and twice the cache, as well as
    twice the context for half the sequences: `test_twice_the_context_for_half_the_sequences_keeps_a_full_cache`.

The same is asked of a published night in tests/flows/test_fit_properties.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from with_devices import with_devices

import catalogs
import estimator
from estimator import cache, training, training_activations, weights
from estimator.plan_schema import MEMORY_TIERS

few = settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)


@st.composite
def shapes(draw: st.DrawFn) -> dict[str, Any]:
    """A consistent decoder: widths first, counts from them."""
    layers = draw(st.integers(1, 128))
    kv_heads = draw(st.sampled_from([1, 2, 4, 8, 16, 32]))
    heads = kv_heads * draw(st.sampled_from([1, 2, 8]))
    head = draw(st.sampled_from([64, 128, 256]))
    hidden = draw(st.integers(8, 256)) * 64
    ffn = draw(st.integers(8, 512)) * 64
    words = draw(st.integers(100, 300_000))
    experts = draw(st.sampled_from([0, 0, 8, 128]))
    sliding = draw(st.integers(0, layers))
    latent = draw(st.sampled_from([0.0, 0.0, 576.0 * layers]))
    recurrent = draw(st.sampled_from([0, 0, 10**6]))
    is_tied = draw(st.booleans())
    attn = layers * 2 * hidden * head * (heads + kv_heads)
    counts = {
        "p_attn": attn,
        "p_mlp": layers * 3 * hidden * ffn,
        "p_expert": layers * experts * 3 * hidden * 512,
        "p_embed": words * hidden,
        "p_lm_head": 0 if is_tied else words * hidden,
        "p_norm": (2 * layers + 1) * hidden,
        "p_router": layers * experts * hidden,
    }
    return {
        **counts,
        "parameters_resident": sum(counts.values()),
        "p_kv_proj": layers * 2 * hidden * head * kv_heads,
        "layers": layers,
        "hidden_size": hidden,
        "vocab_size": words,
        "heads": heads,
        "kv_heads": kv_heads,
        "ffn_size": ffn,
        "experts": experts,
        "experts_per_token": min(experts, 8),
        "expert_ffn_size": 512 if experts else 0,
        "max_context_tokens": None,
        "kv_full_elements_per_token": (layers - sliding) * 2 * kv_heads * head,
        "kv_window_elements_per_token": sliding * 2 * kv_heads * head,
        "window_tokens": draw(st.sampled_from([128, 1024, 4096])) if sliding else 0,
        "kv_latent_elements_per_token": latent,
        "state_conv_elements": recurrent // 10,
        "state_recurrent_elements": recurrent,
        "tp_ok_mask": 0b1000_0000_1000_1011,
        "tp_ok_mask_128": 0b1000_0000_1000_1011,
        "kv_full_layers": layers if latent else layers - sliding,
        "kv_window_layers": sliding,
        "state_layers": layers if recurrent else 0,
        "expert_layers": layers if experts else 0,
    }


many = st.lists(shapes(), min_size=1, max_size=6)
Build = Callable[..., pl.DataFrame]


def rises(frame: pl.DataFrame, column: str, *, along: str, within: list[str]) -> bool:
    steps = frame.sort(*within, along).select(pl.col(column).diff().over(within).min()).item()
    return steps is None or steps >= 0


@few
@given(rows=many)
def test_longer_wider_and_more_need_more(
    rows: list[dict[str, Any]], shapes_of: Build, workloads_of: Build, kv_precisions: pl.DataFrame
) -> None:
    grid = [
        {"context_tokens": context, "concurrent_sequences": sequences, "kv_precision": kv}
        for context in (16, 1000, 8192, 300_000)
        for sequences in (1, 7, 64)
        for kv in ("fp8_e4m3", "bf16", "fp32")
    ]
    workloads = workloads_of(*grid)
    plans = (
        estimator.cache_plans(shapes_of(*rows), workloads, kv_precisions)
        .filter(split_ix=0)
        .collect()
        .join(workloads.select("workload_ix", "concurrent_sequences", "kv_precision"), on="workload_ix")
        .join(kv_precisions.select("kv_precision", "bytes_per_element"), on="kv_precision")
        .with_columns(need=pl.col("kv_cache_bytes") + pl.col("state_bytes"))
    )
    assert (plans["kv_cache_bytes"] >= 0).all()
    assert (plans["state_bytes"] >= 0).all()
    axes = ["shape_ix", "context_tokens", "concurrent_sequences", "bytes_per_element"]
    for along in axes[1:]:
        assert rises(plans, "need", along=along, within=[axis for axis in axes if axis != along])
    sliding_only = plans.filter(pl.col("kv_bytes_per_token") == 0, pl.col("context_tokens") >= 8192)
    spread = sliding_only.group_by("shape_ix", "concurrent_sequences", "kv_precision").agg(pl.col("need").n_unique())
    assert (spread["need"] == 1).all()


@few
@given(rows=many)
def test_twice_the_context_for_half_the_sequences_keeps_a_full_cache(
    rows: list[dict[str, Any]], shapes_of: Build, workloads_of: Build, kv_precisions: pl.DataFrame
) -> None:
    full = [{**row, "kv_window_elements_per_token": 0} for row in rows]
    doubled = [
        {**row, **{k: row[k] * 2 for k in ("kv_full_elements_per_token", "kv_latent_elements_per_token")}}
        for row in full
    ]
    workloads = workloads_of(
        {"context_tokens": 4096, "concurrent_sequences": 8}, {"context_tokens": 8192, "concurrent_sequences": 4}
    )
    plans = with_devices(estimator.cache_plans(shapes_of(*full), workloads, kv_precisions))
    twice = with_devices(estimator.cache_plans(shapes_of(*doubled), workloads, kv_precisions))
    sizes = plans.partition_by("workload_ix", maintain_order=True)
    assert sizes[0]["kv_cache_bytes"].equals(sizes[1]["kv_cache_bytes"])
    off = plans.select(off=twice["kv_cache_bytes"] - pl.col("kv_cache_bytes") * 2, stages="stages")
    assert (off.filter(stages=1)["off"] == 0).all()
    assert off["off"].is_between(-1, 0).all()  # a stage's share of elements need not be whole, and is rounded up


@few
@given(rows=many)
def test_splits_lose_nothing_and_spare_every_device(
    rows: list[dict[str, Any]],
    shapes_of: Build,
    workloads_of: Build,
    precisions: pl.DataFrame,
    kv_precisions: pl.DataFrame,
    no_overrides: pl.DataFrame,
) -> None:
    table, workloads = shapes_of(*rows), workloads_of({}, {"engine": "vllm"})
    residencies = estimator.residencies(workloads)
    plans = with_devices(estimator.weight_plans(table, no_overrides, precisions, residencies).drop("degree"))
    every = with_devices(estimator.cache_plans(table, workloads, kv_precisions))
    # vLLM's pages are as long as a layer's state wants them, which falls with the split in whole blocks
    without_states = table.filter(pl.col("state_layers") == 0).select("shape_ix")
    of_minimum = every.filter(workload_ix=0)
    caches = pl.concat([of_minimum, every.filter(pl.col("workload_ix") > 0).join(without_states, on="shape_ix")])
    falling = plans.with_columns(spared=-pl.col("weights_bytes"))
    group = ["shape_ix", "precision_ix", "residency_ix"]
    assert (plans["weights_bytes"] >= 0).all()
    for way in ({"stages": 1}, {"tensor": 1}, {"tensor": 2}):
        assert rises(falling.filter(**way), "spared", along="degree", within=group)
    whole = plans.filter(degree=1).select(*group, whole="weights_bytes")
    kept = plans.join(whole, on=group).filter(pl.col("weights_bytes") * pl.col("degree") < pl.col("whole"))
    assert kept.is_empty()
    for way in ({"stages": 1}, {"tensor": 1}, {"tensor": 2}):
        assert rises(
            caches.filter(**way).with_columns(spared=-pl.col("kv_cache_bytes")),
            "spared",
            along="degree",
            within=["shape_ix", "workload_ix"],
        )
    ways = ["shape_ix", "workload_ix"]
    whole_cache = caches.filter(degree=1).select(*ways, whole="kv_cache_bytes", whole_state="state_bytes")
    apart = caches.join(whole_cache, on=ways)
    for column, of_one in (("kv_cache_bytes", "whole"), ("state_bytes", "whole_state")):
        assert (apart[column] * apart["degree"].cast(pl.Int64) >= apart[of_one]).all()
    paged = every.filter(workload_ix=1).join(of_minimum, on=["shape_ix", "split_ix"], suffix="_least")
    for column in ("kv_cache_bytes", "state_bytes"):
        assert (paged[column] >= paged[f"{column}_least"]).all()
    past_heads = (
        caches.filter(stages=1)
        .join(table.select("shape_ix", "kv_heads"), on="shape_ix")
        .filter(pl.col("degree") >= pl.col("kv_heads"))
        .group_by("shape_ix", "workload_ix")
        .agg(pl.col("kv_cache_bytes").n_unique())
    )
    assert (past_heads["kv_cache_bytes"] == 1).all()


@few
@given(rows=many)
def test_less_is_less(
    rows: list[dict[str, Any]],
    shapes_of: Build,
    workloads_of: Build,
    precisions: pl.DataFrame,
    kv_precisions: pl.DataFrame,
    no_overrides: pl.DataFrame,
) -> None:
    """Tied <= untied, grouped heads <= all heads, window <= full, latent <= heads, fewer bits <= more."""
    rows = [
        {**row, "p_lm_head": 0, "parameters_resident": row["parameters_resident"] - row["p_lm_head"]} for row in rows
    ]
    untied = [
        {**row, "p_lm_head": row["p_embed"], "parameters_resident": row["parameters_resident"] + row["p_embed"]}
        for row in rows
    ]
    with_heads = [
        {
            **row,
            "kv_full_elements_per_token": row["layers"] * 2 * row["heads"] * 64,
            "kv_full_layers": row["layers"],
            "kv_window_elements_per_token": 0,
            "kv_latent_elements_per_token": 0.0,
        }
        for row in rows
    ]
    latents = [{**row, "kv_full_elements_per_token": 0, "kv_latent_elements_per_token": 64.0 * row["layers"]}
               for row in with_heads]  # fmt: skip
    every_head = [{**row, "kv_full_elements_per_token": row["kv_full_elements_per_token"] * 4} for row in rows]
    no_window = [{**row, "window_tokens": 1 << 40} for row in rows]
    workloads, ix = workloads_of({}), pl.col("shape_ix") % len(rows)

    def kinds(plans: pl.LazyFrame) -> list[pl.DataFrame]:
        """Plans of one kind of row after another; kinds are planned together, as one costs as much as all."""
        kind = (pl.col("shape_ix") // len(rows)).alias("kind")
        return plans.with_columns(kind, shape_ix=ix).collect().partition_by("kind", maintain_order=True)

    cached = shapes_of(*rows, *every_head, *no_window, *with_heads, *latents)
    kept, *more, kept_with_heads, kept_latents = (
        plans["kv_cache_bytes"] for plans in kinds(estimator.cache_plans(cached, workloads, kv_precisions))
    )
    # `stored` reads the bytes of the repository, which stay the same here
    computed = precisions.filter(pl.col("policy") != "stored")
    held, held_untied = kinds(
        estimator.weight_plans(shapes_of(*rows, *untied), no_overrides, computed, estimator.residencies(workloads))
    )
    assert (held["weights_bytes"] <= held_untied["weights_bytes"]).all()
    for kept_more in more:
        assert (kept <= kept_more).all()
    assert (kept_latents <= kept_with_heads).all()
    by_bits = (
        held.filter(degree=1)
        .join(computed.filter(policy="linears", row_scale_bytes=0.0), on="precision_ix")
        .filter(pl.col("keep_bits") == 16, pl.col("block_scale_bytes") == 0)
    )
    assert rises(by_bits, "weights_bytes", along="bits_per_weight", within=["shape_ix"])


@few
@given(parameters=st.integers(1, 10**12), degree=st.sampled_from([2, 4, 8, 16]))
def test_training_orders(parameters: int, degree: int) -> None:
    def states(sharding: str, optimizer: str) -> float:
        text = {name: pl.lit(name, dtype=pl.String) for name in ("bf16", sharding, optimizer)}

        def share(stage: int) -> pl.Expr:
            return training.zero_share(sharding=text[sharding], divided_from=stage, degree=pl.lit(degree))

        recipe, trained = pl.lit("mixed"), pl.lit(parameters)
        each = training.weight_bytes_each(precision=text["bf16"])
        master = training.master_bytes_each(precision=text["bf16"], recipe=recipe)
        moments = training.moment_bytes(
            optimizer=text[optimizer],
            trained=trained,
            matrices=pl.lit(parameters // 2),
            factors=pl.lit(parameters // 100),
            number_bytes=training.moment_number_bytes(precision=text["bf16"], recipe=recipe),
        )
        total = trained * (each * share(3) + each * share(2) + master * share(1)) + moments * share(1)
        return float(pl.select(total).item())

    assert states("zero3", "adamw") <= states("zero2", "adamw") <= states("zero1", "adamw") <= states("none", "adamw")
    by_size = ("sgd", "adafactor", "adamw_8bit", "sgd_momentum", "muon", "adamw", "adamw_foreach")
    assert sorted(by_size, key=lambda optimizer: states("none", optimizer)) == list(by_size)


@few
@given(parameters=st.integers(1, 10**12), low=st.floats(1, 32), high=st.floats(1, 32))
def test_fewer_bits_need_no_more(parameters: int, low: float, high: float) -> None:
    low, high = sorted((low, high))
    sizes = [
        weights.uniform_weights_bytes(parameters=pl.lit(parameters), bits=pl.lit(bits)).alias(str(i))
        for i, bits in enumerate((low, high))
    ]
    assert pl.select(sizes).select(pl.col("0") <= pl.col("1")).item()


def inverses(plans: pl.DataFrame, budget: int) -> pl.DataFrame:
    """Longest context and most sequences, with adding, subtracting and dividing of the stored columns only."""
    c = pl.col
    rest = budget - c("state_bytes") - c("kv_constant_bytes")
    inside = c("kv_bytes_per_token") + c("kv_window_bytes_per_token")
    return plans.with_columns(
        longest=pl.when(rest < inside * c("window_tokens"))
        .then((rest / inside).floor())
        .otherwise(((rest - c("kv_window_bytes_per_token") * c("window_tokens")) / c("kv_bytes_per_token")).floor()),
        most=(budget / c("bytes_per_sequence")).floor(),
    )


@few
@given(rows=many, budget=st.integers(1 << 28, 1 << 38), kv=st.sampled_from(["bf16", "q8_0", "fp8_e4m3"]))
def test_inverse_questions_are_exact(
    rows: list[dict[str, Any]],
    budget: int,
    kv: str,
    shapes_of: Build,
    workloads_of: Build,
    kv_precisions: pl.DataFrame,
) -> None:
    workloads = workloads_of(*({"concurrent_sequences": b, "kv_precision": kv} for b in (1, 5, 32)))
    plans = estimator.cache_plans(shapes_of(*rows), workloads, kv_precisions).collect()
    growing = pl.col("kv_bytes_per_token") > 0
    answers = inverses(plans, budget).filter(growing, pl.col("longest") >= 1)

    def need(context: pl.Expr, sequences: pl.Expr) -> pl.Expr:
        kv_bytes = cache.sequence_kv_bytes(
            context=context,
            window_tokens=pl.col("window_tokens"),
            per_token=pl.col("kv_bytes_per_token"),
            per_window_token=pl.col("kv_window_bytes_per_token"),
            constant=pl.col("kv_constant_bytes"),
        )
        return cache.concurrent_bytes(one_sequence=kv_bytes, sequences=sequences) + pl.col("state_bytes")

    longest = pl.col("longest").cast(pl.Int64)
    one = pl.lit(1)
    checked = answers.select(at=need(longest, one), past=need(longest + 1, one))
    assert (checked["at"] <= budget).all()
    assert (checked["past"] > budget).all()
    per_sequence = inverses(plans, budget).filter(pl.col("bytes_per_sequence") > 0)
    full = per_sequence.select(
        at=pl.col("most") * pl.col("bytes_per_sequence"), past=(pl.col("most") + 1) * pl.col("bytes_per_sequence")
    )
    assert (full["at"] <= budget).all()
    assert (full["past"] > budget).all()


RANK = {"fits": 0, "tight": 1, "sharded": 2, "too_big": 3}


@few
@given(rows=many)
def test_more_memory_is_never_worse_and_longer_context_never_better(
    rows: list[dict[str, Any]],
    shapes_of: Build,
    workloads_of: Build,
    precisions: pl.DataFrame,
    kv_precisions: pl.DataFrame,
    engines: pl.DataFrame,
    gpus: pl.DataFrame,
    no_overrides: pl.DataFrame,
) -> None:
    """At fixed profile constants: one tier, one kind of device, only its memory grows."""
    table = shapes_of(*rows)
    workloads = workloads_of(*({"engine": "vllm", "context_tokens": n} for n in (1024, 8192, 131_072)))
    devices = pl.concat([gpus[4:5]] * 12).with_columns(
        gpu_ix=pl.int_range(12).cast(pl.UInt16), visible_bytes=(4 << 30) * 2 ** (pl.int_range(12) / 2)
    )
    devices = devices.with_columns(pl.col("visible_bytes").cast(pl.Int64))
    residencies = estimator.residencies(workloads)
    fit = estimator.fit(
        shapes=table,
        precisions=precisions,
        workloads=workloads,
        gpus=devices,
        residencies=residencies,
        weight_plans=estimator.weight_plans(table, no_overrides, precisions, residencies),
        cache_plans=estimator.cache_plans(table, workloads, kv_precisions),
        overhead_plans=estimator.overhead_plans(table, workloads, engines),
        supports=estimator.supports(precisions, devices, workloads, engines, kv_precisions),
        capacities=estimator.capacities(devices, workloads, engines, catalogs.reserves()),
    ).collect()
    fit = fit.join(estimator.outcomes(), on="outcome_ix")
    ranked = fit.filter(pl.col("verdict").is_in(list(RANK))).with_columns(
        rank=pl.col("verdict").cast(pl.String).replace_strict(RANK, return_dtype=pl.Int8),
        devices=pl.col("gpus_needed").cast(pl.Int16).fill_null(99),
        poorer=-pl.col("gpu_ix").cast(pl.Int32),
    )
    for column in ("rank", "devices"):
        pair = ["shape_ix", "precision_ix"]
        assert rises(ranked, column, along="poorer", within=["workload_ix", *pair])
        assert rises(ranked, column, along="workload_ix", within=["gpu_ix", *pair])


@few
@given(
    full=st.integers(0, 2**30), more_in_fp32=st.integers(0, 2**28), layers=st.integers(2, 200),
    hidden=st.integers(64, 16_384), tokens=st.integers(1, 2**20), more=st.integers(0, 2**20),
)  # fmt: skip
def test_training_activations_order(
    full: int, more_in_fp32: int, layers: int, hidden: int, tokens: int, more: int
) -> None:
    """Checkpointing needs no more where layers keep their inputs, autocast no less, and more tokens no less; a fused
    loss no more where the words are three times as many as the numbers of a hidden state.
    """
    full += 4 * hidden * layers

    def step(method: str, tokens: int, *, is_checkpointed: bool, recipe: str = "mixed", loss: str = "plain") -> float:
        which = {"method": pl.lit(method), "recipe": pl.lit(recipe)}
        between = training_activations.input_bytes(**which, hidden=pl.lit(hidden))
        saved = training_activations.token_bytes(
            **which, full=pl.lit(full), autocast=pl.lit(full + more_in_fp32), fp32=pl.lit(2 * full),
            adapted=pl.lit(full),
        )  # fmt: skip
        total = training_activations.forward_peak_bytes(
            tokens=pl.lit(tokens), saved=saved, layers=pl.lit(layers), between=between, dequantised=pl.lit(0.0),
            is_checkpointed=pl.lit(is_checkpointed),
            loss=training_activations.loss_bytes(
                loss=pl.lit(loss), tokens=pl.lit(tokens), hidden=pl.lit(hidden), vocabulary=pl.lit(3 * hidden),
                logit_bytes=pl.lit(12), between=between, head_gradient=pl.lit(0.0),
                norm=training_activations.norm_bytes(**which, hidden=pl.lit(hidden)),
            ),
        )  # fmt: skip
        return float(pl.select(total).item())

    assert step("full", tokens, is_checkpointed=False) <= step("full", tokens, is_checkpointed=False, recipe="autocast")
    assert step("full", tokens, is_checkpointed=False) <= step("full", tokens, is_checkpointed=False, recipe="fp32")
    assert step("full", tokens, is_checkpointed=True) <= step("full", tokens, is_checkpointed=False)
    assert step("full", tokens, is_checkpointed=True) <= step("full", tokens + more, is_checkpointed=True)
    for is_checkpointed in (False, True):
        fused = step("full", tokens, is_checkpointed=is_checkpointed, loss="fused")
        assert fused <= step("full", tokens, is_checkpointed=is_checkpointed)


@few
@given(rows=many)
def test_states_do_not_grow(
    rows: list[dict[str, Any]], shapes_of: Build, workloads_of: Build, kv_precisions: pl.DataFrame
) -> None:
    """A model of recurrent layers alone keeps as much after a million tokens as after one."""
    none = dict.fromkeys(("kv_full_elements_per_token", "kv_window_elements_per_token", "window_tokens"), 0)
    alone = [
        {**row, **none, "kv_latent_elements_per_token": 0.0, "state_recurrent_elements": 10**6 + row["layers"]}
        for row in rows
    ]
    workloads = workloads_of(*({"context_tokens": tokens, "engine": "vllm"} for tokens in (1, 8192, 10**6)))
    plans = estimator.cache_plans(shapes_of(*alone), workloads, kv_precisions).collect()
    assert plans["kv_cache_bytes"].unique().to_list() == [0]
    assert (plans["state_bytes"] > 0).all()
    assert (plans.group_by("shape_ix", "split_ix").agg(pl.col("state_bytes").n_unique())["state_bytes"] == 1).all()


@few
@given(rows=many)
def test_prefix_caching_keeps_every_state_twice(
    rows: list[dict[str, Any]], shapes_of: Build, workloads_of: Build, kv_precisions: pl.DataFrame
) -> None:
    hybrids = [{**row, "state_recurrent_elements": 10**6 * row["layers"]} for row in rows]
    workloads = workloads_of(*({"engine": "vllm", "engine_options": name} for name in (None, "prefix_caching")))
    plans = estimator.cache_plans(shapes_of(*hybrids), workloads, kv_precisions).collect()
    plain, cached = (plans.filter(workload_ix=workload).sort("shape_ix", "split_ix") for workload in (0, 1))
    twice = 2 * plain["state_bytes"] - cached["state_bytes"]
    assert ((twice >= 0) & (twice <= 1)).all()  # bytes are rounded up once
    for name in ("kv_cache_bytes", "step_cache_bytes", "kv_bytes_per_token", "block_tokens"):
        assert plain[name].equals(cached[name])


@few
@given(rows=many)
def test_margins_are_no_less_than_nothing(
    rows: list[dict[str, Any]],
    shapes_of: Build,
    workloads: pl.DataFrame,
    precisions: pl.DataFrame,
    kv_precisions: pl.DataFrame,
    engines: pl.DataFrame,
    no_overrides: pl.DataFrame,
) -> None:
    """So that low <= middle <= high; and no term is less than nothing."""
    table = shapes_of(*rows)
    plans = (
        estimator.weight_plans(table, no_overrides, precisions, estimator.residencies(workloads)),
        estimator.cache_plans(table, workloads, kv_precisions),
        estimator.overhead_plans(table, workloads, engines),
    )
    for plan in plans:
        sizes = plan.select(pl.col("^.*_bytes$")).collect()
        assert sizes["margin_bytes"].drop_nulls().len() > 0
        for column in sizes.iter_columns():
            assert (column.drop_nulls() >= 0).all()


@few
@given(rows=many, budget=st.integers(1 << 30, 1 << 36))
def test_inverse_questions_fall_with_each_other(
    rows: list[dict[str, Any]], budget: int, shapes_of: Build, workloads_of: Build, kv_precisions: pl.DataFrame
) -> None:
    grid = [
        {"context_tokens": tokens, "concurrent_sequences": sequences}
        for tokens in (128, 5000, 100_000)
        for sequences in (1, 3, 50)
    ]
    workloads = workloads_of(*grid)
    plans = estimator.cache_plans(shapes_of(*rows), workloads, kv_precisions).filter(split_ix=0).collect()
    answers = inverses(plans, budget).join(
        workloads.select("workload_ix", "concurrent_sequences"), on="workload_ix"
    ).with_columns(fewer=-pl.col("most"), shorter=-pl.col("longest"))  # fmt: skip
    answers = answers.filter(pl.col("kv_bytes_per_token") > 0)
    assert rises(answers, "fewer", along="context_tokens", within=["shape_ix", "concurrent_sequences"])
    assert rises(answers, "shorter", along="concurrent_sequences", within=["shape_ix", "context_tokens"])


@few
@given(rows=many)
def test_more_asked_takes_no_fewer_devices(
    rows: list[dict[str, Any]],
    shapes_of: Build,
    workloads_of: Build,
    precisions: pl.DataFrame,
    kv_precisions: pl.DataFrame,
    engines: pl.DataFrame,
    gpus: pl.DataFrame,
    no_overrides: pl.DataFrame,
) -> None:
    """More sequences, and more bits of formats that are as well known and split alike."""
    table = shapes_of(*rows)
    workloads = workloads_of(*({"engine": "vllm", "concurrent_sequences": n} for n in (1, 16, 256)))
    alike = precisions.filter(pl.col("precision").is_in(["bf16", "fp32", "fp8_e4m3"]))
    devices = gpus[4:5].with_columns(pl.lit(0, dtype=pl.UInt16).alias("gpu_ix"))
    residencies = estimator.residencies(workloads)
    fit = estimator.fit(
        shapes=table,
        precisions=alike,
        workloads=workloads,
        gpus=devices,
        residencies=residencies,
        weight_plans=estimator.weight_plans(table, no_overrides, alike, residencies),
        cache_plans=estimator.cache_plans(table, workloads, kv_precisions),
        overhead_plans=estimator.overhead_plans(table, workloads, engines),
        supports=estimator.supports(alike, devices, workloads, engines, kv_precisions),
        capacities=estimator.capacities(devices, workloads, engines, catalogs.reserves()),
    ).collect()
    # outcomes are numbered from one device to ever more, and too big
    fit = (
        fit.join(estimator.outcomes(), on="outcome_ix")
        .filter(pl.col("verdict").is_in(list(RANK)))
        .join(alike.select("precision_ix", "bits_per_weight"), on="precision_ix")
        .with_columns(pl.col("outcome_ix").cast(pl.Int16))
    )
    assert fit.height == table.height * 3 * 3
    assert rises(fit, "outcome_ix", along="workload_ix", within=["shape_ix", "precision_ix"])
    assert rises(fit, "outcome_ix", along="bits_per_weight", within=["shape_ix", "workload_ix"])


def test_more_catalog_memory_leaves_more_room(shapes_of: Build, workloads_of: Build) -> None:
    """vLLM profiles more tokens and sequences from 70 and from 160 GiB on: with Gemma's 262,208 words 3 GiB more.

    Every whole device still has more room than the next smaller one, and so has every device, slices too, of those
    with memory of their own (72 GiB of a machine's shared 96 have less room than an H200's slice of 69, which profiles
    fewer); A100 and GB10, whose batches stay small, aside.
    """
    devices = catalogs.gpus().filter(pl.col("memory_tier") != "a100").sort("gpu_id")
    devices = devices.with_row_index("gpu_ix").cast({"gpu_ix": pl.UInt16})
    tiers = (
        pl.DataFrame({"memory_tier": MEMORY_TIERS}).with_row_index("memory_tier_ix").cast({"memory_tier_ix": pl.UInt8})
    )
    workloads = workloads_of({"engine": "vllm"})
    shape = {"vocab_size": 262_208, "hidden_size": 5376, "ffn_size": 21_504}
    taken = (
        estimator.overhead_plans(shapes_of(shape), workloads, catalogs.engines().filter("is_default"))
        .filter(split_ix=0)
        .collect()
    )
    known = ("memory_tier", "visible_bytes", "reserve_bytes")
    room = (
        estimator.capacities(devices, workloads, catalogs.engines().filter("is_default"), catalogs.reserves())
        .collect()
        .join(devices.select("gpu_ix", "segment", "is_unified_memory", *known), on="gpu_ix")
        .join(tiers, on="memory_tier")
        .join(taken.select("memory_tier_ix", "activation_bytes", "overhead_bytes"), on="memory_tier_ix")
        .with_columns(room=pl.col("usable_bytes") - pl.col("activation_bytes") - pl.col("overhead_bytes"))
    )
    assert room.height == devices.height > 200
    whole, own = room.filter(pl.col("segment") != "slice"), room.filter(~pl.col("is_unified_memory"))
    assert room.height > whole.height > 200
    assert room.height > own.height > 150
    assert rises(whole, "room", along="visible_bytes", within=["reserve_bytes"])
    assert rises(own, "room", along="visible_bytes", within=["reserve_bytes"])


@few
@given(parameters=st.integers(10**8, 10**12), rank=st.integers(1, 64))
def test_training_adapters_takes_less_than_training_all(
    parameters: int,
    rank: int,
    shapes_of: Build,
    workloads_of: Build,
    precisions: pl.DataFrame,
    no_overrides: pl.DataFrame,
) -> None:
    """Adapters that are a hundredth of the model at most, of any rank."""
    recipe = {"mode": "training", "recipe": "mixed", "objective": "sft", "optimizer": "adamw", "sharding": "none"}
    workloads = workloads_of(
        {**recipe, "method": "full"}, *({**recipe, "method": m, "lora_rank": rank} for m in ("lora", "dora"))
    )
    shape = {
        "parameters_resident": parameters,
        "lora_io": parameters // (100 * rank),
        "quant_rows": parameters // 10**5,
    }
    plans = estimator.weight_plans(shapes_of(shape), no_overrides, precisions, estimator.residencies(workloads))
    bf16 = plans.filter(precision_ix=precisions.filter(precision="bf16")["precision_ix"].item()).collect()
    total = bf16["weights_bytes"] + bf16["gradient_bytes"] + bf16["optimizer_bytes"]
    full, lora, dora = total.to_list()
    assert lora < dora < full


@few
@given(layers=st.integers(1, 100), hidden=st.integers(64, 16_384), tokens=st.integers(1, 2**20))
def test_twice_the_layers_keep_twice_as_much_for_the_backward_pass(layers: int, hidden: int, tokens: int) -> None:
    """Beside the loss, which layers do not change."""

    loss = tokens * (8.0 * hidden + 12 * 32_000)

    def step(layers: int) -> float:
        total = training_activations.forward_peak_bytes(
            tokens=pl.lit(tokens), saved=pl.lit(layers * 34.0 * hidden), layers=pl.lit(layers),
            between=pl.lit(2 * hidden), loss=pl.lit(loss), dequantised=pl.lit(0.0), is_checkpointed=pl.lit(False),
        )  # fmt: skip
        return float(pl.select(total).item())

    assert step(2 * layers) - loss == 2 * (step(layers) - loss)
