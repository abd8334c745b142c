"""A small llama as a GGUF file, byte by byte."""

from __future__ import annotations

import math
from typing import Any

from gguf_bytes import ARRAY, STRING, U32, described, gguf, pair

F32, F16, Q4_0, Q8_0 = 0, 1, 2, 8  # types of ggml
HALF_BITS = {F32: 64, F16: 32, Q4_0: 9, Q8_0: 17}


def gguf_llama(kind: int = Q8_0, name: str = "llama", **extra: Any) -> bytes:
    """A llama of two layers, tied, whose matrices are of one type; every matrix of 64 columns."""
    matrices = {"attn_q": 64, "attn_k": 32, "attn_v": 32, "attn_output": 64, "ffn_gate": 128, "ffn_up": 128}
    shapes: list[tuple[str, tuple[int, ...], int]] = [("token_embd.weight", (64, 256), kind)]
    shapes += [("output_norm.weight", (64,), F32)]
    for layer in range(2):
        shapes += [(f"blk.{layer}.{matrix}.weight", (64, rows), kind) for matrix, rows in matrices.items()]
        shapes += [(f"blk.{layer}.ffn_down.weight", (128, 64), kind)]
        shapes += [(f"blk.{layer}.{norm}.weight", (64,), F32) for norm in ("attn_norm", "ffn_norm")]
    keys = {"embedding_length": 64, "block_count": 2, "feed_forward_length": 128, "attention.head_count": 4,
            "attention.head_count_kv": 2, "context_length": 512, "vocab_size": 256}  # fmt: skip
    pairs = [pair("general.architecture", STRING, "llama"), pair("general.name", STRING, name)]
    pairs += [pair("general.file_type", U32, {Q8_0: 7, F16: 1, Q4_0: 2}[kind])]
    pairs += [pair(f"llama.{key}", U32, number) for key, number in keys.items()]
    pairs += [pair("tokenizer.ggml.tokens", ARRAY, (STRING, ["token"] * 10_000))]
    tensors, at = [], 0
    for tensor, dimensions, its_kind in shapes:
        tensors.append(described(tensor, dimensions, its_kind, at))
        at += -(-math.prod(dimensions) * HALF_BITS[its_kind] // 16 // 32) * 32
    return gguf(pairs, tensors, data=at, **extra)
