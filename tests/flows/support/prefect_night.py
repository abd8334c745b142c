"""One whole night through Prefect, from nothing, shared by every test that needs a Prefect home."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from filelock import FileLock
from snapshot_answers import keep

HUBFIT = [sys.executable, "-m", "flows"]
MODELS = [
    "--source",
    "snapshot",
    "--model",
    "openai-community/gpt2",
    "--model",
    "openai/gpt-oss-20b",
    "--model",
    "meta-llama/Llama-3.1-70B",
    "--model",
    "deepseek-ai/DeepSeek-V3",
    "--model",
    "google/gemma-3-27b-it",
    "--model",
    "no/body",
]


def few(folder: Path) -> list[str]:
    """Options for a night of few devices and formats, which Prefect's part does not depend on."""
    folder.mkdir(parents=True, exist_ok=True)
    keep(folder, "gpus", ("nvidia-h100-sxm-80gb", "nvidia-rtx-4090-24gb", "apple-m3-ultra-512gb"))
    keep(folder, "precisions", ("bf16", "fp8_e4m3_block128", "int4_awq_g128", "gguf_q4_k_m", "nf4_dq", "stored"))
    return ["--catalogs", str(folder)]


def quiet(**more: str) -> dict[str, str]:
    """An environment in which nobody has set Prefect up."""
    return {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")} | more


@dataclass(frozen=True)
class PrefectNight:
    """What `hubfit nightly` printed, and its data folder."""

    done: subprocess.CompletedProcess[str]
    data: Path
    options: list[str]

    def lend_home(self, data: Path) -> None:
        """Spare another data folder Prefect's first start, which takes 10-20 s to write its tables."""
        shutil.copytree(self.data / "prefect", data / "prefect", ignore=shutil.ignore_patterns("*.log", ".serving"))


@pytest.fixture(scope="session")
def prefect_night(tmp_path_factory: pytest.TempPathFactory) -> PrefectNight:
    """Of the whole suite, not of one of its processes: who comes second waits for the first."""
    place = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        place = place.parent
    data, kept = place / "prefect-night", place / "prefect-night.json"
    options = [*MODELS, *few(place / "few")]
    command = [*HUBFIT, "nightly", *options, "--data", str(data)]
    with FileLock(place / "prefect-night.lock"):
        if not kept.exists():
            ran = subprocess.run(command, capture_output=True, text=True, timeout=220, env=quiet(), check=False)
            kept.write_text(json.dumps([ran.returncode, ran.stdout, ran.stderr]), encoding="utf-8")
        done = subprocess.CompletedProcess(command, *json.loads(kept.read_text("utf-8")))
        return PrefectNight(done, data, options)
