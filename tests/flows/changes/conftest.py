"""The two nights that tests of changes look at; they are built once."""

from __future__ import annotations

from pathlib import Path

import pytest
from eventful import eventful


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The file of each night; the second one knows what changed."""
    return eventful(tmp_path_factory.mktemp("nights"))
