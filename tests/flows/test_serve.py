"""The schedule: it fires by itself, survives the death of a night, and leaves nothing running."""

from __future__ import annotations

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from prefect_night import HUBFIT, PrefectNight, few, quiet

from flows import night, publication, tethered

MODELS = ["--source", "snapshot", "--model", "openai-community/gpt2"]
# Prefect looks for due runs every 10 s; a test has better things to do than wait for that.
HASTE = {
    "PREFECT_RUNNER_POLL_FREQUENCY": "1",
    "PREFECT_SERVER_SERVICES_SCHEDULER_RECENT_DEPLOYMENTS_LOOP_SECONDS": "1",
}


def wait_for(what: Callable[[], object], process: subprocess.Popen[str] | None, log: Path) -> None:
    deadline = time.monotonic() + 200
    while not what():
        assert process is None or process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)


def serve(data: Path, log: Path) -> subprocess.Popen[str]:
    options = [*MODELS, *few(data.parent / "few")]
    with log.open("a") as output:
        return subprocess.Popen(
            [*HUBFIT, "serve", "--every", "8", "--prices-cron", "@yearly", *options, "--data", str(data)],
            stdout=output, stderr=output, text=True, env=quiet(**HASTE), start_new_session=True,
        )  # fmt: skip


def end(process: subprocess.Popen[str], number: signal.Signals) -> int:
    process.send_signal(number)
    try:
        return process.wait(timeout=60)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


def processes(data: Path) -> list[str]:
    """Our server and the processes of flow runs: started with this folder as Prefect's home. Empty without /proc."""
    home = f"PREFECT_HOME={data / 'prefect'}".encode()
    found = []
    for environment in Path("/proc").glob("[0-9]*/environ"):
        try:
            if home in environment.read_bytes().split(b"\0"):
                found.append(environment.parent.name)
        except OSError:
            continue
    return found


def test_a_killed_night_blocks_no_later_one(tmp_path: Path, prefect_night: PrefectNight) -> None:
    """Kill everything in the middle of a scheduled night, serve again: skipped while locked, then published."""
    data, log = tmp_path / "data", tmp_path / "log"
    prefect_night.lend_home(data)
    serving = serve(data, log)
    try:
        wait_for((data / "lake" / "runs").exists, serving, log)
    finally:
        os.killpg(serving.pid, signal.SIGKILL)
        serving.wait()
    wait_for(lambda: not processes(data), None, log)
    serving = serve(data, log)
    try:
        with night.exclusive(data):
            wait_for(lambda: "night skipped: another night is writing" in log.read_text(), serving, log)
            assert not (data / "published" / "latest").exists()
        wait_for(lambda: "night published: " in log.read_text(), serving, log)
    finally:
        status = end(serving, signal.SIGTERM)
    said = log.read_text()
    assert status == 0, said
    assert "Prefect server on http://127.0.0.1:" in said
    assert re.search(r"closed \d+ earlier runs", said)
    assert f"night published: {publication.latest(data) / 'report' / 'index.html'}" in said
    assert "Traceback" not in said
    with sqlite3.connect(data / "prefect" / "prefect.db") as database:
        query = "SELECT state_type, count(*) FROM flow_run WHERE state_type <> 'SCHEDULED' GROUP BY state_type"
        states = dict(database.execute(query).fetchall())
        deployed = "SELECT d.name, s.schedule FROM deployment d JOIN deployment_schedule s ON s.deployment_id = d.id"
        schedules = {name: json.loads(schedule) for name, schedule in database.execute(deployed).fetchall()}
    assert states.get("CRASHED", 0) >= 1
    assert (schedules["nightly"]["interval"], schedules["prices"]["cron"]) == (8, "0 0 1 1 *")
    assert "`prices`: cron 0 0 1 1 * UTC" in said
    assert not {"RUNNING", "PENDING"} & set(states), states


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="looks for processes in /proc")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_the_server_ends_with_its_command_even_while_starting(tmp_path: Path, number: signal.Signals) -> None:
    data, log = tmp_path / "data", tmp_path / "log"
    serving = serve(data, log)
    try:
        wait_for(lambda: processes(data), serving, log)
    finally:
        status = end(serving, number)
    assert status == {signal.SIGTERM: 0, signal.SIGINT: 130}.get(number, -number)
    deadline = time.monotonic() + 30
    while processes(data):
        assert time.monotonic() < deadline, "the server outlives its command"
        time.sleep(0.1)
    assert "Traceback" not in log.read_text()


def test_a_tethered_process_ends_when_its_stdin_closes() -> None:
    child = subprocess.Popen(
        [sys.executable, "-P", tethered.__file__, "http.server", "--bind", "127.0.0.1", "0"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    assert child.stdout is not None
    assert b"Serving" in child.stdout.readline() or child.poll() is None
    child.communicate(timeout=60)  # closes its stdin
    assert child.returncode != 0


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--cron", "0 3 * * *", "--every", "5"), "either --cron or --every"),
        (("--cron", "99 99 * * *"), "out of range or unreadable"),
    ],
)
def test_a_bad_schedule_is_refused_before_anything_starts(
    tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    done = subprocess.run(
        [*HUBFIT, "serve", *arguments, *MODELS, "--data", str(tmp_path)],
        capture_output=True, text=True, timeout=120, env=quiet(), check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "prefect" / "server.log").exists()


CRON_LINES = {
    "0 3 * * *": "0 3 * * *",
    " */15  0-6 1,15 * mon-fri ": "*/15 0-6 1,15 * mon-fri",
    "@daily": "0 0 * * *",
    "@Weekly": "0 0 * * 0",
    "not a cron": "3 fields, a cron line has five",
    "0 0 3 * * *": "6 fields, a cron line has five",
    "": "0 fields, a cron line has five",
    "@reboot": "unknown shortcut, one of @yearly",
    "a b c d e": "out of range or unreadable",
}


def test_cron_lines_and_shortcuts_are_accepted_or_explained(tmp_path: Path) -> None:
    """In a process of its own: importing Prefect decides where its home is."""
    code = """
import sys
from flows.schedule import BadSchedule, cron_line
for line in sys.argv[1:]:
    try:
        print(cron_line(line))
    except BadSchedule as bad:
        print(bad)
"""
    done = subprocess.run(
        [sys.executable, "-c", code, *CRON_LINES],
        capture_output=True, text=True, timeout=120, env=quiet(PREFECT_HOME=str(tmp_path)), check=False,
    )  # fmt: skip
    assert len(done.stdout.splitlines()) == len(CRON_LINES), done.stderr
    for said, (line, words) in zip(done.stdout.splitlines(), CRON_LINES.items(), strict=True):
        assert words in said, line
