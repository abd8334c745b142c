"""Groups of tensors: patterns and the text that the lake keeps."""

from __future__ import annotations

import pytest

from flows.headers.tensor_set import TensorGroup, TensorSet, dump, load, pattern


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("model.layers.31.mlp.up_proj.weight", "model.layers.#.mlp.up_proj.weight"),
        ("model.layers.3.mlp.experts.255.w1.weight", "model.layers.#.mlp.experts.#.w1.weight"),
        ("blk.0.attn_q.weight", "blk.#.attn_q.weight"),
        ("h.11.attn.c_attn.weight", "h.#.attn.c_attn.weight"),
        ("0.weight", "#.weight"),
        ("w1.weight", "w1.weight"),
        ("lm_head.weight_scale_2", "lm_head.weight_scale_2"),
    ],
)
def test_numbers_between_dots_are_one(name: str, found: str) -> None:
    assert pattern(name) == found


def test_sets_survive_the_lake() -> None:
    group = TensorGroup("model.layers.#.q.weight", "BF16", (4096, 4096), 32)
    one = TensorSet("model.safetensors", "safetensors", 4, 32 * 4096 * 4096 * 2, (group,), {"format": "pt"})
    assert group.elements == 536_870_912
    assert load(dump([one])) == (one,)
    assert load(None) == ()
