"""Recurrent mixers: the linears, the small tensors and the state of one layer.

Shapes as transformers 5.23 builds them (models/mamba, mamba2, jamba, falcon_h1, nemotron_h, qwen3_next, minimax,
lfm2, recurrent_gemma, rwkv); states as vLLM `layers/mamba/mamba_utils.py` keeps them (kernel - 1 columns).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flows.extract.attention import head_dim
from flows.extract.expressions import evaluate
from flows.extract.keys import Keys
from flows.extract.linears import Linear


@dataclass(frozen=True)
class Mixer:
    """One layer's worth. Elements of state are per sequence; `heads` must divide over tensor-parallel ranks."""

    linears: tuple[Linear, ...]
    small: int = 0
    norm: int = 0
    bias: int = 0
    conv_elements: int = 0
    recurrent_elements: int = 0
    heads: tuple[int, ...] = ()


def mixer(keys: Keys, dialect: Mapping[str, Any], hidden: int, known: Mapping[str, int]) -> Mixer | None:
    """The dialect's mixer, null when it has none that is known. Raises ValueError for missing keys.

    `known` are numbers of the layer for mixers whose state the row writes down; their matrices are its `extra`.
    """
    if "state" in dialect:
        return _written(keys, dialect["state"], known)
    build = {
        "mamba1": _mamba1,
        "mamba2": _mamba2,
        "gated_delta": _gated_delta,
        "kda": _kda,
        "lightning": _lightning,
        "short_conv": _short_conv,
        "rg_lru": _rg_lru,
        "rwkv4": _rwkv4,
    }.get(dialect.get("mixer", ""))
    return build(keys, dialect, hidden) if build else None


def _written(keys: Keys, state: Mapping[str, Any], known: Mapping[str, int]) -> Mixer:
    def number(name: str) -> int:
        return known[name] if name in known else keys.count(name)

    return Mixer(
        linears=(),
        conv_elements=evaluate(state.get("conv", 0), number),
        recurrent_elements=evaluate(state.get("recurrent", 0), number),
        heads=(known["heads"],) if known.get("heads") else (),
    )


def _ssm(rows: int, columns: int, count: int = 1, tensor: str = "") -> Linear:
    return Linear("ssm", rows, columns, count, "", tensor)


def _mamba1(keys: Keys, dialect: Mapping[str, Any], h: int) -> Mixer:
    names = dialect["mixer_keys"]
    inner = keys.number(names["inner"]) if "inner" in names and names["inner"] in keys else None
    inner = inner or keys.need(names["expand"]) * h
    state, kernel = keys.need(names["state"]), keys.need(names["kernel"])
    rank = keys.need(names["rank"]) if keys.text(names["rank"]) != "auto" else -(-h // 16)
    has_conv_bias, in_bias, out_bias = _biases(keys, names)
    return Mixer(
        linears=(_ssm(2 * inner, h), _ssm(rank + 2 * state, inner), _ssm(inner, rank), _ssm(h, inner)),
        # A, convolution and its bias, D, bias of the time step
        small=inner * state + inner * kernel + has_conv_bias * inner + 2 * inner,
        bias=in_bias * 2 * inner + out_bias * h,
        norm=rank + 2 * state if names.get("norms") else 0,
        conv_elements=inner * (kernel - 1),
        recurrent_elements=inner * state,
    )


def _biases(keys: Keys, names: Mapping[str, Any]) -> tuple[bool, bool, bool]:
    """Whether the convolution, the projection in and the one out have a bias: yes, no, no where no key says so."""
    conv, projection = names.get("conv_bias"), names.get("proj_bias")
    out = names.get("out_bias", projection)
    has_conv = True if not conv or keys.is_silent(conv) else keys.flag(conv)
    return has_conv, keys.flag(projection or False), keys.flag(out or False)


def _mamba2(keys: Keys, dialect: Mapping[str, Any], h: int) -> Mixer:
    names = dialect["mixer_keys"]
    heads, state = keys.need(names["heads"]), keys.need(names["state"])
    groups, kernel = keys.need(names["groups"]), keys.need(names["kernel"])
    inner = keys.number(names["inner"]) if "inner" in names else None
    if inner is None:
        inner = heads * keys.need(names["head_dim"]) if "head_dim" in names else keys.need(names["expand"]) * h
    has_norm = keys.flag(names["norm_key"]) if "norm_key" in names else True
    channels, wide = inner + 2 * groups * state, 2 * inner + 2 * groups * state + heads
    has_conv_bias, in_bias, out_bias = _biases(keys, names)
    return Mixer(
        linears=(_ssm(wide, h), _ssm(h, inner)),
        small=channels * kernel + has_conv_bias * channels + 3 * heads,
        bias=in_bias * wide + out_bias * h,
        norm=inner if has_norm else 0,
        conv_elements=channels * (kernel - 1),
        recurrent_elements=inner * state,
        heads=(heads,),
    )


def _gated_delta(keys: Keys, dialect: Mapping[str, Any], h: int) -> Mixer:
    key_heads, value_heads = keys.need("linear_num_key_heads"), keys.need("linear_num_value_heads")
    key_dim, value_dim = keys.need("linear_key_head_dim"), keys.need("linear_value_head_dim")
    kernel = keys.need("linear_conv_kernel_dim")
    k, v = key_heads * key_dim, value_heads * value_dim
    return Mixer(
        linears=(
            Linear("ssm", 2 * k + 2 * v, h, cut=(("value", 2 * k + v, h), ("", v, h))),
            _ssm(2 * value_heads, h),
            _ssm(h, v),
        ),
        small=2 * value_heads + (2 * k + v) * kernel,
        norm=value_dim,
        conv_elements=(2 * k + v) * (kernel - 1),
        recurrent_elements=value_heads * key_dim * value_dim,
        heads=(key_heads, value_heads),
    )


def _kda(keys: Keys, dialect: Mapping[str, Any], h: int) -> Mixer:
    """Kimi delta attention: four projections, decay and gate (low-rank unless the row says otherwise), one beta a head.

    Source: transformers 5.24 models/kimi_linear, bailing_hybrid.
    """
    written = keys.section("linear_attn_config")
    if written is None:  # the class has names of its own
        heads, dim = keys.need("linear_num_heads"), keys.need("linear_head_dim")
        kernel = keys.need("linear_conv_kernel_dim")
    else:
        section = Keys(written, {"defaults": {}})
        heads, dim, kernel = section.need("heads"), section.need("head_dim"), section.need("short_conv_kernel_size")
    wide = heads * dim
    is_whole = bool(dialect.get("mixer_keys", {}).get("whole_gates"))
    gates = (_ssm(wide, h, 2),) if is_whole else (_ssm(dim, h, 2), _ssm(wide, dim, 2))
    return Mixer(
        linears=(
            _ssm(wide, h, 1, "query"),
            _ssm(wide, h, 1, "key"),
            _ssm(wide, h, 1, "value"),
            _ssm(h, wide, 1, "attn_output"),
            *gates,
            _ssm(heads, h),
        ),
        small=3 * wide * kernel + heads + wide,
        norm=dim,
        conv_elements=3 * wide * (kernel - 1),
        recurrent_elements=heads * dim * dim,
        heads=(heads,),
    )


def _lightning(keys: Keys, dialect: Mapping[str, Any], h: int) -> Mixer:
    heads = keys.need("heads")
    dim = head_dim(keys, heads, h)
    return Mixer(
        linears=(_ssm(3 * heads * dim, h), _ssm(h, heads * dim), _ssm(heads * dim, h)),
        norm=heads * dim,
        recurrent_elements=heads * dim * dim,
        heads=(heads,),
    )


def _short_conv(keys: Keys, dialect: Mapping[str, Any], h: int) -> Mixer:
    kernel = keys.need("conv_L_cache")
    return Mixer(
        linears=(_ssm(3 * h, h), _ssm(h, h)),
        small=h * kernel,
        bias=5 * h if keys.truth("conv_bias") else 0,
        conv_elements=h * (kernel - 1),
    )


def _rg_lru(keys: Keys, dialect: Mapping[str, Any], h: int) -> Mixer:
    width = keys.number("lru_width") or h
    heads = keys.need("heads")
    if not heads:
        raise ValueError("num_attention_heads is 0")
    block = width // heads
    return Mixer(
        linears=(_ssm(width, h, 2), _ssm(h, width)),
        small=4 * width + 2 * width + 2 * heads * block * block + 2 * heads * block,
        bias=2 * width + h,
        conv_elements=3 * width,
        recurrent_elements=width,
        heads=(heads,),
    )


def _rwkv4(keys: Keys, dialect: Mapping[str, Any], h: int) -> Mixer:
    """Time mix (four matrices) and channel mix, which is this family's feed-forward."""
    ffn = keys.number("ffn") if "ffn" in keys else None
    ffn = ffn or 4 * h
    return Mixer(
        linears=(_ssm(h, h, 4), Linear("mlp", ffn, h), Linear("mlp", h, ffn), Linear("mlp", h, h)),
        small=7 * h,
        conv_elements=2 * h,
        recurrent_elements=3 * h,
    )
