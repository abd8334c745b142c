"""Weights, gradients, optimizer states and activations of a training run (method, section 8)."""

from __future__ import annotations

from dataclasses import dataclass

from scalar import cache, overhead, split, weights
from scalar.known import Facts, Unknown

SIXTEEN_BIT, ADAPTERS = ("bf16", "fp16"), ("lora", "dora", "qlora")
MATRICES_OF_A_LAYER = 7


def is_recipe(method: str, precision: str, recipe: str) -> bool:
    """Whether a method trains weights of the format that way."""
    if method == "qlora":
        return precision in ("nf4", "nf4_dq", "fp4_bnb")
    if method in ("lora", "dora"):
        return precision in (*SIXTEEN_BIT, "fp32")
    return precision in (SIXTEEN_BIT if recipe in ("mixed", "pure") else ("fp32",))


@dataclass(frozen=True)
class States:
    """Of one run, in bytes on one of `degree` devices; each question is answered or Unknown by itself."""

    shape: Facts
    format_: Facts
    precision: str | None  # of the weights; that of the repository for `stored`
    run: Facts
    degree: int

    def __post_init__(self) -> None:
        if self.precision is None or not is_recipe(self.run["method"], self.precision, self.run["recipe"]):
            raise Unknown("recipe")

    def _is_adapted(self) -> bool:
        return self.run["method"] in ADAPTERS

    def _models(self) -> int:
        """That are trained: PPO has a critic besides, which adapters share the base with."""
        return 2 if self.run["objective"] == "ppo" else 1

    def _trained(self) -> int:
        shape = self.shape
        if not self._is_adapted():
            return int(shape["parameters_resident"]) * self._models()
        outputs = shape["quant_rows"] if self.run["method"] == "dora" else 0
        return (int(self.run["lora_rank"]) * int(shape["lora_io"]) + int(outputs)) * self._models()

    def _each(self) -> int:
        return 4 if self._is_adapted() or self.precision == "fp32" else 2

    def _number(self) -> int:
        return 2 if self.run["recipe"] == "pure" and not self._is_adapted() else 4

    def _frozen(self) -> float:
        """The base of adapters, a reference (of adapters the base without them), a reward model."""
        copies = {"sft": 0, "dpo": 1, "grpo": 1, "ppo": 2}[self.run["objective"]]
        if not self._is_adapted():
            return copies * self.shape["parameters_resident"] * self._each() if copies else 0.0
        base = weights.own_bytes(self.shape, self.format_, 1)
        kept = 0.0
        if self.run["method"] == "qlora":
            kept = 2 * (self.shape["parameters_resident"] - _linears(self.shape))
        return base * max(1, copies) + kept

    def weights(self) -> float:
        return (self._frozen() + self._trained() * self._each()) * split.zero(self.run["sharding"], 3, self.degree)

    def gradients(self) -> float:
        return self._trained() * self._each() * split.zero(self.run["sharding"], 2, self.degree)

    def optimizer(self) -> float:
        is_mixed = self.run["recipe"] == "mixed" and not self._is_adapted()
        master = self._trained() * 4 if is_mixed else 0
        return (master + self._moments()) * split.zero(self.run["sharding"], 1, self.degree)

    def update(self) -> float:
        """What the optimizer's own step needs."""
        if self.run["optimizer"] != "adamw_foreach":
            return 0.0
        return self._trained() * self._number() * split.zero(self.run["sharding"], 1, self.degree)

    def _moments(self) -> float:
        optimizer, trained = self.run["optimizer"], self._trained()
        numbers = {"adamw": 2, "adamw_paged": 2, "adamw_foreach": 2, "lion": 1, "sgd_momentum": 1, "sgd": 0}
        if optimizer in numbers:
            return trained * numbers[optimizer] * self._number()
        if optimizer == "adamw_8bit":
            return trained * (2 + 2 * 4 / 256)
        if optimizer == "muon":
            in_layers = trained if self._is_adapted() else _linears(self.shape) * self._models()
            return (in_layers + 2 * (trained - in_layers)) * self._number()
        if optimizer == "adafactor" and not self._is_adapted():
            return 4 * _rows_and_columns(self.shape) * self._models()
        raise Unknown("optimizer")


def _linears(shape: Facts) -> int:
    return sum(int(shape[f"p_{part}"]) for part in ("attn", "mlp", "shared", "ssm", "expert"))


def _rows_and_columns(shape: Facts) -> int:
    """Of every matrix, and the numbers of everything else; how stacked experts are factored is not known."""
    if shape["p_expert"]:
        raise Unknown("experts")
    total, matrices = shape["lora_io"], shape["parameters_resident"] - _linears(shape)
    for name in ("p_embed", "p_lm_head"):
        matrices -= shape[name]
        total += shape["vocab_size"] + shape["hidden_size"] if shape[name] else 0
    return int(total + matrices)


def tokens(shape: Facts, run: Facts) -> int:
    """Of a device's own micro-batch; preference pairs are two answers an example."""
    answers = 2 if run["objective"] == "dpo" else 1
    return cache.context(run["context_tokens"], shape) * run["concurrent_sequences"] * answers


def activations(shape: Facts, run: Facts) -> tuple[float, float]:
    """Bytes at the loss, and of the last layer in the backward pass."""
    if run["recipe"] == "fp32" or not overhead.is_gated_dense(shape):
        raise Unknown("activations of this kind")
    adapted, autocast = run["method"] in ADAPTERS, run["recipe"] == "autocast"
    hidden, ffn, layers = shape["hidden_size"], shape["ffn_size"], shape["layers"]
    heads, kv_heads = shape["heads"], shape["kv_heads"]
    both = shape["p_attn"] / (2 * hidden * layers)  # (a + kv) d
    queries = both * heads / (heads + kv_heads)
    if adapted:
        layer = 18 * hidden + 2 * queries + 4 * both + 8 * ffn + 4 * heads + 8
        layer += 2 * MATRICES_OF_A_LAYER * run["lora_rank"]
    else:
        layer = 16 * hidden + 4 * both + 8 * ffn + 4 * heads + 8
        layer += 10 * hidden if autocast else 0
    layer += _norms(shape, both, adapted)
    between = 4 * hidden if autocast and not adapted else 2 * hidden
    loss = 8 * hidden + 12 * shape["vocab_size"]
    count = tokens(shape, run)
    if run["gradient_checkpointing"]:
        forward = count * (between * layers + max(loss, layer))
    else:
        forward = count * (layer * layers + loss)
    if autocast and not adapted:
        head = shape["p_lm_head"] or shape["p_embed"]
        linears = 0 if run["gradient_checkpointing"] else split.dense_linears(shape, 1)
        forward += 2 * (head + linears)
    return forward, count * layer


def _norms(shape: Facts, both: float, adapted: bool) -> float:
    """Norms of queries and keys, told by how many norm weights there are beyond two a layer and a last one."""
    layers, heads = shape["layers"], shape["heads"] + shape["kv_heads"]
    more = shape["p_norm"] - (2 * layers + 1) * shape["hidden_size"]
    if more == 0:
        return 0.0
    if more == 2 * layers * both / heads:
        return (4 if adapted else 6) * both + 4 * heads
    raise Unknown("norms")
