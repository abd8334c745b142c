"""What an engine may fill of a device (method, section 6)."""

from __future__ import annotations

import math

from scalar.known import Facts, Unknown

GIB, MIB = 2**30, 2**20


def usable(gpu: Facts, workload: Facts, profile: Facts, *, for_certain: bool) -> int:
    engine = workload["engine"]
    visible, reserve = gpu["visible_bytes"], gpu["reserve_bytes"]
    context = profile["context_bytes"] + (profile["context_margin_bytes"] if for_certain else 0)
    ratio = "training_reserved_ratio" if workload["mode"] == "training" else "reserved_ratio"
    if engine == "none":
        return int(visible - reserve)
    if engine == "vllm":
        return math.floor(min(profile["memory_utilization"] * visible, visible - context) - reserve)
    if engine == "sglang":
        share = round((visible - sglang_left(visible)) / visible, 3)
        return math.floor(share * (visible - context) - reserve)
    if engine == "llamacpp":
        return int(visible - reserve - context)
    if engine == "transformers":
        return math.floor((visible - reserve - context) / profile[ratio + ("_high" if for_certain else "")])
    raise Unknown("engine")


def sglang_left(visible: int) -> int:
    """512 MiB, 1.5 for a token of a chunk, 2 for a sequence of the largest graph, 128 for a device."""
    steps = ((20, 2048, 8), (35, 2048, 24), (60, 4096, 32), (90, 8192, 256), (160, 8192, 256), (math.inf, 16_384, 512))
    chunk, graph = next((chunk, graph) for below, chunk, graph in steps if visible < below * GIB)
    return int((512 + 1.5 * chunk + 2 * graph + 128) * MIB)
