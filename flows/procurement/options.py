"""Which devices serve a demand: the answers of a night whose workloads are what is asked for.

A replica may be one group of devices for all of its sequences, or two, four or eight groups that share them: each is a
workload of its own, and the fit says what it runs on.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

import estimator
from catalogs.demand import ANY
from flows import asked_night, check_question, dimensions, inputs, stages
from flows.check_question import Question
from flows.failures import Stop
from flows.local_devices import node
from flows.procurement.sharing import MOST_PROCESSES
from flows.raw import Source
from flows.settings import Settings
from reports.format import plural

GROUPS = (1, 2, 4, 8)
# As many as a night has numbers for.
MOST_WORKLOADS = 255
# Each line has its answers for every device and format in memory: 50 lines take 0.7 GB, 500 took 3.5.
MOST_LINES = 200

# Grain: demand x groups x device x precision, on the fewest devices that hold it.
FITS = pl.Schema(
    {
        "demand": pl.UInt32(),
        "groups": pl.Int64(),
        "gpu": pl.String(),
        "precision": pl.String(),
        "is_own_format": pl.Boolean(),  # as the repository has it, in fewer than 16 bits
        "is_tight": pl.Boolean(),  # one device, at the middle of the need and not for certain
        "degree": pl.Int64(),
        "parallelism": pl.String(),
        "tokens_per_second": pl.Float64(),
        "required_bytes": pl.Int64(),
        "required_bytes_high": pl.Int64(),
        "usable_bytes": pl.Int64(),
        "assured_bytes": pl.Int64(),
        "confidence": pl.String(),  # of the need
        "speed_confidence": pl.String(),  # null where the speed is
    }
)


class Unserved(Stop):
    """A model of the demand could not be read, or the demand names none."""


@dataclass(frozen=True)
class Answers:
    """What a night says of a demand, before anything is chosen.

    `fits`: FITS. `rooms`: gpu x processes -> assured_bytes, of devices whose memory is their own. `prices` and `gpus`
    of the night; `precisions` with their bits, the preferred first. `barred`: why a demand that no device holds could
    not be held by a larger one either.
    """

    fits: pl.DataFrame
    rooms: pl.DataFrame
    prices: pl.DataFrame
    gpus: pl.DataFrame
    precisions: pl.DataFrame
    barred: Mapping[int, str] = field(default_factory=dict)


def find(
    demand: pl.DataFrame,
    settings: Settings,
    source: str,
    engine: str,
    folder: Path | None,
    reader: Source | None = None,
    now: datetime | None = None,
    on_one_node: Mapping[str, int] | None = None,
) -> Answers:
    """Answers to each row of `demand`; `reader` and `now` as for asked_night.answer.

    `on_one_node`: how many devices of a kind a machine is known to have, where that may be more than gpus.csv says.

    Raises Unserved, check_question.Unreadable for an engine that no catalog knows, HubUnavailable and
    catalogs.CatalogError.
    """
    if demand.height > MOST_LINES:
        raise Unserved(
            f"the demand has {demand.height:,} lines, and one plan has room for {MOST_LINES}; split the file"
        )
    ways = _ways(demand)
    if (asked := ways["workload"].n_unique()) > MOST_WORKLOADS:
        raise Unserved(
            f"the demand asks for {asked} different contexts and concurrencies, and one plan has room for"
            f" {MOST_WORKLOADS}; round them, or split the file"
        )
    with tempfile.TemporaryDirectory(prefix="hubfit-plan-") as place:
        what_if = asked_night.what_if(Path(place), folder, _workloads(ways, engine, folder))
        if on_one_node:
            node.hold(on_one_node, what_if)
        models = demand["model_id"].unique(maintain_order=True).to_list()
        entries = inputs.listed([], models)
        this, database = asked_night.answer(entries, settings, source, Path(place), what_if, reader, now)
        failed = stages.read(this, "model_errors")
        if failed.height:
            lines = dict(demand.group_by("model_id").agg(pl.col("line").cast(pl.String).unique().sort()).iter_rows())
            said = "; ".join(
                f"line {', '.join(lines[row['model_id']])}: {row['model_id']}: {row['kind']}: {row['message']}"
                for row in failed.sort("model_id").to_dicts()
            )
            raise Unserved(f"{said}; the demand cannot be planned for until those lines are corrected or removed")
        _require_contexts(demand, stages.read(this, "models"))
        file, fits = Path(place) / "ways.parquet", Path(place) / "fits.parquet"
        ways.write_parquet(file)
        with duckdb.connect(str(database), read_only=True) as connection:
            connection.execute("CREATE TEMP TABLE ways AS FROM read_parquet(?)", [str(file)])
            connection.execute(f"COPY ({_FITS}) TO '{fits}' (FORMAT parquet)")
            held = pl.read_parquet(fits).cast(FITS)
            return Answers(
                fits=held,
                rooms=_rooms(what_if),
                prices=_frame(connection, "FROM prices"),
                gpus=_frame(connection, _GPUS),
                precisions=_frame(connection, _PRECISIONS),
                barred=_barred(connection, demand, held, engine),
            )


def _require_contexts(demand: pl.DataFrame, models: pl.DataFrame) -> None:
    """Raise Unserved where a line asks for more context than its model has: less would be planned for in silence."""
    c = pl.col
    limits = models.select("model_id", limit="max_context_tokens")
    beyond = demand.join(limits, on="model_id").filter(c("context_tokens") > c("limit")).sort("line")
    if said := [
        f"line {row['line']}: {row['model_id']} stops at {plural(row['limit'], 'token')}"
        f" and {row['context_tokens']:,} are asked for"
        for row in beyond.iter_rows(named=True)
    ]:
        raise Unserved(f"{'; '.join(said)}; shorten the context")


def _barred(
    connection: duckdb.DuckDBPyConnection, demand: pl.DataFrame, held: pl.DataFrame, engine: str
) -> dict[int, str]:
    """Of demands that nothing holds in what they ask for: those whose size has nothing to do with it."""
    precision = pl.col("precision")
    asked = demand.with_row_index("demand").select("demand", asked="precision")
    served = held.join(asked, on="demand").filter((pl.col("asked") == ANY) | (pl.col("asked") == precision))
    rest = asked.filter(~pl.col("demand").is_in(served["demand"].implode()))
    barred = {}
    for number, named in rest.iter_rows():
        verdicts = {verdict for (verdict,) in connection.execute(_VERDICTS, [number]).fetchall()}
        where, other = ("in any precision", "") if named == ANY else (f"in {named}", "precision or ")
        if verdicts <= {"unsupported", "unknown"}:
            no = f"needs an unknown amount of memory under {engine}"
            if "unknown" not in verdicts:
                no = f"is run by {engine} on no device"
            barred[number] = f"{no} {where}; ask another {other}engine, or leave the line out"
    return barred


def _rooms(folder: Path) -> pl.DataFrame:
    """Grain: device x number of processes on it, where more than one may fill it."""
    known = dimensions.load(folder)
    # what engines leave depends on no size of a workload
    one = known.workloads.head(1)
    own = known.gpus.filter(~pl.col("is_unified_memory"))
    frames = [
        estimator.capacities(own, one, known.profiles, known.reserves, processes=processes)
        .select("gpu_ix", pl.lit(processes).alias("processes"), "assured_bytes")
        .collect()
        for processes in range(1, MOST_PROCESSES + 1)
    ]
    named = pl.concat(frames).join(own.select("gpu_ix", gpu="gpu_id"), on="gpu_ix")
    return named.select("gpu", "processes", "assured_bytes").drop_nulls().sort("gpu", "processes")


def _ways(demand: pl.DataFrame) -> pl.DataFrame:
    """Grain: demand x number of groups, with the workload of one group."""
    c = pl.col
    each = pl.struct("context_tokens", "sequences")
    return (
        demand.with_row_index("demand")
        .join(pl.DataFrame({"groups": GROUPS}), how="cross")
        .filter(c("groups") <= c("concurrent_sequences"))
        .with_columns(sequences=(c("concurrent_sequences") / c("groups")).ceil().cast(pl.Int64))
        .with_columns(workload=pl.format("c{}-s{}", each.struct[0], each.struct[1]))
    )


def _workloads(ways: pl.DataFrame, engine: str, folder: Path | None) -> list[dict[str, Any]]:
    """What `hubfit check` would ask for each of the `ways`, under the name that it has there."""
    asked = ways.select("workload", "context_tokens", "sequences").unique(maintain_order=True)
    return [
        check_question.workload(Question("", folder, (), (), tokens, sequences, None, engine)) | {"workload": name}
        for name, tokens, sequences in asked.iter_rows()
    ]


def _frame(connection: duckdb.DuckDBPyConnection, query: str) -> pl.DataFrame:
    result = connection.execute(query)
    names = [column[0] for column in result.description or []]
    return pl.DataFrame(result.fetchall(), schema=names, orient="row", infer_schema_length=None)


# Everything that holds a group of a demand at the upper end, and on one device at the middle, in any precision.
_FITS = """
SELECT w.demand, w.groups, f.gpu, f.precision, o.shape_ix IS NOT NULL AS is_own_format, f.verdict = 'tight' AS is_tight,
    coalesce(f.gpus_needed, 1) AS degree, f.parallelism, f.decode_tokens_per_second AS tokens_per_second,
    f.required_bytes, f.required_bytes_high,
    f.usable_bytes, f.assured_bytes, f.confidence,
    CASE WHEN f.decode_tokens_per_second IS NOT NULL THEN f.speed_confidence END AS speed_confidence
FROM ways w
JOIN fit f ON f.model_id = w.model_id AND f.workload = w.workload
JOIN precisions p ON p.precision = f.precision
JOIN models m ON m.model_id = w.model_id
LEFT JOIN internal.shapes s USING (shape_id)
LEFT JOIN internal.own_formats o ON o.shape_ix = s.shape_ix AND o.precision_ix = p.precision_ix
WHERE f.verdict IN ('fits', 'sharded', 'tight')
ORDER BY ALL
"""

# What keeps one demand from every device, in what it asks for.
_VERDICTS = """
SELECT DISTINCT f.verdict
FROM ways w JOIN fit f ON f.model_id = w.model_id AND f.workload = w.workload
WHERE w.demand = ? AND (w.precision = 'any' OR w.precision = f.precision)
"""

_GPUS = "SELECT gpu_id, vendor, max_gpus_per_node, tdp_watts / devices_per_board AS watts FROM gpus"

# Those without a rank are taken only where they are asked for by name.
_PRECISIONS = """
SELECT p.precision, p.bits_per_weight AS bits, r.rank
FROM precisions p LEFT JOIN internal.precision_ranks r USING (precision_ix)
ORDER BY r.rank NULLS LAST, p.precision
"""
