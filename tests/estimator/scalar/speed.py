"""Rates of devices, and how long a step and a prompt take (method, section 10)."""

from __future__ import annotations

from scalar import split
from scalar.known import Facts, Unknown
from scalar.split import Split


def memory_kind(gpu: Facts) -> str:
    """Which rows of the shares hold."""
    for kind in ("hbm", "gddr", "lpddr", "dram"):
        if gpu["memory_type"].lower().startswith(kind):
            return kind
    raise Unknown("memory")


# --- work of one device; what stands one after another over devices is done by one at a time


def expert_share(shape: Facts, sequences: int) -> float:
    """Of the routed experts, those that at least one of the sequences visits when all are chosen evenly."""
    if shape["experts"] == 0:
        return 0.0
    return 1.0 - (1 - shape["experts_per_token"] / shape["experts"]) ** sequences


def active(shape: Facts) -> int:
    """Parameters that a token is multiplied with, of models that write."""
    if shape["kind"] not in ("decoder", "encoder_decoder"):
        raise Unknown("writes nothing")
    return int(shape["active_read_parameters"])


def unread(shape: Facts) -> int:
    """Parameters outside routed experts that a step does not read."""
    routed = shape["p_expert"] + shape["p_expert_bias"]
    visited = routed * shape["experts_per_token"] // shape["experts"] if shape["experts"] else 0
    rest = shape["parameters_resident"] - (routed - visited) - shape["active_read_parameters"]
    return int(min(max(rest, 0), shape["parameters_resident"]))


def head(shape: Facts) -> int:
    """The matrix of the logits: its own, or the embedding where that is more than looked up."""
    if shape["p_lm_head"]:
        return int(shape["p_lm_head"])
    towers = sum(shape[f"p_{part}"] for part in ("vision", "audio", "speech", "projector"))
    is_looked_up = unread(shape) >= shape["p_embed"] + shape["p_pos_embed"] + towers
    return 0 if is_looked_up else int(shape["p_embed"])


def _near(shape: Facts, tokens: int) -> int:
    """Tokens that a layer with a window sees; without such layers the window need not be known."""
    return min(tokens, shape["window_tokens"]) if shape["attention_window_width"] else 0


def step_flops(shape: Facts, tokens: int, sequences: int, over: Split) -> float:
    seen = shape["attention_step_width"] * tokens + shape["attention_window_width"] * _near(shape, tokens)
    return split.work(2.0 * sequences * (active(shape) + seen), over)


def draft_flops(shape: Facts, sequences: int, predicted: int, over: Split) -> float:
    """Of the blocks that predict, and of the head behind them, for each predicted token."""
    if not predicted:
        return 0.0
    resting = shape["mtp_expert_parameters"]
    if resting:
        resting *= 1 - shape["experts_per_token"] / shape["experts"]
    block = shape["mtp_parameters"] - resting
    return split.work(2.0 * sequences * predicted * (block + head(shape)), over)


def prompt_linear_flops(shape: Facts, tokens: int, over: Split) -> float:
    """All matrices for every token, the head for the last one alone."""
    return split.work(2.0 * (active(shape) - head(shape)) * tokens + 2.0 * head(shape), over)


def prompt_attention_flops(shape: Facts, tokens: int, over: Split) -> float:
    """Half of all pairs of tokens, in windows S w - w^2 / 2 of them."""
    near = _near(shape, tokens)
    pairs, pairs_near = tokens**2 / 2, tokens * near - near**2 / 2
    total = shape["attention_prompt_width"] * pairs + shape["attention_window_width"] * pairs_near
    return split.work(2.0 * total, over)


# --- rates


def column(gpu: Facts, name: str) -> float:
    """Operations a second, in tera, of a number format; 16 bit falls back to what the device has."""
    spelled = {"int8": "int8_tops"}.get(name, f"{name}_tflops")
    return float(gpu[spelled])


def sixteen_bit(gpu: Facts) -> float:
    for name in ("bf16", "fp16"):
        if gpu.get(f"{name}_tflops") is not None:
            return column(gpu, name)
    return column(gpu, "fp32")


def teraflops(gpu: Facts, format_: Facts) -> float:
    """Dense rate for weights of a format: its own where the device multiplies that natively, else of 16 bits.

    Some kernels want another native format besides.
    """
    wanted, besides = format_["compute_format"], format_.get("compute_requires_native")
    if wanted == "fp32":
        return column(gpu, "fp32")
    natives = gpu["native_formats"].split()
    if wanted in ("fp8", "int8", "fp4") and wanted in natives and (besides is None or besides in natives):
        spelled = {"int8": "int8_tops"}.get(wanted, f"{wanted}_tflops")
        return column(gpu, wanted) if gpu.get(spelled) is not None else sixteen_bit(gpu)
    return sixteen_bit(gpu)


def weight_share(format_: Facts, reached: Facts) -> float:
    """16 bit, about 8, about 4 or fewer."""
    bits = format_["bits_per_weight"]
    return float(reached["weight_share_16" if bits > 12 else "weight_share_8" if bits > 6 else "weight_share_4"])


def link_kind(gpu: Facts) -> str:
    """Which rows of the links hold."""
    name = gpu["interconnect"]
    if name.startswith("nvlink"):
        return "nvlink_bridge" if "bridge" in name else "nvlink"
    if name == "none":
        return "pcie"
    raise Unknown("link")


def sending(gpu: Facts, link: Facts) -> float:
    """Bytes a second that a device sends."""
    if link.get("reduced_gb_per_s") is not None:
        return float(link["reduced_gb_per_s"]) * 1e9
    return float(link["link_share"] * gpu["link_gb_per_s"]) * 1e9


# --- time


def step_seconds(reading: float, computing: float, layers: int, layer: float, reduce: float, host: float) -> float:
    return max(reading, computing) + layers * (layer + 2 * reduce) + host


def host_wait(
    engine: str, batched: int | None, tokens: int, left: dict[str, float], share: tuple[int, int], link: float
) -> float:
    """Weights of a host come over a link for one batch of a prompt after the other.

    `left` has bytes of `experts` and `others`, of which the part `read` is looked at; `share`: experts, and those of a
    token.
    """
    if batched == 0:
        raise Unknown("batch")
    waited, rest = 0.0, tokens
    at_once = tokens if batched is None else min(batched, tokens)
    if engine == "llamacpp" and at_once < 32:
        raise Unknown("the host's own speed")
    experts, visited = share
    missed = (1 - visited / experts) ** at_once if experts else 1.0
    while rest > 0:
        waited += (left["experts"] * (1 - missed) + left["others"] * left["read"]) / link
        rest -= at_once
    return waited
