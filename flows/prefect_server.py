"""Which Prefect API a command talks to: the one it is told, or a server of its own on loopback."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from urllib.parse import urlsplit

from flows import locks, prefect_home, terminal, tethered
from flows.failures import Stop

# The first start writes Prefect's tables: 10-20 s on two busy cores.
START_SECONDS = 180
STOP_SECONDS = 20
ANSWER_SECONDS = 10


class NoServer(Stop):
    """The Prefect API that was asked for does not answer, or our own server did not start."""


@contextmanager
def api(data: Path, *, services: bool, log_level: str = "WARNING") -> Iterator[bool]:
    """A Prefect API that answers, for as long as the block lasts; yields whether it is a server of our own.

    `services`: with the scheduler, which a single night does not need. Raises NoServer, or locks.Refused
    where another process serves this data folder.
    """
    prefect_home.embed(data, log_level=log_level)
    from prefect.settings import PREFECT_API_URL

    url = PREFECT_API_URL.value()
    if url:
        _require_answer(url)
        yield False
        return
    with _own(data, services) as url, _settings(url):
        yield True


@contextmanager
def _own(data: Path, services: bool) -> Iterator[str]:
    with _alone(data) if services else nullcontext(), _process(data, services) as url:
        yield url


def _alone(data: Path) -> AbstractContextManager[None]:
    """One scheduler a data folder: two would start every night twice, and each take the other's runs for dead."""
    refusal = f"another `hubfit serve` is at work in {data}"
    return locks.held(data / "prefect" / ".serving", refusal, "stop it, or serve another data folder")


@contextmanager
def _process(data: Path, services: bool) -> Iterator[str]:
    port = _free_port()
    url = f"http://127.0.0.1:{port}/api"
    log = data / "prefect" / "server.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    # By its path and without the current folder, where somebody else's `flows` or `prefect` may lie.
    command = [sys.executable, "-P", tethered.__file__, "prefect", "server", "start"]
    command += ["--host", "127.0.0.1", "--port", str(port)]
    command += [] if services else ["--no-services", "--no-ui"]
    with log.open("ab") as output:
        # In a group of its own, so that Ctrl-C does not take it away before a flow run has been closed.
        server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=output, stderr=output, process_group=0)
    try:
        _wait_until_healthy(url, server, log)
        if services:
            terminal.note(f"Prefect server on {url} (log: {log})")
        yield url
    finally:
        server.terminate()
        try:
            server.wait(timeout=STOP_SECONDS)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()
        assert server.stdin is not None
        server.stdin.close()


@contextmanager
def _settings(url: str) -> Iterator[None]:
    """Our server's address for this process and, by the environment, for the processes of its flow runs."""
    from prefect.settings import PREFECT_API_URL, temporary_settings

    os.environ["PREFECT_API_URL"] = url
    try:
        with temporary_settings({PREFECT_API_URL: url}):
            yield
    finally:
        del os.environ["PREFECT_API_URL"]


def _require_answer(url: str) -> None:
    """Ask once, as Prefect would (its key, its certificates, its proxies); its own answer is a page of traceback."""
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_CLIENT_MAX_RETRIES, temporary_settings

    problem: Exception | None
    try:
        with (
            temporary_settings({PREFECT_CLIENT_MAX_RETRIES: 0}),
            get_client(sync_client=True, httpx_settings={"timeout": ANSWER_SECONDS}) as client,
        ):
            problem = client.api_healthcheck()
    except Exception as error:  # whatever a wrong address does to the client
        problem = error
    if problem is not None:
        reason = (str(problem).splitlines() or [type(problem).__name__])[0]
        raise NoServer(
            f"no Prefect API answers at {_without_password(url)} ({reason});"
            " start it, correct PREFECT_API_URL, or unset it and hubfit starts a Prefect server of its own"
        )


def _wait_until_healthy(url: str, server: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if server.poll() is not None:
            raise NoServer(f"the Prefect server stopped while starting: {_last_line(log)} (all of it: {log})")
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=2) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, TimeoutError, ConnectionError):
            time.sleep(0.2)
    raise NoServer(f"the Prefect server did not start within {START_SECONDS} s: {_last_line(log)} (all of it: {log})")


def _last_line(log: Path) -> str:
    lines = [line.strip() for line in log.read_bytes()[-4000:].decode(errors="replace").splitlines() if line.strip()]
    return terminal.inert(lines[-1])[:300] if lines else "it says nothing"


def _without_password(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
