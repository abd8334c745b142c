"""What PyTorch keeps of a layer for the backward pass, and what a prompt needs at once, in bytes a token.

The forms are expressions in catalogs/architectures/activations.toml, one row a model type, over the dimensions of one
layer; a type, a kind of layer, an activation function or a recipe without an expression is unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from catalogs import architectures
from flows.extract.experts import Experts
from flows.extract.expressions import evaluate
from flows.extract.keys import Keys

# Column of SHAPES -> recipe in the rows; sums over the layers.
RECIPES = {
    "train_full_bytes": "full",
    "train_autocast_bytes": "autocast",
    "train_adapter_bytes": "adapters",
    "train_adapter_qv_bytes": "adapters_qv",
    "train_fp32_bytes": "fp32",
}
OF_PAIRS = ("train_pair_bytes", "train_fp32_pair_bytes")
OF_WINDOWS = {
    "train_masked_bytes": "masked",
    "train_masked_pair_bytes": "masked_pair",
    "train_fp32_masked_bytes": "masked_fp32",
    "train_fp32_masked_pair_bytes": "masked_pair_fp32",
}
SUMMED = (*RECIPES, "train_rank_bytes", *OF_PAIRS, *OF_WINDOWS)
# The largest layer's.
WIDEST = ("prefill_layer_bytes", "prefill_attention_bytes", "prefill_pair_bytes", "prefill_shared_bytes")
# Kinds of layers whose attention takes a mask once a sequence is longer than what they see.
WINDOWED = ("sliding", "chunked")

Parts = dict[str, int | None]


def of_layer(
    dialect: Mapping[str, Any],
    keys: Keys,
    known: Mapping[str, int],
    moe: Experts,
    *,
    kind: str,
    is_sparse: bool,
) -> Parts:
    """Columns of one layer, those of SUMMED and WIDEST; null where the row does not tell."""
    row = dialect.get("activations")
    if row is None or "heads" not in known or evaluate(row.get("unless", 0), keys.truth):
        return dict.fromkeys((*SUMMED, *WIDEST))
    is_windowed = kind in WINDOWED
    reader = _Reader(row, keys, {**known, "windowed": int(is_windowed)}, moe)
    part = "sparse" if is_sparse else "dense"
    found: Parts = {column: reader.recipe(part, name) for column, name in RECIPES.items()}
    found["train_rank_bytes"] = reader.sum_of([("adapted", "layer"), ("adapted", part)], times=2)
    found["train_pair_bytes"] = reader.value(row.get("pair", 0))
    found["train_fp32_pair_bytes"] = reader.value(row.get("pair_fp32", 0))
    found |= {column: reader.value(row.get(name, 0)) if is_windowed else 0 for column, name in OF_WINDOWS.items()}
    found["prefill_layer_bytes"] = reader.sum_of([("prefill", part)])
    found["prefill_attention_bytes"] = reader.sum_of([("prefill", "attention")])
    found["prefill_pair_bytes"] = reader.value(row.get("prefill_pair", 0))
    found["prefill_shared_bytes"] = reader.value(row.get("prefill_shared", 0))
    return found


def of_encoder(dialect: Mapping[str, Any], keys: Keys, named: Callable[[str], int], ending: str | None) -> Parts:
    """Columns of an encoder's prompts, those of WIDEST; null where the row does not tell.

    `named` gives the numbers behind names of its dialect, `ending` is that of its class. One that answers with words
    makes logits of every token, which may be wider than any layer.
    """
    row = dialect.get("activations")
    if row is None or not named("heads") or not named("inner"):
        return dict.fromkeys(WIDEST)
    heads, inner = named("heads"), named("inner")
    known = {name: named(name) for name in ("hidden", "ffn", "heads")}
    known |= {"head_dim": inner // heads, "kv_heads": named("kv") * heads // inner}
    reader = _Reader(row, keys, known, Experts(), others=named)
    # what is not told may be a switch that was not counted
    if reader.value(row.get("unless", 0)) != 0 or ("function" in row and reader.value("function") is None):
        return dict.fromkeys(WIDEST)
    layer, words = reader.sum_of([("prefill", "dense")]), reader.sum_of([("prefill", "words")])
    if ending in row.get("words", ()):
        layer = None if layer is None or words is None else max(layer, words)
    return {
        "prefill_layer_bytes": layer,
        "prefill_attention_bytes": reader.sum_of([("prefill", "attention")]),
        "prefill_pair_bytes": reader.value(row.get("prefill_pair", 0)),
        "prefill_shared_bytes": reader.value(row.get("prefill_shared", 0)),
    }


def logit_bytes(dialect: Mapping[str, Any]) -> int | None:
    """Bytes of one logit of one token at the loss; null where the row does not tell."""
    row = dialect.get("activations")
    return None if row is None else int(row["logit"])


class _Reader:
    """One layer's expressions. What cannot be evaluated is null: no model becomes unreadable by it."""

    def __init__(
        self,
        row: Mapping[str, Any],
        keys: Keys,
        known: Mapping[str, int],
        moe: Experts,
        others: Callable[[str], int] | None = None,
    ) -> None:
        self._row, self._keys, self._others = row, keys, others or keys.count
        self._known = {
            **known,
            "queries": known["heads"] * known["head_dim"],
            "keys": known["kv_heads"] * known["head_dim"],
            "per_token": moe.per_token,
            "expert_ffn": moe.ffn,
            "shared_ffn": moe.shared_ffn,
            "query_rank": keys.number("q_lora_rank") or 0,
            "dropped": int(
                any(keys.real(name) if name in keys else row.get("drops") for name in row.get("dropout", ()))
            ),
        }

    def recipe(self, part: str, name: str) -> int | None:
        return self.sum_of([("layer", name), (part, name)])

    def sum_of(self, places: list[tuple[str, str]], times: int = 1) -> int | None:
        values = [self.value(self._row.get(table, {}).get(name)) for table, name in places]
        known = [value for value in values if value is not None]
        return times * sum(known) if len(known) == len(values) else None

    def value(self, text: str | int | None) -> int | None:
        if text is None or text == "":
            return None
        try:
            return evaluate(text, self._number)
        except ValueError:
            return None

    def _number(self, name: str) -> int:
        if name == "function":
            return self._function()
        return self._known[name] if name in self._known else self._others(name)

    def _function(self) -> int:
        """Bytes that the activation function saves for each element. Raises ValueError for one not measured."""
        written = self._keys.text(self._row["function"]) or self._row["usual"]
        costs = self._row.get("functions") or architectures.functions()
        if written not in costs:
            raise ValueError(f"activation function {written!r:.40} was not measured")
        return costs[written]


def added(one: Parts, other: Parts, times: int) -> Parts:
    """Sums and largest of two sets of layers; null with an unknown one."""
    return dict(_added(one, other, times))


def _added(one: Parts, other: Parts, times: int) -> Iterator[tuple[str, int | None]]:
    for name in (*SUMMED, *WIDEST):
        mine, its = one.get(name, 0), other.get(name, 0)
        if mine is None or its is None:
            yield name, None
        else:
            yield name, mine + its * times if name in SUMMED else max(mine, its)
