"""How a model divides over devices: which split it takes, and what the fullest device then has.

Everything about splitting is here, so that a new rule of an engine is a change of this module alone.
Prose: docs/method.md section 7, in training section 8.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from scalar.known import Facts, Unknown

DEGREES = (1, 2, 3, 4, 5, 6, 7, 8, 16)
UNSPLIT_KINDS = ("diffusion", "adapter")
BY_LAYERS = ("llamacpp",)
ON_ONE_DEVICE = ("mlx",)
IN_A_NODE = 8  # devices that a group stays within where there are several nodes
ROWS_OF_VOCABULARY = 64  # vLLM pads to a multiple
BEFORE_LAYERS = ("pos_embed", "vision", "audio", "speech", "projector")  # beside the embedding


@dataclass(frozen=True)
class Split:
    """`degree` devices: groups of `tensor` of them, `stages` groups in turn or `replicas` of them side by side."""

    degree: int = 1
    tensor: int = 1
    stages: int = 1
    replicas: int = 1
    has_whole_experts: bool = False

    def in_one_group(self) -> Split:
        """The same without stages: what all groups together do in turn."""
        return replace(self, degree=self.degree // self.stages, stages=1)


ALONE = Split()


def is_by_layers(engine: str) -> bool:
    return engine in BY_LAYERS


# --- which split a model takes


def choose(shape: Facts, alignment: int | None, workload: Facts, degree: int) -> Split | None:
    """The split over so many devices, None where there is none; Unknown where that cannot be told."""
    if degree == 1:
        return ALONE
    if workload["mode"] == "training":
        return None if workload["sharding"] == "none" else Split(degree, replicas=degree)
    if shape["kind"] in UNSPLIT_KINDS:
        return None
    if workload["engine"] in ON_ONE_DEVICE:
        return None
    if is_by_layers(workload["engine"]):
        return Split(degree, stages=degree) if degree <= shape["layers"] else None
    if workload.get("attention_parallelism") == "data":
        return Split(degree, replicas=degree, has_whole_experts=True) if shape["experts"] > 0 else None
    return _groups(shape, alignment, degree, IN_A_NODE if (workload.get("max_nodes") or 1) > 1 else degree)


def in_reach(workload: Facts, node: int) -> int:
    """Devices that may share one model, of which a node has so many."""
    nodes = workload.get("max_nodes") or 1
    is_cut = workload["mode"] == "inference" and workload.get("attention_parallelism") != "data"
    return node if is_cut and node < IN_A_NODE else node * nodes


def _groups(shape: Facts, alignment: int | None, degree: int, widest: int) -> Split | None:
    """The largest group of at most so many that divides the model, everything divided before whole experts."""
    if not alignment:
        raise Unknown("format")
    suffix = "" if alignment == 1 else f"_{alignment}"
    if shape.get(f"tp_ok_mask{suffix}") is None:
        raise Unknown("what divides")
    for tensor in (devices for devices in range(min(degree, widest), 0, -1) if degree % devices == 0):
        for mask in ("tp_ok_mask", "ep_ok_mask"):
            if tensor == 1 and mask == "ep_ok_mask":
                continue
            divides = tensor == 1 or shape[f"{mask}{suffix}"] >> (tensor - 1) & 1
            if divides and _has_stages(shape, degree // tensor):
                return Split(degree, tensor, degree // tensor, has_whole_experts=mask == "ep_ok_mask")
    return None


def _has_stages(shape: Facts, stages: int) -> bool:
    return stages == 1 or (shape["kind"] == "decoder" and stages <= shape["layers"])


# --- linears, rest and experts in a group, in elements or bytes of one device


def heads_kept(kv_heads: int, split: Split) -> float:
    """Share of key and value heads on a device: copied once there are more devices than heads."""
    return max(1, kv_heads // split.tensor) / kv_heads


def of_heads(amount: float, shape: Facts, split: Split) -> float:
    """Of what belongs to key and value heads, the part on one device."""
    return amount if split.tensor == 1 or not amount else amount * heads_kept(shape["kv_heads"], split)


def dense_linears(shape: Facts, split: Split) -> float:
    """Linears outside routed experts: divided but for the copied heads and the latents' down-projections."""
    whole = shape["p_attn"] + shape["p_mlp"] + shape["p_shared"] + shape["p_ssm"]
    if split.tensor == 1:
        return float(whole)
    copied, heads = shape["p_tp_replicated"], shape["p_kv_proj"]
    return float((whole - copied - heads) / split.tensor + of_heads(heads, shape, split) + copied)


def feed_forward(shape: Facts, split: Split) -> float:
    """Of the linears outside routed experts, those of the feed-forward."""
    return float((shape["p_mlp"] + shape["p_shared"]) / split.tensor)


def experts_kept(shape: Facts, split: Split) -> float:
    """Share of the routed experts on a device: a part of each, or whole ones on each device of the group."""
    if not split.has_whole_experts:
        return 1 / split.tensor
    devices, count = split.tensor * split.replicas, shape["experts"]
    return float(-(-count // devices) / count)


def experts(shape: Facts, split: Split) -> float:
    return shape["p_expert"] * experts_kept(shape, split) if shape["p_expert"] else 0.0


def rest(shape: Facts, split: Split) -> float:
    """Outside all linears: embedding, head and biases divide, everything else is on every device."""
    whole = shape["parameters_resident"]
    whole -= sum(shape[f"p_{part}"] for part in ("attn", "mlp", "shared", "ssm", "expert"))
    if split.tensor == 1:
        return float(whole)
    divided = shape["p_embed"] + shape["p_lm_head"] + shape["p_bias"]
    return float(whole - divided + divided / split.tensor)


def padded_rows(shape: Facts, split: Split) -> float:
    """Elements that vLLM adds to an embedding or a head on one device."""
    return float(-shape["vocab_size"] % ROWS_OF_VOCABULARY * shape["hidden_size"] / split.tensor)


def by_heads(amount: float, split: Split) -> float:
    """What divides by heads without copies: recurrent states, copies of latent up-projections."""
    return amount / split.tensor


def width(columns: int, split: Split) -> float:
    """Columns of a feed-forward on one device."""
    return columns / split.tensor


def expert_width(columns: int, split: Split) -> float:
    """Columns of one expert on one device."""
    return columns if split.has_whole_experts else width(columns, split)


def sequences(asked: int, split: Split) -> int:
    """Of all sequences, those of one device."""
    return -(-asked // split.replicas)


# --- stages of layers


def of_layers(amount: float, layers: int | None, split: Split) -> float:
    """Of what lies evenly in like layers, the part on the device that has most of them."""
    if split.stages == 1 or not amount:
        return amount
    if layers is None:
        raise Unknown("layers")
    return amount * -(-layers // split.stages) / layers


@dataclass(frozen=True)
class Layered:
    """Bytes of one group that has all layers: before the first, behind the last, and in them outside and in experts."""

    first: float
    last: float
    plain: float
    experts: float


def fullest_stage(layered: Layered, shape: Facts, split: Split) -> float:
    """Each has L // p layers, those before the last one more from the back as far as they go."""
    each, left = divmod(shape["layers"], split.stages)
    held = [each] * split.stages
    for place in range(left):
        held[-2 - place] += 1
    ends = [0.0] * split.stages
    ends[0] += layered.first
    ends[-1] += layered.last

    def bytes_(layers: int) -> float:
        of_experts = 0.0
        if layered.experts:
            of_experts = layered.experts * min(layers, shape["expert_layers"]) / shape["expert_layers"]
        return layered.plain * layers / shape["layers"] + of_experts

    return max(end + bytes_(layers) for end, layers in zip(ends, held, strict=True))


# --- ZeRO


def zero(sharding: str, stage: int, split: Split) -> float:
    """Share of a state that is divided from `stage` on: 1 optimizer, 2 gradients, 3 weights."""
    reached = 3 if sharding == "fsdp" else int(sharding.partition("_")[0].replace("none", "zero0")[-1])
    return 1 / split.replicas if reached >= stage else 1.0


# --- speed


def work(amount: float, split: Split) -> float:
    """Operations of one device at a time: the devices of a group work at once, groups in turn."""
    return amount / _together(split)


def _together(split: Split) -> int:
    if split.replicas > 1:
        raise Unknown("what is exchanged")
    return split.tensor


def sent(shape: Facts, tokens: int, split: Split) -> float:
    """Bytes that a device sends for a prompt: a ring's 2 (n - 1) / n of a hidden state, two reductions a layer."""
    devices = _together(split)
    if devices == 1:
        return 0.0
    return float(2 * shape["layers"] * tokens * shape["hidden_size"] * 2 * 2 * (devices - 1) / devices)
