"""Attention of one layer: its matrices and what it keeps for every token."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flows.extract.keys import Keys
from flows.extract.linears import Linear

# vLLM keeps a 128-wide fp8 key and one F32 scale per token and layer for the sparse-attention indexer.
INDEXER_BYTES_PER_TOKEN = 132


@dataclass(frozen=True)
class Attention:
    """One layer's worth. `elements` are those that one token adds to the cache."""

    linears: tuple[Linear, ...]
    heads: int
    kv_heads: int
    key_dim: int
    value_dim: int
    elements: int
    norm: int = 0
    bias: int = 0
    small: int = 0
    fixed_bytes: int = 0
    is_latent: bool = False


def attention(keys: Keys, dialect: Mapping[str, Any], hidden: int, *, kind: str) -> Attention:
    """The attention of a layer of `kind`. Raises ValueError when a dimension is missing."""
    if dialect["attention"] == "latent":
        return _latent(keys, dialect, hidden)
    return _grouped(keys, dialect, hidden, is_global=kind == "full")


def head_dim(keys: Keys, heads: int, hidden: int) -> int:
    """Width of one head: written, of the class, or hidden / heads."""
    written = keys.number("head_dim")
    if written:
        return written
    if not heads:
        raise ValueError("num_attention_heads is 0")
    return hidden // heads


def _grouped(keys: Keys, dialect: Mapping[str, Any], h: int, *, is_global: bool) -> Attention:
    heads = keys.need("heads")
    kv_heads = _kv_heads(keys, dialect, heads)
    dim = head_dim(keys, heads, h)
    if is_global and "global_head_dim" in dialect:
        dim = keys.number("global_head_dim") or dialect["global_head_dim"]
        kv_heads = keys.number("num_global_key_value_heads") or kv_heads
    queries = 2 if dialect.get("gated_attention") else 1
    bias = 0
    if keys.flag(dialect["qkv_bias"]):
        bias += (heads + 2 * kv_heads) * dim
    if keys.flag(dialect["o_bias"]) or dialect.get("o_bias_alone"):
        bias += h
    norm = {"head": 2 * dim, "full": (heads + kv_heads) * dim}.get(str(dialect.get("qk_norm")), 0)
    if "qk_norm_key" in dialect and keys.flag(dialect["qk_norm_key"]):
        norm = 2 * dim
    return Attention(
        linears=(
            Linear("attn", queries * heads * dim, h),
            Linear("attn", kv_heads * dim, h, 2, "kv"),
            Linear("attn", h, heads * dim),
        ),
        heads=heads,
        kv_heads=kv_heads,
        key_dim=dim,
        value_dim=dim,
        elements=2 * kv_heads * dim,
        norm=norm,
        bias=bias,
        small=heads if dialect.get("sinks") else 0,
    )


def _kv_heads(keys: Keys, dialect: Mapping[str, Any], heads: int) -> int:
    if "multi_query_key" in dialect and keys.flag(dialect["multi_query_key"]):
        return 1
    if dialect.get("kv_rule") == "falcon" and not keys.flag("new_decoder_architecture"):
        return 1 if keys.flag("multi_query") else heads
    if "multi_query_attention" in keys and not keys.flag("multi_query_attention"):
        return heads
    return keys.number("kv_heads") or heads


def _latent(keys: Keys, dialect: Mapping[str, Any], h: int) -> Attention:
    heads = keys.need("heads")
    nope, rope = keys.need("qk_nope_head_dim"), keys.need("qk_rope_head_dim")
    value, rank = keys.need("v_head_dim"), keys.need("kv_lora_rank")
    query_rank = keys.number("q_lora_rank")
    wide = heads * (nope + rope)
    queries = (
        [Linear("attn", query_rank, h, 1, "replicated"), Linear("attn", wide, query_rank)]
        if query_rank
        else [Linear("attn", wide, h)]
    )
    norm = rank + (query_rank or 0)
    fixed = 0
    if dialect.get("indexer"):
        count, dim = keys.need("index_n_heads"), keys.need("index_head_dim")
        queries += [
            Linear("attn", count * dim, query_rank or h),
            Linear("attn", dim, h, 1, "replicated"),
            Linear("attn", count, h),
        ]
        norm += 2 * dim
        fixed = INDEXER_BYTES_PER_TOKEN
    return Attention(
        linears=(
            *queries,
            Linear("attn", rank + rope, h, 1, "replicated"),
            Linear("attn", heads * (nope + value), rank),
            Linear("attn", h, heads * value),
        ),
        heads=heads,
        kv_heads=1,
        key_dim=rank + rope,
        value_dim=rank,
        elements=rank + rope,
        norm=norm,
        fixed_bytes=fixed,
        is_latent=True,
    )
