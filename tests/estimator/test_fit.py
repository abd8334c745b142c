"""The decision over the whole cross join: against a scalar reference, and what nulls, order and splitting change."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import polars as pl
import pytest

import estimator
from catalogs import reserves
from estimator.plan_schema import FIT, MEMORY_TIERS
from estimator.schema import DEGREES

KEYS = ["workload_ix", "gpu_ix", "shape_ix", "precision_ix"]


@dataclass(frozen=True)
class Catalogs:
    precisions: pl.DataFrame
    kv_precisions: pl.DataFrame
    workloads: pl.DataFrame
    engines: pl.DataFrame
    gpus: pl.DataFrame
    overrides: pl.DataFrame

    def plans(self, shapes: pl.DataFrame) -> dict[str, pl.DataFrame]:
        residencies = estimator.residencies(self.workloads).collect()
        kv, w, e = self.kv_precisions, self.workloads, self.engines
        lazy = {
            "weight_plans": estimator.weight_plans(shapes, self.overrides, self.precisions, residencies),
            "cache_plans": estimator.cache_plans(shapes, w, kv),
            "overhead_plans": estimator.overhead_plans(shapes, w, e),
            "supports": estimator.supports(self.precisions, self.gpus, w, e, kv),
            "capacities": estimator.capacities(self.gpus, w, e, reserves()),
        }
        return {"residencies": residencies, **{name: frame.collect() for name, frame in lazy.items()}}

    def decided(self, shapes: pl.DataFrame, plans: dict[str, pl.DataFrame] | None = None) -> pl.LazyFrame:
        catalogs = {"precisions": self.precisions, "workloads": self.workloads, "gpus": self.gpus}
        return estimator.fit(shapes=shapes, **catalogs, **(plans or self.plans(shapes)))

    def fit(self, shapes: pl.DataFrame, plans: dict[str, pl.DataFrame] | None = None) -> pl.LazyFrame:
        """With verdicts and devices for outcomes."""
        outcomes = estimator.outcomes().lazy()
        return self.decided(shapes, plans).join(outcomes, on="outcome_ix", maintain_order="left").drop("outcome_ix")


@pytest.fixture
def catalogs(
    precisions: pl.DataFrame,
    kv_precisions: pl.DataFrame,
    workloads: pl.DataFrame,
    engines: pl.DataFrame,
    gpus: pl.DataFrame,
    no_overrides: pl.DataFrame,
) -> Catalogs:
    return Catalogs(precisions, kv_precisions, workloads, engines, gpus, no_overrides)


def random_shape(rng: random.Random) -> dict[str, Any]:
    """Llama-3.1-8B scaled, of any kind, with some facts missing."""
    scale = rng.choice([0.1, 1, 2, 4, 8, 30, 100])
    sized = ["parameters_resident", "p_attn", "p_mlp", "p_embed", "p_lm_head", "p_norm", "p_kv_proj", "stored_bytes"]
    sizes = {name: scaled(name, scale) for name in sized}
    shape = {
        **sizes,
        "kind": rng.choice(["decoder", "decoder", "decoder", "encoder", "diffusion", "adapter"]),
        "tp_ok_mask": rng.choice([0b1000_0000_1000_1011, 0b1011, 0b1000_0000_0000_0001, 0b10_0001, 0b1, None]),
        "tp_ok_mask_128": rng.choice([0b11, 0b1, None]),
        "layers": rng.choice([32, 32, 5, None]),
        "stored_precision": rng.choice(["bf16", "nf4_dq", "fp8_e4m3", None, "not_in_the_catalog"]),
    }
    for name in ("parameters_resident", "p_mlp", "kv_full_elements_per_token", "kv_heads", "vocab_size", "lora_io"):
        if rng.random() < 0.08:
            shape[name] = None
    return shape


def scaled(name: str, scale: float) -> int:
    llama = {
        "parameters_resident": 8_030_261_248,
        "stored_bytes": 16_060_522_496,
        "p_attn": 1_342_177_280,
        "p_mlp": 5_637_144_576,
        "p_embed": 525_336_576,
        "p_lm_head": 525_336_576,
        "p_norm": 266_240,
        "p_kv_proj": 268_435_456,
    }
    return int(llama[name] * scale)


def reference(
    shapes: pl.DataFrame, c: Catalogs, plans: dict[str, pl.DataFrame]
) -> dict[tuple[int, ...], tuple[str, int | None]]:
    """The rules in plain Python, one row at a time, from the plans as a reader of the tables would join them."""

    def table(name: str, keys: list[str]) -> dict[tuple[Any, ...], dict[str, Any]]:
        return {tuple(row[k] for k in keys): row for row in plans[name].iter_rows(named=True)}

    held = table("weight_plans", ["shape_ix", "precision_ix", "residency_ix", "degree"])
    kept = table("cache_plans", ["shape_ix", "workload_ix", "split_ix"])
    taken = table("overhead_plans", ["shape_ix", "workload_ix", "memory_tier_ix", "split_ix"])
    supported = {
        key: row["is_supported"] for key, row in table("supports", ["workload_ix", "precision_ix", "gpu_ix"]).items()
    }
    capacities = table("capacities", ["gpu_ix", "workload_ix"])
    residency = dict(plans["residencies"].select("workload_ix", "residency_ix").iter_rows())
    learns = {row["workload_ix"]: row["mode"] == "training" for row in c.workloads.iter_rows(named=True)}
    formats = {row["precision"]: row for row in c.precisions.iter_rows(named=True)}
    trains = {
        "full": ["bf16", "fp16"],
        "lora": ["bf16", "fp16", "fp32"],
        "qlora": ["nf4", "nf4_dq", "fp4_bnb"],
    }

    def total(row: dict[str, Any] | None, *names: str) -> int | None:
        if row is None or any(row[name] is None for name in names):
            return None
        return sum(row[name] for name in names)

    def need(shape: int, precision: int, workload: int, tier: int, degree: int, *margin: str) -> int | None:
        model = held.get((shape, precision, residency[workload], degree))
        split = None if model is None else model["split_ix"]
        beside = taken.get((shape, workload, tier, split))
        parts = [
            total(model, "weights_bytes", "optimizer_bytes", *margin),
            total(kept.get((shape, workload, split)), "kv_cache_bytes", "state_bytes", *margin),
            in_flight(kept.get((shape, workload, split)), beside),
            total(beside, "overhead_bytes", *margin),
            total(beside, "activation_bytes"),
        ]
        if learns[workload]:  # gradients come after the forward pass, and the update after the backward pass
            moments = [
                total(beside, "activation_bytes"),
                added(total(model, "gradient_bytes"), total(beside, "backward_bytes")),
                added(total(model, "gradient_bytes"), total(model, "update_bytes")),
            ]
            parts[-1] = None if None in moments else max(moment for moment in moments if moment is not None)
        return added(*parts)

    def in_flight(cache: dict[str, Any] | None, beside: dict[str, Any] | None) -> int | None:
        """What layers with a window keep of a prompt beyond it: all of it, or a batch."""
        names = ("context_tokens", "window_tokens", "kv_window_bytes_per_token")
        if total(cache, *names) is None or total(beside, "in_flight_tokens") is None:
            return None
        assert cache is not None
        assert beside is not None
        tokens = -(-cache["context_tokens"] // cache["block_tokens"]) * cache["block_tokens"]
        beyond = min(beside["in_flight_tokens"], max(0, tokens - cache["window_tokens"]))
        return math.ceil(cache["kv_window_bytes_per_token"] * beyond)

    def added(*parts: int | None) -> int | None:
        return None if None in parts else sum(part for part in parts if part is not None)

    def is_valid(shape: dict[str, Any], workload: dict[str, Any], alignment: int, degree: int) -> bool | None:
        """Whether a decoder divides into groups of widths that divide, and as many groups of layers as are needed."""
        if degree == 1:
            return True
        if workload["mode"] == "training":
            return bool(workload["sharding"] != "none")
        if shape["kind"] in ("diffusion", "adapter"):
            return False
        mask = shape["tp_ok_mask"] if alignment == 1 else shape[f"tp_ok_mask_{alignment}"]
        if mask is None:
            return None
        widest = 8 if workload["max_nodes"] else degree
        for tensor in (n for n in range(degree, 0, -1) if degree % n == 0 and n <= widest):
            if tensor == 1 or mask >> (tensor - 1) & 1:
                if tensor == degree:
                    return True
                if shape["kind"] != "decoder":
                    continue
                if shape["layers"] is None:
                    return None
                if degree // tensor <= shape["layers"]:
                    return True
        return False

    def in_reach(workload: dict[str, Any], gpu: dict[str, Any]) -> int:
        """Devices: of a node, or of several where groups of eight have a place in one or all are copies."""
        node, nodes = gpu["max_gpus_per_node"], workload["max_nodes"] or 1
        has_room = node >= 8 or workload["mode"] == "training"
        return int(min(node * nodes if has_room else node, workload["max_gpus"] or 99))

    def judge(
        shape: dict[str, Any], precision: dict[str, Any], workload: dict[str, Any], gpu: dict[str, Any]
    ) -> tuple[str, int | None]:
        effective = shape["stored_precision"] if precision["precision"] == "stored" else precision["precision"]
        s, p, w, g = shape["shape_ix"], precision["precision_ix"], workload["workload_ix"], gpu["gpu_ix"]
        if workload["engine"] == "vllm" and shape["kind"] in ("diffusion", "adapter"):
            return "unsupported", None
        if effective is None:
            return "unknown", None
        if workload["mode"] == "training" and effective not in trains[workload["method"]]:
            return "unsupported", None
        if effective not in formats:
            return "unknown", None
        if (kernel := supported[(w, formats[effective]["precision_ix"], g)]) is not True:
            return ("unknown" if kernel is None else "unsupported"), None
        budget = capacities[(g, w)]
        tier = MEMORY_TIERS.index(gpu["memory_tier"])
        if budget["usable_bytes"] is None:
            return "unknown", None
        for degree in DEGREES:
            if degree > in_reach(workload, gpu):
                break
            valid = is_valid(shape, workload, formats[effective]["shard_alignment"], degree)
            if valid is False:
                continue
            middle, high = need(s, p, w, tier, degree), need(s, p, w, tier, degree, "margin_bytes")
            if valid is None or middle is None or high is None:
                return "unknown", None
            if high <= budget["assured_bytes"]:
                return ("fits" if degree == 1 else "sharded"), degree
            if degree == 1 and middle <= budget["usable_bytes"]:
                return "tight", 1
        offloads = is_offloaded(shape, precision, workload, gpu)
        return ("unknown" if offloads is None else "offload" if offloads else "too_big"), None

    def is_offloaded(
        shape: dict[str, Any], precision: dict[str, Any], workload: dict[str, Any], gpu: dict[str, Any]
    ) -> bool | None:
        """All but a layer of the weights may leave, into 0.8 of the host's memory; how much is open without layers."""
        host = workload["host_memory_gib"]
        if host is None or gpu["is_unified_memory"]:
            return False
        at = (shape["shape_ix"], precision["precision_ix"], workload["workload_ix"],
              MEMORY_TIERS.index(gpu["memory_tier"]), 1)  # fmt: skip
        middle, high = need(*at), need(*at, "margin_bytes")
        weights = held[(*at[:2], residency[workload["workload_ix"]], 1)]["weights_bytes"]
        assert middle is not None
        assert high is not None
        layer = weights // shape["layers"] if shape["layers"] else 0
        kept_here = max(middle - int(0.8 * host * 2**30), high - weights + layer)
        does = bool(kept_here <= capacities[(gpu["gpu_ix"], workload["workload_ix"])]["usable_bytes"])
        return None if does and shape["layers"] is None else does

    rows = [frame.to_dicts() for frame in (shapes, c.precisions, c.workloads, c.gpus)]
    return {
        (w["workload_ix"], g["gpu_ix"], s["shape_ix"], p["precision_ix"]): judge(s, p, w, g)
        for s in rows[0]
        for p in rows[1]
        for w in rows[2]
        for g in rows[3]
    }


@pytest.mark.parametrize("seed", range(4))
def test_verdicts_equal_the_scalar_reference(
    seed: int, catalogs: Catalogs, shapes_of: Callable[..., pl.DataFrame]
) -> None:
    rng = random.Random(seed)
    shapes = shapes_of(*(random_shape(rng) for _ in range(8)))
    plans = catalogs.plans(shapes)
    got = {row[:4]: row[4:] for row in catalogs.fit(shapes, plans).collect().iter_rows()}
    assert got == reference(shapes, catalogs, plans)


@pytest.mark.parametrize("seed", range(2))
def test_offloads_and_limits_equal_the_scalar_reference(
    seed: int,
    catalogs: Catalogs,
    shapes_of: Callable[..., pl.DataFrame],
    workloads_of: Callable[..., pl.DataFrame],
) -> None:
    workloads = workloads_of(
        {"engine": "vllm", "host_memory_gib": 64.0},
        {"engine": "vllm", "host_memory_gib": 8.0, "max_gpus": 1},
        {"engine": "vllm", "max_gpus": 1},
        {"engine": "vllm", "max_gpus": 3, "host_memory_gib": 500.0},
        {"engine": "vllm", "max_nodes": 2, "context_tokens": 100_000},
        {"engine": "vllm", "max_nodes": 4, "max_gpus": 8, "concurrent_sequences": 5},
    )
    ours = Catalogs(**{**catalogs.__dict__, "workloads": workloads})
    rng = random.Random(seed)
    shapes = shapes_of(*(random_shape(rng) for _ in range(8)))
    plans = ours.plans(shapes)
    got = {row[:4]: row[4:] for row in ours.fit(shapes, plans).collect().iter_rows()}
    assert got == reference(shapes, ours, plans)
    assert "offload" in {verdict for verdict, _ in got.values()}


def test_what_a_host_holds_is_a_literal(
    catalogs: Catalogs, shapes_of: Callable[..., pl.DataFrame], workloads_of: Callable[..., pl.DataFrame]
) -> None:
    """Llama-3.1-8B in bf16 on 14.56 GiB (a T4): 17.13 GB of 15.63; engine none keeps nothing else.

    2 GiB of a host hold 1.72 GB of weights, which is enough; 1 GiB holds 0.86 GB, which is not.
    """
    workloads = workloads_of(*({"max_gpus": 1, "host_memory_gib": host} for host in (2.0, 1.0, None)))
    ours = Catalogs(**{**catalogs.__dict__, "workloads": workloads})
    fit = ours.fit(shapes_of({})).collect().filter(precision_ix=0, gpu_ix=2)
    assert fit["verdict"].to_list() == ["offload", "too_big", "too_big"]
    # whether a layer of unknown size has room is open, but not where the host cannot hold enough
    fit = ours.fit(shapes_of({"layers": None})).collect().filter(precision_ix=0, gpu_ix=2)
    assert fit["verdict"].to_list() == ["unknown", "too_big", "too_big"]


def test_pages_of_an_optimizer_are_tight_without_and_fit_with_them(
    catalogs: Catalogs, shapes_of: Callable[..., pl.DataFrame], workloads_of: Callable[..., pl.DataFrame]
) -> None:
    """24.86 GB of a device: 4·10⁹ parameters in 16 bits with gradients are 16 GB and a layer, two moments 16 more.

    Of 2·10⁹ all have room, and without pages nothing changes for those.
    """
    training = {"mode": "training", "method": "full", "recipe": "pure", "objective": "sft", "sharding": "none",
                "gradient_checkpointing": True, "context_tokens": 2048}  # fmt: skip
    workloads = workloads_of(*({**training, "optimizer": name} for name in ("adamw_paged", "adamw")))
    ours = Catalogs(**{**catalogs.__dict__, "workloads": workloads})
    shapes = shapes_of({"parameters_resident": 4 * 10**9}, {"parameters_resident": 2 * 10**9})
    fit = ours.fit(shapes).collect().filter(precision_ix=0, gpu_ix=1)
    assert fit["verdict"].to_list() == ["tight", "fits", "too_big", "fits"]


def test_every_verdict_but_offload_occurs(catalogs: Catalogs, shapes_of: Callable[..., pl.DataFrame]) -> None:
    rng = random.Random(0)
    verdicts = catalogs.fit(shapes_of(*(random_shape(rng) for _ in range(30)))).collect()["verdict"]
    assert set(verdicts) == {"fits", "tight", "sharded", "too_big", "unsupported", "unknown"}


@pytest.mark.parametrize("engine", ["in-memory", "streaming"])
def test_whole_cross_join_sorted_in_its_schema(
    engine: Any, catalogs: Catalogs, shapes_of: Callable[..., pl.DataFrame]
) -> None:
    shapes = shapes_of(*({} for _ in range(20)))
    assert catalogs.decided(shapes).collect(engine=engine).schema == FIT
    fit = catalogs.fit(shapes).collect(engine=engine)
    assert fit.height == 20 * catalogs.precisions.height * catalogs.workloads.height * catalogs.gpus.height
    assert fit.select(KEYS).equals(fit.select(KEYS).unique().sort(KEYS))
    held = pl.col("verdict").is_in(["fits", "tight", "sharded"])
    assert fit.filter(held != pl.col("gpus_needed").is_not_null()).is_empty()


def test_outcomes_are_numbered_from_the_best_to_the_unknown() -> None:
    """A table of its own, because hundreds of millions of rows name its lines."""
    assert estimator.outcomes().rows() == [
        (0, "fits", 1), (1, "tight", 1), (2, "sharded", 2), (3, "sharded", 3), (4, "sharded", 4), (5, "sharded", 5),
        (6, "sharded", 6), (7, "sharded", 7), (8, "sharded", 8), (9, "sharded", 16),
        (10, "offload", None), (11, "too_big", None), (12, "unsupported", None), (13, "unknown", None),
    ]  # fmt: skip


def test_an_empty_shard_has_its_schema(catalogs: Catalogs, shapes_of: Callable[..., pl.DataFrame]) -> None:
    fit = catalogs.decided(shapes_of({}).clear()).collect()
    assert fit.schema == FIT
    assert fit.is_empty()


def test_devices_may_be_numbered_in_any_order(catalogs: Catalogs, shapes_of: Callable[..., pl.DataFrame]) -> None:
    shapes = shapes_of({}, {"tp_ok_mask": 0b1011})
    shuffled = catalogs.gpus.sample(fraction=1, shuffle=True, seed=3).with_columns(
        was=pl.col("gpu_ix"), gpu_ix=pl.int_range(pl.len()).cast(pl.UInt16)
    )
    other = Catalogs(**{**catalogs.__dict__, "gpus": shuffled})
    renamed = (
        other.fit(shapes)
        .collect()
        .join(shuffled.select("gpu_ix", "was"), on="gpu_ix", maintain_order="left")
        .with_columns(gpu_ix="was")
        .drop("was")
    )
    assert renamed.sort(KEYS).equals(catalogs.fit(shapes).collect())


def test_order_of_shapes_changes_nothing(catalogs: Catalogs, shapes_of: Callable[..., pl.DataFrame]) -> None:
    rng = random.Random(5)
    shapes = shapes_of(*(random_shape(rng) for _ in range(6)))
    assert catalogs.fit(shapes.reverse()).collect().equals(catalogs.fit(shapes).collect())


def test_parts_concatenate_to_the_whole(catalogs: Catalogs, shapes_of: Callable[..., pl.DataFrame]) -> None:
    rng = random.Random(6)
    shapes = shapes_of(*(random_shape(rng) for _ in range(6)))
    parts = pl.concat([catalogs.fit(shapes[:2]).collect(), catalogs.fit(shapes[2:]).collect()])
    assert parts.sort(KEYS).equals(catalogs.fit(shapes).collect())


# what each verdict under an engine reads; weights of `stored` come from stored_bytes alone
READ = ["parameters_resident", "kv_full_elements_per_token", "kv_latent_elements_per_token", "state_conv_elements"]
READ_BY_VLLM = [*READ, "vocab_size", "hidden_size", "ffn_size", "experts", "rope_cache_elements", "stored_bytes"]


@pytest.mark.parametrize("column", sorted(set(READ_BY_VLLM)))
def test_null_in_unknown_out(column: str, catalogs: Catalogs, shapes_of: Callable[..., pl.DataFrame]) -> None:
    fit = catalogs.fit(shapes_of({column: None})).collect()
    names = catalogs.precisions.select("precision_ix", "precision")
    rows = fit.join(names, on="precision_ix")
    is_stored = pl.col("precision") == "stored"
    if column == "stored_bytes":
        rows = rows.filter(is_stored, pl.col("workload_ix") < 3)
    elif column == "parameters_resident":
        rows = rows.filter(~is_stored)
    else:
        served = [0, 1, 2] if column in READ else [1, 2]
        rows = rows.filter(pl.col("workload_ix").is_in(served))
    assert set(rows["verdict"]) == {"unknown", "unsupported"}


def test_unknown_kind_is_unknown_to_an_engine(catalogs: Catalogs, shapes_of: Callable[..., pl.DataFrame]) -> None:
    fit = catalogs.fit(shapes_of({"kind": None})).collect()
    assert set(fit.filter(pl.col("workload_ix").is_in([1, 2]))["verdict"]) <= {"unknown", "unsupported"}


def test_unknown_device_facts_are_unknown(catalogs: Catalogs, shapes_of: Callable[..., pl.DataFrame]) -> None:
    blank = catalogs.gpus.with_columns(
        visible_bytes=pl.when(pl.col("gpu_ix") == 0).then(None).otherwise("visible_bytes"),
        max_gpus_per_node=pl.when(pl.col("gpu_ix") == 2).then(None).otherwise("max_gpus_per_node"),
        compute_capability=pl.when(pl.col("gpu_ix") == 4).then(None).otherwise("compute_capability"),
    )
    fit = Catalogs(**{**catalogs.__dict__, "gpus": blank}).fit(shapes_of({})).collect()
    assert set(fit.filter(gpu_ix=0)["verdict"]) == {"unknown", "unsupported"}
    # a device of unknown node size is judged alone: what it cannot hold may or may not be split
    alone = fit.filter(gpu_ix=2, workload_ix=0)
    assert set(alone["verdict"]) == {"fits", "unknown", "unsupported"}
    # and one of unknown capability is not asked about formats that ask for one
    asking = catalogs.precisions.filter(pl.col("min_compute_capability").is_not_null())["precision_ix"]
    open_ = fit.filter(pl.col("precision_ix").is_in(asking.implode()), gpu_ix=4, workload_ix=0)
    assert set(open_["verdict"]) == {"unknown"}


def test_more_classes_of_devices_than_bits(
    catalogs: Catalogs, shapes_of: Callable[..., pl.DataFrame], workloads_of: Callable[..., pl.DataFrame]
) -> None:
    # 80 vendors, each with its own precision
    many = range(80)
    gpus = pl.concat([catalogs.gpus[4:5]] * 80).with_columns(
        gpu_ix=pl.int_range(80).cast(pl.UInt16), vendor=pl.format("vendor{}", pl.int_range(80))
    )
    bf16 = catalogs.precisions[0:1]
    precisions = pl.concat([bf16] * 80).with_columns(
        precision_ix=pl.int_range(80).cast(pl.UInt16),
        precision=pl.format("bf16_{}", pl.int_range(80)),
        vendors=pl.format("vendor{}", pl.int_range(80)),
    )
    changed = {"gpus": gpus, "precisions": precisions, "workloads": workloads_of({})}
    fit = Catalogs(**{**catalogs.__dict__, **changed}).fit(shapes_of({})).collect()
    fits = fit.filter(pl.col("verdict") == "fits")
    assert fits.select("gpu_ix", "precision_ix").rows() == [(i, i) for i in many]
    assert set(fit["verdict"]) == {"fits", "unsupported"}
