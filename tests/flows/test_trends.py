"""Figures of nights: worked by hand for a small one, and what the file of a night holds of those before it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import duckdb
import polars as pl
import pytest
from snapshot_answers import keep
from two_nights import Night, answer_of, night_file, rows_of

import catalogs
from flows import inputs, lake, night_plan, pipeline, publication, stages, warehouse
from flows.failures import Failure
from flows.report_rows import Rows
from flows.report_trends import trends_page
from flows.settings import Settings
from reports.model import Night as Footer

MODELS = ("openai-community/gpt2", "google-bert/bert-base-uncased", "openai/gpt-oss-20b", "meta-llama/Llama-3.1-70B")
MEASURED = catalogs.measurements().filter(model_id="openai/gpt-oss-20b", gpu="nvidia-h100-sxm-80gb", precision="stored")
SLICE, MAC = "nvidia-a100-sxm-40gb-mig-1g.5gb", "apple-m3-ultra-512gb"  # in no class, and no device of vLLM
UNKNOWN = "stabilityai/stable-diffusion-xl-base-1.0"  # whose need for a chat nobody knows


def asked(file: Path, query: str) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(file), read_only=True) as connection:
        return connection.execute(query).fetchall()


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four models of known need, one of unknown need, one that fails; two consumer devices, one of them nearly full."""
    of_4090 = rows_of("prices", "nvidia-rtx-4090-24gb", gpu_count=1, as_of="2020-01-01", as_of_precision="day")
    price = next(row for row in of_4090 if row["kind"] == "on_demand")
    night = Night(
        {
            **{model: answer_of(model) for model in (*MODELS, UNKNOWN)},
            "fails/now": Failure("not_found", "no such repository"),
        },
        {
            "gpus": [
                *rows_of("gpus", "nvidia-rtx-4090-24gb", "nvidia-h100-sxm-80gb", SLICE, MAC),
                *rows_of("gpus", "nvidia-rtx-3090-24gb", memory_mib_driver=4096, memory_gib_runtime=""),
            ],
            "precisions": rows_of("precisions", "fp32", "bf16", "mxfp4", "int4_awq_g128", "stored"),
            "prices": [
                {**price, "usd_per_gpu_hour": 0.5},
                {**price, "gpu": "nvidia-rtx-3090-24gb", "usd_per_gpu_hour": 0.25},
            ],
        },
    )
    return night_file(tmp_path_factory.mktemp("small"), "small", night)


def test_the_figures_of_a_night_are_those_worked_by_hand(small: Path) -> None:
    """24 GiB hold all but 70 billion at four bits (33 GiB), 4 GiB not the 12 GiB of gpt-oss either; 80 GiB hold all."""
    assert asked(small, "SELECT topic, item, workload, value, unit FROM trends ORDER BY ALL") == [
        ("devices", "consumer 24 GiB", None, 2.0, "devices"),
        ("devices", "datacenter 80 GiB", None, 1.0, "devices"),
        ("devices", "unified 256 GiB", None, 1.0, "devices"),
        ("fit", "consumer 24 GiB", "chat-8k", 2 / 4, "share"),
        ("fit", "datacenter 80 GiB", "chat-8k", 4 / 4, "share"),
        ("kind", "decoder", None, 3.0, "models"),
        ("kind", "diffusion", None, 1.0, "models"),
        ("kind", "encoder", None, 1.0, "models"),
        ("known", "exact counts", None, 3 / 5, "share"),
        ("known", "something unknown", None, 0 / 5, "share"),
        ("models", "failed", None, 1.0, "models"),
        ("models", "listed", None, 6.0, "models"),
        ("models", "read", None, 5.0, "models"),
        ("parameters", "90th percentile", None, 70_553_706_496.0, "parameters"),
        ("parameters", "largest", None, 70_553_706_496.0, "parameters"),
        ("parameters", "median", None, 20_914_757_184.0, "parameters"),
        ("price", "consumer 24 GiB", None, 0.25, "USD per hour"),
        ("stale prices", "consumer 24 GiB", None, 2.0, "devices"),
        ("stored precision", "float", None, 4 / 5, "share"),
        ("stored precision", "microscaling", None, 1 / 5, "share"),
    ]


def test_what_is_held_is_what_the_view_counts(small: Path) -> None:
    """The middle device of a class is one of its devices."""
    found = asked(
        small,
        "SELECT gpu, models_on_one / 4 FROM models_per_gpu"
        " WHERE workload = 'chat-8k' AND gpu LIKE '%24gb' ORDER BY gpu",
    )
    assert found == [("nvidia-rtx-3090-24gb", 0.5), ("nvidia-rtx-4090-24gb", 0.75)]


def test_the_workload_is_the_one_that_pages_are_about(small: Path) -> None:
    rows = Rows(small)
    try:
        assert [(rows.served["workload"],)] == rows._connection.execute(
            "SELECT DISTINCT workload FROM trends WHERE workload IS NOT NULL"
        ).fetchall()
    finally:
        rows.close()


def few(folder: Path, *workloads: str) -> Path:
    """A folder of catalogs for nights of a second or two."""
    folder.mkdir()
    keep(folder, "gpus", ("nvidia-h100-sxm-80gb", "nvidia-rtx-4090-24gb"))
    keep(folder, "precisions", ("bf16", "int4_awq_g128", "stored"))
    keep(folder, "workloads", workloads)
    keep(folder, "measurements", MEASURED["measurement"])
    return folder


@pytest.fixture(scope="module")
def what_if(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return few(tmp_path_factory.mktemp("catalogs") / "what-if", "min-8k", "chat-8k")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "it's data"


@pytest.fixture(scope="module")
def two_published(tmp_path_factory: pytest.TempPathFactory, what_if: Path) -> tuple[Path, list[str]]:
    """A data folder with two nights of one model, and their ids; whoever goes on from there takes a copy."""
    data = tmp_path_factory.mktemp("published") / "data"
    return data, [run(data, what_if).name for _ in range(2)]


@pytest.fixture
def after_two(two_published: tuple[Path, list[str]], data: Path) -> list[str]:
    """The ids of two nights that are published in `data`."""
    shutil.copytree(two_published[0], data, symlinks=True)
    return two_published[1]


def run(data: Path, what_if: Path, *models: str) -> Path:
    """The folder of a night that was published."""
    settings = Settings(data=data)
    this = pipeline.begin(settings, "snapshot", [], models or [MODELS[0]], what_if, fresh=False)
    return pipeline.run(this, inputs.open_source("snapshot", settings))


def counted(night: Path) -> list[tuple[str, float]]:
    """Models read by run; a night that counted twice would be there twice."""
    return asked(
        night / publication.DATABASE,
        "SELECT run_id, value FROM trends WHERE topic = 'models' AND item = 'read' ORDER BY run_id",
    )


def with_figures(night: Path) -> list[str]:
    query = "SELECT DISTINCT run_id FROM trends WHERE topic = 'kind' ORDER BY run_id"
    found = asked(night / publication.DATABASE, query)
    return [run_id for (run_id,) in found]


def dies_behind_its_build(data: Path, what_if: Path, *models: str) -> str:
    """The id of a night that is recorded in the lake, and of which nothing else came."""
    settings = Settings(data=data)
    source = inputs.open_source("snapshot", settings)
    this = pipeline.begin(settings, "snapshot", [], models, what_if, fresh=False)
    stages.fetch(this, 0, source)
    stages.extract(this, 0)
    for shard in range(stages.shapes(this)):
        stages.estimate(this, shard)
    night_plan.write(this, source)
    warehouse.build(this, data / "dies.duckdb")
    return this.run_id


def test_every_published_night_is_there_once(data: Path, what_if: Path) -> None:
    """The second night is blocked, for it reads nothing; the third one dies, and is resumed."""
    first = run(data, what_if)
    with pytest.raises(warehouse.PublishBlocked):
        run(data, what_if, "nobody/nothing")
    died = dies_behind_its_build(data, what_if, *MODELS[:2])
    third = run(data, what_if, *MODELS[:2])
    assert third.name == died
    assert counted(third) == [(first.name, 1.0), (third.name, 2.0)]
    assert with_figures(third) == [first.name, third.name]
    assert len(list((data / "lake" / "trends").glob("run=*"))) == 3


def test_a_night_that_died_behind_its_build_was_never_published(
    data: Path, what_if: Path, after_two: list[str]
) -> None:
    died = dies_behind_its_build(data, what_if, *MODELS[:2])
    other = run(data, what_if, *MODELS[:3])
    assert died != other.name
    assert counted(other) == [*((published, 1.0) for published in after_two), (other.name, 3.0)]


def test_figures_outlive_the_night_that_wrote_them(data: Path, what_if: Path, after_two: list[str]) -> None:
    first = after_two[0]
    assert publication.retire(data, keep=1) == [first]
    assert not (data / "lake" / "models" / f"run={first}").exists()
    third = run(data, what_if)
    assert with_figures(third) == [*after_two, third.name]


def test_damaged_figures_are_left_out_and_older_nights_have_none(
    data: Path, what_if: Path, after_two: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    """What `runs` has of them is there all the same."""
    third = run(data, what_if)
    [cut], [older] = (lake.parts(data, "trends", run_id) for run_id in after_two)
    cut.write_bytes(cut.read_bytes()[:-6])
    older.unlink()
    fourth = run(data, what_if)
    assert with_figures(fourth) == [third.name, fourth.name]
    assert [run_id for run_id, _ in counted(fourth)] == [*after_two, third.name, fourth.name]
    assert f"{cut} is damaged" in caplog.text


def test_parts_of_other_versions_are_read_as_they_are(data: Path, what_if: Path, after_two: list[str]) -> None:
    """An older one lacked a topic and a column; a newer one has another column."""
    [older], [newer] = (lake.parts(data, "trends", run_id) for run_id in after_two)
    lake.write(pl.read_parquet(older).filter(pl.col("topic") != "fit").drop("workload"), older)
    lake.write(pl.read_parquet(newer).with_columns(more=pl.lit("x")), newer)
    third = run(data, what_if)
    found = asked(
        third / publication.DATABASE, "SELECT DISTINCT run_id FROM trends WHERE topic = 'fit' ORDER BY run_id"
    )
    assert found == [(after_two[1],), (third.name,)]
    assert with_figures(third) == [*after_two, third.name]


def test_what_another_workload_held_is_not_compared(tmp_path: Path, data: Path, what_if: Path) -> None:
    first = run(data, what_if)
    second = run(data, few(tmp_path / "other", "min-8k", "chat-8k-x16"))
    rows = Rows(second / publication.DATABASE)
    try:
        footer = Footer("r", rows.one("SELECT max(started_at) AS t FROM runs")["t"], *[""] * 3, *[0] * 6, None, None)
        page = trends_page(rows, footer)
    finally:
        rows.close()
    assert [then.run_id for then in page.nights] == [first.name, second.name]
    assert page.elsewhere == 1
    assert set(page.figures["fit", "consumer 24 GiB"]) == {second.name}
    assert set(page.figures["devices", "consumer 24 GiB"]) == {first.name, second.name}
    html = (second / "report" / "trends.html").read_text(encoding="utf-8")
    assert "1 night asked another workload" in html


def test_a_site_that_serves_nothing_has_no_fit(tmp_path: Path, data: Path) -> None:
    night = run(data, few(tmp_path / "training", "train-qlora-2k"))
    topics = {topic for (topic,) in asked(night / publication.DATABASE, "SELECT DISTINCT topic FROM trends")}
    assert topics >= {"models", "kind", "devices"}
    assert "fit" not in topics
    html = (night / "report" / "trends.html").read_text(encoding="utf-8")
    assert "what devices hold is unknown" in html


def test_the_page_of_a_later_night_says_what_moved(data: Path, what_if: Path, after_two: list[str]) -> None:
    night = run(data, what_if, *MODELS)
    html = (night / "report" / "trends.html").read_text(encoding="utf-8")
    # 24 GiB hold gpt2, which is all; then three of four
    assert "models 1 → 4; one consumer device of 24 GiB holds 75 % of those whose need is known, 100 % before." in html
    assert html.count('<figure class="trend') == 4
