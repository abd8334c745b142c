"""Questions that the report asks the published file: SQL in, plain rows out. Nothing is computed here."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb
import polars as pl

Row = dict[str, Any]

# A device page ranks this many models a workload, with a score or the most downloaded; SQL has them all.
RANKED_MODELS = 1000
OPTIONS = 6

# One character a decision, as the heat map unfolds it.
CODE = """
CASE t.verdict
    WHEN 'fits' THEN 'f' WHEN 'tight' THEN 't' WHEN 'too_big' THEN 'x' WHEN 'unsupported' THEN '-'
    WHEN 'unknown' THEN '?' WHEN 'offload' THEN 'o'
    ELSE CASE t.gpus_needed WHEN 16 THEN 'g' ELSE t.gpus_needed::VARCHAR END
END
"""


class Rows:
    """A published file, read-only, with the best decisions of the report's workloads at hand."""

    def __init__(self, database: Path) -> None:
        # Scratch tables live in memory, beside the file that stays read-only.
        self._connection = duckdb.connect(":memory:")
        self._connection.execute("SET memory_limit = '1GB'")
        self._connection.execute(f"ATTACH '{str(database).replace(chr(39), chr(39) * 2)}' AS night (READ_ONLY)")
        self._connection.execute("USE night")
        self.workloads = self._workloads()
        chosen = ", ".join(str(int(row["workload_ix"])) for row in self.workloads)
        self._connection.execute(
            f"CREATE TABLE memory.main.best AS FROM internal.best WHERE workload_ix IN ({chosen or 'NULL'})"
        )

    def close(self) -> None:
        self._connection.close()

    def all(self, query: str, *parameters: object) -> list[Row]:
        """Every row of a query."""
        result = self._connection.execute(query, parameters)
        names = [column[0] for column in result.description or []]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]

    def stream(self, query: str, *parameters: object) -> Iterator[Row]:
        """Rows of a query, some thousand at a time, on a cursor of its own."""
        cursor = self._connection.cursor()
        cursor.execute("USE night")
        result = cursor.execute(query, parameters)
        names = [column[0] for column in result.description or []]
        while rows := result.fetchmany(5000):
            for row in rows:
                yield dict(zip(names, row, strict=True))

    def one(self, query: str, *parameters: object) -> Row:
        [row] = self.all(query, *parameters)
        return row

    def _workloads(self) -> list[Row]:
        """The report's workloads: the first of every inference engine, in the catalog's order."""
        return self.all(
            """
            SELECT workload_ix, workload, title, engine FROM workloads WHERE mode = 'inference'
            QUALIFY row_number() OVER (PARTITION BY engine ORDER BY workload_ix) = 1 ORDER BY workload_ix
            """
        )

    @property
    def served(self) -> Row:
        """The workload that pages are about where they show one: the first that an engine serves, else the first."""
        return next((row for row in self.workloads if row["engine"] != "none"), self.workloads[0])

    def rankings(self) -> Iterator[Row]:
        """Grain: gpu x workload x model that runs there, sorted by gpu, best first. Not all: RANKED_MODELS."""
        self._connection.execute(
            f"""
            CREATE TABLE memory.main.ranked AS
            SELECT b.* FROM memory.main.best b
            JOIN (
                SELECT shape_ix, bool_or(model_id IN (SELECT model_id FROM scores)) AS is_scored,
                    max(coalesce(downloads, 0)) AS downloads
                FROM models JOIN internal.shapes USING (shape_id) GROUP BY shape_ix
                ORDER BY is_scored DESC, downloads DESC LIMIT {RANKED_MODELS}
            ) USING (shape_ix)
            """
        )
        return self.stream(
            """
            SELECT f.model_id, f.gpu, f.workload, f.precision, f.verdict, f.gpus_needed, f.required_bytes,
                f.headroom_bytes, f.max_context_tokens, f.max_sequences,
                round(f.decode_tokens_per_second, 1) AS decode_tokens_per_second,
                m.parameters, m.downloads, m.confidence, o.score, o.effective_parameters, r.quality_loss
            FROM internal.fit_of('memory.main.ranked') f JOIN models m USING (model_id)
            JOIN precision_ranks r USING (precision) LEFT JOIN internal.model_order o USING (model_id)
            ORDER BY f.gpu, f.workload, o.tier NULLS LAST, r.rank, o.place, f.model_id
            """
        )

    def benchmarks(self) -> list[str] | None:
        """What the scores of models that were read are of, as far as the site says; null where there are no scores."""
        rows = self.all("SELECT DISTINCT benchmark FROM scores JOIN models USING (model_id) ORDER BY benchmark")
        return [row["benchmark"] for row in rows if row["benchmark"] is not None] if rows else None

    def near_misses(self) -> Iterator[Row]:
        """Grain: gpu x model that no precision of the first workload brings onto the device, smallest excess first."""
        if not self.workloads:
            return iter(())
        return self.stream(
            """
            SELECT gpu, model_id, precision, excess_bytes FROM (
                SELECT g.gpu_id AS gpu, m.model_id, p.precision, n.need - u.usable_bytes AS excess_bytes
                FROM gpus g
                JOIN internal.capacities u ON u.gpu_ix = g.gpu_ix AND u.workload_ix = ?
                CROSS JOIN (
                    SELECT r.model_id, arg_min(r.precision, r.total_bytes) AS precision, min(r.total_bytes) AS need
                    FROM requirements r JOIN precisions p USING (precision)
                    WHERE r.workload = ? AND p.bits_per_weight >= 4
                    GROUP BY r.model_id
                ) n
                JOIN models m ON m.model_id = n.model_id
                JOIN precisions p ON p.precision = n.precision
                WHERE n.need > u.usable_bytes AND n.need < u.usable_bytes * 1.5
            )
            QUALIFY row_number() OVER (PARTITION BY gpu ORDER BY excess_bytes, model_id) <= 25
            ORDER BY gpu, excess_bytes, model_id
            """,
            self.workloads[0]["workload_ix"],
            self.workloads[0]["workload"],
        )

    def assured(self) -> None:
        """Make memory.main.cheapest_assured: the view of that name for the report's workloads.

        A shortlist stands for all decisions: the best of each device, and the splits where that is tight, for a split
        is sure to hold what one device may not.
        """
        chosen = ", ".join(str(int(row["workload_ix"])) for row in self.workloads) or "NULL"
        known = self.all("SELECT DISTINCT gpu_ix FROM option_prices o JOIN gpus g ON g.gpu_id = o.gpu ORDER BY gpu_ix")
        priced = ", ".join(str(int(row["gpu_ix"])) for row in known)
        self._connection.execute(
            f"""
            CREATE VIEW memory.main.shortlist AS
            SELECT workload_ix, gpu_ix, shape_ix, precision_ix, outcome_ix FROM memory.main.best
            UNION ALL
            SELECT f.workload_ix, f.gpu_ix, f.shape_ix, f.precision_ix, f.outcome_ix
            FROM night.internal.fit f
            SEMI JOIN (
                FROM memory.main.best
                WHERE outcome_ix IN (SELECT outcome_ix FROM night.internal.outcomes WHERE verdict = 'tight')
            ) USING (workload_ix, gpu_ix, shape_ix)
            WHERE f.workload_ix IN ({chosen}) AND f.gpu_ix IN ({priced or "NULL"})
                AND f.outcome_ix IN (SELECT outcome_ix FROM night.internal.outcomes WHERE verdict = 'sharded')
            """
        )
        self._connection.execute(
            "CREATE TABLE memory.main.cheapest_shapes AS FROM internal.cheapest_of('memory.main.shortlist')"
        )
        self._connection.execute(
            "CREATE TABLE memory.main.cheapest_assured AS"
            " FROM internal.cheapest_assured_of('memory.main.cheapest_shapes')"
        )

    def options(self) -> dict[str, list[Row]]:
        """model_id -> its cheapest devices for the workload that is served."""
        if not self.workloads:
            return {}
        self._connection.execute(
            f"""
            CREATE TABLE memory.main.cheapest AS
            SELECT b.* FROM memory.main.best b JOIN internal.outcomes t USING (outcome_ix) JOIN gpus g USING (gpu_ix)
            JOIN option_prices c ON c.gpu = g.gpu_id AND c.devices = t.gpus_needed
            WHERE b.workload_ix = {int(self.served["workload_ix"])}
            QUALIFY row_number() OVER (
                PARTITION BY b.shape_ix ORDER BY c.usd_per_hour, b.gpu_ix
            ) <= {OPTIONS}
            """
        )
        found: dict[str, list[Row]] = {}
        for row in self.stream(
            """
            SELECT f.model_id, f.gpu, g.name, f.precision, f.verdict, f.gpus_needed, f.headroom_bytes,
                f.max_context_tokens, f.decode_tokens_per_second, f.usd_per_hour, f.usd_per_million_tokens
            FROM internal.fit_of('memory.main.cheapest') f JOIN gpus g ON g.gpu_id = f.gpu
            ORDER BY f.model_id, f.usd_per_hour, f.gpu
            """
        ):
            found.setdefault(row["model_id"], []).append(row)
        return found

    def ways_on(self, gpus: Sequence[str]) -> Iterator[Row]:
        """Grain: model x device of `gpus` that it runs on; how it does best in the workload that is served."""
        self._connection.execute(
            f"""
            CREATE TABLE memory.main.best_on AS
            SELECT b.* FROM memory.main.best b JOIN gpus g USING (gpu_ix)
            WHERE b.workload_ix = {int(self.served["workload_ix"])} AND list_contains(?, g.gpu_id)
            """,
            [list(gpus)],
        )
        return self.stream(
            "SELECT model_id, gpu, precision, gpus_needed, decode_tokens_per_second"
            " FROM internal.fit_of('memory.main.best_on')"
        )

    def reach(self) -> dict[int, Row]:
        """shape_ix -> on how many devices it fits alone in the workload that is served, and the smallest of them."""
        if not self.workloads:
            return {}
        rows = self.all(
            """
            SELECT shape_ix, count(*) AS fits_on, arg_min(name, place) AS name, arg_min(gpu_id, place) AS gpu,
                arg_min("precision", place) AS "precision", arg_min(memory_gib_nominal, place) AS memory_gib
            FROM (
                -- a whole device before a slice of one, which nobody looks for on a shelf
                SELECT b.shape_ix, g.name, g.gpu_id, g.memory_gib_nominal, p.precision,
                    (g.segment = 'slice', g.visible_bytes, g.gpu_id) AS place
                FROM memory.main.best b JOIN gpus g USING (gpu_ix) JOIN precisions p USING (precision_ix)
                JOIN internal.outcomes t USING (outcome_ix)
                WHERE b.workload_ix = ? AND t.verdict = 'fits'
            )
            GROUP BY shape_ix
            """,
            self.served["workload_ix"],
        )
        return {row["shape_ix"]: row for row in rows}

    def heats(self, workload_ix: int) -> Iterator[tuple[int, list[tuple[int, str]]]]:
        """shape_ix -> [(precision_ix, one character a device)] for one workload, in shape order.

        The fit table is sorted by device inside each shard of shapes, so a shard's codes are one long string in
        which every pair of shape and precision comes again after a whole device: slicing turns the table around.
        """
        devices = self.one("SELECT count(*) AS n FROM gpus")["n"]
        pairs_of_shape = self.one("SELECT count(*) AS n FROM precisions")["n"]
        shards = self.all("SELECT DISTINCT shape_ix // 2000 AS shard FROM internal.shapes ORDER BY shard")
        for shard in (row["shard"] for row in shards):
            first, last = shard * 2000, shard * 2000 + 1999
            codes = self._codes(workload_ix, first, last)
            pairs = len(codes) // devices if devices else 0
            shapes = pairs // pairs_of_shape if pairs_of_shape else 0
            for position in range(shapes):
                start = position * pairs_of_shape
                yield (
                    first + position,
                    [(number, codes[start + number :: pairs]) for number in range(pairs_of_shape)],
                )

    def _codes(self, workload_ix: int, first: int, last: int) -> str:
        """Codes of a shard's decisions in the order device, shape, precision."""
        with tempfile.TemporaryDirectory(prefix="hubfit-report-") as place:
            file = str(Path(place) / "codes.parquet").replace("'", "''")
            self._connection.execute(
                f"""
                COPY (
                    SELECT {CODE} AS code FROM internal.fit f JOIN internal.outcomes t USING (outcome_ix)
                    WHERE f.workload_ix = {workload_ix} AND f.shape_ix BETWEEN {first} AND {last}
                    ORDER BY f.gpu_ix, f.shape_ix, f.precision_ix
                ) TO '{file}' (FORMAT parquet)
                """
            )
            return str(pl.read_parquet(file)["code"].str.join("").item())

    def by_model(self, query: str, *parameters: object) -> Iterator[tuple[str, Sequence[Row]]]:
        """Rows of a query that is sorted by model_id, one model at a time."""
        group: list[Row] = []
        for row in self.stream(query, *parameters):
            if group and group[0]["model_id"] != row["model_id"]:
                yield group[0]["model_id"], group
                group = []
            group.append(row)
        if group:
            yield group[0]["model_id"], group
