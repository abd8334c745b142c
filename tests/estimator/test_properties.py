"""What must hold for every shape: more of anything never needs less, splits never lose bytes, inverses invert."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import polars as pl
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import estimator
from estimator import cache, training, training_activations, weights

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
        "tp_ok_mask": 0b11111,
        "tp_ok_mask_128": 0b11111,
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
        .filter(degree=1)
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
    plans = estimator.cache_plans(shapes_of(*full), workloads, kv_precisions).collect()
    twice = estimator.cache_plans(shapes_of(*doubled), workloads, kv_precisions).collect()
    sizes = plans.partition_by("workload_ix", maintain_order=True)
    assert sizes[0]["kv_cache_bytes"].equals(sizes[1]["kv_cache_bytes"])
    assert (twice["kv_cache_bytes"] == plans["kv_cache_bytes"] * 2).all()


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
    plans = estimator.weight_plans(table, no_overrides, precisions, residencies).collect()
    caches = estimator.cache_plans(table, workloads, kv_precisions).collect()
    falling = plans.with_columns(spared=-pl.col("weights_bytes"))
    group = ["shape_ix", "precision_ix", "residency_ix"]
    assert (plans["weights_bytes"] >= 0).all()
    assert rises(falling, "spared", along="degree", within=group)
    whole = plans.filter(degree=1).select(*group, whole="weights_bytes")
    kept = plans.join(whole, on=group).filter(pl.col("weights_bytes") * pl.col("degree") < pl.col("whole"))
    assert kept.is_empty()
    assert rises(
        caches.with_columns(spared=-pl.col("kv_cache_bytes")),
        "spared",
        along="degree",
        within=["shape_ix", "workload_ix"],
    )
    past_heads = (
        caches.join(table.select("shape_ix", "kv_heads"), on="shape_ix")
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
    every_head = [{**row, "kv_full_elements_per_token": row["kv_full_elements_per_token"] * 4} for row in rows]
    no_window = [{**row, "window_tokens": 1 << 40} for row in rows]
    workloads = workloads_of({})

    def sizes(table: list[dict[str, Any]]) -> tuple[pl.Series, pl.Series]:
        frame = shapes_of(*table)
        residencies = estimator.residencies(workloads)
        # `stored` reads the bytes of the repository, which stay the same here
        computed = precisions.filter(pl.col("policy") != "stored")
        plans = estimator.weight_plans(frame, no_overrides, computed, residencies).collect()
        return plans["weights_bytes"], estimator.cache_plans(frame, workloads, kv_precisions).collect()[
            "kv_cache_bytes"
        ]

    held, kept = sizes(rows)
    assert (held <= sizes(untied)[0]).all()
    assert (kept <= sizes(every_head)[1]).all()
    assert (kept <= sizes(no_window)[1]).all()
    by_bits = (
        estimator.weight_plans(shapes_of(*rows), no_overrides, precisions, estimator.residencies(workloads))
        .filter(degree=1)
        .collect()
        .join(precisions.filter(policy="linears", row_scale_bytes=0.0), on="precision_ix")
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
        capacities=estimator.capacities(devices, workloads, engines),
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
    """Checkpointing needs no more where layers keep their inputs, autocast no less, and more tokens no less."""
    full += 4 * hidden * layers

    def step(method: str, tokens: int, *, is_checkpointed: bool, recipe: str = "mixed") -> float:
        which = {"method": pl.lit(method), "recipe": pl.lit(recipe)}
        saved = training_activations.token_bytes(
            **which, full=pl.lit(full), autocast=pl.lit(full + more_in_fp32), adapters=pl.lit(full),
            rank_bytes=pl.lit(0), rank=pl.lit(None, dtype=pl.Int64),
        )  # fmt: skip
        total = training_activations.forward_peak_bytes(
            tokens=pl.lit(tokens), saved=saved, layers=pl.lit(layers), hidden=pl.lit(hidden), vocabulary=pl.lit(32_000),
            between=training_activations.input_bytes(**which, hidden=pl.lit(hidden)), logit_bytes=pl.lit(12),
            is_checkpointed=pl.lit(is_checkpointed),
        )  # fmt: skip
        return float(pl.select(total).item())

    assert step("full", tokens, is_checkpointed=False) <= step("full", tokens, is_checkpointed=False, recipe="autocast")
    assert step("full", tokens, is_checkpointed=True) <= step("full", tokens, is_checkpointed=False)
    assert step("full", tokens, is_checkpointed=True) <= step("full", tokens + more, is_checkpointed=True)
