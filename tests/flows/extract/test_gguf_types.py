"""Precision of a GGUF file from its header."""

from __future__ import annotations

from typing import Any

import pytest

from flows.extract.gguf_types import FILE_TYPES, precision_of_tensors
from flows.extract.quantization import known_precisions
from flows.headers.tensor_set import TensorGroup


def groups(**dtypes: int) -> list[TensorGroup]:
    """One matrix group of so many rows of 256 in each type."""
    return [TensorGroup(f"blk.#.{name}.weight", name, (rows, 256), 1) for name, rows in dtypes.items()]


@pytest.mark.parametrize(
    ("file_type", "precision"),
    [(0, "fp32"), (1, "fp16"), (2, "gguf_q4_0"), (15, "gguf_q4_k_m"), (30, "gguf_iq4_xs"), (32, "bf16"),
     (38, "gguf_mxfp4_moe"), (39, "gguf_nvfp4"), (40, "gguf_q1_0"), (4, None), (33, None), (137, None), (-1, None)],
)  # fmt: skip
def test_the_noted_file_type(file_type: int, precision: str | None) -> None:
    assert precision_of_tensors([], {"general.file_type": file_type}) == precision


def test_every_file_type_is_in_the_catalog() -> None:
    assert set(FILE_TYPES.values()) - known_precisions() == {"gguf_q2_0"}
    every = {name for name in known_precisions() if name.startswith("gguf_")}
    assert every <= set(FILE_TYPES.values())


@pytest.mark.parametrize("file_type", [None, 1024, 1025, True, "15", 15.0])
def test_without_a_file_type_the_bytes_decide(file_type: Any) -> None:
    metadata = {} if file_type is None else {"general.file_type": file_type}
    assert precision_of_tensors(groups(Q8_0=100, F32=1), metadata) == "gguf_q8_0"


@pytest.mark.parametrize(
    ("stored", "precision"),
    [
        ({"F16": 100, "F32": 1}, "fp16"),
        ({"BF16": 100, "F32": 1}, "bf16"),
        ({"F32": 1}, "fp32"),
        ({"Q4_0": 100, "Q6_K": 10}, "gguf_q4_0"),
        ({"MXFP4": 100, "Q8_0": 5}, "gguf_mxfp4_moe"),
        ({"IQ4_XS": 100, "Q5_K": 10}, "gguf_iq4_xs"),
        ({"Q4_K": 100, "F32": 1}, None),  # Q4_K_S or Q4_K_M
        ({"Q4_K": 100, "Q6_K": 50}, None),
        ({"Q8_0": 100, "F16": 100}, None),
        ({"Q8_0": 100, "F8_E4M3": 1}, None),  # not of a GGUF file
        ({"Q2_0": 100}, None),  # not in the catalog
        ({}, None),
    ],
)
def test_the_types_that_hold_most_bytes(stored: dict[str, int], precision: str | None) -> None:
    assert precision_of_tensors(groups(**stored), {}) == precision


def test_tables_of_a_small_model_do_not_decide() -> None:
    table = TensorGroup("token_embd.weight", "Q6_K", (10_000, 256), 1)
    assert precision_of_tensors([table, *groups(Q4_0=100)], {}) == "gguf_q4_0"
    assert precision_of_tensors([table], {}) is None


@pytest.mark.parametrize("file_type", [1, 7, 10, 15, 137])
def test_experts_kept_in_four_bits_outweigh_the_file_type(file_type: int) -> None:
    stored = groups(MXFP4=100, Q8_0=5)
    assert precision_of_tensors(stored, {"general.file_type": file_type}) == "gguf_mxfp4_moe"


def test_a_float_file_type_yields_to_the_bytes() -> None:
    assert precision_of_tensors(groups(Q8_0=100), {"general.file_type": 1}) == "gguf_q8_0"
    assert precision_of_tensors(groups(Q4_K=100), {"general.file_type": 0}) is None
    assert precision_of_tensors(groups(F16=100, Q4_K=100), {"general.file_type": 1}) == "fp16"
    assert precision_of_tensors(groups(Q8_0=100), {"general.file_type": 15}) == "gguf_q4_k_m"
