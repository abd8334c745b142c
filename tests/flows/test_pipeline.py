"""Whole nights in one process: from a list to a published file, killed, damaged, repeated."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import duckdb
import polars as pl
import pytest
from small_disk import files_up_to
from snapshot_answers import keep

import catalogs
from flows import inputs, lake, night, pipeline, publication, stages, warehouse
from flows.failures import Failure, HubUnavailable
from flows.night import Night
from flows.raw import RawModel
from flows.settings import Settings

MODELS = ["openai-community/gpt2", "Qwen/Qwen3-0.6B", "openai/gpt-oss-20b", "google-bert/bert-base-uncased",
          "stabilityai/stable-diffusion-xl-base-1.0", "nobody/nothing", "not an id"]  # fmt: skip
FEW_GPUS = ("nvidia-h100-sxm-80gb", "nvidia-rtx-4090-24gb", "apple-m3-ultra-512gb")

FEW_PRECISIONS = ("bf16", "fp8_e4m3_block128", "int4_awq_g128", "gguf_q4_k_m", "nf4_dq", "stored", "fp32")
FEW_MEASUREMENTS = catalogs.measurements().filter(model_id="openai/gpt-oss-20b", gpu=FEW_GPUS[0], precision="stored")


def reduced(folder: Path) -> Path:
    """A what-if folder with few devices, formats and workloads: nights of a second or two."""
    folder.mkdir(parents=True, exist_ok=True)
    keep(folder, "gpus", FEW_GPUS)
    keep(folder, "precisions", FEW_PRECISIONS)
    keep(folder, "workloads", ("min-8k", "chat-8k", "local-8k", "train-qlora-2k"))
    keep(folder, "measurements", FEW_MEASUREMENTS["measurement"])
    return folder


@pytest.fixture
def what_if(tmp_path: Path) -> Path:
    return reduced(tmp_path / "what-if")


def begin(data: Path, what_if: Path, models: list[str] | None = None, *, fresh: bool = False) -> Night:
    return pipeline.begin(Settings(data=data), "snapshot", [], models or MODELS, what_if, fresh=fresh)


def run(data: Path, what_if: Path, models: list[str] | None = None) -> Path:
    return pipeline.run(begin(data, what_if, models), inputs.open_source("snapshot", Settings(data=data)))


@pytest.fixture(scope="session")
def first_night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of one night. Tests get copies of it, for most of them want to do something to it."""
    place = tmp_path_factory.mktemp("first")
    run(place / "data", reduced(place / "what-if"))
    return place / "data"


@pytest.fixture
def published(tmp_path: Path, first_night: Path) -> Path:
    data = shutil.copytree(first_night, tmp_path / "data", symlinks=True)
    return publication.latest(data)


def rows(published: Path, query: str) -> list[tuple[object, ...]]:
    with warehouse.connect(published / publication.DATABASE) as connection:
        return connection.execute(query).fetchall()


def test_a_night_leaves_a_database_and_a_site(published: Path) -> None:
    assert (published / "report" / "index.html").exists()
    assert (published / "report" / "models" / "openai--gpt-oss-20b.html").exists()
    assert publication.latest(published.parents[1]) == published
    [(listed, read, failed, outcome)] = rows(
        published, "SELECT models_listed, models_read, models_failed, outcome FROM runs"
    )
    assert (listed, read, failed, outcome) == (7, 5, 2, "published")
    kinds = dict(rows(published, "SELECT model_id, kind FROM model_errors"))
    assert kinds == {"nobody/nothing": "not_in_snapshot", "not an id": "invalid_id"}


def test_fit_has_every_combination_once_under_the_contracts_names(published: Path) -> None:
    [(found,)] = rows(published, "SELECT count(*) FROM fit")
    [(promised,)] = rows(published, "SELECT fit_rows FROM runs")
    assert found == promised == 5 * 7 * 4 * 3
    names = [name for name, *_ in rows(published, "DESCRIBE fit")]
    for name in (
        "model_id", "precision", "workload", "gpu", "verdict", "gpus_needed", "parallelism", "required_bytes",
        "usable_bytes", "headroom_bytes", "max_context_tokens", "max_sequences", "decode_tokens_per_second",
        "prefill_tokens_per_second", "usd_per_hour", "usd_per_million_tokens",
    ):  # fmt: skip
        assert name in names


def test_every_workload_says_what_it_takes_for_granted(published: Path) -> None:
    said = {(workload, subject): words for workload, subject, words in rows(published, "FROM assumptions")}
    kinds = rows(published, "SELECT workload, count(*) FROM assumptions GROUP BY ALL ORDER BY ALL")
    assert kinds == [("chat-8k", 11), ("local-8k", 11), ("min-8k", 11), ("train-qlora-2k", 9)]
    assert said["chat-8k", "engine"] == "vllm 0.17-0.26"
    assert said["chat-8k", "memory"] == "0.92 of a device is given to the engine"
    assert said["chat-8k", "devices"] == "any number of one node"
    assert said["local-8k", "devices"] == "one"
    assert said["local-8k", "host memory"] == "64.0 GiB"
    assert said["min-8k", "length"] == "8192 tokens, or the model's own limit where that is lower"
    assert said["train-qlora-2k", "training"].startswith("qlora, mixed, sft, ")


def test_an_answer_is_as_sure_as_the_least_sure_of_what_it_rests_on(published: Path) -> None:
    """vLLM's constants are medium on an H100 and low elsewhere; the minimum has none; a file's bytes need no bits."""
    query = """SELECT DISTINCT f.confidence FROM fit f JOIN engines e ON e.engine = {engine} AND e.is_default
        JOIN gpus g ON g.gpu_id = f.gpu AND g.memory_tier = e.memory_tier JOIN precisions p USING (precision)
        WHERE f.model_id = 'openai-community/gpt2' AND f.workload = {workload} AND f.precision = 'bf16'
        AND g.confidence = 'high' AND p.confidence IN ('exact', 'high') AND e.confidence = {confidence}"""
    for engine, workload, confidence in (("none", "min-8k", "high"), ("vllm", "chat-8k", "medium")):
        asked = query.format(engine=f"'{engine}'", workload=f"'{workload}'", confidence=f"'{confidence}'")
        assert rows(published, asked) == [(confidence,)]
    assert rows(published, "SELECT count(*) FROM fit WHERE (required_bytes IS NULL) <> (confidence IS NULL)") == [(0,)]


def test_a_worked_example_reaches_sql(published: Path) -> None:
    """gpt-oss-20b as stored: 13,761,264,768 B, and 12 full + 12 sliding (128) layers at 8,192 tokens in bf16."""
    [(weights, basis, cache, total)] = rows(
        published,
        "SELECT weights_bytes, weights_basis, kv_cache_bytes, total_bytes FROM requirements"
        " WHERE model_id = 'openai/gpt-oss-20b' AND precision = 'stored' AND workload = 'min-8k'",
    )
    assert (weights, basis) == (13_761_264_768, "stored")
    assert cache == 2 * 12_288 * (8192 + 128)
    assert total == weights + cache


def test_longest_context_and_most_sequences_invert_the_need(published: Path) -> None:
    """need(max_context) <= usable < need(max_context + 1), and the same for sequences, where activations stay."""
    found = rows(
        published,
        """
        SELECT f.usable_bytes, f.required_bytes, f.max_context_tokens, f.max_sequences,
            c.kv_cache_bytes, c.state_bytes, c.kv_bytes_per_token, c.kv_window_bytes_per_token, c.window_tokens,
            c.block_tokens, c.kv_constant_bytes, c.bytes_per_sequence, m.max_context_tokens
        FROM fit f JOIN models m USING (model_id) JOIN internal.shapes s USING (shape_id)
        JOIN workloads w USING (workload)
        JOIN internal.splits n USING (parallelism)
        JOIN internal.cache_plans c
            ON c.shape_ix = s.shape_ix AND c.workload_ix = w.workload_ix AND c.split_ix = n.split_ix
        WHERE f.model_id = 'openai/gpt-oss-20b' AND w.mode = 'inference' AND f.max_context_tokens IS NOT NULL
            AND w.engine <> 'llamacpp'
        """,
    )
    assert found
    for usable, need, longest, most, kv, state, token, window_token, window, block, constant, each, limit in found:
        rest = usable - need + kv

        def cache(context: int) -> float:
            blocks = -(-context // block) * block  # noqa: B023
            return token * blocks + window_token * min(context, window) + constant  # noqa: B023

        assert longest == limit or cache(longest + 1) > rest
        assert cache(longest) <= rest
        assert most * each <= rest + state < (most + 1) * each


def test_a_second_night_keeps_the_history(tmp_path: Path, what_if: Path, published: Path) -> None:
    second = run(tmp_path / "data", what_if)
    assert second != published
    assert [name for (name,) in rows(second, "SELECT run_id FROM runs")] == [published.name, second.name]


class Counted:
    """The snapshot source, counting what is asked and dying when told to."""

    def __init__(self, data: Path, die_at: int | None = None) -> None:
        self.source = inputs.open_source("snapshot", Settings(data=data))
        self.asked: list[str] = []
        self.die_at = die_at

    def __call__(self, model_ids: Iterable[str]) -> Iterator[tuple[str, RawModel | Failure]]:
        for model_id, answer in self.source(model_ids):
            if len(self.asked) == self.die_at:
                raise HubUnavailable("gone")
            self.asked.append(model_id)
            yield model_id, answer


def small_shards(data: Path, what_if: Path) -> Night:
    entries = inputs.listed([], MODELS)
    return night.start(data, "snapshot", entries, what_if, models_per_shard=2, shapes_per_shard=2)


def test_a_run_resumes_without_asking_again(tmp_path: Path, what_if: Path) -> None:
    data = tmp_path / "data"
    first = Counted(data, die_at=3)
    with pytest.raises(HubUnavailable):
        pipeline.run(small_shards(data, what_if), first)
    second = Counted(data)
    published = pipeline.run(small_shards(data, what_if), second)
    # the shard that died is asked for again as a whole, finished ones are not
    assert set(first.asked[:2]).isdisjoint(second.asked)
    assert len(second.asked) == 3
    assert rows(published, "SELECT count(*) FROM models") == [(5,)]


def test_shard_sizes_change_nothing(tmp_path: Path, what_if: Path, published: Path) -> None:
    data = tmp_path / "sharded"
    sharded = pipeline.run(small_shards(data, what_if), Counted(data))
    query = "SELECT * EXCLUDE (model_id), model_id FROM fit ORDER BY model_id, precision, workload, gpu"
    assert rows(sharded, query) == rows(published, query)


def test_a_damaged_part_is_written_again(tmp_path: Path, what_if: Path) -> None:
    data = tmp_path / "data"
    this = begin(data, what_if)
    stages.fetch(this, 0, inputs.open_source("snapshot", Settings(data=data)))
    stages.extract(this, 0)
    this.part("models", 0).write_bytes(b"damaged")
    published = pipeline.run(begin(data, what_if), inputs.open_source("snapshot", Settings(data=data)))
    assert published.name == this.run_id
    assert rows(published, "SELECT count(*) FROM models") == [(5,)]


KILLED = """
import sys, pathlib
from flows import inputs, pipeline
from flows.settings import Settings
settings = Settings(data=pathlib.Path(sys.argv[1]))
this = pipeline.begin(settings, "snapshot", [], sys.argv[3].split("|"), pathlib.Path(sys.argv[2]), fresh=False)
print("begun", flush=True)
pipeline.run(this, inputs.open_source("snapshot", settings))
"""


@pytest.mark.parametrize("after_seconds", [0.05, 0.4, 0.8])
def test_a_killed_night_leaves_the_last_one_and_resumes(
    tmp_path: Path, what_if: Path, published: Path, after_seconds: float
) -> None:
    data, before = tmp_path / "data", published
    command = [sys.executable, "-c", KILLED, str(data), str(what_if), "|".join(MODELS)]
    victim = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    assert victim.stdout is not None
    assert victim.stdout.readline() == "begun\n"
    time.sleep(after_seconds)
    victim.send_signal(signal.SIGKILL)
    victim.communicate(timeout=30)
    latest = publication.latest(data)
    assert (latest / "report" / "index.html").exists()
    assert latest == before or victim.returncode == 0 or (latest / publication.DATABASE).exists()
    after = run(data, what_if)
    query = "SELECT * FROM fit ORDER BY ALL"
    assert rows(after, query) == rows(before, query)
    assert not list((data / "published").glob(".building-*"))


def test_a_failing_check_blocks_and_keeps_the_previous_night(
    tmp_path: Path, what_if: Path, published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    real = warehouse.script
    broken = "-- name: always\nSELECT 42 AS answer;\n"
    monkeypatch.setattr(warehouse, "script", lambda name: broken if name == "checks" else real(name))
    with pytest.raises(warehouse.PublishBlocked, match="always: \\(42,\\)"):
        run(data, what_if)
    assert publication.latest(data) == published
    outcomes = pl.read_parquet(sorted((data / "lake" / "runs").glob("*/part-*.parquet")))["outcome"].to_list()
    assert sorted(outcomes) == ["blocked", "published"]


def test_damaged_history_is_left_out_and_stops_no_night(
    tmp_path: Path, what_if: Path, published: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The part of one old night is cut, that of another lost its seal."""
    data = tmp_path / "data"
    second, third = run(data, what_if, MODELS[:1]), run(data, what_if, MODELS[:1])
    [cut] = lake.parts(data, "runs", published.name)
    cut.write_bytes(cut.read_bytes()[:-6])
    [unsealed] = lake.parts(data, "runs", second.name)
    unsealed.with_suffix(".blake2b").unlink()
    fourth = run(data, what_if, MODELS[:1])
    assert [name for (name,) in rows(fourth, "SELECT run_id FROM runs")] == [third.name, fourth.name]
    assert f"{cut} is damaged" in caplog.text
    assert f"{unsealed} is damaged" in caplog.text


@pytest.mark.parametrize("damage", ["truncated", "overwritten"])
def test_a_damaged_previous_night_is_not_compared_with(
    tmp_path: Path, what_if: Path, published: Path, caplog: pytest.LogCaptureFixture, damage: str
) -> None:
    file = published / publication.DATABASE
    whole = file.read_bytes()
    file.write_bytes(whole[:5000] if damage == "truncated" else whole[:12_288] + b"\xa5" * (len(whole) - 12_288))
    after = run(tmp_path / "data", what_if, MODELS[:1])
    assert publication.latest(tmp_path / "data") == after
    assert "nothing is compared with the previous night" in caplog.text


@pytest.mark.parametrize("limit", [1_000, 10_000, 50_000])
def test_a_full_disk_at_any_stage_is_an_os_error_and_the_night_resumes(
    tmp_path: Path, what_if: Path, published: Path, limit: int
) -> None:
    """In this order: a raw part, extracted parts, and DuckDB's log of what is not yet in its file."""
    data, before = tmp_path / "data", published
    with files_up_to(limit), pytest.raises(OSError, match="File too large"):
        run(data, what_if)
    assert publication.latest(data) == before
    assert rows(run(data, what_if), "SELECT count(*) FROM models") == [(5,)]


@pytest.mark.parametrize(
    "refused",
    [
        duckdb.TransactionException('Failed to commit: Could not write file "x.wal": No space left on device'),
        duckdb.FatalException("database has been invalidated (Original error: No space left on device)"),
        duckdb.IOException('Cannot open file "x"'),
        duckdb.OutOfMemoryException("failed to offload data block; see 'max_temp_directory_size'"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_every_word_of_duckdb_for_a_full_disk_is_an_os_error(refused: duckdb.Error) -> None:
    with pytest.raises(OSError, match=r"No space|Cannot open|offload"), warehouse.disk_errors():
        raise refused
    with pytest.raises(duckdb.CatalogException), warehouse.disk_errors():
        raise duckdb.CatalogException("no such table")


def damaged(published: Path, statement: str, tmp_path: Path) -> set[str]:
    """Names of the checks that object after a statement has damaged a copy of the file."""
    copy = tmp_path / "copy.duckdb"
    copy.write_bytes((published / publication.DATABASE).read_bytes())
    with duckdb.connect(str(copy)) as connection:
        connection.execute(statement)
    return {violation.check for violation in warehouse.check(copy, None)}


@pytest.mark.parametrize(
    ("statement", "check"),
    [
        ("UPDATE runs SET models_listed = 99", "listed_equals_read_plus_failed"),
        ("INSERT INTO models FROM models LIMIT 1", "models_unique"),
        ("INSERT INTO model_errors BY NAME SELECT model_id FROM models LIMIT 1", "no_model_both_read_and_failed"),
        ("UPDATE models SET shape_id = 'none' WHERE model_id LIKE '%gpt2'", "every_model_has_its_shape"),
        ("INSERT INTO tensor_types BY NAME SELECT 'x' AS model_id", "tensor_types_are_of_artifacts"),
        ("DELETE FROM internal.fit WHERE gpu_ix = 1", "fit_covers_cross_product"),
        ("UPDATE internal.fit SET precision_ix = 0 WHERE gpu_ix = 1", "fit_key_unique"),
        ("UPDATE internal.fit SET outcome_ix = 77 WHERE gpu_ix = 1", "every_decision_has_its_outcome"),
        ("UPDATE internal.weight_plans SET weights_bytes = -1 WHERE degree = 1", "no_negative_bytes"),
        (
            "UPDATE internal.calculators SET bytes = 2 * bytes WHERE calculator = 'can_it_run'",
            "calculators_agree_with_each_other",
        ),
        ("UPDATE internal.calculators SET bytes = NULL", "calculators_agree_with_each_other"),
        ("INSERT INTO internal.calculators FROM internal.calculators LIMIT 1", "calculators_key_unique"),
        ("UPDATE internal.capacities SET assured_bytes = 1", "verdict_matches_headroom"),
        ("UPDATE internal.outcomes SET verdict = 'unknown'", "unknown_only_when_an_input_is_null"),
        ("INSERT INTO prices BY NAME SELECT 'nothing' AS gpu", "prices_name_known_gpus"),
        ("UPDATE prices SET origin = 'snapshot', is_stale = true", "snapshot_prices_are_fresh"),
        ("INSERT INTO price_history BY NAME SELECT 'aws' AS provider FROM range(2)", "price_history_key_unique"),
        ("UPDATE model_errors SET kind = NULL", "errors_are_explained"),
        ("COMMENT ON COLUMN models.likes IS NULL", "every_column_commented"),
        ("COMMENT ON TABLE models IS NULL", "every_table_commented"),
        ("DELETE FROM models", "something_was_read"),
    ],
)
def test_every_check_can_fail(published: Path, tmp_path: Path, statement: str, check: str) -> None:
    assert check in damaged(published, statement, tmp_path)


def test_an_outage_does_not_replace_a_good_night(published: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.duckdb"
    copy.write_bytes((published / publication.DATABASE).read_bytes())
    with duckdb.connect(str(copy)) as connection:
        connection.execute("INSERT INTO model_errors BY NAME SELECT model_id FROM models LIMIT 4")
        connection.execute("DELETE FROM models WHERE model_id IN (SELECT model_id FROM model_errors)")
    names = {violation.check for violation in warehouse.check(copy, published / publication.DATABASE)}
    assert "models_not_halved_since_last_night" in names


def test_types_in_the_database_are_those_of_the_schemas(published: Path) -> None:
    from estimator.plan_schema import FIT, WEIGHT_PLANS
    from flows.extract.tables import MODELS as MODELS_SCHEMA

    for table, schema in (("models", MODELS_SCHEMA), ("internal.fit", FIT), ("internal.weight_plans", WEIGHT_PLANS)):
        assert [name for name, *_ in rows(published, f"DESCRIBE {table}")] == schema.names()


def test_a_published_file_cannot_be_written_or_left(published: Path) -> None:
    with warehouse.connect(published / publication.DATABASE) as connection:
        for statement in (
            "CREATE TABLE x AS SELECT 1",
            "FROM read_csv('/etc/hosts')",
            "SET enable_external_access = true",
            "COPY models TO '/tmp/x.csv'",
            "ATTACH '/tmp/other.duckdb'",
            "INSTALL httpfs",
        ):
            with pytest.raises(duckdb.Error):
                connection.execute(statement)


def test_the_lake_is_written_under_the_contracts_names(published: Path) -> None:
    data, run_id = published.parents[1], published.name
    for table in ("hub", "models", "model_errors", "attention_groups", "artifacts", "fit", "runs"):
        assert lake.parts(data, table, run_id), table
    assert str((data / "published" / "latest").readlink()) == run_id
