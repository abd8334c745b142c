"""What CUDA keeps for a backward pass otherwise than the CPU, for fake tensors on a machine without it.

Attention by a fused kernel keeps its four tensors and a number a head and token; dropout keeps a mask of a byte; norms
keep their statistics in fp32; autocast runs more operations in fp32 than it does on a CPU (PyTorch's "CUDA Ops that can
autocast to float32"). `use` puts all of it in place for this process.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._pytree import tree_map

IN_FP32 = (
    *("pow.Tensor_Scalar", "pow.Tensor_Tensor", "pow.Scalar", "rsqrt", "exp", "log", "log1p", "expm1", "reciprocal"),
    *("softplus", "cosh", "sinh", "tan", "nll_loss", "norm.Scalar", "norm.ScalarOpt_dim"),
)
IN_FP32_UNLESS_TOLD = ("softmax.int", "log_softmax.int", "sum", "sum.dim_IntList", "prod", "cumsum", "cumprod")
_AUTOCAST = torch._C.DispatchKeySet(torch._C.DispatchKey.AutocastCPU)
_of_pytorch = functional.scaled_dot_product_attention
_library = torch.library.Library("aten", "IMPL")


class Attention(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, q: Any, k: Any, v: Any, mask: Any) -> Any:
        batch, heads, tokens, _ = q.shape
        out = q.new_empty(batch, tokens, heads, v.shape[-1]).transpose(1, 2)
        ctx.save_for_backward(q, k, v, mask, out, q.new_empty(batch, heads, tokens, dtype=torch.float32))
        return out

    @staticmethod
    def backward(ctx: Any, gradient: Any) -> Any:
        q, k, v, *_ = ctx.saved_tensors
        return torch.empty_like(q), torch.empty_like(k), torch.empty_like(v), None


class LayerNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Any, weight: Any, bias: Any) -> Any:
        statistics = [x.new_empty((*x.shape[:-1], 1), dtype=torch.float32) for _ in range(2)]
        ctx.save_for_backward(x, weight, *statistics)
        return torch.empty_like(x)

    @staticmethod
    def backward(ctx: Any, gradient: Any) -> Any:
        x, weight, *_ = ctx.saved_tensors
        return torch.empty_like(x), *(None if weight is None else torch.empty_like(weight) for _ in range(2))


def attend(q: Any, k: Any, v: Any, attn_mask: Any = None, **others: Any) -> Any:
    is_half = torch.is_autocast_enabled("cpu") or q.dtype != torch.float32
    if not is_half and others.get("enable_gqa") and q.shape[1] != k.shape[1]:
        # the fused kernel for fp32 knows no groups of queries: PyTorch computes all scores
        with sdpa_kernel(SDPBackend.MATH):
            return _of_pytorch(q, k, v, attn_mask=attn_mask, **others)
    if q.shape[1] != k.shape[1] and not others.get("enable_gqa"):
        raise NotImplementedError("fused kernels refuse fewer heads of keys, and attention then keeps its scores")
    if torch.is_autocast_enabled("cpu"):
        q, k, v = (each.to(torch.bfloat16) for each in (q, k, v))
    if attn_mask is not None and attn_mask.dtype == torch.bool:
        attn_mask = torch.zeros_like(attn_mask, dtype=q.dtype)  # CUDA's kernels add masks in the type of the queries
    return Attention.apply(q, k, v, attn_mask)


def layer_norm(x: Any, shape: Any, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Any:
    if torch.is_autocast_enabled("cpu"):
        x, weight = in_fp32(x), in_fp32(weight)
    return LayerNorm.apply(x, weight, bias)


def drop(x: Any, p: float = 0.5, training: bool = True, inplace: bool = False) -> Any:
    return torch.native_dropout(x, p, True)[0] if training and p else x


def in_fp32(x: Any) -> Any:
    is_half = isinstance(x, torch.Tensor) and x.is_floating_point() and x.dtype != torch.float32
    return x.float() if is_half else x


def use() -> None:
    functional.scaled_dot_product_attention = attend
    functional.layer_norm = layer_norm
    functional.dropout = drop
    asked = torch.is_autocast_enabled
    torch.is_autocast_enabled = lambda device="cpu": asked(device)  # without a device it is CUDA that is asked for
    for names, unless_told in ((IN_FP32, False), (IN_FP32_UNLESS_TOLD, True)):
        for name in names:
            packet, _, overload = name.partition(".")
            operation = getattr(getattr(torch.ops.aten, packet), overload or "default")
            _library.impl(name, _cast(operation, unless_told=unless_told), "AutocastCPU")


def _cast(operation: Any, *, unless_told: bool) -> Any:
    def kernel(*args: Any, **named: Any) -> Any:
        is_told = unless_told and (named.get("dtype") or any(isinstance(each, torch.dtype) for each in args))
        with torch._C._ExcludeDispatchKeyGuard(_AUTOCAST):
            if not is_told:
                args, named = tree_map(in_fp32, (args, named))
            return operation(*args, **named)

    return kernel
