"""Weights, gradients, optimizer states and activations of a training run (method, section 8)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from scalar import cache, split, weights
from scalar.known import Facts, Unknown
from scalar.split import Split

SIXTEEN_BIT, ADAPTERS = ("bf16", "fp16"), ("lora", "dora", "qlora")
MASTERED = ("mixed", "deepspeed", "megatron")
KEEPING = ("deepspeed", "megatron")  # gradients that are never freed


def is_recipe(method: str, precision: str, recipe: str) -> bool:
    """Whether a method trains weights of the format that way."""
    if method == "qlora":
        return precision in ("nf4", "nf4_dq", "fp4_bnb")
    if method in ("lora", "dora"):
        return precision in (*SIXTEEN_BIT, "fp32")
    return precision in (SIXTEEN_BIT if recipe in (*MASTERED, "pure") else ("fp32",))


@dataclass(frozen=True)
class States:
    """Of one run, in bytes on one of several devices; each question is answered or Unknown by itself."""

    shape: Facts
    format_: Facts
    precision: str | None  # of the weights; that of the repository for `stored`
    run: Facts
    over: Split

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
        names = {"all_linear": ("lora_io", "quant_rows"), "attention_qv": ("lora_qv_io", "lora_qv_rows")}
        ends, outputs = names[self.run["lora_targets"]]
        magnitudes = shape[outputs] if self.run["method"] == "dora" else 0
        return (int(self.run["lora_rank"]) * int(shape[ends]) + int(magnitudes)) * self._models()

    def _each(self) -> int:
        return 4 if self._is_adapted() or self.precision == "fp32" else 2

    def _gradient(self) -> int:
        recipe = self.run["recipe"]
        if self._is_adapted() or recipe not in KEEPING:
            return self._each()
        return 4 if recipe == "megatron" or self.run["sharding"].split("_")[0] == "zero3" else 2 + 4

    def _number(self) -> int:
        return 2 if self.run["recipe"] == "pure" and not self._is_adapted() else 4

    def _frozen(self) -> float:
        """The base of adapters, a reference (of adapters the base without them), a reward model."""
        copies = {"sft": 0, "dpo": 1, "grpo": 1, "ppo": 2}[self.run["objective"]]
        if not self._is_adapted():
            return copies * self.shape["parameters_resident"] * self._each() if copies else 0.0
        base = weights.Weights(self.shape, self.format_, None).whole()
        kept = 0.0
        if self.run["method"] == "qlora":
            kept = 2 * (self.shape["parameters_resident"] - _linears(self.shape))
        return base * max(1, copies) + kept

    def _is_away(self) -> bool:
        """Whether the host has room for gradients and optimizer states: half more than what ZeRO counts for them."""
        stage, _, what = self.run["sharding"].partition("_")
        if not what:
            return False
        each = max(4 * self.over.replicas, 16) if stage == "zero2" else 16
        needed = each * self._trained() + (self._resident() if what == "param_offload" else 0)
        return bool(1.5 * needed <= self.run["host_memory_gib"] * 2**30)

    def _resident(self) -> float:
        return self._frozen() + self._trained() * self._each()

    def weights(self) -> float:
        if self.run["sharding"] == "zero3_param_offload" and self._is_away():
            return 0.0
        return self._resident() * split.zero(self.run["sharding"], 3, self.over)

    def gradients(self) -> float:
        if self._is_away():
            return 0.0
        return self._trained() * self._gradient() * split.zero(self.run["sharding"], 2, self.over)

    def optimizer(self) -> float:
        if self._is_away():
            return 0.0
        is_mastered = self.run["recipe"] in MASTERED and not self._is_adapted()
        master = self._trained() * 4 if is_mastered else 0
        moments = 0.0 if self.run["optimizer"] == "adamw_paged" else self._moments()
        return (master + moments) * split.zero(self.run["sharding"], 1, self.over)

    def paged(self) -> float:
        """Moments that may be on either side."""
        if self.run["optimizer"] != "adamw_paged" or self._is_away():
            return 0.0
        return self._moments() * split.zero(self.run["sharding"], 1, self.over)

    def update(self) -> float:
        """What the optimizer's own step needs."""
        if self.run["optimizer"] != "adamw_foreach" or self._is_away():
            return 0.0
        return self._trained() * self._number() * split.zero(self.run["sharding"], 1, self.over)

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


def forward(shape: Facts, run: Facts, over: Split) -> float:
    """Bytes at the loss."""
    is_cast = run["method"] == "full" and run["recipe"] == "autocast"
    hidden, words, layers = shape["hidden_size"], shape["vocab_size"], shape["layers"]
    is_fp32 = run["method"] == "full" and run["recipe"] == "fp32"
    many, kept, between = tokens(shape, run), saved(shape, run), (4 if is_cast or is_fp32 else 2) * hidden
    norm, logit = 8 * hidden, shape["train_logit_bytes"]
    if is_fp32:
        norm, logit = 12 * hidden, 12 + 2 * (logit - 12)
    loss = many * (norm + logit * words)
    if run["loss"] == "fused":
        loss = many * (norm + between) + 4 * words * chunk(many, hidden, words)
        if run["method"] == "full":
            loss += words * hidden * (4 if run["recipe"] in ("autocast", "fp32") else 2)
    if run["gradient_checkpointing"]:
        all_ = many * between * layers + max(loss, many * kept / layers + dequantised(shape, run))
    else:
        all_ = many * kept + max(loss, dequantised(shape, run))
    copies = 0
    if is_cast:
        copies = words * hidden + (0 if run["gradient_checkpointing"] else _linears(shape))
    return float(all_ + 2 * copies + gathered(shape, run, over)[0])


def chunk(tokens: int, hidden: int, words: int) -> int:
    """Tokens of which a fused loss makes logits at once: doubled from one until as many chunks cover all of them."""
    found, chunks = 1, math.ceil(words / hidden)
    while found < math.ceil(tokens / chunks):
        found *= 2
    return min(found, tokens)


def backward(shape: Facts, run: Facts, over: Split) -> float:
    """Bytes beside all gradients, where these stay those of the forward pass too."""
    last = tokens(shape, run) * saved(shape, run) / shape["layers"] + sum(gathered(shape, run, over))
    last += dequantised(shape, run)
    if run["sharding"] in ("zero1", "zero2", "zero2_offload") and over.degree > 1 and run["recipe"] != "megatron":
        last += 5e8 * (4 if run["method"] == "full" and run["recipe"] in ("autocast", "fp32") else 2)
    stays = run.get("gradient_accumulation") or run["recipe"] in KEEPING
    return max(forward(shape, run, over), last) if stays else last


def dequantised(shape: Facts, run: Facts) -> float:
    """The largest matrix of a quantised layer, in 16 bits."""
    if run["method"] != "qlora":
        return 0.0
    return 2.0 * max(shape["ffn_size"], shape["expert_ffn_size"]) * shape["hidden_size"]


def saved(shape: Facts, run: Facts) -> float:
    """Bytes of a token that all layers keep for the backward pass."""
    if run["method"] in ADAPTERS:
        if run["lora_targets"] == "attention_qv":
            kept = shape["train_adapter_qv_bytes"] + 4 * shape["layers"] * run["lora_rank"]
        else:
            kept = shape["train_adapter_bytes"] + shape["train_rank_bytes"] * run["lora_rank"]
    elif run["recipe"] == "fp32":
        kept = shape["train_fp32_bytes"]
    else:
        kept = shape["train_autocast_bytes" if run["recipe"] == "autocast" else "train_full_bytes"]
    length = cache.context(run["context_tokens"], shape)
    of = "train_fp32" if run["method"] == "full" and run["recipe"] == "fp32" else "train"
    kept += shape[f"{of}_pair_bytes"] * length
    if shape["window_tokens"] and length >= shape["window_tokens"]:
        kept += shape[f"{of}_masked_bytes"] + shape[f"{of}_masked_pair_bytes"] * length
    return float(kept)


def gathered(shape: Facts, run: Facts, over: Split) -> tuple[float, float]:
    """Bytes of units put together: of weights that are divided, and of their gradients until they are scattered."""
    is_on_host = run["sharding"] == "zero3_param_offload"
    if not is_on_host and (over.degree == 1 or run["sharding"] not in ("zero3", "zero3_offload", "fsdp")):
        return 0.0, 0.0
    unit = max(shape["layer_parameters"], shape["vocab_size"] * shape["hidden_size"])
    if run["sharding"] != "fsdp":
        return 4.0 * unit, 0.0
    is_full = run["method"] == "full"
    each = 4.0 if is_full and run["recipe"] in ("autocast", "fp32") else 2.0
    return 2 * unit * each, unit * each if is_full else 0.0
