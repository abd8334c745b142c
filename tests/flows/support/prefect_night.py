"""One whole night through Prefect, from nothing, shared by every test that needs a Prefect home."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

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


def quiet(**more: str) -> dict[str, str]:
    """An environment in which nobody has set Prefect up."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")} | more


@dataclass(frozen=True)
class PrefectNight:
    """What `hubfit nightly` printed, and its data folder."""

    done: subprocess.CompletedProcess[str]
    data: Path

    def lend_home(self, data: Path) -> None:
        """Spare another data folder Prefect's first start, which takes 10-20 s to write its tables."""
        shutil.copytree(self.data / "prefect", data / "prefect", ignore=shutil.ignore_patterns("*.log", ".serving"))


@pytest.fixture(scope="session")
def prefect_night(tmp_path_factory: pytest.TempPathFactory) -> PrefectNight:
    data = tmp_path_factory.mktemp("night") / "data"
    command = [*HUBFIT, "nightly", *MODELS, "--data", str(data)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=220, env=quiet(), check=False)
    return PrefectNight(done, data)
