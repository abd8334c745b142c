"""How a model divides over devices: which degrees there are, and what the fullest device then has.

Everything about splitting is here, so that a new rule of an engine is a change of this module alone.
Prose: docs/method.md section 7, in training section 8.
"""

from __future__ import annotations

from scalar.known import Facts, Unknown

DEGREES = (1, 2, 4, 8, 16)
UNSPLIT_KINDS = ("diffusion", "adapter")
BY_LAYERS = ("llamacpp",)
ROWS_OF_VOCABULARY = 64  # vLLM pads to a multiple


def is_by_layers(engine: str) -> bool:
    return engine in BY_LAYERS


# --- which degrees exist


def exists(shape: Facts, engine: str, alignment: int | None, degree: int) -> bool:
    """Whether an engine can serve the shape on so many devices; Unknown where the masks or the layers are null."""
    if degree == 1:
        return True
    if is_by_layers(engine):
        return degree <= shape["layers"]
    if shape.get("kind") in UNSPLIT_KINDS:
        return False
    if alignment is None:
        raise Unknown("format")
    mask = shape["tp_ok_mask" if alignment == 1 else f"tp_ok_mask_{alignment}"]
    return bool(mask >> DEGREES.index(degree) & 1)


def exists_in_training(sharding: str, degree: int) -> bool:
    """ZeRO takes any number of devices; without it each works alone."""
    return degree == 1 or sharding != "none"


# --- linears, rest and experts under tensor parallelism, in elements or bytes of one device


def heads_kept(kv_heads: int, degree: int) -> float:
    """Share of key and value heads on a device: copied once there are more devices than heads."""
    return max(1, kv_heads // degree) / kv_heads


def of_heads(amount: float, shape: Facts, degree: int) -> float:
    """Of what belongs to key and value heads, the part on one device."""
    return amount if degree == 1 else amount * heads_kept(shape["kv_heads"], degree)


def dense_linears(shape: Facts, degree: int) -> float:
    """Linears outside routed experts: divided but for the copied heads and the latents' down-projections."""
    whole = shape["p_attn"] + shape["p_mlp"] + shape["p_shared"] + shape["p_ssm"]
    if degree == 1:
        return whole
    copied, heads = shape["p_tp_replicated"], shape["p_kv_proj"]
    return (whole - copied - heads) / degree + of_heads(heads, shape, degree) + copied


def experts(shape: Facts, degree: int) -> float:
    return shape["p_expert"] / degree


def rest(shape: Facts, degree: int) -> float:
    """Outside all linears: embedding, head and biases divide, everything else is on every device."""
    whole = shape["parameters_resident"]
    whole -= sum(shape[f"p_{part}"] for part in ("attn", "mlp", "shared", "ssm", "expert"))
    if degree == 1:
        return whole
    divided = shape["p_embed"] + shape["p_lm_head"] + shape["p_bias"]
    return whole - divided + divided / degree


def padded_rows(shape: Facts, degree: int) -> float:
    """Elements that vLLM adds to embedding and head on one device."""
    rows = -shape["vocab_size"] % ROWS_OF_VOCABULARY
    matrices = (shape["p_embed"] > 0) + (shape["p_lm_head"] > 0)
    return rows * shape["hidden_size"] * matrices / degree


def by_heads(amount: float, degree: int) -> float:
    """What divides by heads without copies: recurrent states, copies of latent up-projections."""
    return amount / degree


def width(columns: int, degree: int) -> float:
    """Columns of a feed-forward on one device."""
    return columns / degree


# --- stages of layers


def layers_kept(shape: Facts, degree: int) -> float:
    """Share of the layers on the device that has most of them."""
    return 1.0 if degree == 1 else -(-shape["layers"] // degree) / shape["layers"]


def staged(whole: float, shape: Facts, degree: int) -> float:
    """Bytes of the fullest stage: its layers, and embeddings and head besides."""
    if degree == 1:
        return whole
    ends = (shape["p_embed"] + shape["p_lm_head"]) / shape["parameters_resident"]
    return whole * (ends + (1 - ends) * layers_kept(shape, degree))


# --- ZeRO


def zero(sharding: str, stage: int, degree: int) -> float:
    """Share of a state that is divided from `stage` on: 1 optimizer, 2 gradients, 3 weights."""
    return 1 / degree if {"none": 0, "zero1": 1, "zero2": 2, "zero3": 3}[sharding] >= stage else 1.0


# --- speed


def stages(engine: str, degree: int) -> int:
    """Groups of layers that work one after another."""
    return degree if is_by_layers(engine) else 1


def work(amount: float, engine: str, degree: int) -> float:
    """Operations of one device at a time: under tensor parallelism all work at once, stages in turn."""
    return amount if is_by_layers(engine) else amount / degree


def sent(shape: Facts, tokens: int, engine: str, degree: int) -> float:
    """Bytes that a device sends for a prompt: a ring's 2 (n - 1) / n of a hidden state, two reductions a layer."""
    if degree == 1 or is_by_layers(engine):
        return 0.0
    return 2 * shape["layers"] * tokens * shape["hidden_size"] * 2 * 2 * (degree - 1) / degree
