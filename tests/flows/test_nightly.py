"""The flow through a real Prefect: one whole night, the same as without."""

from __future__ import annotations

import ast
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from prefect_night import HUBFIT, MODELS, PrefectNight, quiet

from flows import publication, warehouse


def test_a_whole_night_through_prefect_equals_one_without(tmp_path: Path, prefect_night: PrefectNight) -> None:
    with_prefect, without, done = prefect_night.data, tmp_path / "plain", prefect_night.done
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(publication.latest(with_prefect) / "report" / "index.html")
    plain = subprocess.run(
        [*HUBFIT, "run", *prefect_night.options, "--data", str(without)], capture_output=True, text=True, check=False
    )
    assert plain.returncode == 0, plain.stderr
    assert (with_prefect / "prefect").is_dir(), "Prefect's home is in the data folder"
    query = "SELECT * FROM fit ORDER BY model_id, precision, workload, gpu"
    assert rows(with_prefect, query) == rows(without, query)
    assert rows(with_prefect, "SELECT kind FROM model_errors") == [("not_in_snapshot",)]


def rows(data: Path, query: str) -> list[tuple[object, ...]]:
    with warehouse.connect(publication.latest_database(data)) as connection:
        return connection.execute(query).fetchall()


def test_ctrl_c_is_one_message(tmp_path: Path, prefect_night: PrefectNight) -> None:
    """Through Prefect, too: no traceback, the status of the contract."""
    prefect_night.lend_home(tmp_path)
    running = subprocess.Popen(
        [*HUBFIT, "nightly", *prefect_night.options, "--data", str(tmp_path)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=quiet(), start_new_session=True,
    )  # fmt: skip
    assert running.stderr is not None
    seen = ""
    while "crawl" not in seen:
        seen = running.stderr.readline()
        assert seen, "ended before the crawl"
    os.killpg(running.pid, signal.SIGINT)  # what a terminal does
    _, err = running.communicate(timeout=120)
    assert running.returncode in (130, 0), err
    assert "flows/cli.py" not in err, "a traceback of ours"
    assert running.returncode == 0 or "interrupted" in err


@pytest.mark.parametrize("command", ["nightly", "serve"])
def test_a_prefect_api_that_is_away_is_one_message(tmp_path: Path, command: str) -> None:
    done = subprocess.run(
        [*HUBFIT, command, *MODELS, "--data", str(tmp_path)],
        capture_output=True, text=True, timeout=120, check=False,
        env=quiet(PREFECT_API_URL="http://someone:secret@127.0.0.1:9/api"),
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert done.stderr.splitlines()[-1].startswith("error: no Prefect API answers at http://127.0.0.1:9/api (")
    assert "secret" not in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["nightly", "serve"])
def test_a_full_disk_is_told_before_prefect_waits_on_it(tmp_path: Path, command: str) -> None:
    crowded = "from flows import __main__, disk; disk.LEAST_FREE_BYTES = 1 << 62; __main__.main()"
    done = subprocess.run(
        [sys.executable, "-c", crowded, command, *MODELS, "--data", str(tmp_path)],
        capture_output=True, text=True, timeout=120, env=quiet(), check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    [line] = done.stderr.splitlines()
    assert line.startswith(f"error: data folder: {tmp_path} has ")
    assert not (tmp_path / "prefect").exists()


def test_a_prefect_server_that_cannot_start_is_one_message(tmp_path: Path) -> None:
    (tmp_path / "prefect" / "prefect.db").mkdir(parents=True)
    done = subprocess.run(
        [*HUBFIT, "nightly", *MODELS, "--data", str(tmp_path)],
        capture_output=True, text=True, timeout=120, env=quiet(), check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert done.stderr.splitlines()[-1].startswith("error: the Prefect server stopped while starting: ")
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(("name", "cron"), [("nightly", "0 3 * * *"), ("prices", "0 2 * * *")])
def test_a_work_pool_deployment_names_the_same_flow(name: str, cron: str) -> None:
    import yaml

    folder = Path(__file__).parents[2]
    deployments = yaml.safe_load((folder / "flows" / "prefect.yaml").read_text())["deployments"]
    [deployment] = [found for found in deployments if found["name"] == name]
    module, function = deployment["entrypoint"].rsplit(".", 1)
    tree = ast.parse((folder / (module.replace(".", "/") + ".py")).read_text())
    [flow] = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == function]
    assert set(deployment["parameters"]) <= {argument.arg for argument in flow.args.args}
    assert deployment["schedules"] == [{"cron": cron, "timezone": "UTC"}]
    assert "concurrency_limit" not in deployment, "the lock is the limit; a slot of Prefect's outlives a killed night"
