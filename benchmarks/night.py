"""A night of 10,000 models: estimate, build, check, query and render, in the published form.

The models are the embedded snapshot's shapes, varied so that no two are equal, at 24 formats, 6 workloads and all
devices of the catalog. Prints every figure with the floor it is compared with; peak memory is that of this process.

    python benchmarks/night.py [MODELS]
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

import catalogs
from estimator.schema import SHAPES
from flows import inputs, lake, night, night_plan, pipeline, report, stages, terminal, warehouse
from flows.extract.tables import MODELS
from flows.night import Night
from flows.settings import Settings

FORMATS = 24
INFERENCE = 6
GIB = 2**30


@contextmanager
def timed(seconds: dict[str, float], name: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    seconds[name] = time.perf_counter() - started


def reduced_catalogs(folder: Path) -> None:
    """24 formats (stored, the floats and every third of the rest) and the six inference workloads."""
    formats = catalogs.precisions()
    first = formats.filter(pl.col("family").is_in(["float", "stored"]))
    rest = formats.join(first, on="precision", how="anti", maintain_order="left")
    step = max(1, rest.height // (FORMATS - first.height))
    chosen = set(first["precision"]) | set(rest.gather_every(step)["precision"][: FORMATS - first.height])
    for name, keep in (("precisions", chosen), ("workloads", None)):
        lines = (Path(catalogs.__file__).parent / f"{name}.csv").read_text(encoding="utf-8").splitlines()
        head, *rows = lines
        if keep is not None:
            rows = [row for row in rows if row.split(",")[0] in keep]
        else:
            rows = [row for row in rows if ",inference," in row][:INFERENCE]
        (folder / f"{name}.csv").write_text("\n".join([head, *rows]) + "\n", encoding="utf-8")


def varied(snapshot: Night, target: Night, models: int) -> None:
    """Write extraction's tables for `models` models: the snapshot's, repeated with parameters a little larger each."""
    shapes = stages.read(snapshot, "model_shapes")
    facts = stages.read(snapshot, "models")
    rounds = -(-models // facts.height)
    counts = [
        name for name in SHAPES.names() if name.startswith("p_") or name in ("parameters_resident", "stored_bytes")
    ]
    copies_of_shapes, copies_of_models = [], []
    for number in range(rounds):
        shape_id = pl.format("{}{}", pl.lit(f"{number:04x}"), pl.col("shape_id").str.slice(4)).alias("shape_id")
        copies_of_shapes.append(
            shapes.with_columns(shape_id, *((pl.col(name) * (1000 + number) // 1000) for name in counts))
        )
        copies_of_models.append(facts.with_columns(shape_id, model_id=pl.format("{}-v{}", "model_id", pl.lit(number))))
    chosen = pl.concat(copies_of_models).head(models).sort("model_id")
    used = pl.concat(copies_of_shapes).join(chosen.select("shape_id"), on="shape_id", how="semi").unique("shape_id")
    frames = {"models": (chosen, MODELS), "model_shapes": (used, SHAPES)}
    for table, (frame, schema) in frames.items():
        lake.write(frame.select(schema.names()), target.part(table, 0), schema)
    for table, schema in stages.EXTRACTED.items():
        if table not in frames:
            lake.write(pl.DataFrame(schema=schema), target.part(table, 0), schema)


def main() -> None:
    models = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    with tempfile.TemporaryDirectory(prefix="hubfit-bench-") as place:
        run(prepared(Path(place), models), Path(place) / "data")


def prepared(place: Path, models: int) -> Night:
    """A night that has read its models and estimated nothing yet; its data folder is `place`/data."""
    data, folder = place / "data", place / "catalogs"
    folder.mkdir()
    reduced_catalogs(folder)
    settings = Settings.from_environment(data=data)
    snapshot = pipeline.begin(settings, "snapshot", [], [], None, fresh=True)
    source = inputs.open_source("snapshot", settings)
    for shard in range(snapshot.shards):
        stages.fetch(snapshot, shard, source)
        stages.extract(snapshot, shard)
    entries = [(f"bench/{number}", None) for number in range(models)]
    target = night.start(data, "snapshot", entries, folder, now=datetime.now(UTC))
    varied(snapshot, target, models)
    return target


def run(target: Night, data: Path) -> None:
    seconds: dict[str, float] = {}
    database = data / "bench.duckdb"
    with timed(seconds, "shapes"):
        shards = stages.shapes(target)
    with timed(seconds, "estimate"), terminal.stage("estimate", shards) as step:
        for shard in range(shards):
            stages.estimate(target, shard)
            step()
    night_plan.write(target, inputs.open_source("snapshot", Settings(data=data)))
    with timed(seconds, "build"):
        warehouse.build(target, database)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    with timed(seconds, "check"):
        violations = warehouse.check(database, None)
    assert not violations, violations
    with warehouse.connect(database) as connection:
        [(rows,)] = connection.execute("SELECT count(*) FROM internal.fit").fetchall()
        [(model_id,)] = connection.execute("SELECT model_id FROM models ORDER BY model_id LIMIT 1 OFFSET 77").fetchall()
        queries = {
            "best 20 models for a device and workload": (
                "SELECT model_id, precision, parameters, headroom_bytes FROM fit JOIN models USING (model_id)"
                " WHERE gpu = 'nvidia-rtx-4090-24gb' AND workload = 'chat-8k' AND verdict = 'fits'"
                " ORDER BY parameters DESC NULLS LAST, headroom_bytes DESC LIMIT 20"
            ),
            "all fits of one model": f"FROM fitting WHERE model_id = '{model_id}'",
        }
        for name, query in queries.items():
            times = []
            for _ in range(4):
                started = time.perf_counter()
                connection.execute(query).fetchall()
                times.append(time.perf_counter() - started)
            seconds[name] = min(times[1:])
    total = seconds["shapes"] + seconds["estimate"] + seconds["build"]
    print(f"rows of fit                {rows:>14,}")
    print(
        f"estimate                   {seconds['estimate']:>12.1f} s   {rows / seconds['estimate'] / 1e6:.1f} M rows/s"
    )
    print(f"build                      {seconds['build']:>12.1f} s")
    print(f"estimate into published    {total:>12.1f} s   floor: at most 60 s")
    print(f"peak resident memory       {peak / GIB:>12.2f} GiB floor: at most 2 GB")
    print(f"published file             {database.stat().st_size / 1e6:>12.0f} MB  floor: under 1,000 MB")
    print(f"check                      {seconds['check']:>12.1f} s")
    for name in queries:
        print(f"{name:<42}{seconds[name] * 1000:>7.0f} ms  floor: under 300 ms, warm")
    site = data / "report"
    started = time.perf_counter()
    report.write(database, site)
    rendered = time.perf_counter() - started
    pages = sum(1 for _ in site.rglob("*.html"))
    print(f"report                     {rendered:>12.1f} s   {pages:,} pages; floor: under 60 s")
    print(f"overview page              {(site / 'index.html').stat().st_size / 1e6:>12.2f} MB  floor: under 3 MB")


if __name__ == "__main__":
    main()
