"""Attention of one layer with keys and values per head: its matrices and what it keeps for every token."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from flows.extract.expressions import evaluate
from flows.extract.keys import Keys
from flows.extract.linears import Linear


@dataclass(frozen=True)
class Attention:
    """One layer's worth. `elements` are those that one token adds to the growing cache."""

    linears: tuple[Linear, ...]
    heads: int
    kv_heads: int
    key_dim: int
    value_dim: int
    elements: float
    norm: int = 0
    bias: int = 0
    small: int = 0
    fixed_bytes: int = 0
    window_elements: int = 0  # a second cache beside the growing one, as long as the window
    is_latent: bool = False
    prompt_width: int = 0  # multiplied for each pair of tokens of a prompt, where that differs from one token's step
    absorbed: int = 0  # elements of the matrix from latents to heads, which serving engines keep a second time
    is_selective: bool = False  # attends to tokens of its choice, so that work does not follow from the length

    @property
    def width(self) -> int:
        """Elements that a new token multiplies with each token that is kept: queries with keys, weights with values."""
        return self.heads * (self.key_dim + self.value_dim)

    def without_matrices(self) -> Attention:
        """The same cache again, of a layer that runs with the parameters of another or a second time."""
        return replace(self, linears=(), norm=0, bias=0, small=0, absorbed=0)


def head_dim(keys: Keys, heads: int, hidden: int) -> int:
    """Width of one head: written, of the class, or hidden / heads."""
    written = keys.number("head_dim")
    if written:
        return written
    if not heads:
        raise ValueError("num_attention_heads is 0")
    return hidden // heads


def grouped(keys: Keys, dialect: Mapping[str, Any], h: int, *, kind: str, owns_cache: bool) -> Attention:
    """Multi-head, grouped-query and multi-query attention of a layer of `kind` (full, sliding, chunked, hybrid).

    A layer that uses another's cache has no key and value projections where the dialect says so.
    Raises ValueError when a dimension is missing.
    """
    renamed = dialect.get("by_kind", {}).get(kind, {})

    def number(name: str) -> int | None:
        # an override of this one layer stands above a key for all layers of the kind
        key = renamed.get(name)
        return (keys.number(key) if key and not keys.has_own(name) else None) or keys.number(name)

    heads = number("heads")
    if not heads:
        raise ValueError("num_attention_heads is missing")
    kv_heads = _kv_heads(keys, dialect, heads, number("kv_heads"))
    key_dim = number("head_dim") or head_dim(keys, heads, h)
    value_dim = (number("value_dim") if "value_dim" in renamed else None) or keys.number("v_head_dim") or key_dim
    if not dialect.get("value_dim"):
        value_dim = key_dim
    has_keys = owns_cache or dialect.get("sharing") != "without_kv"
    # keys and values are one projection in some layers (gemma4 attention_k_eq_v), but two caches
    has_values = has_keys and not (kind == "full" and keys.flag(dialect.get("values_are_keys", False)))
    queries = (2 if dialect.get("gated_attention") else 1) * heads * key_dim
    bias = 0
    if keys.flag(dialect["qkv_bias"]):
        bias += queries + has_keys * kv_heads * key_dim + has_values * kv_heads * value_dim
    if keys.flag(dialect["o_bias"]) or dialect.get("o_bias_alone"):
        bias += h
    width = keys.count(dialect["attention_input"]) if "attention_input" in dialect else h
    linears = [Linear("attn", queries, width, 1, "queries", "query")]
    if has_keys:
        linears.append(Linear("attn", kv_heads * key_dim, width, 1, "kv", "key"))
    if has_values:
        linears.append(Linear("attn", kv_heads * value_dim, width, 1, "values", "value"))
    return Attention(
        linears=(*linears, Linear("attn", h, heads * value_dim, 1, "", "attn_output")),
        heads=heads,
        kv_heads=kv_heads,
        key_dim=key_dim,
        value_dim=value_dim,
        elements=kv_heads * (key_dim + value_dim) + _choosing(keys, dialect, kind) + _beside(keys, dialect),
        norm=_norms(keys, dialect, heads, kv_heads if has_keys else 0, key_dim),
        bias=bias,
        small=heads if keys.flag(dialect.get("sinks", {}).get(kind, False) if isinstance(dialect.get("sinks"), dict)
                                 else dialect.get("sinks", False)) else 0,
        is_selective=kind == "selective" or "chosen_by" in dialect,
    )  # fmt: skip


def _choosing(keys: Keys, dialect: Mapping[str, Any], kind: str) -> int:
    """Elements of the key by which tokens, or blocks of them, are chosen."""
    if kind == "selective":
        return keys.need("index_head_dim")
    return keys.need(dialect["chosen_by"]) if "chosen_by" in dialect else 0


def _beside(keys: Keys, dialect: Mapping[str, Any]) -> int:
    """Elements that stand beside keys and values for every token; a number in 32 bit is two of them."""
    return evaluate(dialect.get("kept_beside", 0), keys.count)


def _norms(keys: Keys, dialect: Mapping[str, Any], heads: int, kv_heads: int, dim: int) -> int:
    """Norms of queries and keys: one over the head's width, or one as wide as all heads together."""
    if "qk_norm_key" in dialect and not keys.flag(dialect["qk_norm_key"]):
        return 0
    match dialect.get("qk_norm"):
        case "head":
            return (2 if kv_heads else 1) * dim
        case "full":
            return (heads + kv_heads) * dim
    return 0


def _kv_heads(keys: Keys, dialect: Mapping[str, Any], heads: int, written: int | None) -> int:
    if "multi_query_key" in dialect and keys.flag(dialect["multi_query_key"]):
        return 1
    if dialect.get("kv_rule") == "heads":
        return heads
    if dialect.get("kv_rule") == "falcon" and not keys.flag("new_decoder_architecture"):
        return 1 if keys.flag("multi_query") else heads
    if "multi_query_attention" in keys and not keys.flag("multi_query_attention"):
        return heads
    return written or heads
