"""Bytes of weights at a precision on the fullest device, before gradients and optimizer states (method, section 3)."""

from __future__ import annotations

from scalar import speed, split
from scalar.known import Facts, Unknown

MXFP4_BITS = 4.25
TABLES = ("vllm", "sglang")  # engines that keep a rotary table, padded rows and copies beside the weights


def is_uniform(format_: Facts) -> bool:
    """Every parameter takes the same bits."""
    return format_["policy"] == "all" or (
        format_["policy"] != "stored" and format_["bits_per_weight"] == format_["keep_bits"]
    )


def uniform_bits(format_: Facts) -> float:
    average = format_.get("whole_model_bits") if format_["policy"] == "all" else None
    return format_["bits_per_weight"] if average is None else average


def scales(shape: Facts, format_: Facts) -> float:
    """Bytes of scales counted apart from the bits; what a format has none of need not be known."""
    total = 0.0
    for each, count in (("row_scale_bytes", "quant_rows"), ("block_scale_bytes", "fp8_block_scales")):
        if format_.get(each):
            total += format_[each] * shape[count]
    return total


def parts(shape: Facts, format_: Facts, degree: int) -> tuple[float, float]:
    """Bytes of (everything outside routed experts, routed experts) as the format counts them."""
    dense, experts, rest = split.dense_linears(shape, degree), split.experts(shape, degree), split.rest(shape, degree)
    if is_uniform(format_):
        bits = uniform_bits(format_)
        return (dense + rest) * bits / 8, experts * bits / 8
    bits, keep = format_["bits_per_weight"], format_["keep_bits"]
    if format_["policy"] == "experts_only":
        return (dense + rest) * keep / 8, experts * bits / 8
    # scales lie beside the matrices that they belong to
    whole = split.dense_linears(shape, 1) + split.experts(shape, 1)
    each = scales(shape, format_) / whole if whole else 0.0
    return dense * (bits / 8 + each) + rest * keep / 8, experts * (bits / 8 + each)


def own_bytes(shape: Facts, format_: Facts, degree: int) -> float:
    """Bytes of the model's own weights on one device; `stored` is what the repository has."""
    if format_["policy"] == "stored":
        return known_bytes(shape["stored_bytes"], shape, degree)
    if degree == 1 and is_uniform(format_):
        return shape["parameters_resident"] * uniform_bits(format_) / 8
    return sum(parts(shape, format_, degree))


def known_bytes(whole: int, shape: Facts, degree: int) -> float:
    """Of a set of weights that exists: divided as the model's elements are."""
    if degree == 1:
        return whole
    kept = split.dense_linears(shape, degree) + split.experts(shape, degree) + split.rest(shape, degree)
    return whole * kept / shape["parameters_resident"]


def expert_share(shape: Facts, format_: Facts) -> float:
    """Of all bytes of weights, those of routed experts."""
    dense, experts = parts(shape, format_, 1)
    return experts / (dense + experts)


def dense_share(shape: Facts, format_: Facts) -> float:
    """Of all bytes of weights, those outside routed experts that every step reads."""
    dense, experts = parts(shape, format_, 1)
    resting = speed.unread(shape) * (uniform_bits(format_) if is_uniform(format_) else format_["keep_bits"]) / 8
    return max(0.0, dense - resting) / (dense + experts)


def repacked(expert_bytes: float, shape: Facts, degree: int) -> float:
    """Bytes that vLLM's kernels pad MXFP4 experts by: feed-forward of a device to 128, hidden state to 256."""
    if not expert_bytes:
        return 0.0
    ffn, hidden = split.width(shape["expert_ffn_size"], degree), shape["hidden_size"]
    padded = -(-ffn // 128) * 128 * (-(-hidden // 256) * 256)
    return expert_bytes * (padded / (ffn * hidden) - 1)


def effective_name(shape: Facts, format_: Facts) -> str:
    """The format that `stored` stands for."""
    return str(shape["stored_precision"] if format_["policy"] == "stored" else format_["precision"])


def padding_bytes(shape: Facts, format_: Facts, degree: int) -> float:
    """Padded rows have the bits of the embedding that they follow; those of repositories count 16."""
    if format_["policy"] == "stored":
        bits = 16
    else:
        bits = uniform_bits(format_) if is_uniform(format_) else format_["keep_bits"]
    return split.padded_rows(shape, degree) * bits / 8


def held_bytes(shape: Facts, format_: Facts, engine: str, degree: int) -> float:
    """Bytes that an engine holds on one device."""
    if split.is_by_layers(engine):
        return split.staged(own_bytes(shape, format_, 1), shape, degree)
    own = own_bytes(shape, format_, degree)
    if engine in ("none", "transformers"):
        return own
    if engine not in TABLES:
        raise Unknown("engine")
    added = padding_bytes(shape, format_, degree)
    added += 2 * shape["rope_cache_elements"] + 2 * split.by_heads(shape["absorbed_elements"], degree)
    # whose experts are padded depends on the format: of a mixture in an unknown one, nothing can be told
    if shape["p_expert"] and effective_name(shape, format_) == "mxfp4":
        added += repacked(split.experts(shape, degree) * MXFP4_BITS / 8, shape, degree)
    return own + added
