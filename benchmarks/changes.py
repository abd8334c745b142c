"""What it costs to say what changed since the night before, by what changed.

A night of `night.py` is compared with copies of itself in which something was different: nothing, one model in a
hundred, one device, the method. Prints seconds, rows and the memory of each, beside the seconds of building the night.

    python benchmarks/changes.py [MODELS]
"""

from __future__ import annotations

import multiprocessing
import resource
import shutil
import sys
import tempfile
import time
from pathlib import Path

import duckdb
from night import prepared

from flows import inputs, night_plan, stages, warehouse
from flows.changes.compare import compare
from flows.settings import Settings

GIB = 2**30
OLDER = "UPDATE runs SET code_version = 'older'"
TOO_BIG = "(SELECT outcome_ix FROM internal.outcomes WHERE verdict = 'too_big')"
# What was different in the night before, as statements to its file.
BEFORE = {
    "nothing": "",
    "1 % of the models": (
        "UPDATE models SET revision = 'older', shape_id = (SELECT max(shape_id) FROM internal.shapes)"
        " WHERE hash(model_id) % 100 = 0"
    ),
    "one device": (
        "UPDATE gpus SET visible_bytes = visible_bytes / 2 WHERE gpu_id = 'nvidia-l4-24gb';"
        f" UPDATE internal.fit SET outcome_ix = {TOO_BIG}"
        " WHERE outcome_ix = 0 AND gpu_ix = (SELECT gpu_ix FROM gpus WHERE gpu_id = 'nvidia-l4-24gb')"
    ),
    "the method, no verdict": OLDER,
    "the method, 1 % of the shapes": (
        f"{OLDER}; UPDATE internal.fit SET outcome_ix = {TOO_BIG} WHERE outcome_ix = 0 AND shape_ix % 100 = 0"
    ),
    "the method, every shape": (
        f"{OLDER}; UPDATE internal.fit SET outcome_ix = {TOO_BIG} WHERE outcome_ix = 0 AND precision_ix % 10 = 0"
    ),
}


def compared(after: Path, before: Path, answer: multiprocessing.SimpleQueue[tuple[float, int]]) -> None:
    """In a process of its own, so that its peak of memory is its own."""
    started = time.perf_counter()
    compare(after, before)
    answer.put((time.perf_counter() - started, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024))


def main() -> None:
    models = int(sys.argv[1]) if len(sys.argv) > 1 else 2_000
    with tempfile.TemporaryDirectory(prefix="hubfit-bench-") as name:
        place = Path(name)
        target = prepared(place, models)
        started = time.perf_counter()
        for shard in range(stages.shapes(target)):
            stages.estimate(target, shard)
        night_plan.write(target, inputs.open_source("snapshot", Settings(data=place / "data")))
        built = place / "built.duckdb"
        warehouse.build(target, built)
        whole = time.perf_counter() - started
        with warehouse.connect(built) as connection:
            [(rows,)] = connection.execute("SELECT count(*) FROM internal.fit").fetchall()
        print(f"{models:,} models, {rows:,} rows of fit; estimated and built in {whole:.1f} s")
        for what, statements in BEFORE.items():
            before, after = place / "before.duckdb", place / "after.duckdb"
            for file in (before, after):
                shutil.copy(built, file)
            with duckdb.connect(str(before)) as connection:
                connection.execute(statements or "SELECT 1")
            spawn = multiprocessing.get_context("spawn")
            answer = spawn.SimpleQueue()
            process = spawn.Process(target=compared, args=(after, before, answer))
            process.start()
            seconds, peak = answer.get()
            process.join()
            with warehouse.connect(after) as connection:
                [(changed, reason)] = connection.execute(
                    "SELECT (SELECT count(*) FROM verdict_changes), reason FROM comparison"
                ).fetchall()
            assert reason is None, reason
            floor = "   floor: at most 5 % of the night" if what in ("nothing", "1 % of the models") else ""
            print(
                f"{what:<32}{seconds:>8.1f} s {100 * seconds / whole:>6.1f} % of it {changed:>12,} verdicts"
                f" {peak / GIB:>6.2f} GiB{floor}"
            )


if __name__ == "__main__":
    main()
