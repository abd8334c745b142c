"""Linear layers as values: everything that is quantised, sharded or adapted is a sum over them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Linear:
    """`count` equal matrices of rows (outputs) x columns (inputs).

    component: attn, mlp, expert, shared or ssm. role: kv and values (projections of keys, of values), queries,
    replicated (on every rank of a tensor-parallel group) or nothing. tensor: its role in llama.cpp's files where the
    type of a quantised tensor depends on that (flows/extract/gguf_tensors.py), else nothing. cut: (tensor, rows,
    columns) of each piece of one matrix, where those files cut it.
    """

    component: str
    rows: int
    columns: int
    count: int = 1
    role: str = ""
    tensor: str = ""
    cut: tuple[tuple[str, int, int], ...] = ()

    @property
    def parameters(self) -> int:
        return self.rows * self.columns * self.count


def sums(linears: Mapping[Linear, int]) -> dict[str, int]:
    """Columns of SHAPES that are sums over linear layers (counts); each with how often it is there."""
    totals = dict.fromkeys(
        ("p_attn", "p_mlp", "p_expert", "p_shared", "p_ssm", "p_kv_proj", "p_tp_replicated",
         "quant_rows", "fp8_block_scales", "lora_io"), 0
    )  # fmt: skip
    for linear, times in linears.items():
        matrices, parameters = linear.count * times, linear.parameters * times
        totals[f"p_{linear.component}"] += parameters
        totals["quant_rows"] += linear.rows * matrices
        totals["fp8_block_scales"] += -(-linear.rows // 128) * -(-linear.columns // 128) * matrices
        if linear.role in ("kv", "values"):
            totals["p_kv_proj"] += parameters
        if linear.role == "replicated":
            totals["p_tp_replicated"] += parameters
        if linear.component != "expert":  # PEFT leaves fused expert tensors alone
            totals["lora_io"] += (linear.rows + linear.columns) * matrices
    return totals


def of_queries_and_values(linears: Mapping[Linear, int]) -> dict[str, int]:
    """Columns of SHAPES that are sums over the projections of queries and of values, PEFT's own choice of modules."""
    chosen = [(one, one.count * times) for one, times in linears.items() if one.role in ("queries", "values")]
    return {
        "lora_qv_io": sum((one.rows + one.columns) * matrices for one, matrices in chosen),
        "lora_qv_rows": sum(one.rows * matrices for one, matrices in chosen),
    }
