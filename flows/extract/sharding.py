"""Which degrees of tensor parallelism divide a model: one bit for each of estimator.schema.DEGREES.

Rules of vLLM: query heads, expert and feed-forward widths and mixer heads must divide; key/value heads must divide
or be divided (then they are copied); vocabularies are padded to 64. The aligned masks ask besides that every sharded
input width stays a multiple, so that no quantisation group is cut.
"""

from __future__ import annotations

from collections.abc import Iterable

from estimator.schema import DEGREES

ALIGNMENTS = (1, 32, 64, 128)


def masks(
    heads: Iterable[int], kv_heads: Iterable[int], widths: Iterable[int], input_widths: Iterable[int]
) -> dict[str, int]:
    """Columns tp_ok_mask, tp_ok_mask_32, _64 and _128. Zeros (absent parts) divide by anything."""
    heads, kv_heads, widths, inputs = list(heads), list(kv_heads), list(widths), list(input_widths)
    found = {}
    for alignment in ALIGNMENTS:
        mask = 0
        for position, degree in enumerate(DEGREES):
            if (
                all(count % degree == 0 for count in (*heads, *widths))
                and all(count % degree == 0 or (count and degree % count == 0) for count in kv_heads)
                and all(width % (degree * alignment) == 0 for width in inputs)
            ):
                mask |= 1 << position
        # One device is always possible; a group that does not divide the whole is the kernel's affair.
        found["tp_ok_mask" if alignment == 1 else f"tp_ok_mask_{alignment}"] = mask | 1
    return found
