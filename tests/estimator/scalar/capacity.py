"""What an engine may fill of a device (method, section 6)."""

from __future__ import annotations

import math

from scalar.known import Facts, Unknown

GIB, MIB = 2**30, 2**20


def usable(gpu: Facts, workload: Facts, profile: Facts, reserves: list[Facts], *, for_certain: bool) -> int:
    engine = workload["engine"]
    visible, reserve = gpu["visible_bytes"], gpu["reserve_bytes"]
    context = profile["context_bytes"] + (profile["context_margin_bytes"] if for_certain else 0)
    ratio = "training_reserved_ratio" if workload["mode"] == "training" else "reserved_ratio"
    if engine == "none":
        return int(visible - reserve)
    if engine == "vllm":
        logits = profile["max_sequences"] * (262_400 if for_certain else 128_256)
        return math.floor(min(profile["memory_utilization"] * visible, visible - context - 4 * logits) - reserve)
    if engine == "sglang":
        share = round((visible - left(visible, profile, reserves)) / visible, 3)
        return math.floor(share * (visible - context) - reserve)
    if engine in ("llamacpp", "trtllm", "mlx"):
        return int(visible - reserve - context)
    if engine == "transformers":
        return math.floor((visible - reserve - context) / profile[ratio + ("_high" if for_certain else "")])
    raise Unknown("engine")


def left(visible: int, profile: Facts, reserves: list[Facts]) -> int:
    """Of the rows that the device is below: MiB in all, for a token of a chunk, a sequence of a graph, the device."""
    key = ("engine", "version_range")
    rows = [row for row in reserves if all(row[name] == profile[name] for name in key)]
    bounds = [math.inf if row.get("below_gib") is None else row["below_gib"] * GIB for row in rows]
    _, row = min((bound, row) for bound, row in zip(bounds, rows, strict=True) if visible < bound)
    tokens, graph = row["token_mib"] * row["prefill_tokens"], row["sequence_mib"] * row["graph_sequences"]
    return int((row["constant_mib"] + tokens + graph + row["device_mib"]) * MIB)
