"""Keep the nightly flow on schedule: a Prefect deployment served from this process."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from flows import terminal

SERVER_START_SECONDS = 180


def serve(data: Path, *, cron: str | None, every_seconds: int | None, parameters: Mapping[str, Any]) -> None:
    """Serve until interrupted. Exactly one of `cron` and `every_seconds` is given.

    A run that is due while another one is at work is cancelled: two publishers never race.
    """
    with _api(data):
        from prefect.client.schemas.objects import ConcurrencyLimitConfig, ConcurrencyLimitStrategy

        from flows.nightly import nightly

        when = f"cron {cron} UTC" if cron else f"every {every_seconds} s"
        terminal.note(f"serving `nightly`: {when}; stop with Ctrl-C")
        nightly.serve(
            name="nightly",
            cron=cron,
            interval=every_seconds,
            parameters=dict(parameters),
            global_limit=ConcurrencyLimitConfig(limit=1, collision_strategy=ConcurrencyLimitStrategy.CANCEL_NEW),
            print_starting_message=False,
            pause_on_shutdown=False,
        )


@contextmanager
def _api(data: Path) -> Iterator[None]:
    """A Prefect API: the one in PREFECT_API_URL, or a server of our own on loopback for as long as we serve."""
    if os.environ.get("PREFECT_API_URL"):
        yield
        return
    port = _free_port()
    url = f"http://127.0.0.1:{port}/api"
    log = data / "prefect" / "server.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("ab") as output:
        command = [
            sys.executable,
            "-m",
            "prefect",
            "server",
            "start",
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
        ]
        server = subprocess.Popen(command, stdout=output, stderr=output, env={**os.environ})
        try:
            _wait_until_healthy(url, server, log)
            os.environ["PREFECT_API_URL"] = url
            terminal.note(f"Prefect server on {url} (log: {log})")
            yield
        finally:
            server.terminate()
            try:
                server.wait(timeout=20)
            except subprocess.TimeoutExpired:
                server.kill()
                server.wait()


def _wait_until_healthy(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + SERVER_START_SECONDS
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise RuntimeError(f"the Prefect server stopped at once; see {log}")
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=2) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            time.sleep(0.3)
    raise RuntimeError(f"the Prefect server did not start within {SERVER_START_SECONDS} s; see {log}")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
