"""A night of sixteen models of the snapshot on all devices, with a demand and a history of prices, shared by tests."""

from __future__ import annotations

import os
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from filelock import FileLock
from price_rows import price_rows

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


@pytest.fixture(scope="session")
def whole_night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its data folder. Of the whole suite, not of one of its processes: who comes second waits for the first."""
    place = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        place = place.parent
    data, catalogs = place / "docs-night", place / "docs-night-catalogs"
    with FileLock(place / "docs-night.lock"):
        if not (data / "published" / "latest").exists():
            shutil.rmtree(catalogs, ignore_errors=True)
            catalogs.mkdir()
            (catalogs / "demand.csv").write_text(DEMAND, encoding="utf-8")
            today = datetime.now(UTC).date()
            for days, usd in ((2, 3.0), (1, 2.5)):
                day = today - timedelta(days=days)
                snapshots.write(data, "prices", "aws", day, price_rows({"usd_per_gpu_hour": usd, "as_of": day}))
            settings = Settings(data=data)
            night = pipeline.begin(settings, "snapshot", [], MODELS, catalogs, fresh=True)
            pipeline.run(night, inputs.open_source("snapshot", settings))
    return data
