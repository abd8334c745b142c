"""Whether there is a kernel (method, section 9: `unsupported`)."""

from __future__ import annotations

from collections.abc import Iterable

from scalar.known import Facts, Unknown

SERVERS = ("vllm", "sglang", "llamacpp", "trtllm")


def every(answers: Iterable[bool | None]) -> bool | None:
    """All of them; one known no is enough for a no, else one unknown leaves it open."""
    answers = list(answers)
    if False in answers:
        return False
    return None if None in answers else True


def is_new_enough(gpu: Facts, least: str | None) -> bool | None:
    if gpu["vendor"] != "nvidia" or least is None:
        return True
    own = gpu.get("compute_capability")
    return None if own is None else _version(own) >= _version(least)


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in text.split("."))


def has_kernel(gpu: Facts, format_: Facts, workload: Facts, profile: Facts, kv: Facts | None) -> bool | None:
    """`kv`: the cache's format; None for a workload without a cache."""
    engine, natives = workload["engine"], (gpu.get("native_formats") or "").split()
    any_software = engine == "none"
    answers = [
        gpu["vendor"] in format_["vendors"].split(),
        is_new_enough(gpu, format_.get("min_compute_capability")),
        any_software or engine in format_["engines"].split(),
        any_software or gpu["vendor"] in profile["vendors"].split(),
        any_software or is_new_enough(gpu, profile.get("min_compute_capability")),
    ]
    for needed, asked in (("requires_native", True), ("requires_native_off_nvidia", gpu["vendor"] != "nvidia")):
        if asked and format_.get(needed) is not None:
            answers.append(format_[needed] in natives)
    if engine in (format_.get("widening_engines") or "").split():
        answers.append(is_new_enough(gpu, format_.get("widening_below")))
    if kv is not None:
        answers.append(is_new_enough(gpu, kv.get("min_compute_capability")))
        answers.append(any_software or engine in kv["engines"].split())
        if "no_flash_attention" in (workload.get("engine_options") or "").split():
            answers.append(kv["bytes_per_element"] >= 2)  # llama.cpp keeps quantised values with it alone
    return every(answers)


def has_blocks(shape: Facts) -> bool:
    """Whether a model predicts further tokens by itself."""
    return shape.get("kind") == "decoder" and bool(shape["mtp_parameters"])


def serves(engine: str, kind: str | None) -> bool | None:
    if kind is None:
        raise Unknown("kind")
    if engine == "mlx":
        return kind == "decoder"
    return not (engine in SERVERS and kind in ("diffusion", "adapter"))
