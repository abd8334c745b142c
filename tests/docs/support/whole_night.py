"""A night of sixteen models of the snapshot on all devices, with a demand, prices and a night before: for all tests."""

from __future__ import annotations

import os
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from filelock import FileLock
from price_rows import price_rows

import catalogs
from flows import inputs, pipeline
from flows.prices import snapshots
from flows.settings import Settings

MODELS = [
    "BAAI/bge-large-en-v1.5",
    "Efficient-Large-Model/VILA1.5-3b",
    "Qwen/Qwen3-30B-A3B",
    "Qwen/Qwen3-8B",
    "Qwen/Qwen3-8B-AWQ",
    "bartowski/Llama-3.2-3B-Instruct-GGUF",
    "black-forest-labs/FLUX.1-dev",
    "deepseek-ai/DeepSeek-V3",
    "google/gemma-3-27b-it",
    "meta-llama/Llama-3.1-70B",
    "meta-llama/Llama-3.1-8B",
    "no/body",
    "openai-community/gpt2",
    "openai/gpt-oss-20b",
    "openai/whisper-small",
    "state-spaces/mamba-2.8b-hf",
]
DEMAND = (
    "model_id,precision,context_tokens,concurrent_sequences\nopenai/gpt-oss-20b,any,8192,4\nQwen/Qwen3-8B,any,8192,8\n"
)


# What the night before had of them, with prompts of another length and older prices.
BEFORE = ["meta-llama/Llama-3.1-8B", "openai-community/gpt2", "openai/gpt-oss-20b"]


@pytest.fixture(scope="session")
def whole_night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its data folder. Of the whole suite, not of one of its processes: who comes second waits for the first."""
    place = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        place = place.parent
    data = place / "docs-night"
    with FileLock(place / "docs-night.lock"):
        if not (place / "docs-night-is-whole").exists():
            today = datetime.now(UTC).date()
            _price(data, today - timedelta(days=2), 3.0)
            _publish(data, BEFORE, _folder(place / "before", "workloads.csv", _longer()))
            _price(data, today - timedelta(days=1), 2.5)
            _publish(data, MODELS, _folder(place / "now", "demand.csv", DEMAND))
            (place / "docs-night-is-whole").touch()
    return data


def _longer() -> str:
    rows = (Path(catalogs.__file__).parent / "workloads.csv").read_text(encoding="utf-8")
    short, long = "\nchat-8k,", ",131072,"
    before, chat = rows.split(short)
    return before + short + chat.replace(",8192,", long, 1)


def _folder(folder: Path, file: str, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / file).write_text(text, encoding="utf-8")
    return folder


def _price(data: Path, day: date, usd: float) -> None:
    snapshots.write(data, "prices", "aws", day, price_rows({"usd_per_gpu_hour": usd, "as_of": day}))


def _publish(data: Path, models: list[str], folder: Path) -> None:
    settings = Settings(data=data)
    night = pipeline.begin(settings, "snapshot", [], models, folder, fresh=True)
    pipeline.run(night, inputs.open_source("snapshot", settings))
