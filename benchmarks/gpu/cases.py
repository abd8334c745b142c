"""Cases for memory.py out of the embedded snapshot, and its answers as rows of catalogs/measurements.csv.

    python benchmarks/gpu/cases.py cases > CASES.json
    python benchmarks/gpu/cases.py rows nvidia-h200-sxm-141gb 2026-11-26 ANSWERS.jsonl >> catalogs/measurements.csv

The first half runs here, memory.py where the GPU is, the second half here again.
"""

from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import catalogs
from catalogs.schema import MEASUREMENTS

LINEARS = ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"]
RANK = 16
# Of which the constants of training were read off; the ratio of what the allocator reserves, off all models.
FITTED = {"meta-llama/Llama-3.2-1B", "Qwen/Qwen3-0.6B"}
USUAL = [[1, 2048], [4, 2048], [1, 8192]]
# Learned positions end there; reference code of recurrent layers steps through a prompt token by token.
PREFILLS = {
    "openai-community/gpt2-xl": [[1, 1024], [4, 1024]],
    **dict.fromkeys(("EleutherAI/pythia-6.9b", "facebook/opt-6.7b", "microsoft/phi-2"), USUAL[:2]),
    **dict.fromkeys(
        (
            *("AntonV/mamba2-2.7b-hf", "state-spaces/mamba-2.8b-hf", "google/recurrentgemma-9b"),
            *("nvidia/Nemotron-H-8B-Base-8K", "tiiuae/Falcon-H1-34B-Instruct", "ai21labs/Jamba-v0.1"),
            *("ibm-granite/granite-4.0-h-small", "Qwen/Qwen3.5-0.8B"),
        ),
        USUAL[:1],
    ),
    **dict.fromkeys(
        (
            *("Qwen/Qwen3-0.6B", "Qwen/Qwen3-8B", "Qwen/Qwen3-30B-A3B", "Qwen/Qwen2.5-7B", "Qwen/Qwen1.5-MoE-A2.7B"),
            *("meta-llama/Llama-3.2-1B", "meta-llama/Llama-3.1-8B", "mistralai/Mistral-7B-v0.1"),
            *("mistralai/Mixtral-8x7B-v0.1", "microsoft/phi-4", "openai/gpt-oss-20b", "deepseek-ai/DeepSeek-V2-Lite"),
            *("google/gemma-2-9b-it", "google/gemma-3-12b-it", "google/gemma-3n-E4B-it", "google/gemma-4-E2B-it"),
            *("allenai/OLMoE-1B-7B-0125-Instruct", "allenai/OLMo-2-1124-7B", "LiquidAI/LFM2-1.2B"),
            *("bigcode/starcoder2-15b", "zai-org/glm-4-9b-chat-hf", "tiiuae/falcon-7b", "bigscience/bloom-7b1"),
        ),
        USUAL,
    ),
}
DECODED = (
    "Qwen/Qwen3-0.6B",
    "Qwen/Qwen3-8B",
    "Qwen/Qwen3-30B-A3B",
    "meta-llama/Llama-3.1-8B",
    "mistralai/Mistral-7B-v0.1",
)
TRAINED = (
    *("Qwen/Qwen3-0.6B", "Qwen/Qwen3-1.7B", "Qwen/Qwen2.5-0.5B", "Qwen/Qwen2.5-1.5B-Instruct", "google/gemma-3-270m"),
    *("meta-llama/Llama-3.2-1B", "HuggingFaceTB/SmolLM2-360M-Instruct", "allenai/OLMo-2-0425-1B"),
    *("google/gemma-3-1b-it", "TinyLlama/TinyLlama-1.1B-Chat-v0.4", "tiiuae/Falcon3-1B-Base"),
)
ADAPTED = (
    *("meta-llama/Llama-3.2-1B", "meta-llama/Llama-3.2-3B", "meta-llama/Llama-3.1-8B", "Qwen/Qwen3-8B"),
    *("Qwen/Qwen2.5-7B", "mistralai/Mistral-7B-v0.1", "HuggingFaceTB/SmolLM3-3B", "allenai/OLMo-2-1124-7B"),
)
SETTINGS = {
    "full": "fp32 weights under bf16 autocast, AdamW",
    "full_bf16": "bf16 weights, gradients and states, AdamW",
    "lora": "bf16 weights, fp32 adapters on all linears, AdamW",
}


def cases() -> Iterator[dict[str, Any]]:
    configs = {row["model_id"]: json.loads(row["config"]) for row in catalogs.hub_snapshot() if row["config"]}
    yield {"name": "device", "kind": "device"}
    for model, prefills in PREFILLS.items():
        case = {"kind": "inference", "dtype": "bf16", "prefills": prefills}
        yield {"name": model, "model": model, "config": configs[model], **case}
    for model in DECODED:
        steps = [[1, 2048], [16, 2048], [1, 8192]]
        yield {
            "name": model,
            "model": model,
            "config": configs[model],
            "kind": "decode",
            "dtype": "bf16",
            "steps": steps,
        }
    trainings = [(model, method) for method in ("full", "full_bf16") for model in TRAINED]
    for model, method in [*trainings, *((model, "lora") for model in ADAPTED)]:
        for checkpointing in (False, True):
            for step in ([1, 2048], [4, 2048]):
                case = {"kind": "training", "method": method, "checkpointing": checkpointing, "step": step}
                adapters = {"rank": RANK, "targets": LINEARS} if method == "lora" else {}
                yield {"name": f"{model} {method}", "model": model, "config": configs[model], **case, **adapters}


def rows(answers: Path, gpu: str, as_of: str) -> Iterator[dict[str, object]]:
    """Grain: one figure. What failed there has no row."""
    versions: dict[str, str] = {}
    for line in answers.read_text(encoding="utf-8").splitlines():
        answer = json.loads(line)
        if answer["kind"] == "device":
            versions = {"torch": answer["torch"].split("+")[0], "engine_version": answer["transformers"]}
        for figure in [] if "error" in answer else FIGURES[answer["kind"]](answer):
            row = {"engine": "transformers", "gpu": gpu, "devices": 1, "as_of": as_of, **figure}
            row["engine_version"] = versions["engine_version"]
            row["source"] = f"benchmarks/gpu/memory.py: torch {versions['torch']}; random weights"
            if "model" in answer:
                row |= {"model_id": answer["model"], "precision": "bf16"}
            row["split"] = "fitted" if _is_fitted(row) else "judged"
            yield {"measurement": _name(row), **row}


def _is_fitted(row: dict[str, object]) -> bool:
    """Whether a constant of ours was read off such a row."""
    if row["component"] == "training_peak":
        return row["model_id"] in FITTED
    return row["component"] in ("context", "training_reserved")


def _name(row: dict[str, object]) -> str:
    size = f"{row['context_tokens']}x{row['concurrent_sequences']}" if "context_tokens" in row else ""
    how = "ckpt" if row.get("gradient_checkpointing") == "true" else ""
    parts = (row["gpu"], row.get("model_id", ""), row.get("method", ""), how, row["component"], size)
    return re.sub(r"[^a-z0-9.]+", "-", " ".join(str(part) for part in parts if part).lower())


def _device(answer: dict[str, Any]) -> Iterator[dict[str, object]]:
    driver = {"setting": f"driver {answer['driver']}"}
    yield {"component": "visible", "measured_bytes": answer["visible_bytes"], **driver}
    yield {"component": "driver_total", "measured_bytes": answer["driver_total_bytes"], **driver}
    yield {"component": "context", "measured_bytes": answer["context_with_blas_bytes"], **driver}
    moved = 2 * 2**32  # bytes read and bytes written
    yield {
        "component": "copy",
        "measured_bytes": moved,
        "measured_seconds": _seconds(moved / answer["copy_bytes_per_s"]),
    }


def _inference(answer: dict[str, Any]) -> Iterator[dict[str, object]]:
    yield {"component": "weights", "measured_bytes": answer["parameter_bytes"]}
    for run in answer["prefills"]:
        if "error" in run:
            continue
        size = {"context_tokens": run["tokens"], "concurrent_sequences": run["batch"]}
        how = {"setting": f"{answer['attention']} attention"}
        if run["cache_bytes"]:  # a few classes keep it in their layers
            yield {"component": "cache", "measured_bytes": run["cache_bytes"], **size}
        if run["cache_storage_bytes"] > run["cache_bytes"]:
            yield {"component": "cache_held", "measured_bytes": run["cache_storage_bytes"], **size}
        yield {"component": "prefill_peak", "measured_bytes": run["peak_bytes"], **size, **how}


def _training(answer: dict[str, Any]) -> Iterator[dict[str, object]]:
    method, (batch, tokens) = answer["method"], answer["step"]
    how = {
        "context_tokens": tokens,
        "concurrent_sequences": batch,
        "method": method,
        "gradient_checkpointing": "true" if answer["checkpointing"] else "false",
        "lora_rank": answer["rank"] if method == "lora" else "",
        "setting": SETTINGS[method],
    }
    # Of the third step: the first makes the optimizer's states, the second may still meet a fragmented pool.
    yield {"component": "training_peak", "measured_bytes": answer["peak_step_2_bytes"], **how}
    yield {"component": "training_reserved", "measured_bytes": answer["reserved_2_bytes"], **how}


def _decode(answer: dict[str, Any]) -> Iterator[dict[str, object]]:
    for step in answer["steps"]:
        if "seconds" in step:
            size = {"context_tokens": step["tokens"], "concurrent_sequences": step["batch"]}
            how = {"setting": "replayed CUDA graph over a full static cache"}
            yield {"component": "decode_step", "measured_seconds": _seconds(step["seconds"]), **size, **how}


def _seconds(value: float) -> str:
    return f"{value:.6g}"


FIGURES = {"device": _device, "inference": _inference, "training": _training, "decode": _decode}


def main() -> None:
    if sys.argv[1] == "cases":
        json.dump(list(cases()), sys.stdout)
        return
    writer = csv.DictWriter(sys.stdout, fieldnames=MEASUREMENTS.columns.names(), lineterminator="\n")
    seen: set[object] = set()
    for row in rows(Path(sys.argv[4]), gpu=sys.argv[2], as_of=sys.argv[3]):
        if row["measurement"] not in seen:
            seen.add(row["measurement"])
            writer.writerow(row)


if __name__ == "__main__":
    main()
