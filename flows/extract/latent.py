"""Attention with one shared latent instead of keys and values per head: MLA, its indexer, and compressed caches."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flows.extract.attention import Attention
from flows.extract.keys import Keys
from flows.extract.linears import Linear

# vLLM keeps a 128-wide fp8 key and one F32 scale per token and layer for the sparse-attention indexer.
INDEXER_BYTES_PER_TOKEN = 132


def latent(
    keys: Keys,
    dialect: Mapping[str, Any],
    h: int,
    *,
    kind: str,
    has_indexer: bool,
    owns_cache: bool = True,
    is_rotary: bool = True,
) -> Attention:
    """Multi-head latent attention: rank + rotary elements a token, once for all heads.

    A layer that uses another's latents makes none of its own. Without rotary positions the width of the shared rotary
    key goes to the keys of the heads. Source: transformers 5.24 models/deepseek_v2, _v3, _v32, mistral_large4.
    Raises ValueError when a dimension is missing.
    """
    renamed = dialect.get("by_kind", {}).get(kind, {})
    if renamed and not keys.has_own("heads"):
        keys = keys.renamed(renamed)
    heads = keys.need("heads")
    nope, rope = keys.need("qk_nope_head_dim"), keys.need("qk_rope_head_dim")
    value, rank = keys.need("v_head_dim"), keys.need("kv_lora_rank")
    query_rank = keys.number("q_lora_rank")
    turned = rope if is_rotary else 0
    kept = rank + turned
    wide = heads * (nope + rope)
    queries = (
        [Linear("attn", query_rank, h, 1, "replicated"), Linear("attn", wide, query_rank)]
        if query_rank
        else [Linear("attn", wide, h, 1, "", "query")]
    )
    norm = owns_cache * rank + (query_rank or 0)
    fixed = 0
    if has_indexer:
        count, dim = keys.need("index_n_heads"), keys.need("index_head_dim")
        queries += [
            Linear("attn", count * dim, query_rank or h),
            Linear("attn", dim, h, 1, "replicated"),
            Linear("attn", count, h),
        ]
        norm += 2 * dim
        fixed = INDEXER_BYTES_PER_TOKEN
    # with attention_bias the projections down to a rank and the last one carry a bias
    bias = (query_rank or 0) + owns_cache * kept + h if keys.flag(dialect["qkv_bias"]) else 0
    is_windowed = kind == "sliding"
    return Attention(
        linears=(
            *queries,
            *([Linear("attn", kept, h, 1, "replicated")] if owns_cache else []),
            Linear(
                "attn",
                heads * (nope + rope - turned + value),
                rank,
                cut=(("latent", heads * rank, nope + rope - turned), ("latent", heads * value, rank)),
            ),
            Linear("attn", h, heads * value, 1, "", "attn_output"),
        ),
        heads=heads,
        kv_heads=1,
        key_dim=kept,
        value_dim=rank,
        elements=0 if is_windowed else kept,
        window_elements=kept if is_windowed else 0,
        norm=norm,
        bias=bias,
        fixed_bytes=fixed,
        is_latent=True,
        # a prompt is attended with keys and values of the heads, a step with the latents themselves
        prompt_width=wide + heads * value,
        absorbed=(wide - heads * turned + heads * value) * rank,
        is_selective=has_indexer,
    )


def compressed(keys: Keys, h: int, *, kind: str) -> Attention:
    """DeepSeek-V4: one shared key-and-value a token in a sliding cache, and one for every few tokens beyond it.

    kind: sliding (nothing beyond the window), csa (one entry for every 4 tokens and an indexer key with it) or hca
    (one for every 128). The growing caches are fractions of an element a token. Source: transformers 5.24
    models/deepseek_v4; its cache at 1,024 and 4,096 tokens.
    """
    heads, dim, rank = keys.need("heads"), keys.need("head_dim"), keys.need("q_lora_rank")
    groups, out = keys.need("o_groups"), keys.need("o_lora_rank")
    if not groups:
        raise ValueError("o_groups is 0")
    linears = [
        Linear("attn", rank, h, 1, "replicated"),
        Linear("attn", heads * dim, rank),
        Linear("attn", dim, h, 1, "replicated"),
        Linear("attn", groups * out, heads * dim // groups),
        Linear("attn", h, groups * out),
    ]
    norm, small, elements = rank + dim, heads, 0.0
    if kind in ("csa", "hca"):
        rate = 4 if kind == "csa" else 128
        # entries of csa overlap: each is made of two windows
        wide = 2 * dim if kind == "csa" else dim
        linears.append(Linear("attn", wide, h, 2, "replicated"))
        norm, small, elements = norm + dim, small + rate * wide, dim / rate
        if kind == "csa":
            index_heads, index_dim = keys.need("index_n_heads"), keys.need("index_head_dim")
            linears += [
                Linear("attn", 2 * index_dim, h, 2, "replicated"),
                Linear("attn", index_heads * index_dim, rank),
                Linear("attn", index_heads, h),
            ]
            norm, small, elements = norm + index_dim, small + rate * 2 * index_dim, elements + index_dim / rate
    return Attention(
        linears=tuple(linears),
        heads=heads,
        kv_heads=1,
        key_dim=dim,
        value_dim=dim,
        elements=elements,
        norm=norm,
        small=small,
        window_elements=dim,
        is_latent=True,
        is_selective=True,
    )
