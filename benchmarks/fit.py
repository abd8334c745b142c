"""How fast the fit table is written, against two cross joins that write the same columns in the same order.

`bare` writes one verdict everywhere, `carried` a verdict and a number of devices that every pair brings along: what
the columns themselves cost when they vary.

    python benchmarks/fit.py [--shapes 10000] [--shard 2000] [--precisions 24] [--workloads 6]

Made-up shapes (Llama-3.1-8B scaled, some with a fact missing) meet the real catalogs, every device included. Each
shard is written as one Parquet part by turns bare, carried and decided, so that a busy machine slows all alike.
Prints rows per second, the ratios and the peak of resident memory.
"""

from __future__ import annotations

import argparse
import random
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

import polars as pl

import catalogs
import estimator
from estimator.schema import OUTCOMES, SHAPES, WEIGHT_OVERRIDES

LLAMA_8B: dict[str, Any] = {
    "kind": "decoder",
    "confidence": "exact",
    "parameters_resident": 8_030_261_248,
    "p_attn": 1_342_177_280,
    "p_mlp": 5_637_144_576,
    "p_embed": 525_336_576,
    "p_lm_head": 525_336_576,
    "p_norm": 266_240,
    "p_kv_proj": 268_435_456,
    "quant_rows": 1_376_256,
    "fp8_block_scales": 425_984,
    "stored_bytes": 16_060_522_496,
    "stored_precision": "bf16",
    "layers": 32,
    "hidden_size": 4096,
    "vocab_size": 128_256,
    "heads": 32,
    "kv_heads": 8,
    "ffn_size": 14_336,
    "max_context_tokens": 131_072,
    "rope_cache_elements": 16_777_216,
    "kv_full_elements_per_token": 65_536,
    "kv_latent_elements_per_token": 0.0,
    "state_recurrent_bytes_per_element": 4.0,
    "state_recurrent_bytes_in_vllm": 4.0,
    "kv_full_layers": 32,
    "tp_ok_mask": 0b1000_0000_1000_1011,
    "tp_ok_mask_32": 0b1000_0000_1000_1011,
    "tp_ok_mask_64": 0b1000_0000_1000_1011,
    "tp_ok_mask_128": 0b1000_1011,
    "lora_io": 2_621_440,
}
SIZED = ["parameters_resident", "p_attn", "p_mlp", "p_kv_proj", "stored_bytes", "kv_full_elements_per_token"]


def made_up_shapes(count: int) -> pl.DataFrame:
    """Shapes from a hundredth to fifty times Llama-3.1-8B; every tenth lacks its cache layout."""
    rng = random.Random(1)
    absent = {name: 0 for name, dtype in SHAPES.items() if dtype == pl.Int64}
    rows = []
    for i in range(count):
        scale = 10 ** rng.uniform(-2, 1.7)
        row = {**absent, **LLAMA_8B, "shape_id": f"shape-{i:05}"}
        row |= {name: int(LLAMA_8B[name] * scale) for name in SIZED}
        if i % 10 == 0:
            row["kv_full_elements_per_token"] = None
        rows.append(row)
    return pl.DataFrame(rows, schema=SHAPES, orient="row").with_row_index("shape_ix")


def sink(rows: pl.LazyFrame, path: Path) -> float:
    """Seconds to write one part."""
    start = time.perf_counter()
    rows.sink_parquet(path, compression="zstd", row_group_size=983_040, maintain_order=True)
    return time.perf_counter() - start


SAME = {"outcome_ix": pl.lit(0, dtype=pl.UInt8)}


def varied(pairs: pl.DataFrame) -> pl.DataFrame:
    """Outcomes without a pattern."""
    outcomes = random.Random(2).choices(range(len(OUTCOMES)), k=pairs.height)
    return pairs.with_columns(outcome_ix=pl.Series(outcomes, dtype=pl.UInt8))


def crossed(workloads: pl.DataFrame, gpus: pl.DataFrame, pairs: pl.DataFrame) -> pl.LazyFrame:
    """Every device with every pair in every workload, in the order of the fit table and with nothing decided."""
    return pl.concat(
        gpus.lazy()
        .select(pl.lit(ix, dtype=pl.UInt8).alias("workload_ix"), "gpu_ix")
        .join(pairs.lazy(), how="cross", maintain_order="left_right")
        for ix in workloads["workload_ix"]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    for name, default in (("shapes", 10_000), ("shard", 2_000), ("precisions", 24), ("workloads", 6)):
        parser.add_argument(f"--{name}", type=int, default=default)
    args = parser.parse_args()

    precisions = catalogs.precisions().head(args.precisions).with_row_index("precision_ix")
    precisions = precisions.with_columns(pl.col("precision_ix").cast(pl.UInt16))
    workloads = catalogs.workloads().head(args.workloads).with_row_index("workload_ix")
    workloads = workloads.with_columns(pl.col("workload_ix").cast(pl.UInt8))
    gpus = catalogs.gpus().sort("memory_tier", "gpu_id").with_row_index("gpu_ix")
    gpus = gpus.with_columns(pl.col("gpu_ix").cast(pl.UInt16))
    engines, kv_precisions = catalogs.engines().filter("is_default"), catalogs.kv_precisions()
    residencies = estimator.residencies(workloads).collect()
    supports = estimator.supports(precisions, gpus, workloads, engines, kv_precisions).collect()
    capacities = estimator.capacities(gpus, workloads, engines, catalogs.reserves()).collect()
    overrides = pl.DataFrame(schema=WEIGHT_OVERRIDES)

    shapes = made_up_shapes(args.shapes)
    seconds = {"plans": 0.0, "bare": 0.0, "carried": 0.0, "fit": 0.0}
    rows = 0
    with tempfile.TemporaryDirectory() as folder:
        part = Path(folder, "part.parquet")
        for at in range(0, args.shapes, args.shard):
            shard = shapes[at : at + args.shard]
            start = time.perf_counter()
            weight_plans = estimator.weight_plans(shard, overrides, precisions, residencies).collect()
            cache_plans = estimator.cache_plans(shard, workloads, kv_precisions).collect()
            overhead_plans = estimator.overhead_plans(shard, workloads, engines).collect()
            seconds["plans"] += time.perf_counter() - start

            pairs = shard.select("shape_ix").join(precisions.select("precision_ix"), how="cross")
            seconds["bare"] += sink(crossed(workloads, gpus, pairs.select(pl.all(), **SAME)), part)
            seconds["carried"] += sink(crossed(workloads, gpus, varied(pairs)), part)

            start = time.perf_counter()
            fit = estimator.fit(
                shapes=shard,
                precisions=precisions,
                workloads=workloads,
                gpus=gpus,
                residencies=residencies,
                weight_plans=weight_plans,
                cache_plans=cache_plans,
                overhead_plans=overhead_plans,
                supports=supports,
                capacities=capacities,
            )
            sink(fit, part)
            seconds["fit"] += time.perf_counter() - start
            rows += shard.height * precisions.height * workloads.height * gpus.height
        size = part.stat().st_size

    print(f"{rows / 1e6:,.0f} M rows: {args.shapes} shapes x {precisions.height} precisions", end=" ")
    print(f"x {workloads.height} workloads x {gpus.height} gpus, parts of {args.shard} shapes")
    for name in ("bare", "carried", "fit"):
        print(f"{name:7} {seconds[name]:7.2f} s  {rows / seconds[name] / 1e6:6.1f} M rows/s")
    print(f"plans   {seconds['plans']:7.2f} s")
    ratios = [f"{seconds[name] / seconds['fit']:.2f} of {name}" for name in ("bare", "carried")]
    print(f"ratio   {', '.join(ratios)}; last part {size / 1e6:.2f} MB")
    print(f"peak resident memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")


if __name__ == "__main__":
    main()
