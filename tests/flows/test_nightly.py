"""The flow through a real Prefect: one whole night, and a schedule that really fires."""

from __future__ import annotations

import ast
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from flows import publication, warehouse

HUBFIT = [sys.executable, "-m", "flows"]
MODELS = [
    "--source",
    "snapshot",
    "--model",
    "openai-community/gpt2",
    "--model",
    "openai/gpt-oss-20b",
    "--model",
    "no/body",
]


def quiet() -> dict[str, str]:
    """An environment in which nobody has set Prefect up."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}


def test_a_whole_night_through_prefect_equals_one_without(tmp_path: Path) -> None:
    with_prefect, without = tmp_path / "prefect", tmp_path / "plain"
    done = subprocess.run(
        [*HUBFIT, "nightly", *MODELS, "--data", str(with_prefect)],
        capture_output=True, text=True, timeout=220, env=quiet(), check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(publication.latest(with_prefect) / "report" / "index.html")
    plain = subprocess.run(
        [*HUBFIT, "run", *MODELS, "--data", str(without)], capture_output=True, text=True, check=False
    )
    assert plain.returncode == 0, plain.stderr
    assert (with_prefect / "prefect").is_dir(), "Prefect's home is in the data folder"
    query = "SELECT * FROM fit ORDER BY model_id, precision, workload, gpu"
    assert rows(with_prefect, query) == rows(without, query)
    assert rows(with_prefect, "SELECT kind FROM model_errors") == [("not_in_snapshot",)]


def rows(data: Path, query: str) -> list[tuple[object, ...]]:
    with warehouse.connect(publication.latest_database(data)) as connection:
        return connection.execute(query).fetchall()


def test_serve_publishes_on_schedule_and_stops_cleanly(tmp_path: Path) -> None:
    """The served deployment's own scheduler starts the night; nobody calls the flow."""
    serving = subprocess.Popen(
        [*HUBFIT, "serve", "--every", "5", *MODELS, "--data", str(tmp_path)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=quiet(), start_new_session=True,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 200
        while not (tmp_path / "published" / "latest").exists():
            assert serving.poll() is None, serving.stdout.read() if serving.stdout else ""
            assert time.monotonic() < deadline, "no night was published on schedule"
            time.sleep(0.5)
        pointer = json.loads((tmp_path / "published" / "latest.json").read_text())
        assert pointer["run_id"] == publication.latest(tmp_path).name
    finally:
        serving.send_signal(signal.SIGINT)
        try:
            output, _ = serving.communicate(timeout=60)
        finally:
            if serving.poll() is None:
                os.killpg(serving.pid, signal.SIGKILL)
    assert "Prefect server on http://127.0.0.1:" in output


def test_ctrl_c_is_one_message(tmp_path: Path) -> None:
    """Through Prefect, too: no traceback, the status of the contract."""
    running = subprocess.Popen(
        [*HUBFIT, "nightly", *MODELS, "--data", str(tmp_path)],
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


def test_the_work_pool_deployment_names_the_same_flow() -> None:
    import yaml

    folder = Path(__file__).parents[2]
    [deployment] = yaml.safe_load((folder / "flows" / "prefect.yaml").read_text())["deployments"]
    module, function = deployment["entrypoint"].rsplit(".", 1)
    tree = ast.parse((folder / (module.replace(".", "/") + ".py")).read_text())
    [flow] = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == function]
    assert set(deployment["parameters"]) <= {argument.arg for argument in flow.args.args}
    assert deployment["schedules"] == [{"cron": "0 3 * * *", "timezone": "UTC"}]
    assert deployment["concurrency_limit"] == {"limit": 1, "collision_strategy": "CANCEL_NEW"}


@pytest.mark.parametrize("arguments", [("--cron", "0 3 * * *", "--every", "5"), ("--cron", "not a cron")])
def test_a_bad_schedule_is_refused_at_once(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = subprocess.run(
        [*HUBFIT, "serve", *arguments, *MODELS, "--data", str(tmp_path)],
        capture_output=True, text=True, timeout=120, env=quiet(), check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
