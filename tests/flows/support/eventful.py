"""Two nights between which nearly everything happens."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from two_nights import Night, answer_of, compared, rows_of, under_the_name

from flows.failures import Failure

SMALL, LARGE = "Qwen/Qwen3-0.6B", "Qwen/Qwen3-8B"
GPUS = ("nvidia-rtx-4090-24gb", "nvidia-l4-24gb", "nvidia-h100-sxm-80gb")
FORMATS = ("bf16", "int4_awq_g128", "gguf_q4_k_m", "stored")
FAILED = Failure("not_found", "no such repository", http_status=404)


def eventful(place: Path) -> tuple[Path, Path]:
    """Models come, go, fail, recover, get a new name or other weights; a device gets smaller, another one new."""
    small, large = answer_of(SMALL), answer_of(LARGE)
    uploaded = replace(under_the_name(answer_of("meta-llama/Llama-3.1-70B-Instruct"), LARGE), revision="f" * 40)
    before = Night(
        {
            "gone/model": small,
            "old/name": replace(under_the_name(small, "old/name"), revision="a" * 40),
            "fails/now": under_the_name(small, "fails/now"),
            "was/away": FAILED,
            SMALL: small,
            LARGE: large,
        },
        {
            "gpus": rows_of("gpus", *GPUS),
            "precisions": rows_of("precisions", *FORMATS),
            "prices": rows_of("prices", "nvidia-l4-24gb", "nvidia-h100-sxm-80gb"),
        },
    )
    after = Night(
        {
            "new/name": replace(under_the_name(small, "new/name"), revision="a" * 40),
            "fails/now": FAILED,
            "was/away": under_the_name(small, "was/away"),
            "quite/new": under_the_name(large, "quite/new"),
            SMALL: replace(small, info=small.info.replace("apache-2.0", "mit")),
            LARGE: uploaded,
        },
        {
            "gpus": [
                *rows_of("gpus", "nvidia-l4-24gb", memory_mib_driver="", memory_gib_runtime="", memory_gib_nominal=1),
                *rows_of("gpus", "nvidia-h100-sxm-80gb", notes="seen again"),
                *rows_of("gpus", "nvidia-h200-sxm-141gb"),
            ],
            "precisions": rows_of("precisions", *FORMATS[1:], "fp8_e4m3_block128"),
            "prices": rows_of("prices", "nvidia-h100-sxm-80gb")[:1],
        },
    )
    return compared(place, before, after)
