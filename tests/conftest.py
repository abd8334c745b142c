"""What every folder of tests shares."""

from __future__ import annotations

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="Accept what the code makes now as the golden files.")
    parser.addoption(
        "--whole-snapshot", action="store_true", help="Ask every model of the snapshot, not five: 4 minutes."
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest tests first and in one process: none is left for the end, none waits for another's night."""
    items.sort(key=lambda item: "prefect_night" not in getattr(item, "fixturenames", ()))
