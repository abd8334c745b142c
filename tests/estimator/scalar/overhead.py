"""Activations and what an engine takes besides (method, section 5); of training in `training`."""

from __future__ import annotations

from scalar import cache, split
from scalar.known import Facts, Unknown, up


def is_gated_dense(shape: Facts) -> bool:
    """A decoder of gated feed-forwards and ordinary attention in every layer, embeddings as its vocabulary has."""
    return bool(
        shape["kind"] == "decoder"
        and shape["experts"] == 0
        and shape["p_ssm"] == 0
        and shape["kv_latent_elements_per_token"] == 0
        and shape["p_mlp"] == 3 * shape["layers"] * shape["hidden_size"] * shape["ffn_size"]
        and shape["p_embed"] == shape["vocab_size"] * shape["hidden_size"]
    )


def vllm(shape: Facts, profile: Facts, degree: int) -> float:
    """The larger of a forward pass and the sampler, and the workspaces of experts."""
    tokens, hidden = profile["batched_tokens"], shape["hidden_size"]
    forward = tokens * 2 * (3 * split.width(shape["ffn_size"], degree) + profile["hidden_copies"] * hidden)
    sampler = profile["max_sequences"] * shape["vocab_size"] * profile["logit_bytes"] + tokens * hidden * 2
    return max(forward, sampler) + (
        0 if shape.get("stored_precision") == "mxfp4" else workspaces(shape, profile, degree)
    )


def workspaces(shape: Facts, profile: Facts, degree: int) -> float:
    """Two products of all tokens with the experts that they visit."""
    if not shape["experts"]:
        return 0.0
    each, hidden = split.width(shape["expert_ffn_size"], degree), shape["hidden_size"]
    rows = profile["batched_tokens"] * shape["experts_per_token"]
    return float(rows * 2 * (max(2 * each, hidden) + max(each, hidden)))


def uncounted(shape: Facts, workload: Facts, profile: Facts, degree: int) -> int:
    """Workspaces that not all kernels for experts in MXFP4 have."""
    if workload["engine"] != "vllm" or shape.get("stored_precision") != "mxfp4":
        return 0
    return up(workspaces(shape, profile, degree))


def transformers(shape: Facts, profile: Facts, tokens: int, sequences: int, degree: int) -> float:
    """Whole prompts at once, logits of the last position."""
    if not is_gated_dense(shape):
        raise Unknown("activations of this kind")
    forward = (
        tokens * 2 * (3 * split.width(shape["ffn_size"], degree) + profile["hidden_copies"] * shape["hidden_size"])
    )
    beyond, held = tokens - shape["window_tokens"], 0.0
    if shape["kv_window_elements_per_token"] and beyond > 0:
        held = beyond * 2 * shape["kv_window_elements_per_token"] + tokens**2
    return max((forward + held) * sequences, sequences * shape["vocab_size"] * profile["logit_bytes"])


def llamacpp(shape: Facts, profile: Facts, tokens: int, sequences: int) -> float:
    """Logits of a batch, or its mask over all kept tokens and the widest layer."""
    batch, hidden = profile["batched_tokens"], shape["hidden_size"]
    widest = max(shape["ffn_size"], shape["expert_ffn_size"] * shape["experts_per_token"])
    kept = sequences * cache.kept_tokens(tokens, "llamacpp")
    return max(batch * 4 * (shape["vocab_size"] + hidden), 2 * batch * kept + batch * 4 * (3 * widest + 4 * hidden))


def activation(shape: Facts, workload: Facts, profile: Facts, degree: int) -> int:
    engine = workload["engine"]
    if engine in ("none", "sglang"):
        return 0
    tokens, sequences = cache.context(workload["context_tokens"], shape), workload["concurrent_sequences"]
    if engine == "vllm":
        return up(vllm(shape, profile, degree))
    if engine == "transformers":
        return up(transformers(shape, profile, tokens, sequences, degree))
    if engine == "llamacpp":
        return up(llamacpp(shape, profile, tokens, sequences))
    raise Unknown("engine")


def besides(profile: Facts, degree: int) -> int:
    """Outside the allocator, and CUDA graphs."""
    return int(profile[f"non_torch_bytes_{min(degree, 4)}"] + profile["graph_bytes"])
