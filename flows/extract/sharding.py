"""Which degrees of tensor parallelism divide a model: bit n - 1 answers for n devices of estimator.schema.DEGREES.

Rules of vLLM: query heads, expert and feed-forward widths and mixer heads must divide, and so must the vocabulary,
padded to a multiple of 64 (`vocab_parallel_embedding.py`); key/value heads must divide or be divided (then they are
copied). The aligned masks ask besides that every sharded input width stays a multiple, so that no quantisation group is
cut. Where every device keeps whole experts (expert parallelism), their width divides nothing.
"""

from __future__ import annotations

from collections.abc import Iterable

from estimator.schema import DEGREES
from estimator.sharding import VOCABULARY_PADDING

ALIGNMENTS = (1, 32, 64, 128)


def masks(
    heads: Iterable[int],
    kv_heads: Iterable[int],
    widths: Iterable[int],
    input_widths: Iterable[int],
    vocabulary: int = 0,
    expert_ffn: int = 0,
) -> dict[str, int]:
    """Columns tp_ok_mask, ep_ok_mask and both with _32, _64 and _128. Zeros (absent parts) divide by anything.

    `widths` and `input_widths` are those outside routed experts; `ep_ok_mask*` are 0 without any (`expert_ffn` 0).
    """
    rows = -(-vocabulary // VOCABULARY_PADDING) * VOCABULARY_PADDING
    counts, kv_heads, inputs = [*heads, *widths, rows], list(kv_heads), list(input_widths)
    found = {}
    for alignment in ALIGNMENTS:
        tensor = expert = 0
        for degree in DEGREES:
            if (
                all(count % degree == 0 for count in counts)
                and all(count % degree == 0 or (count and degree % count == 0) for count in kv_heads)
                and all(width % (degree * alignment) == 0 for width in inputs)
            ):
                bit = 1 << (degree - 1)
                expert |= bit
                tensor |= bit if expert_ffn % (degree * alignment) == 0 else 0
        suffix = "" if alignment == 1 else f"_{alignment}"
        # One device is always possible; a group that does not divide the whole is the kernel's affair.
        found[f"tp_ok_mask{suffix}"] = tensor | 1
        found[f"ep_ok_mask{suffix}"] = expert | 1 if expert_ffn else 0
    return found
