"""How long `hubfit plan` takes for a demand of many models, and how much of it is the integer program.

    python benchmarks/plan.py [50]

Decoders of the embedded snapshot with a known cache, at contexts and concurrencies drawn from a few usual ones, over
all devices, prices and formats of the catalogs, each model with devices of its own and sharing them. Prints seconds of
every part, without the end that a command sets to what it tells beside a plan, and the floor.
"""

from __future__ import annotations

import random
import resource
import sys
import time
from dataclasses import replace
from pathlib import Path

import polars as pl

import catalogs
from catalogs import demand as files
from flows.procurement import offers, options
from flows.procurement.binding import binding
from flows.procurement.effort import Effort
from flows.procurement.offers import Terms
from flows.procurement.plan import alternatives
from flows.procurement.problem import Limits
from flows.procurement.relaxations import relaxations
from flows.procurement.request import Request
from flows.procurement.second_best import next_best
from flows.procurement.sensitivity import sensitivity
from flows.settings import Settings

FLOOR_SECONDS = 10
# Lines of a demand up to which the rest is asked of shared devices as well: each question takes about a second.
MOST_FOR_THE_REST = 10
MODELS = (
    "meta-llama/Llama-3.1-8B", "meta-llama/Llama-3.1-70B", "openai/gpt-oss-20b", "Qwen/Qwen3-8B", "Qwen/Qwen3-0.6B",
    "google/gemma-3-27b-it", "deepseek-ai/DeepSeek-V3", "Qwen/Qwen3-30B-A3B", "meta-llama/Llama-3.1-405B",
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
    _say("options", start)
    nothing = pl.DataFrame(schema=files.INVENTORY.columns)
    for share in (False, True):
        request = Request(demand, found, nothing, offers.policy(None), Terms(12.0), Limits(), share)
        start = time.perf_counter()
        problem = request.problem
        _say("choose", start)
        members = sum(len(shared.members) for shared in problem.shared.values())
        print(
            f"{count} demands of {len(models)} models, {len(problem.placements):,} placements,"
            f" {members:,} that may share, {len(problem.offers)} offers"
        )
        effort = Effort(seconds=600.0)
        start = time.perf_counter()
        best = effort.plan(request.choice, problem)
        _say("solve", start, f"  floor: at most {FLOOR_SECONDS} s")
        if best is None:
            print("no plan")
            continue
        print(
            f"plan of {best.usd:,.0f} USD, {best.devices} devices, {len(best.units)} offers,"
            f" {sum(best.shared.values())} devices shared, proven: {best.is_proven},"
            f" no plan is below {best.at_least_usd:,.0f} USD"
        )
        if share and count > MOST_FOR_THE_REST:
            continue
        start = time.perf_counter()
        others = alternatives(request, best, effort)
        _say("alternatives", start)
        start = time.perf_counter()
        next_best(request, best, effort)
        _say("next best", start)
        start = time.perf_counter()
        binding(request, best, effort)
        _say("binding", start)
        start = time.perf_counter()
        sensitivity(request, best, {other.without: other.plan for other in others}, effort)
        _say("sensitivity", start)
        start = time.perf_counter()
        poor = replace(request, limits=Limits(budget_usd=best.usd / 2), chosen=request.choice)
        if effort.plan(poor.choice, poor.problem) is None:
            relaxations(poor, effort)
        _say("relaxations", start)
    print(f"peak resident memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6:.2f} GB")


def _say(what: str, start: float, more: str = "") -> None:
    print(f"{what:<14}{time.perf_counter() - start:6.1f} s{more}")


if __name__ == "__main__":
    main()
