"""What must hold in a night, asked of every row of its fit table with SQL.

Full catalogs, models of five kinds of cache; with `--whole-snapshot` all that are embedded, some 40 million rows. Each
query names what breaks a rule; a second number says how many cases it looked at. Outcomes are numbered from better to
worse: one device, ever more devices, too big.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from snapshot_answers import built

import catalogs
from flows import warehouse
from flows.report_rows import Rows

MODELS = ["openai-community/gpt2", "openai/gpt-oss-20b", "meta-llama/Llama-3.1-70B", "deepseek-ai/DeepSeek-V3",
          "google/gemma-3-27b-it"]  # fmt: skip

# Decisions with what orders them. A device is like another when only its memory differs for the estimate: tier (vLLM's
# batches), node, display. `unsupported` and `unknown` are no answers to compare.
DECIDED = """
CREATE TEMP VIEW decided AS
SELECT
    f.*, t.verdict, t.gpus_needed, w.workload, w.engine, w.mode, w.context_tokens, w.concurrent_sequences,
    p.precision, p.policy, p.bits_per_weight, p.shard_alignment, p.row_scale_bytes, p.block_scale_bytes, p.keep_bits,
    p.confidence AS format_confidence, g.memory_tier, g.max_gpus_per_node, g.reserve_bytes, c.usable_bytes,
    c.assured_bytes
FROM internal.fit f
JOIN internal.outcomes t USING (outcome_ix)
JOIN workloads w USING (workload_ix)
JOIN precisions p USING (precision_ix)
JOIN gpus g USING (gpu_ix)
JOIN internal.capacities c USING (gpu_ix, workload_ix)
WHERE t.verdict IN ('fits', 'tight', 'sharded', 'too_big')
"""


@pytest.fixture(scope="module")
def published(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[duckdb.DuckDBPyConnection]:
    is_whole = request.config.getoption("--whole-snapshot")
    models = [row["model_id"] for row in catalogs.hub_snapshot()] if is_whole else MODELS
    with warehouse.connect(built(tmp_path_factory.mktemp("night"), models)) as connection:
        connection.execute(DECIDED)
        yield connection


def holds(connection: duckdb.DuckDBPyConnection, cases: str, broken: str, *, at_least: int) -> None:
    """`cases`: a query with a row for each case; `broken`: what is wrong of one."""
    found = connection.execute(f"SELECT * FROM ({cases}) WHERE {broken} LIMIT 5").fetchall()
    assert found == []
    counted = connection.execute(f"SELECT count(*) FROM ({cases})").fetchone()
    assert counted is not None
    assert counted[0] >= at_least


def test_every_pair_is_decided_for_every_device(published: duckdb.DuckDBPyConnection) -> None:
    holds(
        published,
        """SELECT (SELECT count(*) FROM fit) AS rows,
                  (SELECT count(*) FROM models) * (SELECT count(*) FROM precisions)
                  * (SELECT count(*) FROM workloads) * (SELECT count(*) FROM gpus) AS pairs""",
        "rows <> pairs",
        at_least=1,
    )


def test_more_memory_is_never_worse(published: duckdb.DuckDBPyConnection) -> None:
    """At fixed constants of the engine: between devices of one tier, node and display."""
    holds(
        published,
        """SELECT *, lag(outcome_ix) OVER like_devices AS smaller, lag(assured_bytes) OVER like_devices AS less
           FROM decided
           WINDOW like_devices AS (
               PARTITION BY shape_ix, precision_ix, workload_ix, memory_tier, max_gpus_per_node, reserve_bytes
               ORDER BY usable_bytes, assured_bytes, outcome_ix DESC
           )
           QUALIFY less <= assured_bytes""",
        "outcome_ix > smaller",
        at_least=50_000,
    )


def test_what_asks_for_more_is_never_better(published: duckdb.DuckDBPyConnection) -> None:
    """Longer contexts, more sequences, a wider cache, an engine's overhead."""
    holds(
        published,
        """SELECT less.*, more.workload AS asks_more, more.outcome_ix AS outcome_of_more
           FROM decided less JOIN decided more USING (shape_ix, precision_ix, gpu_ix)
           WHERE (less.workload, more.workload) IN (
               ('min-8k', 'chat-8k'), ('chat-8k', 'chat-8k-x16'), ('chat-8k', 'rag-32k-x4'), ('chat-8k', 'long-128k'),
               ('rag-32k-x4-fp8kv', 'rag-32k-x4')
           )""",
        "outcome_of_more < outcome_ix",
        at_least=50_000,
    )


def test_more_bits_are_never_better(published: duckdb.DuckDBPyConnection) -> None:
    """Formats that quantise the same layers, are split alike and known as well: the next one in bits.

    Without MXFP4, whose experts vLLM pads: in gpt-oss they take more than those of NVFP4.
    """
    holds(
        published,
        """SELECT *, lag(outcome_ix) OVER formats AS fewer_bits
           FROM decided
           WHERE policy = 'linears' AND precision <> 'mxfp4'
           AND row_scale_bytes = 0 AND block_scale_bytes = 0 AND keep_bits = 16
           WINDOW formats AS (
               PARTITION BY shape_ix, workload_ix, gpu_ix, shard_alignment, format_confidence
               ORDER BY bits_per_weight, outcome_ix
           )
           QUALIFY fewer_bits IS NOT NULL""",
        "outcome_ix < fewer_bits",
        at_least=10_000,
    )


def test_terms_add_up_and_bounds_enclose(published: duckdb.DuckDBPyConnection) -> None:
    terms = (
        "weights_bytes, kv_cache_bytes, state_bytes, activation_bytes, gradient_bytes, optimizer_bytes, overhead_bytes"
    )
    holds(
        published,
        f"""SELECT r.*, list_sum([{terms}]) AS sum, list_min([{terms}]) AS least
            FROM requirements r WHERE total_bytes IS NOT NULL AND gradient_bytes = 0""",
        "sum <> total_bytes OR least < 0 OR total_bytes < total_bytes_low OR total_bytes > total_bytes_high",
        at_least=1_000,
    )
    holds(
        published,
        "SELECT * FROM requirements WHERE total_bytes IS NOT NULL AND gradient_bytes > 0",
        """total_bytes < weights_bytes + optimizer_bytes + greatest(activation_bytes, gradient_bytes)
           OR total_bytes < total_bytes_low OR total_bytes > total_bytes_high""",
        at_least=5,
    )


def test_what_fits_has_room(published: duckdb.DuckDBPyConnection) -> None:
    """And as long a context and as many sequences as asked for: the inverse questions agree with the verdict."""
    holds(
        published,
        "SELECT * FROM fit WHERE gpus_needed IS NOT NULL",
        """headroom_bytes < 0 OR (verdict <> 'tight' AND required_bytes_high > assured_bytes)
           OR max_context_tokens < context_tokens OR (verdict = 'sharded') <> (gpus_needed > 1)""",
        at_least=50_000,
    )
    holds(
        published,
        """SELECT f.*, w.concurrent_sequences FROM fit f JOIN workloads w USING (workload)
           WHERE f.max_sequences IS NOT NULL""",
        "max_sequences < concurrent_sequences",
        at_least=50_000,
    )
    holds(
        published,
        """SELECT f.* FROM fit f JOIN workloads w USING (workload)
           WHERE w.mode = 'training' AND f.gpus_needed IS NOT NULL""",
        "max_context_tokens IS NULL OR max_sequences IS NULL",
        at_least=100,
    )


def test_what_does_not_fit_says_no_more_than_that(published: duckdb.DuckDBPyConnection) -> None:
    holds(
        published,
        "SELECT * FROM fit WHERE verdict NOT IN ('fits', 'tight', 'sharded')",
        """gpus_needed IS NOT NULL OR parallelism IS NOT NULL OR usd_per_hour IS NOT NULL
           OR (verdict <> 'offload' AND coalesce(
               max_context_tokens, max_sequences, decode_tokens_per_second, first_token_seconds) IS NOT NULL)""",
        at_least=50_000,
    )
    holds(
        published,
        "SELECT * FROM fit WHERE verdict = 'offload'",
        """host_bytes IS NULL OR host_bytes <= 0 OR max_sequences IS NULL OR max_sequences < 1
           OR max_context_tokens IS NULL OR max_context_tokens < context_tokens
           OR (first_token_seconds IS NULL) <> (step_seconds IS NULL) OR interconnect_bound""",
        at_least=100,
    )
    holds(
        published,
        "SELECT * FROM fit WHERE verdict = 'too_big'",
        "required_bytes IS NULL OR usable_bytes IS NULL OR required_bytes <= usable_bytes",
        at_least=10_000,
    )


def test_no_speed_is_above_its_bound(published: duckdb.DuckDBPyConnection) -> None:
    """A sequence alone is never slower than one of several, and all together never slower than one alone."""
    holds(
        published,
        "SELECT * FROM fit WHERE decode_tokens_per_second IS NOT NULL",
        """decode_tokens_per_second > decode_tokens_per_second_bound * (1 + 1e-9) OR decode_tokens_per_second <= 0
           OR total_tokens_per_second < decode_tokens_per_second * (1 - 1e-9)""",
        at_least=10_000,
    )
    holds(
        published,
        """SELECT one.*, many.decode_tokens_per_second AS each_of_many, many.total_tokens_per_second AS all_of_many
           FROM fit one JOIN fit many USING (model_id, precision, gpu, gpus_needed)
           WHERE one.workload = 'chat-8k' AND many.workload = 'chat-8k-x16' AND one.step_seconds IS NOT NULL
           AND many.step_seconds IS NOT NULL""",
        "each_of_many > decode_tokens_per_second * (1 + 1e-9) OR all_of_many < total_tokens_per_second * (1 - 1e-9)",
        at_least=1_000,
    )
    holds(
        published,
        """SELECT short.*, long.decode_tokens_per_second AS of_long
           FROM fit short JOIN fit long USING (model_id, precision, gpu, gpus_needed)
           WHERE short.workload = 'chat-8k' AND long.workload = 'long-128k' AND short.step_seconds IS NOT NULL
           AND long.step_seconds IS NOT NULL""",
        "of_long > decode_tokens_per_second * (1 + 1e-9)",
        at_least=1_000,
    )


def test_the_cheapest_sure_way_is_the_cheapest_of_all_that_are_sure(published: duckdb.DuckDBPyConnection) -> None:
    """Of everything that fits at the upper end, at four bits or more."""
    holds(
        published,
        """SELECT a.*, least.usd
           FROM (
               SELECT f.model_id, f.workload, min(f.usd_per_hour) AS usd
               FROM fit f JOIN precisions p USING (precision)
               WHERE f.verdict IN ('fits', 'sharded') AND (p.bits_per_weight >= 4 OR p.policy = 'stored')
               AND f.usd_per_hour IS NOT NULL
               GROUP BY ALL
           ) least FULL JOIN cheapest_assured a USING (model_id, workload)""",
        """usd IS DISTINCT FROM usd_per_hour OR required_bytes_high > assured_bytes
           OR instances * devices_per_instance < gpus_needed""",
        at_least=30,
    )


def test_the_report_finds_the_same_in_its_shortlist(published: duckdb.DuckDBPyConnection) -> None:
    [(file,)] = published.execute("SELECT path FROM duckdb_databases() WHERE path IS NOT NULL").fetchall()
    rows = Rows(Path(file))
    try:
        rows.assured()
        workloads = [row["workload"] for row in rows.workloads]
        found = rows.all("FROM memory.main.cheapest_assured ORDER BY model_id, workload")
        view = rows.all("FROM cheapest_assured WHERE list_contains(?, workload) ORDER BY model_id, workload", workloads)
    finally:
        rows.close()
    assert len(found) >= 10
    assert found == view
