"""Activations and what an engine takes besides (method, section 5); of training in `training`."""

from __future__ import annotations

from scalar import cache, split
from scalar.known import Facts, Unknown, up
from scalar.split import Split


def vllm(shape: Facts, profile: Facts, over: Split) -> float:
    """The larger of a forward pass and the sampler, and the workspaces of experts."""
    tokens, hidden = profile["batched_tokens"], shape["hidden_size"]
    if shape.get("kind") == "encoder":
        return float(tokens * 2 * (2 * split.width(shape["ffn_size"], over) + 4 * hidden)) + workspaces(
            shape, profile, over
        )
    forward = tokens * 2 * (3 * split.width(shape["ffn_size"], over) + profile["hidden_copies"] * hidden)
    sampler = profile["max_sequences"] * shape["vocab_size"] * profile["logit_bytes"] + tokens * hidden * 2
    return max(forward, sampler) + (0 if shape.get("stored_precision") == "mxfp4" else workspaces(shape, profile, over))


def workspaces(shape: Facts, profile: Facts, over: Split) -> float:
    """Two products of all tokens with the experts that they visit."""
    if not shape["experts"]:
        return 0.0
    each, hidden = split.expert_width(shape["expert_ffn_size"], over), shape["hidden_size"]
    rows = profile["batched_tokens"] * shape["experts_per_token"]
    return float(rows * 2 * (max(2 * each, hidden) + max(each, hidden)))


def uncounted(shape: Facts, workload: Facts, profile: Facts, over: Split) -> int:
    """Workspaces that not all kernels for experts in MXFP4 have."""
    if workload["engine"] not in ("vllm", "trtllm") or shape.get("stored_precision") != "mxfp4":
        return 0
    return up(workspaces(shape, profile, over))


def checked(shape: Facts, workload: Facts, profile: Facts) -> int:
    """Logits of a token that vLLM checks beside the one of each sequence, at the upper end."""
    if workload["engine"] != "vllm" or not workload.get("speculative_tokens"):
        return 0
    return up(profile["max_sequences"] * shape["vocab_size"] * profile["logit_bytes"])


def transformers(shape: Facts, profile: Facts, tokens: int, sequences: int) -> float:
    """Whole prompts at once through the modules of the class, logits of the last position."""
    attention = shape["prefill_attention_bytes"] + shape["prefill_pair_bytes"] * tokens
    forward = tokens * max(shape["prefill_layer_bytes"], attention)
    logits = 0 if shape.get("kind") == "encoder" else shape["vocab_size"] * profile["logit_bytes"]
    return float(sequences * max(forward + _held(shape, tokens), logits))


def _held(shape: Facts, tokens: int) -> float:
    """Of one prompt that fills a window: keys and values before the window, and a mask; of an encoder's, which may be
    padded, words and what is none in 64 bits, and a mask."""
    if shape.get("window_tokens") is not None and tokens < shape["window_tokens"]:
        return 0.0
    if shape.get("kind") == "encoder":
        return float((tokens - shape["window_tokens"]) * 16 + tokens**2)
    if not shape["kv_window_elements_per_token"]:
        return 0.0
    return float((tokens - shape["window_tokens"]) * 2 * shape["kv_window_elements_per_token"] + tokens**2)


def llamacpp(shape: Facts, profile: Facts, tokens: int, sequences: int, *, has_scores: bool = False) -> float:
    """Logits of a batch, or its mask over all kept tokens and the widest layer; with all scores of a batch, or both."""
    batch, hidden = profile["batched_tokens"], shape["hidden_size"]
    widest = max(shape["ffn_size"], shape["expert_ffn_size"] * shape["experts_per_token"])
    kept = sequences * cache.filled(tokens, cache.LLAMACPP_BLOCK)
    words = 0 if shape.get("kind") == "encoder" else shape["vocab_size"]
    ends = batch * 4 * (words + hidden)
    if not has_scores or not shape["heads"]:
        return float(max(ends, 2 * batch * kept + batch * 4 * (3 * widest + 4 * hidden)))
    # a feed-forward outweighs scores up to so many tokens, each with its cell of a mask in 32 bits
    ffn = batch * 4 * (4 * hidden + 3 * widest * (1 + 1 / shape["heads"]))
    return float(max(ends, ffn, 4 * batch * (4 * hidden + kept * (shape["heads"] + 1))))


def mlx(shape: Facts, profile: Facts, tokens: int, sequences: int) -> float:
    """A chunk of each prompt, or its scores of all that is kept where no kernel is as wide as the heads."""
    chunk, elements = profile["batched_tokens"], shape["kv_full_elements_per_token"]
    widest = max(shape["ffn_size"], shape["expert_ffn_size"] * shape["experts_per_token"])
    each = max(chunk * 2 * (3 * widest + 4 * shape["hidden_size"]), shape["vocab_size"] * profile["logit_bytes"])
    scores = 0
    if elements:
        width = elements / (2 * shape["kv_full_layers"] * shape["kv_heads"])
        scores = 0 if width in (64, 80, 128) else chunk * shape["heads"] * 2 * 2
    elif shape["kv_latent_elements_per_token"]:
        scores = chunk * shape["heads"] * 2 * 2
    return float(sequences * max(each, scores * cache.filled(tokens, cache.BLOCKS["mlx"])))


def activation(shape: Facts, workload: Facts, profile: Facts, over: Split) -> int:
    engine = workload["engine"]
    if engine in ("none", "sglang"):
        return 0
    tokens, sequences = cache.context(workload["context_tokens"], shape), workload["concurrent_sequences"]
    if engine in ("vllm", "trtllm"):
        return up(vllm(shape, profile, over))
    if engine == "transformers":
        return up(transformers(shape, profile, tokens, sequences))
    if engine == "llamacpp":
        has_scores = "no_flash_attention" in (workload.get("engine_options") or "").split()
        return up(llamacpp(shape, profile, tokens, sequences, has_scores=has_scores))
    if engine == "mlx":
        return up(mlx(shape, profile, tokens, sequences))
    raise Unknown("engine")


def besides(profile: Facts, over: Split, *, is_eager: bool = False) -> int:
    """Outside the allocator, and CUDA graphs: by the devices that reduce or exchange, not those in turn."""
    devices = over.tensor * over.replicas
    name = {1: "non_torch_bytes_1", 2: "non_torch_bytes_2"}.get(devices, "non_torch_bytes_4")
    return int(profile[name] + (0 if is_eager else profile["graph_bytes"]))


def shared(shape: Facts, workload: Facts) -> int:
    """What all prompts of an encoder share in transformers while their mask is made."""
    if workload["engine"] != "transformers" or workload["mode"] != "inference":
        return 0
    return int(shape["prefill_shared_bytes"]) * cache.context(workload["context_tokens"], shape) ** 2
