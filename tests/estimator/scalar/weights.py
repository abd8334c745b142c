"""Bytes of weights at a precision on the fullest device, before gradients and optimizer states (method, section 3)."""

from __future__ import annotations

from dataclasses import dataclass

from scalar import speed, split
from scalar.known import Facts, Unknown, up
from scalar.split import ALONE, Split

MXFP4_BITS = 4.25
TABLES = ("vllm", "sglang", "trtllm")  # engines that keep a rotary table, padded rows and copies beside the weights


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


def quantises_experts_alone(shape: Facts, format_: Facts) -> bool:
    """Whether the bytes of a repository in the format say so, whatever the format does elsewhere."""
    if format_["policy"] != "linears" or format_["precision"] != shape.get("stored_precision"):
        return False
    if is_uniform(format_) or not shape["p_expert"] or shape.get("stored_bytes") is None:
        return False
    of_experts, of_linears = (
        sum(parts(shape, Facts({**format_, "policy": policy}), ALONE)) for policy in ("experts_only", "linears")
    )
    return abs(shape["stored_bytes"] - of_experts) < abs(shape["stored_bytes"] - of_linears)


def as_stored(shape: Facts, format_: Facts) -> Facts:
    """The format as the repository uses it."""
    return Facts({**format_, "policy": "experts_only"}) if quantises_experts_alone(shape, format_) else format_


def parts(shape: Facts, format_: Facts, over: Split) -> tuple[float, float]:
    """Bytes of (everything outside routed experts, routed experts) as the format counts them."""
    dense, experts, rest = split.dense_linears(shape, over), split.experts(shape, over), split.rest(shape, over)
    if is_uniform(format_):
        bits = uniform_bits(format_)
        return (dense + rest) * bits / 8, experts * bits / 8
    bits, keep = format_["bits_per_weight"], format_["keep_bits"]
    if format_["policy"] == "experts_only":
        return (dense + rest) * keep / 8, experts * bits / 8
    if format_["policy"] == "experts_and_mlp":
        inner = split.feed_forward(shape, over)
        return inner * bits / 8 + (dense - inner + rest) * keep / 8, experts * bits / 8
    # scales lie beside the matrices that they belong to
    whole = split.dense_linears(shape, ALONE) + split.experts(shape, ALONE)
    each = scales(shape, format_) / whole if whole else 0.0
    return dense * (bits / 8 + each) + rest * keep / 8, experts * (bits / 8 + each)


def expert_share(shape: Facts, format_: Facts) -> float:
    """Of all bytes of weights, those of routed experts."""
    dense, experts = parts(shape, format_, ALONE)
    return experts / (dense + experts)


def dense_share(shape: Facts, format_: Facts) -> float:
    """Of all bytes of weights, those outside routed experts that every step reads."""
    dense, experts = parts(shape, format_, ALONE)
    return max(0.0, dense - speed.unread(shape) * outer_bits(format_) / 8) / (dense + experts)


def outer_bits(format_: Facts) -> float:
    """Of what lies outside the layers."""
    return float(uniform_bits(format_) if is_uniform(format_) else format_["keep_bits"])


@dataclass(frozen=True)
class Weights:
    """Bytes of a shape at a precision; `effective` is the format that they have, None where that has no row."""

    shape: Facts
    format_: Facts
    effective: Facts | None

    def _is_stored(self) -> bool:
        return bool(self.format_["policy"] == "stored")

    def _effective(self) -> Facts:
        if self.effective is None:
            raise Unknown("format")
        return as_stored(self.shape, self.effective) if self._is_stored() else self.effective

    def _in_file(self) -> Facts:
        """What known bytes are of: a file of llama.cpp has neither eyes nor ears."""
        name = effective_name(self.shape, self.format_) if self._is_stored() else ""
        if not name.startswith("gguf_"):
            return self.shape
        towers = {f"p_{part}": self.shape.get(f"p_{part}") or 0 for part in ("vision", "audio", "speech", "projector")}
        language = self.shape["parameters_resident"] - sum(towers.values())
        return Facts({**self.shape, **dict.fromkeys(towers, 0), "parameters_resident": language})

    def whole(self) -> float:
        """On one device that has all of the model."""
        if self._is_stored():
            return float(self.shape["stored_bytes"])
        if is_uniform(self.format_):
            return float(self.shape["parameters_resident"] * uniform_bits(self.format_) / 8)
        return sum(parts(self.shape, self.format_, ALONE))

    def in_group(self, over: Split) -> tuple[float, float]:
        """On one device of a group that has all layers: (outside routed experts, routed experts).

        What is known by its size alone divides by shares.
        """
        if not self._is_stored():
            return parts(self.shape, self.format_, over)
        whole = self.whole()
        share = expert_share(self._in_file(), self._effective()) if self.shape["p_expert"] else 0.0
        # without experts there need be no number of them
        experts = whole * share * split.experts_kept(self.shape, over) if share else 0.0
        return whole * (1 - share) * self._others_kept(over), experts

    def _others_kept(self, over: Split) -> float:
        others = [split.dense_linears(self.shape, each) + split.rest(self.shape, each) for each in (over, ALONE)]
        return others[0] / others[1]

    def held(self, engine: str, over: Split) -> float:
        """That an engine holds on the fullest device."""
        if split.is_by_layers(engine):
            return self._in_files(over)
        if over == ALONE:
            return self.whole() + self._added(engine, over)
        if over.stages == 1:
            return sum(self.in_group(over)) + self._added(engine, over)
        return self._staged(engine, over)

    def _added(self, engine: str, over: Split) -> float:
        """That an engine keeps besides, on a device that has parts of all layers."""
        if engine in ("none", "transformers", "mlx"):
            return 0.0
        if engine not in TABLES:
            raise Unknown("engine")
        matrices = (self.shape["p_embed"] > 0) + (self.shape["p_lm_head"] > 0)
        rows = matrices * self._padding(over)
        return rows + self._tables() + self._copies(over) + self._repacked(over)

    def _tables(self) -> float:
        return 2.0 * self.shape["rope_cache_elements"]

    def _copies(self, over: Split) -> float:
        return 2 * split.by_heads(self.shape["absorbed_elements"], over)

    def _padding(self, over: Split) -> float:
        """Rows of one matrix of words, at the bits of the embedding; those of repositories count 16."""
        return split.padded_rows(self.shape, over) * (16 if self._is_stored() else outer_bits(self.format_)) / 8

    def _repacked(self, over: Split) -> float:
        """Bytes that vLLM's kernels pad MXFP4 experts by: feed-forward of a device to 128, hidden state to 256."""
        # whose experts are padded depends on the format: of a mixture in an unknown one, nothing can be told
        if not self.shape["p_expert"] or effective_name(self.shape, self.format_) != "mxfp4":
            return 0.0
        ffn, hidden = split.expert_width(self.shape["expert_ffn_size"], over), self.shape["hidden_size"]
        padded = -(-ffn // 128) * 128 * (-(-hidden // 256) * 256)
        return float(split.experts(self.shape, over) * MXFP4_BITS / 8 * (padded / (ffn * hidden) - 1))

    def _each_outside(self) -> float:
        """Bytes of an element outside the layers: as the format keeps it, or the average where all are alike."""
        effective = self._effective()
        if is_uniform(effective):
            return self.whole() / self.shape["parameters_resident"]
        return float(effective["keep_bits"] / 8)

    def _ends(self, over: Split) -> tuple[float, float]:
        """Bytes before the first layer and behind the last: what is looked up, sees and hears, and what predicts."""
        shape, each = self.shape, self._each_outside()
        first = shape["p_embed"] / over.tensor + sum(shape[f"p_{part}"] for part in split.BEFORE_LAYERS)
        return first * each, (shape["p_lm_head"] / over.tensor + shape["p_head_other"]) * each

    def _in_files(self, over: Split) -> float:
        """On llama.cpp's fullest device: some of the layers, and all that is none."""
        if over == ALONE:
            return self.whole()
        ends = sum(self._ends(ALONE))
        return ends + split.of_layers(self.whole() - ends, self.shape["layers"], over)

    def _staged(self, engine: str, over: Split) -> float:
        """On the fullest of several groups of layers."""
        shape, (first, last) = self.shape, self._ends(over)
        plain, experts = self.in_group(over)
        plain -= first + last
        if not shape["p_lm_head"] and not shape["p_head_other"]:
            last += shape["p_embed"] / over.tensor * self._each_outside()  # one matrix, which both ends have
        if engine in TABLES:
            first, last = first + self._padding(over), last + self._padding(over)
            plain += self._copies(over)
            experts += self._repacked(over)
        tables = self._tables() if engine in TABLES else 0.0
        return tables + split.fullest_stage(split.Layered(first, last, plain, experts), shape, over)

    # Groups of layers work in turn, so that a step is that of all of them.

    def read_always(self, over: Split, predicted: int = 0) -> float:
        """Bytes outside routed experts on a device that every step reads, and for each of the predicted tokens."""
        shape, effective = self._in_file(), self._effective()
        others, _ = self.in_group(over.in_one_group())
        read = others * dense_share(shape, effective) / (1 - expert_share(shape, effective))
        if not predicted:
            return read
        head = shape["vocab_size"] * shape["hidden_size"] / over.tensor * self._each_outside()
        return read + predicted * (self._block(over)[0] + head)

    def read_if_visited(self, over: Split, predicted: int = 0) -> float:
        """Bytes of routed experts on a device, those of blocks that predict included."""
        experts = 0.0
        if self.shape["p_expert"]:
            _, experts = self.in_group(over.in_one_group())
        return experts + (self._block(over)[1] if predicted else 0.0)

    # Blocks that predict further tokens take what the average element takes.

    def _block_elements(self, over: Split) -> tuple[float, float]:
        """Outside and inside routed experts, on a device."""
        experts = self.shape["mtp_expert_parameters"]
        here = experts * split.experts_kept(self.shape, over) if experts else 0.0
        return (self.shape["mtp_parameters"] - experts) / over.tensor, here

    def _block(self, over: Split) -> tuple[float, float]:
        """The same in bytes."""
        shape, (dense, experts) = self.shape, self._block_elements(over)
        if not dense and not experts:
            return 0.0, 0.0
        share = expert_share(shape, self._effective())
        others = shape["parameters_resident"] - shape["p_expert"]
        of_dense = dense * self.whole() * (1 - share) / others if dense else 0.0
        return of_dense, experts * self.whole() * share / shape["p_expert"] if experts else 0.0

    def beside(self, predicted: int, over: Split) -> float:
        """That they add to what is held: nothing where the files of a repository have them."""
        return sum(self._block(over)) if predicted and not self._is_stored() else 0.0

    def wider(self, predicted: int, over: Split) -> int:
        """That they may take more, in 16 bits."""
        if not predicted or self._is_stored():
            return 0
        return up(max(0.0, 2 * sum(self._block_elements(over)) - sum(self._block(over))))


def effective_name(shape: Facts, format_: Facts) -> str:
    """The format that `stored` stands for."""
    return str(shape["stored_precision"] if format_["policy"] == "stored" else format_["precision"])
