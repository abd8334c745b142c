"""Which devices serve a demand: the answers of a night whose workloads are what is asked for.

A replica may be one group of devices for all of its sequences, or two, four or eight groups that share them: each is a
workload of its own, and the fit says what it runs on.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

from catalogs.demand import ANY
from flows import asked_night, check_question, stages
from flows.check_question import Question
from flows.failures import Stop
from flows.settings import Settings

GROUPS = (1, 2, 4, 8)


class Unserved(Stop):
    """A model of the demand could not be read, or the demand names none."""


@dataclass(frozen=True)
class Answers:
    """`options`: demand x groups x gpu, on the fewest devices. `fits`: demand, whatever its speed."""

    options: pl.DataFrame
    fits: pl.DataFrame
    prices: pl.DataFrame
    gpus: pl.DataFrame


def find(demand: pl.DataFrame, settings: Settings, source: str, engine: str, folder: Path | None) -> Answers:
    """Options of each row of `demand`. Raises Unserved, check_question.Unreadable for an engine
    that no catalog knows, HubUnavailable and catalogs.CatalogError.
    """
    ways = _ways(demand)
    with tempfile.TemporaryDirectory(prefix="hubfit-plan-") as place:
        what_if = asked_night.what_if(Path(place), folder, _workloads(ways, engine, folder))
        models = demand["model_id"].unique(maintain_order=True).to_list()
        this, database = asked_night.answer(models, settings, source, Path(place), what_if)
        failed = stages.read(this, "model_errors")
        if failed.height:
            said = "; ".join(f"{row['model_id']}: {row['kind']}: {row['message']}" for row in failed.to_dicts())
            raise Unserved(f"the demand cannot be planned for: {said}; correct or remove those lines")
        file = Path(place) / "ways.parquet"
        ways.write_parquet(file)
        with duckdb.connect(str(database), read_only=True) as connection:
            connection.execute("CREATE TEMP TABLE ways AS FROM read_parquet(?)", [str(file)])
            connection.execute(_FITS)
            return Answers(
                options=_frame(connection, _OPTIONS),
                fits=_frame(connection, _BY_DEMAND),
                prices=_frame(connection, "FROM prices"),
                gpus=_frame(connection, _GPUS),
            )


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


# Everything that holds a group of a demand at the upper end, in a precision that was asked for.
_FITS = f"""
CREATE TEMP TABLE fits AS
SELECT w.demand, w.groups, w.min_tokens_per_second, f.gpu, f.precision, f.gpus_needed::INTEGER AS degree, f.parallelism,
    f.decode_tokens_per_second AS tokens_per_second, f.required_bytes, f.usable_bytes, f.confidence, p.bits_per_weight,
    coalesce(r.rank, 1000) AS rank
FROM ways w
JOIN fit f ON f.model_id = w.model_id AND f.workload = w.workload
JOIN precisions p ON p.precision = f.precision
LEFT JOIN internal.precision_ranks r ON r.precision_ix = p.precision_ix
WHERE f.verdict IN ('fits', 'sharded')
    AND CASE WHEN w.precision = '{ANY}' THEN r.rank IS NOT NULL ELSE w.precision = f.precision END
"""

# The fewest devices of each kind, and on those the precision that a person would choose.
_OPTIONS = """
SELECT demand, groups, gpu, degree, precision, parallelism, tokens_per_second, required_bytes, usable_bytes, confidence
FROM fits
WHERE min_tokens_per_second IS NULL OR tokens_per_second >= min_tokens_per_second
QUALIFY row_number() OVER (PARTITION BY demand, groups, gpu ORDER BY degree, rank, precision) = 1
ORDER BY ALL
"""

# How near each demand comes to being served, whatever its speed.
_BY_DEMAND = """
SELECT demand, count(*) AS fits, max(tokens_per_second) AS fastest_tokens_per_second
FROM fits GROUP BY demand ORDER BY demand
"""

_GPUS = "SELECT gpu_id, vendor, max_gpus_per_node, tdp_watts / devices_per_board AS watts FROM gpus"
