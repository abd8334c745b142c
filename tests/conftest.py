"""What every folder of tests shares."""

from __future__ import annotations

import os

import pytest

# As many threads as this process has cores to itself, before anything imports polars: small frames gain nothing from
# more, and with a worker a core the threads of one take the time of another.
_WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
os.environ.setdefault("POLARS_MAX_THREADS", str(max(1, (os.cpu_count() or 1) // _WORKERS)))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="Accept what the code makes now as the golden files.")
    parser.addoption(
        "--whole-snapshot", action="store_true", help="Ask every model of the snapshot, not five: 4 minutes."
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest tests first and in one process: none is left for the end, none waits for another's night."""
    items.sort(key=lambda item: "prefect_night" not in getattr(item, "fixturenames", ()))
