"""Random shapes on the real catalogs: the estimator's frames against plain Python, number by number.

`scalar` follows the prose of docs/method.md and shares no code with the estimator, nor a slip of the pen. Bytes may
differ by one, where Float64 falls on either side of a whole number.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import polars as pl
import pytest
import random_shapes
from scalar import cache, capacity, margins, overhead, speed, split, support, training, verdict, weights
from scalar.known import Facts, Unknown, or_none, up
from scalar.split import Split

import catalogs
import estimator
from estimator.plan_schema import MEMORY_TIERS
from estimator.schema import SHAPES, WEIGHT_OVERRIDES

SEED, SHAPES_TRIED, DEVICES_TRIED, DECISIONS_TRIED = 18, 12, 12, 4800
SPLITS_SEEN = {"single", "tp", "pp", "tp+pp", "tp+ep", "dp", "dp+ep"}
WITHOUT_NUMBERS = str.maketrans("", "", "0123456789")
ONE_OF = 3  # precisions of a shape that are compared one by one; another third for the next shape

INFERENCE = [
    {"engine": "sglang", "context_tokens": 5000, "concurrent_sequences": 3, "kv_precision": "bf16"},
    {"engine": "llamacpp", "context_tokens": 5000, "concurrent_sequences": 3, "kv_precision": "q8_0"},
    {"engine": "transformers", "context_tokens": 3000, "concurrent_sequences": 2, "kv_precision": "bf16"},
    {"engine": "none", "context_tokens": 100, "concurrent_sequences": 5, "kv_precision": "fp32"},
    {"engine": "vllm", "context_tokens": 4096, "concurrent_sequences": 5, "kv_precision": "bf16",
     "attention_parallelism": "data"},
    {"engine": "none", "context_tokens": 2000, "concurrent_sequences": 16, "kv_precision": "fp8_e4m3",
     "attention_parallelism": "data"},
    {"engine": "vllm", "context_tokens": 8192, "concurrent_sequences": 1, "kv_precision": "bf16",
     "host_memory_gib": 24.5, "max_gpus": 3},
    {"engine": "llamacpp", "context_tokens": 2000, "concurrent_sequences": 2, "kv_precision": "fp16",
     "host_memory_gib": 8.0, "max_gpus": 1, "engine_options": "full_window"},
    {"engine": "llamacpp", "context_tokens": 3000, "concurrent_sequences": 3, "kv_precision": "fp16",
     "engine_options": "no_flash_attention"},
    {"engine": "llamacpp", "context_tokens": 300, "concurrent_sequences": 1, "kv_precision": "q8_0",
     "engine_options": "full_window no_flash_attention"},
    {"engine": "vllm", "context_tokens": 6000, "concurrent_sequences": 2, "kv_precision": "bf16",
     "engine_options": "eager full_window"},
    {"engine": "vllm", "context_tokens": 9000, "concurrent_sequences": 2, "kv_precision": "bf16",
     "context_parallel": 2},
    {"engine": "vllm", "context_tokens": 100_000, "concurrent_sequences": 3, "kv_precision": "bf16", "max_nodes": 2},
    {"engine": "sglang", "context_tokens": 50_000, "concurrent_sequences": 40, "kv_precision": "bf16", "max_nodes": 4,
     "attention_parallelism": "data"},
    {"engine": "trtllm", "context_tokens": 9000, "concurrent_sequences": 3, "kv_precision": "fp8_e4m3"},
    {"engine": "trtllm", "context_tokens": 60_000, "concurrent_sequences": 2, "kv_precision": "bf16", "max_nodes": 2},
    {"engine": "mlx", "context_tokens": 9000, "concurrent_sequences": 2, "kv_precision": "bf16"},
    {"engine": "mlx", "context_tokens": 3000, "concurrent_sequences": 1, "kv_precision": "mlx_8bit_g64"},
    {"engine": "vllm", "context_tokens": 5000, "concurrent_sequences": 3, "kv_precision": "fp8_e4m3",
     "engine_options": "prefix_caching"},
    {"engine": "vllm", "context_tokens": 5000, "concurrent_sequences": 3, "kv_precision": "bf16",
     "engine_options": "prefix_caching", "speculative_tokens": 3, "acceptance": 0.8},
    {"engine": "none", "context_tokens": 700, "concurrent_sequences": 2, "kv_precision": "bf16",
     "speculative_tokens": 1, "acceptance": 0.9},
    {"engine": "sglang", "context_tokens": 3000, "concurrent_sequences": 40, "kv_precision": "bf16",
     "speculative_tokens": 2, "acceptance": 1.0},
]  # fmt: skip
FULL = {
    "mode": "training", "engine": "transformers", "context_tokens": 2048, "concurrent_sequences": 2, "method": "full",
    "recipe": "mixed", "objective": "sft", "optimizer": "adamw", "gradient_checkpointing": False, "sharding": "none",
    "loss": "plain",
}  # fmt: skip
TRAINING = [
    {"method": "lora", "lora_rank": 8},
    {"method": "dora", "lora_rank": 8, "objective": "dpo", "optimizer": "adamw_paged"},
    {"method": "qlora", "lora_rank": 16, "objective": "ppo", "optimizer": "adamw_8bit", "gradient_checkpointing": True},
    {"recipe": "autocast", "optimizer": "adamw_foreach"},
    {"recipe": "autocast", "optimizer": "muon", "gradient_checkpointing": True, "sharding": "zero2"},
    {"recipe": "pure", "optimizer": "lion", "objective": "ppo"},
    {"recipe": "fp32", "optimizer": "sgd", "sharding": "zero1"},
    {"recipe": "fp32", "loss": "fused", "gradient_checkpointing": True, "context_tokens": 5000},
    {"optimizer": "adafactor", "objective": "grpo", "sharding": "zero3"},
    {"recipe": "deepspeed", "sharding": "zero3", "gradient_checkpointing": True},
    {"recipe": "deepspeed", "sharding": "zero2", "gradient_accumulation": True},
    {"recipe": "megatron", "sharding": "zero1"},
    {"recipe": "pure", "loss": "fused", "optimizer": "adamw_paged"},
    {"method": "dora", "lora_rank": 4, "lora_targets": "attention_qv", "sharding": "zero3"},
    {"recipe": "autocast", "loss": "fused", "gradient_checkpointing": True, "sharding": "fsdp"},
    {
        "method": "lora",
        "lora_rank": 8,
        "lora_targets": "attention_qv",
        "loss": "fused",
        "objective": "dpo",
        "context_tokens": 1500,
    },
    {"recipe": "deepspeed", "sharding": "zero2_offload", "host_memory_gib": 500.0},
    {"sharding": "zero3_offload", "host_memory_gib": 2000.0, "gradient_checkpointing": True},
    {"recipe": "autocast", "optimizer": "adamw_foreach", "sharding": "zero3_offload", "host_memory_gib": 8.0},
    {"recipe": "deepspeed", "sharding": "zero3_param_offload", "host_memory_gib": 2000.0},
    {"method": "qlora", "lora_rank": 8, "sharding": "zero3_param_offload", "host_memory_gib": 30.0, "loss": "fused"},
    {"recipe": "autocast", "sharding": "fsdp", "gradient_accumulation": True, "gradient_checkpointing": True},
    {"method": "lora", "lora_rank": 8, "sharding": "fsdp", "gradient_accumulation": True, "recipe": "pure"},
    {"engine": "none", "optimizer": "sgd_momentum", "objective": "dpo", "gradient_checkpointing": True},
    {"sharding": "fsdp", "gradient_checkpointing": True, "max_nodes": 2},
]


def facts(frame: pl.DataFrame) -> list[Facts]:
    return [Facts(row) for row in frame.iter_rows(named=True)]


def numbered(frame: pl.DataFrame, key: str, dtype: type[pl.DataType]) -> pl.DataFrame:
    return frame.with_row_index(key).with_columns(pl.col(key).cast(dtype))


@dataclass(frozen=True)
class Tried:
    """One set of inputs, as frames and row by row."""

    shape_frame: pl.DataFrame
    precision_frame: pl.DataFrame
    workload_frame: pl.DataFrame
    gpu_frame: pl.DataFrame
    engine_frame: pl.DataFrame
    kv_frame: pl.DataFrame
    reserve_frame: pl.DataFrame

    @cached_property
    def shapes(self) -> list[Facts]:
        return facts(self.shape_frame)

    @cached_property
    def precisions(self) -> list[Facts]:
        return facts(self.precision_frame)

    @cached_property
    def workloads(self) -> list[Facts]:
        return facts(self.workload_frame)

    @cached_property
    def gpus(self) -> list[Facts]:
        return facts(self.gpu_frame)

    @cached_property
    def residencies(self) -> pl.DataFrame:
        return estimator.residencies(self.workload_frame).collect()

    @cached_property
    def runs(self) -> list[Facts]:
        """One workload of each residency, in their order."""
        of = self.residencies.unique("residency_ix", maintain_order=True).sort("residency_ix")
        return [self.workloads[ix] for ix in of["workload_ix"]]

    @cached_property
    def parallelism(self) -> dict[int, str]:
        return dict(estimator.splits().select("split_ix", "parallelism").iter_rows())

    @cached_property
    def splits(self) -> dict[int, Split]:
        names = ("degree", "tensor", "stages", "replicas", "has_whole_experts")
        return {row["split_ix"]: Split(*(row[name] for name in names)) for row in facts(estimator.splits())}

    @cached_property
    def kv(self) -> dict[str, Facts]:
        return {row["kv_precision"]: row for row in facts(self.kv_frame)}

    @cached_property
    def _profiles(self) -> dict[tuple[str, str], Facts]:
        return {(row["engine"], row["memory_tier"]): row for row in facts(self.engine_frame)}

    @cached_property
    def _formats(self) -> dict[str, Facts]:
        return {row["precision"]: row for row in self.precisions}

    def profile(self, workload: Facts, tier: str) -> Facts:
        return self._profiles[workload["engine"], tier]

    def effective(self, shape: Facts, precision: Facts) -> Facts | None:
        """The format that the weights have; None where the repository's has no row."""
        if precision["policy"] != "stored":
            return precision
        return self._formats.get(shape.get("stored_precision") or "")

    @cached_property
    def weight_plans(self) -> pl.DataFrame:
        none = pl.DataFrame(schema=WEIGHT_OVERRIDES)
        return estimator.weight_plans(self.shape_frame, none, self.precision_frame, self.residencies).collect()

    @cached_property
    def cache_plans(self) -> pl.DataFrame:
        return estimator.cache_plans(self.shape_frame, self.workload_frame, self.kv_frame).collect()

    @cached_property
    def overhead_plans(self) -> pl.DataFrame:
        return estimator.overhead_plans(self.shape_frame, self.workload_frame, self.engine_frame).collect()

    @cached_property
    def capacities(self) -> pl.DataFrame:
        frames = (self.gpu_frame, self.workload_frame, self.engine_frame, self.reserve_frame)
        return estimator.capacities(*frames).collect()

    @cached_property
    def reserves(self) -> list[Facts]:
        return facts(self.reserve_frame)

    @cached_property
    def supports(self) -> pl.DataFrame:
        frames = (self.precision_frame, self.gpu_frame, self.workload_frame, self.engine_frame, self.kv_frame)
        return estimator.supports(*frames).collect()


@pytest.fixture(scope="module")
def tried() -> Tried:
    shapes = pl.DataFrame(random_shapes.shapes(SEED, SHAPES_TRIED), schema=SHAPES, orient="row")
    ours = catalogs.workloads()
    more = [{"mode": "inference", **each} for each in INFERENCE]
    more += [{**FULL, "lora_targets": "all_linear" if "lora_rank" in each else None, **each} for each in TRAINING]
    rows = [{**dict.fromkeys(ours.columns), "workload": f"more-{n}", **each} for n, each in enumerate(more)]
    tiers = pl.DataFrame({"memory_tier": MEMORY_TIERS}).with_row_index("tier")
    devices = catalogs.gpus().sample(DEVICES_TRIED, seed=SEED).join(tiers, on="memory_tier").sort("tier", "gpu_id")
    return Tried(
        shape_frame=shapes.with_row_index("shape_ix"),
        precision_frame=numbered(catalogs.precisions(), "precision_ix", pl.UInt16),
        workload_frame=numbered(pl.concat([ours, pl.DataFrame(rows, schema=ours.schema)]), "workload_ix", pl.UInt8),
        gpu_frame=numbered(devices, "gpu_ix", pl.UInt16),
        engine_frame=catalogs.engines().filter("is_default"),
        kv_frame=catalogs.kv_precisions(),
        reserve_frame=catalogs.reserves().sample(fraction=1, shuffle=True, seed=SEED),
    )


class Differences:
    """What the two sides do not agree on, with where."""

    def __init__(self) -> None:
        self.found: list[tuple[Any, ...]] = []
        self.compared = 0

    def compare(self, where: tuple[Any, ...], column: str, ours: Any, theirs: Any) -> None:
        """`ours` is the scalar's: a number, or a function whose answer may be Unknown."""
        expected = or_none(ours) if callable(ours) else ours
        self.compared += 1
        if expected is None or theirs is None:
            is_same = expected is theirs
        elif isinstance(theirs, int) and not isinstance(theirs, bool):
            is_same = abs(expected - theirs) <= max(1, 1e-12 * abs(theirs))
        elif isinstance(theirs, float):
            is_same = math.isclose(expected, theirs, rel_tol=1e-11)
        else:
            is_same = expected == theirs
        if not is_same:
            self.found.append((*where, column, expected, theirs))

    def check(self, at_least: int) -> None:
        assert not self.found, f"{len(self.found)} of {self.compared}, first: {self.found[:5]}"
        assert self.compared >= at_least


def predicts(run: Facts) -> int:
    """Tokens that a workload has predicted in a step."""
    return int(run.get("speculative_tokens") or 0)


def held(
    shape: Facts, precision: Facts, effective: Facts | None, run: Facts, over: Split
) -> dict[str, Callable[[], int]]:
    """What stays resident, by column of the weight plans."""
    if run["mode"] == "inference":
        nothing = dict.fromkeys(("gradient_bytes", "optimizer_bytes", "update_bytes", "paged_bytes"), lambda: 0)
        own = weights.Weights(shape, precision, effective)
        return {"weights_bytes": lambda: up(own.held(run["engine"], over) + own.beside(predicts(run), over)), **nothing}

    def part(name: str) -> Callable[[], int]:
        format_ = shape.get("stored_precision") if precision["policy"] == "stored" else precision["precision"]
        return lambda: up(getattr(training.States(shape, precision, format_, run, over), name)())

    columns = {"weights": "weights_bytes", "gradients": "gradient_bytes", "optimizer": "optimizer_bytes"}
    return {
        column: part(name) for name, column in (columns | {"update": "update_bytes", "paged": "paged_bytes"}).items()
    }


def bits(format_: Facts | None) -> float | None:
    return None if format_ is None else format_.get("bits_per_weight")


def margin(shape: Facts, precision: Facts, effective: Facts | None, run: Facts, over: Split, resident: int) -> int:
    """`effective` is the format that the weights have."""
    width = bits(effective)
    is_file = precision["policy"] == "stored" and run.get("method") != "full"
    format_ = margins.mixture(shape, precision, has_rule=False)
    is_widened = run["engine"] == "transformers" and run["mode"] == "inference" and width is not None and width < 16
    wider = weights.Weights(shape, precision, effective).wider(predicts(run), over) if predicts(run) else 0
    return wider + margins.of_weights(
        resident, "stored" if is_file else "computed", shape.get("confidence"), format_, is_widened=is_widened
    )  # fmt: skip


def alignment(format_: Facts | None) -> int | None:
    return None if format_ is None else format_.get("shard_alignment")


def test_weights(tried: Tried) -> None:
    found, seen = Differences(), set[str]()
    is_compared = (pl.col("shape_ix") + pl.col("precision_ix")) % ONE_OF == 0
    for row in tried.weight_plans.filter(is_compared).iter_rows(named=True):
        shape, precision = tried.shapes[row["shape_ix"]], tried.precisions[row["precision_ix"]]
        run, over = tried.runs[row["residency_ix"]], tried.splits.get(row["split_ix"])
        format_, where = tried.effective(shape, precision), (shape["shape_id"], precision["precision"])
        where = (*where, run["workload"], row["degree"], over)
        if over is None:
            found.compare(where, "weights_bytes", None, row["weights_bytes"])
            continue
        seen.add(tried.parallelism[row["split_ix"]].translate(WITHOUT_NUMBERS))
        sizes = held(shape, precision, format_, run, over)
        for column, size in sizes.items():
            found.compare(where, column, size, row[column])
        resident = [or_none(sizes[name]) for name in ("weights_bytes", "gradient_bytes", "optimizer_bytes")]
        total = None if None in resident else sum(part for part in resident if part is not None)
        bounds = None if total is None else margin(shape, precision, format_, run, over, total)
        found.compare(where, "margin_bytes", bounds, row["margin_bytes"])
        if run["mode"] == "inference" and format_ is not None:
            own = weights.Weights(shape, precision, format_)
            predicted = predicts(run)
            for column, read in (("step_dense_bytes", own.read_always), ("step_expert_bytes", own.read_if_visited)):
                found.compare(where, column, lambda r=read, m=predicted, s=over: up(r(s, m)), row[column])
    assert seen >= SPLITS_SEEN
    found.check(90_000)


def test_which_splits_are_there(tried: Tried) -> None:
    found = Differences()
    keys = ("shape_ix", "precision_ix", "residency_ix", "degree")
    there = {row[:-1]: tried.splits.get(row[-1]) for row in tried.weight_plans.select(*keys, "split_ix").iter_rows()}
    for shape in tried.shapes:
        for precision in tried.precisions[-shape["shape_ix"] % ONE_OF :: ONE_OF]:
            aligned = alignment(tried.effective(shape, precision))
            for ix, run in enumerate(tried.runs):
                for degree in split.DEGREES:
                    key = (shape["shape_ix"], precision["precision_ix"], ix, degree)
                    over = or_none(lambda s=shape, a=aligned, r=run, d=degree: split.choose(s, a, r, d))
                    if over is not None and degree > 1:  # and the bytes must be known
                        sizes = held(shape, precision, tried.effective(shape, precision), run, over)
                        over = None if or_none(sizes["weights_bytes"]) is None else over
                    found.compare(key, "split", over, there.get(key))
    found.check(50_000)


def options(workload: Facts) -> list[str]:
    return (workload.get("engine_options") or "").split()


def sequence(tried: Tried, shape: Facts, workload: Facts, over: Split) -> cache.Sequence:
    each = tried.kv[workload["kv_precision"]]["bytes_per_element"]
    predicted = workload.get("speculative_tokens") or 0
    return cache.Sequence(
        cache.with_blocks(shape, predicted),
        workload["engine"],
        each,
        over,
        "full_window" in options(workload),
        workload.get("context_parallel") or 1,
        "prefix_caching" in options(workload),
        predicted,
    )


def kept(tried: Tried, shape: Facts, workload: Facts, over: Split) -> tuple[int, int]:
    """Bytes of cache and of state of all sequences."""
    one, sequences = sequence(tried, shape, workload, over), split.sequences(workload["concurrent_sequences"], over)
    tokens = cache.filled(cache.context(workload["context_tokens"], shape), one.block())
    return cache.concurrent(one.cache(tokens), sequences), cache.concurrent(one.state(), sequences)


def test_caches(tried: Tried) -> None:
    found = Differences()
    for row in tried.cache_plans.iter_rows(named=True):
        shape, workload = tried.shapes[row["shape_ix"]], tried.workloads[row["workload_ix"]]
        over = tried.splits[row["split_ix"]]
        where = (shape["shape_id"], workload["workload"], over)
        sequences = split.sequences(workload["concurrent_sequences"], over)
        if workload["mode"] == "training":
            for column in ("kv_cache_bytes", "state_bytes", "margin_bytes"):
                found.compare(where, column, 0, row[column])
            continue
        one = sequence(tried, shape, workload, over)
        asked = cache.context(workload["context_tokens"], shape)
        tokens = cache.filled(asked, one.block())
        answers: dict[str, Any] = {
            "context_tokens": asked,
            "kv_cache_bytes": lambda o=one, t=tokens, b=sequences: cache.concurrent(o.cache(t), b),
            "state_bytes": lambda o=one, b=sequences: cache.concurrent(o.state(), b),
            "kv_bytes_per_token": lambda o=one, b=sequences: b * o.each_token(),
            "kv_window_bytes_per_token": lambda o=one, b=sequences: b * o.each_window_token(),
            "window_tokens": one.window,
            "kv_constant_bytes": lambda o=one, b=sequences: b * o.constant(),
            "bytes_per_sequence": lambda o=one, t=tokens: o.cache(t) + o.state(),
            "block_tokens": one.block,
            "step_cache_bytes": lambda o=one, t=asked, b=sequences: b * o.step(t),
            "margin_bytes": lambda s=shape, w=workload, at=over, o=one, b=sequences: margins.of_cache(
                sum(kept(tried, s, w, at)), o, b, s.get("confidence")
            ),
        }
        for column, answer in answers.items():
            found.compare(where, column, answer, row[column])
    found.check(3_000)


def forward(tried: Tried, shape: Facts, workload: Facts, tier: str, over: Split) -> int:
    """Bytes at the peak of a forward pass."""
    if workload["mode"] == "training":
        return up(training.forward(shape, workload, over))
    return overhead.activation(shape, workload, tried.profile(workload, tier), over)


def sees(shape: Facts, workload: Facts) -> bool:
    return workload["mode"] == "inference" and (shape.get("p_vision") or 0) > 0


def backward(shape: Facts, workload: Facts, over: Split) -> int:
    return up(training.backward(shape, workload, over)) if workload["mode"] == "training" else 0


def test_overheads(tried: Tried) -> None:
    found = Differences()
    for row in tried.overhead_plans.iter_rows(named=True):
        shape, workload = tried.shapes[row["shape_ix"]], tried.workloads[row["workload_ix"]]
        over = tried.splits[row["split_ix"]]
        tier = MEMORY_TIERS[row["memory_tier_ix"]]
        profile, where = tried.profile(workload, tier), (shape["shape_id"], workload["workload"], tier, over)
        peak = or_none(lambda s=shape, w=workload, t=tier, o=over: forward(tried, s, w, t, o))
        found.compare(where, "activation_bytes", peak, row["activation_bytes"])
        found.compare(
            where, "backward_bytes", lambda s=shape, w=workload, o=over: backward(s, w, o), row["backward_bytes"]
        )
        found.compare(
            where,
            "overhead_bytes",
            overhead.besides(profile, over, is_eager="eager" in options(workload)),
            row["overhead_bytes"],
        )
        sequences = split.sequences(workload["concurrent_sequences"], over)
        is_paged = workload["engine"] == "vllm" and workload["mode"] == "inference"
        in_flight = profile["batched_tokens"] * profile["batches_in_flight"] / sequences if is_paged else 0
        found.compare(where, "in_flight_tokens", in_flight, row["in_flight_tokens"])
        bound = 0 if workload["engine"] == "none" else None
        if peak is not None:
            bound = (
                margins.of_engine(peak, profile, over, sees(shape, workload))
                + overhead.uncounted(shape, workload, profile, over)
                + overhead.checked(shape, workload, profile)
                + overhead.shared(shape, workload)
            )
        found.compare(where, "margin_bytes", bound, row["margin_bytes"])
    found.check(10_000)


def test_work(tried: Tried) -> None:
    found = Differences()
    plans = estimator.work_plans(tried.shape_frame, tried.workload_frame).collect()
    for row in plans.iter_rows(named=True):
        shape, workload = tried.shapes[row["shape_ix"]], tried.workloads[row["workload_ix"]]
        over = tried.splits[row["split_ix"]]
        where = (shape["shape_id"], workload["workload"], over)
        tokens, sequences = cache.context(workload["context_tokens"], shape), workload["concurrent_sequences"]
        predicted = predicts(workload)
        answers: dict[str, Any] = {
            "expert_share": lambda s=shape, b=sequences, m=predicted: speed.expert_share(s, b * (m + 1)),
            "step_flops": lambda s=shape, t=tokens, b=sequences, m=predicted, at=over: (
                speed.step_flops(s, t, b * (m + 1), at) + speed.draft_flops(s, b, m, at)
            ),
            "prompt_linear_flops": lambda s=shape, t=tokens, at=over: speed.prompt_linear_flops(s, t, at),
            "prompt_attention_flops": lambda s=shape, t=tokens, at=over: speed.prompt_attention_flops(s, t, at),
            "reduced_bytes": lambda s=shape, t=tokens, at=over: split.sent(s, t, at),
        }
        for column, answer in answers.items():
            found.compare(where, column, answer, row[column])
    found.check(1_000)


def test_capacities_and_kernels(tried: Tried) -> None:
    found = Differences()
    for row in tried.capacities.iter_rows(named=True):
        gpu, workload = tried.gpus[row["gpu_ix"]], tried.workloads[row["workload_ix"]]
        profile, where = tried.profile(workload, gpu["memory_tier"]), (gpu["gpu_id"], workload["workload"])
        for column, is_certain in (("usable_bytes", False), ("assured_bytes", True)):
            answer = capacity.usable(gpu, workload, profile, tried.reserves, for_certain=is_certain)
            found.compare(where, column, answer, row[column])
    for row in tried.supports.iter_rows(named=True):
        gpu, workload = tried.gpus[row["gpu_ix"]], tried.workloads[row["workload_ix"]]
        precision = tried.precisions[row["precision_ix"]]
        where = (gpu["gpu_id"], workload["workload"], precision["precision"])
        found.compare(where, "is_supported", kernel(tried, gpu, precision, workload), row["is_supported"])
    found.check(20_000)


def kernel(tried: Tried, gpu: Facts, precision: Facts, workload: Facts) -> bool | None:
    kv = tried.kv[workload["kv_precision"]] if workload["mode"] == "inference" else None
    has_kernel = support.has_kernel(gpu, precision, workload, tried.profile(workload, gpu["memory_tier"]), kv)
    # what leaves a device for its own memory has not left
    if workload["mode"] == "training" and workload["sharding"].endswith("_offload") and gpu["is_unified_memory"]:
        return False
    return has_kernel


def test_rates_and_times(tried: Tried) -> None:
    """Rates of every device, format and engine; times of one odd step and prompt at these rates."""
    found = Differences()
    reached = {(row["engine"], row["memory_kind"]): row for row in facts(catalogs.speeds())}
    frame = estimator.speeds(tried.precision_frame, tried.gpu_frame, tried.workload_frame, catalogs.speeds()).collect()
    odd = {"weight_bytes": 7e9, "cache_bytes": 3e8, "flops": 4e13, "layers": 31, "reduce_seconds": 1e-5}
    names = ("weight_bytes_per_second", "cache_bytes_per_second", "layer_seconds", "host_seconds")
    step = estimator_step(odd, {name: pl.col(name) for name in names})
    for row in frame.with_columns(step=step).iter_rows(named=True):
        gpu, format_ = tried.gpus[row["gpu_ix"]], tried.precisions[row["format_ix"]]

        def reach(gpu: Facts = gpu, engine: str = row["engine"]) -> Facts:
            if (engine, speed.memory_kind(gpu)) not in reached:
                raise Unknown("rates")
            return reached[engine, speed.memory_kind(gpu)]

        def rate(gpu: Facts = gpu) -> float:
            return float(gpu["bandwidth_gb_per_s"]) * 1e9

        def linear(gpu: Facts = gpu, format_: Facts = format_) -> float:
            return speed.teraflops(gpu, format_) * 1e12

        answers: dict[str, Any] = {
            "weight_bytes_per_second": lambda f=format_, at=rate, r=reach: at() * speed.weight_share(f, r()),
            "cache_bytes_per_second": lambda at=rate, r=reach: at() * r()["cache_share"],
            "linear_flops_per_second": lambda x=linear, r=reach: x() * r()["prompt_share"],
            "step_flops_per_second": lambda x=linear, r=reach: x() * r()["step_share"],
            "expert_step_flops_per_second": lambda x=linear, r=reach: x() * r()["expert_step_share"],
            "attention_flops_per_second": lambda g=gpu, r=reach: speed.sixteen_bit(g) * 1e12 * r()["prompt_share"],
            "nominal_bytes_per_second": rate,
            "nominal_flops_per_second": linear,
            "step": lambda f=format_, at=rate, x=linear, r=reach: speed.step_seconds(
                odd["weight_bytes"] / (at() * speed.weight_share(f, r()))
                + odd["cache_bytes"] / (at() * r()["cache_share"]),
                odd["flops"] / (x() * r()["prompt_share"]),
                31,
                r()["layer_seconds"],
                odd["reduce_seconds"],
                r()["host_seconds"],
            ),
        }
        for column, answer in answers.items():
            found.compare((gpu["gpu_id"], format_["precision"], row["engine"]), column, answer, row[column])
    links = {(row["link"], row["degree"]): row for row in facts(catalogs.links())}
    for row in estimator.links(tried.gpu_frame, catalogs.links()).collect().iter_rows(named=True):
        gpu, degree, where = tried.gpus[row["gpu_ix"]], row["degree"], (row["gpu_ix"], row["degree"])

        def link(gpu: Facts = gpu, degree: int = degree) -> Facts:
            if (speed.link_kind(gpu), degree) not in links:
                raise Unknown("link")
            return links[speed.link_kind(gpu), degree]

        latency = 0.0 if degree == 1 else or_none(lambda of=link: float(of()["reduce_seconds"]))
        found.compare(where, "reduce_seconds", latency, row["reduce_seconds"])
        sent = or_none(lambda g=gpu, of=link: speed.sending(g, of()))
        found.compare(where, "reduced_bytes_per_second", sent, row["reduced_bytes_per_second"])
    found.check(30_000)


def test_prompts_that_wait_for_a_host() -> None:
    """30 GB of weights of which 12 GB are routed experts and 15 GB of the others are read; some of them left."""
    from estimator import host_weights
    from estimator import speed as ours

    found = Differences()
    rows = [
        {"engine": engine, "batched_tokens": batch, "tokens": tokens, "left_bytes": left, "experts": experts, "k": k}
        for engine, batch in (("llamacpp", 512), ("vllm", 2048), ("transformers", None), ("sglang", 0))
        for tokens in (20, 40, 512, 513, 8192, 131_072)
        for left in (3e9, 12e9, 20e9)
        for experts, k in ((0, 0), (8, 2), (512, 1))
    ]
    c = pl.col
    routed = pl.when(c("experts") > 0).then(12e9).otherwise(0.0)
    frame = pl.DataFrame(rows, schema_overrides={"batched_tokens": pl.Int64}).with_columns(
        batch=host_weights.prompt_batch_tokens(
            engine=c("engine"), batched_tokens=c("batched_tokens"), tokens=c("tokens")
        )
    )
    read = host_weights.host_read_bytes(
        left_bytes=c("left_bytes"), held=pl.lit(30e9), dense=(30e9 - routed) * 15 / 18, experts=routed,
        expert_share=ours.expert_share(experts=c("experts"), per_token=c("k"), sequences=c("batch")),
    )  # fmt: skip
    waited = host_weights.host_prompt_seconds(
        read=read, tokens=c("tokens"), batch=c("batch"), bytes_per_second=pl.lit(14e9)
    )
    for row in frame.with_columns(waited=waited).iter_rows(named=True):
        of_experts = min(row["left_bytes"], 12e9) if row["experts"] else 0.0
        left = {"experts": of_experts, "others": row["left_bytes"] - of_experts, "read": 15 / 18}
        asked = (row["engine"], row["batched_tokens"], row["tokens"])
        share = (row["experts"], row["k"])
        found.compare(row, "waited", lambda a=asked, of=left, s=share: speed.host_wait(*a, of, s, 14e9), row["waited"])
    found.check(200)


def estimator_step(odd: dict[str, float], columns: dict[str, pl.Expr]) -> pl.Expr:
    from estimator.speed import step_seconds

    return step_seconds(
        **{name: pl.lit(number) for name, number in odd.items()},
        **columns,
        flops_per_second=pl.col("linear_flops_per_second"),
    )


class Needs:
    """Needs of one shape, precision, workload and memory tier by degree."""

    def __init__(self, tried: Tried, shape: Facts, precision: Facts, workload: Facts, tier: str) -> None:
        self.tried, self.shape, self.precision, self.workload, self.tier = tried, shape, precision, workload, tier

    def __call__(self, degree: int) -> verdict.Need | None:
        format_ = self.tried.effective(self.shape, self.precision)
        over = split.choose(self.shape, alignment(format_), self.workload, degree)
        if over is None:
            return None
        shape, workload, profile = self.shape, self.workload, self.tried.profile(self.workload, self.tier)
        held_ = {name: size() for name, size in held(shape, self.precision, format_, workload, over).items()}
        ahead, besides = (
            forward(self.tried, shape, workload, self.tier, over),
            overhead.besides(profile, over, is_eager="eager" in options(workload)),
        )
        if workload["mode"] == "training":
            cached, cache_margin = 0, 0
            back = max(backward(shape, workload, over), held_["update_bytes"])
            peak = max(ahead, held_["gradient_bytes"] + back)
        else:
            cached = sum(kept(self.tried, shape, workload, over))
            one = sequence(self.tried, shape, workload, over)
            sequences = split.sequences(workload["concurrent_sequences"], over)
            cache_margin = margins.of_cache(cached, one, sequences, shape.get("confidence"))
            tokens = cache.filled(cache.context(workload["context_tokens"], shape), one.block())
            batch = profile["batches_in_flight"] * (profile.get("batched_tokens") or 0)
            cached += one.in_flight(tokens, batch, sequences)
            peak = ahead
        resident = held_["weights_bytes"] + held_["optimizer_bytes"]
        middle = resident + cached + peak + besides
        high = middle + margin(shape, self.precision, format_, workload, over, resident + held_["gradient_bytes"])
        high += held_["paged_bytes"]  # of a full device they leave
        of_engine = (
            margins.of_engine(ahead, profile, over, sees(shape, workload))
            + overhead.uncounted(shape, workload, profile, over)
            + overhead.checked(shape, workload, profile)
            + overhead.shared(shape, workload)
        )
        return verdict.Need(middle, high + cache_margin + of_engine, resident)


def most_devices(workload: Facts, gpu: Facts) -> int | None:
    """That may share one model: of its nodes, as far as the workload lets them."""
    node, limit = gpu.get("max_gpus_per_node"), workload.get("max_gpus")
    if limit == 1 or node is None:
        return 1 if limit == 1 else None
    return min(split.in_reach(workload, node), limit or node * 1000)


def host_of(shape: Facts, workload: Facts, gpu: Facts) -> verdict.Host | None:
    """A device that shares its host's memory has no other."""
    gib = workload.get("host_memory_gib")
    if not gib or gpu["is_unified_memory"] or workload["mode"] == "training":
        return None
    return verdict.Host(math.floor(gib * 2**30), shape.get("layers"))


def decision(tried: Tried, shape: Facts, precision: Facts, workload: Facts, gpu: Facts) -> verdict.Outcome:
    format_ = tried.effective(shape, precision)
    runs: list[bool | None] = [or_none(lambda: support.serves(workload["engine"], shape.get("kind")))]
    runs.append(None if format_ is None else kernel(tried, gpu, format_, workload))
    if predicts(workload):
        runs.append(or_none(lambda: support.has_blocks(shape)))
    if workload["mode"] == "training":
        name = shape.get("stored_precision") if precision["policy"] == "stored" else precision["precision"]
        is_recipe = None if name is None else training.is_recipe(workload["method"], name, workload["recipe"])
        runs.append(is_recipe)
    profile = tried.profile(workload, gpu["memory_tier"])
    return verdict.decide(
        is_supported=support.every(runs),
        need=Needs(tried, shape, precision, workload, gpu["memory_tier"]),
        degrees=split.DEGREES,
        usable=capacity.usable(gpu, workload, profile, tried.reserves, for_certain=False),
        assured=capacity.usable(gpu, workload, profile, tried.reserves, for_certain=True),
        most=most_devices(workload, gpu),
        host=host_of(shape, workload, gpu),
    )


def sampled(fit: pl.DataFrame) -> Iterable[dict[str, Any]]:
    """As many of every verdict, for most decisions are `unsupported`."""
    verdicts = fit["verdict"].unique().len()
    some = fit.filter(pl.int_range(pl.len()).shuffle(SEED).over("verdict") < DECISIONS_TRIED // verdicts)
    return some.iter_rows(named=True)


def test_verdicts(tried: Tried) -> None:
    found, seen = Differences(), set()
    fit = estimator.fit(
        shapes=tried.shape_frame,
        precisions=tried.precision_frame,
        workloads=tried.workload_frame,
        gpus=tried.gpu_frame,
        residencies=tried.residencies,
        weight_plans=tried.weight_plans,
        cache_plans=tried.cache_plans,
        overhead_plans=tried.overhead_plans,
        supports=tried.supports,
        capacities=tried.capacities,
    ).collect()
    for row in sampled(fit.join(estimator.outcomes(), on="outcome_ix")):
        shape, precision = tried.shapes[row["shape_ix"]], tried.precisions[row["precision_ix"]]
        workload, gpu = tried.workloads[row["workload_ix"]], tried.gpus[row["gpu_ix"]]
        where = (shape["shape_id"], precision["precision"], workload["workload"], gpu["gpu_id"])
        ours = decision(tried, shape, precision, workload, gpu)
        found.compare(where, "verdict", ours, (row["verdict"], row["gpus_needed"]))
        seen.add(row["verdict"])
    assert seen == {"fits", "tight", "sharded", "offload", "too_big", "unsupported", "unknown"}
    found.check(4_000)
