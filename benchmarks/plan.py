"""How long `hubfit plan` takes for a demand of many models, and how much of it is the integer program.

    python benchmarks/plan.py [50]

Decoders of the embedded snapshot with a known cache, at contexts and concurrencies drawn from a few usual ones, over
all devices, prices and formats of the catalogs. Prints seconds, options and the floor.
"""

from __future__ import annotations

import random
import resource
import sys
import time
from pathlib import Path

import polars as pl

import catalogs
from catalogs import demand as files
from flows.procurement import offers, options
from flows.procurement.choice import placements
from flows.procurement.offers import Terms
from flows.procurement.problem import Problem
from flows.procurement.solver import solve
from flows.settings import Settings

FLOOR_SECONDS = 10
MODELS = (
    "meta-llama/Llama-3.1-8B", "meta-llama/Llama-3.1-70B", "openai/gpt-oss-20b", "Qwen/Qwen3-8B", "Qwen/Qwen3-0.6B",
    "google/gemma-3-27b-it", "deepseek-ai/DeepSeek-V3", "openai-community/gpt2", "meta-llama/Llama-3.1-405B",
    "mistralai/Mixtral-8x7B-v0.1",
)  # fmt: skip


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 50
    rng = random.Random(1)
    known = {row["model_id"] for row in catalogs.hub_snapshot()}
    models = [model for model in MODELS if model in known]
    rows = [
        {
            "model_id": rng.choice(models),
            "precision": files.ANY,
            "context_tokens": rng.choice([4096, 8192, 32_768]),
            "concurrent_sequences": rng.choice([1, 4, 16, 64]),
            "min_tokens_per_second": rng.choice([None, 10.0, 20.0]),
            "replicas": rng.choice([1, 1, 2, 3]),
            "line": number,
        }
        for number in range(count)
    ]
    demand = pl.DataFrame(rows, schema_overrides={"min_tokens_per_second": pl.Float64})
    start = time.perf_counter()
    found = options.find(demand, Settings.from_environment(data=Path("build")), "snapshot", "vllm", None)
    asked = time.perf_counter() - start
    nothing = pl.DataFrame(schema=files.INVENTORY.columns)
    offered = offers.offers(found.prices, found.gpus, nothing, offers.policy(None), Terms(12.0))
    problem = Problem(offered, placements(found.options), demand["replicas"].to_list())
    start = time.perf_counter()
    best = solve(problem)
    solved = time.perf_counter() - start
    print(f"{count} demands of {len(models)} models, {len(problem.placements):,} placements, {len(offered)} offers")
    print(f"options {asked:6.1f} s")
    print(f"solve   {solved:6.1f} s  floor: at most {FLOOR_SECONDS} s")
    print(
        "no plan" if best is None else f"plan of {best.usd:,.0f} USD, {best.devices} devices, {len(best.units)} offers"
    )
    print(f"peak resident memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")


if __name__ == "__main__":
    main()
