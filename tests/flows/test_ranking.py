"""Which precision and which model is chosen: one small night, with and without scores."""

from __future__ import annotations

import json
import math
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from snapshot_answers import built, keep

from flows import report, warehouse
from flows.report_rows import Rows

GPT2, OSS, GEMMA = "openai-community/gpt2", "openai/gpt-oss-20b", "google/gemma-3-27b-it"
LLAMA, QWEN, ENCODER = "meta-llama/Llama-3.1-8B", "Qwen/Qwen3-30B-A3B", "BAAI/bge-reranker-v2-m3"
MODELS = (GPT2, OSS, GEMMA, LLAMA, QWEN, ENCODER, "no/body")
SCORES = f"model_id,score,benchmark\n{OSS},60,arena\n{LLAMA},71.5,arena\nno/body,99,\nnot/listed,1,\n"
PRECISIONS = (
    *("fp32", "bf16", "mxfp8", "fp8_e4m3_channel", "mxfp4", "int4_gptq_g32", "int4_gptq_g128", "int4_awq_g128", "nf4"),
    *("gguf_q8_0", "gguf_q4_1", "gguf_q4_k_m", "gguf_q3_k_m", "stored"),
)
SMALL, LARGE = "nvidia-rtx-4090-24gb", "nvidia-h100-sxm-80gb"
SLICE = "nvidia-h100-sxm-80gb-mig-1g.10gb"


@pytest.fixture(scope="module")
def scored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A night for a site that scores two of six models, one that could not be read and one that it does not list."""
    place = tmp_path_factory.mktemp("scored")
    keep(place, "gpus", (SMALL, LARGE, SLICE, "apple-m3-ultra-512gb"))
    keep(place, "precisions", PRECISIONS)
    keep(place, "workloads", ("chat-8k", "local-8k"))
    (place / "scores.csv").write_text(SCORES, encoding="utf-8")
    return built(place, MODELS, place, warehouse.build)


@pytest.fixture(scope="module")
def open_night(scored: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """A copy whose scores a test may change: the views say the rest."""
    copy = tmp_path_factory.mktemp("open") / "night.duckdb"
    shutil.copy(scored, copy)
    with duckdb.connect(str(copy)) as connection:
        yield connection


def asked(file: Path, query: str) -> list[tuple[Any, ...]]:
    with warehouse.connect(file) as connection:
        return connection.execute(query).fetchall()


def score(connection: duckdb.DuckDBPyConnection, scores: dict[str, float]) -> None:
    connection.execute("DELETE FROM scores")
    for model, figure in scores.items():
        connection.execute("INSERT INTO scores (model_id, score) VALUES (?, ?)", [model, figure])


def test_precisions_are_ranked_by_what_they_lose(scored: Path) -> None:
    """Figures of the catalog; by bits q4_1 would come before q4_k_m, and gptq in 128 behind awq."""
    assert asked(scored, "SELECT precision, quality_loss, quality_basis FROM precision_ranks ORDER BY rank") == [
        ("bf16", 0, "sixteen_bits"), ("gguf_q8_0", 0.0004, "published"), ("mxfp8", 0.0077, "published"),
        ("fp8_e4m3_channel", 0.0097, "published"), ("int4_gptq_g32", 0.028, "bounded"),
        ("int4_gptq_g128", 0.028, "published"), ("gguf_q4_k_m", 0.0282, "published"),
        ("int4_awq_g128", 0.0433, "published"), ("gguf_q4_1", 0.0724, "published"), ("nf4", 0.0724, "bounded"),
        ("mxfp4", 0.0724, "bounded"),
        ("fp32", 0, "sixteen_bits"), ("stored", None, "stored"), ("gguf_q3_k_m", 0.1054, "published"),
    ]  # fmt: skip
    assert asked(scored, "SELECT precision FROM precision_ranks WHERE rank IS NULL") == [("gguf_q3_k_m",)]


def test_what_fits_is_run_at_what_loses_least(scored: Path) -> None:
    """27 billion parameters on 24 GiB under llama.cpp: q4_1 fits as well, is larger and loses more."""
    best = f"WHERE model_id = '{GEMMA}' AND gpu = '{SMALL}' AND workload = 'local-8k'"
    held = asked(scored, f"SELECT precision FROM fit {best} AND verdict = 'fits' AND precision LIKE 'gguf_q4%'")
    assert set(held) == {("gguf_q4_1",), ("gguf_q4_k_m",)}
    assert asked(scored, f"SELECT precision FROM best_fit {best}") == [("gguf_q4_k_m",)]


def test_a_quantised_repository_is_run_as_it_is(scored: Path) -> None:
    """gpt-oss holds MXFP4: bf16 would be made of that, and int4 would lose again. Llama holds 16 bits."""
    best = f"WHERE gpu = '{LARGE}' AND workload = 'chat-8k' AND model_id IN ('{OSS}', '{LLAMA}')"
    assert asked(scored, f"SELECT model_id, precision FROM best_fit {best} ORDER BY model_id") == [
        (LLAMA, "bf16"),
        (OSS, "stored"),
    ]


def test_the_smallest_device_is_a_whole_one(scored: Path) -> None:
    """GPT-2 runs on an instance of 10 GB, too: what it needs is said by the next whole device."""
    assert asked(scored, f"SELECT verdict FROM best_fit WHERE model_id = '{GPT2}' AND gpu = '{SLICE}'")[0] == ("fits",)
    [(shape,)] = asked(
        scored, f"SELECT s.shape_ix FROM models JOIN internal.shapes s USING (shape_id) WHERE model_id = '{GPT2}'"
    )
    rows = Rows(scored)
    try:
        reach = rows.reach()[shape]
    finally:
        rows.close()
    assert (reach["gpu"], reach["memory_gib"]) == (SMALL, 24)
    assert reach["fits_on"] >= 3  # the instance counts among the devices


def ranked(connection: duckdb.DuckDBPyConnection, gpu: str, kind: str = "decoder") -> list[tuple[Any, ...]]:
    return connection.execute(
        "SELECT model_id, ranked_by, score FROM best_models WHERE gpu = ? AND workload = 'chat-8k' AND kind = ?"
        " ORDER BY rank",
        [gpu, kind],
    ).fetchall()


def test_without_scores_models_are_ranked_by_effective_parameters(open_night: duckdb.DuckDBPyConnection) -> None:
    """sqrt(30.53 x 3.35) is 10.1 billion, sqrt(20.9 x 4.2) 9.4: between 27 and 8. Its whole 30.5 would be first."""
    score(open_night, {})
    assert [model for model, by, _ in ranked(open_night, LARGE) if by == "parameters"] == [
        GEMMA,
        QWEN,
        OSS,
        LLAMA,
        GPT2,
    ]
    rows = open_night.execute(
        "SELECT model_id, round(effective_parameters / 1e9, 1), round(b.parameters / 1e9, 1) FROM best_models b"
        f" WHERE gpu = '{LARGE}' AND workload = 'chat-8k' AND b.model_id IN ('{QWEN}', '{LLAMA}') ORDER BY rank"
    ).fetchall()
    assert rows == [(QWEN, 10.1, 30.5), (LLAMA, 8.0, 8.0)]
    for model, total, active, effective in open_night.execute(
        "SELECT model_id, m.parameters, active_parameters, effective_parameters FROM best_models b JOIN models m"
        " USING (model_id)"
    ).fetchall():
        assert effective == pytest.approx(math.sqrt(total * active), abs=1), model


def test_models_of_another_kind_are_ranked_apart(open_night: duckdb.DuckDBPyConnection) -> None:
    score(open_night, {})
    assert [row[0] for row in ranked(open_night, SMALL, "encoder")] == [ENCODER]


def test_scored_models_come_first(scored: Path) -> None:
    with warehouse.connect(scored) as connection:
        assert ranked(connection, LARGE) == [
            (LLAMA, "score", 71.5), (OSS, "score", 60), (GEMMA, "parameters", None), (QWEN, "parameters", None),
            (GPT2, "parameters", None),
        ]  # fmt: skip


def test_equal_scores_are_decided_by_what_the_precision_loses(open_night: duckdb.DuckDBPyConnection) -> None:
    """On 24 GiB Llama fits in 16 bits, Qwen3-30B-A3B in 4: more parameters do not count where scores do."""
    score(open_night, {QWEN: 5, LLAMA: 5})
    assert ranked(open_night, SMALL)[:2] == [(LLAMA, "score", 5), (QWEN, "score", 5)]


def test_scores_of_models_that_are_not_there(scored: Path) -> None:
    unused = asked(scored, "SELECT model_id, score, reason FROM unused_scores ORDER BY model_id")
    assert unused == [("no/body", 99, "could not be read"), ("not/listed", 1, "not listed")]


DECISIONS = "SELECT gpu, workload, model_id, precision, verdict FROM best_fit ORDER BY ALL"


@settings(max_examples=15, deadline=None)
@given(
    scores=st.dictionaries(
        st.sampled_from(MODELS), st.floats(allow_nan=False, allow_infinity=False) | st.sampled_from([0.0, 1.0])
    )
)
def test_scores_decide_the_order_and_nothing_else(
    scores: dict[str, float], open_night: duckdb.DuckDBPyConnection
) -> None:
    """What fits, and at which precision, is the same; ranks are 1 to n, by score, then by effective parameters."""
    score(open_night, {})
    decisions = open_night.execute(DECISIONS).fetchall()
    held = {row[:4] for row in decisions if row[4] == "fits"}
    score(open_night, scores)
    assert open_night.execute(DECISIONS).fetchall() == decisions
    rows = open_night.execute(
        "SELECT gpu, workload, model_id, precision, kind, rank, ranked_by, score, effective_parameters FROM best_models"
        " ORDER BY gpu, workload, kind, rank"
    ).fetchall()
    assert {row[:4] for row in rows} == held
    assert len(rows) == len(held)
    before: tuple[Any, ...] | None = None
    for row in rows:
        gpu, workload, model, _, kind, rank, by, figure, effective = row
        assert figure == scores.get(model)
        assert by == ("parameters" if figure is None else "score")
        if before is None or before[:3] != (gpu, workload, kind):
            assert rank == 1
        else:
            assert rank == before[3] + 1
            if figure is None:
                assert before[4] is not None or before[5] >= effective
            else:
                assert before[4] is not None
                assert before[4] >= figure
        before = (gpu, workload, kind, rank, figure, effective)


@pytest.fixture(scope="module")
def pages(scored: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("report")
    report.write(scored, place)
    return place


def table(page: str, name: str) -> tuple[list[str], list[list[Any]]]:
    """Columns and rows of a big table."""
    found = re.search(rf'id="{name}".*?<script type="application/json">(.*?)</script>', page, flags=re.DOTALL)
    assert found is not None
    read = json.loads(found[1])
    return [column["name"] for column in read["columns"]], read["rows"]


def test_pages_follow_the_scores_and_say_so(pages: Path) -> None:
    page = (pages / "devices" / f"{LARGE}.html").read_text(encoding="utf-8")
    assert "Ranked by verdict and the scores of this site (arena); models without one follow by effective" in page
    columns, rows = table(page, "ranking")
    shown = [dict(zip(columns, row, strict=True)) for row in rows]
    chat = [row for row in shown if row["workload"] == "chat-8k" and row["verdict"] == "fits"]
    assert [(row["model_id"][0], row["score"]) for row in chat][:3] == [(LLAMA, 71.5), (OSS, 60), (GEMMA, None)]
    assert chat[0]["quality_loss"] == 0
    first = (pages / "index.html").read_text(encoding="utf-8")
    assert "The best model that one device holds" in first
    assert "Ranked by the scores of this site (arena)" in first
    assert '<td class="n">71.5</td>' in first
    assert "largest" not in first.lower()
    _, unused = table((pages / "quality.html").read_text(encoding="utf-8"), "scores")
    assert [row[0] for row in unused] == ["no/body", "not/listed"]
    columns, order = table((pages / "method.html").read_text(encoding="utf-8"), "precisions")
    assert order[0][:4] == [1, "bf16", 0, "sixteen_bits"]
    assert "quality_source" in columns


def test_pages_without_scores_say_what_they_rank_by(open_night: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    score(open_night, {})
    [[name]] = open_night.execute("SELECT path FROM duckdb_databases() WHERE database_name = 'night'").fetchall()
    open_night.execute("CHECKPOINT")
    copy = tmp_path / "night.duckdb"
    shutil.copy(name, copy)
    report.write(copy, tmp_path / "report")
    page = (tmp_path / "report" / "devices" / f"{LARGE}.html").read_text(encoding="utf-8")
    assert "this site brought no scores" in page
    columns, found = table(page, "ranking")
    assert "score" not in columns
    at = columns.index("model_id"), columns.index("verdict"), columns.index("workload")
    chat = [row[at[0]][0] for row in found if (row[at[1]], row[at[2]]) == ("fits", "chat-8k")]
    assert [model for model in chat if model != ENCODER] == [GEMMA, QWEN, OSS, LLAMA, GPT2]
    first = (tmp_path / "report" / "index.html").read_text(encoding="utf-8")
    assert "The largest model that one device holds" in first
    assert "Ranked by all parameters." in first
    assert "scores" not in (tmp_path / "report" / "quality.html").read_text(encoding="utf-8")
