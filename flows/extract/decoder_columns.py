"""The columns of SHAPES that follow from a decoder's sums."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flows.extract import activations, rotary, sharding
from flows.extract.architecture import layers_that_keep
from flows.extract.attention import Attention
from flows.extract.body import Body
from flows.extract.decoder import Decoder
from flows.extract.keys import Keys
from flows.extract.linears import of_queries_and_values, sums

COUNTS = ("p_embed", "p_pos_embed", "p_lm_head", "p_router", "p_norm", "p_bias", "p_small", "p_head_other")
# What is not known when a layer's cache is not.
OF_THE_CACHE = (
    *("kv_full", "kv_window", "kv_latent", "kv_fixed", "state_", "window_", "attention_"),
    *("tp_ok", "ep_ok"),
)


def columns(found: Decoder, keys: Keys, dialect: Mapping[str, Any]) -> dict[str, Any]:
    """Grain: the model. Null where the sums say that they are not known."""
    body, moe, attentions = found.body, found.moe, found.attentions
    some = attentions[0] if attentions else None
    widths = [width for width in (found.ffn, moe.shared_ffn) if width]
    spans = {span for kind, *_, span, _, _ in body.groups if kind in ("sliding", "chunked")}
    row: dict[str, Any] = {
        **sums(body.linears),
        **{name: body.counts[name] for name in COUNTS},
        "p_expert_bias": body.cache["expert_bias"],
        "kv_full_elements_per_token": body.cache["full"],
        "kv_window_elements_per_token": body.cache["window"],
        "kv_latent_elements_per_token": float(body.latent),
        "kv_fixed_bytes_per_token": body.cache["fixed_bytes"],
        "kv_cross_elements_per_token": body.cache["cross"],
        "window_tokens": max((span or 0 for span in spans), default=0),
        "cross_tokens": dialect.get("cross_tokens", 0),
        "state_conv_elements": body.cache["conv"],
        "state_recurrent_elements": body.cache["recurrent"],
        "state_recurrent_bytes_per_element": found.state_bytes,
        "state_recurrent_bytes_in_vllm": float(dialect.get("recurrent_bytes_in_vllm", found.state_bytes)),
        **_work(body.work),
        "absorbed_elements": body.work.get("absorbed", 0),
        **_predictions(body),
        "layers": len(found.plan),
        "hidden_size": keys.need("hidden"),
        "vocab_size": keys.need("vocabulary"),
        "heads": some.heads if some else 0,
        "kv_heads": max((one.kv_heads for one in attentions), default=0),
        "ffn_size": max(found.ffn, moe.shared_ffn),
        "expert_ffn_size": moe.ffn,
        "experts": moe.count,
        "experts_per_token": moe.per_token,
        "max_context_tokens": keys.number("context") or None,
        "rope_cache_elements": rotary.elements(keys, dialect, some, has_windows=bool(body.cache["window"])),
        **{name: body.saved.get(name) for name in (*activations.SUMMED, *activations.WIDEST)},
        "layer_parameters": None if body.unknown_parameters else found.largest_layer,
        "train_logit_bytes": activations.logit_bytes(dialect),
        **sharding.masks(
            heads=[*(one.heads for one in attentions), *(found.mixer.heads if found.mixer else ())],
            kv_heads=[one.kv_heads for one in attentions if not one.is_latent],
            widths=widths,
            input_widths=[*widths, *(one.heads * _output_dim(one, keys) for one in attentions)],
            vocabulary=keys.need("vocabulary"),
            expert_ffn=moe.ffn,
        ),
        "expert_layers": found.routers,
        **layers_that_keep((kind, count) for (kind, *_), count in body.groups.items()),
    }
    # a class whose projections are one module, or were not counted, has none of its own
    if row["train_adapter_qv_bytes"] is not None:
        row |= of_queries_and_values(body.linears)
    if body.unknown_cache:
        row |= {name: None for name in row if name.startswith(OF_THE_CACHE)}
    return row


def _predictions(body: Body) -> dict[str, int | None]:
    """Blocks that predict further tokens; nothing is known of those that the dialect does not count."""
    is_known = body.mtp_layers is not None and not body.unknown_parameters
    return {
        "mtp_layers": body.mtp_layers,
        "mtp_parameters": body.mtp if is_known else None,
        "mtp_expert_parameters": body.mtp_expert if is_known else None,
    }


def _work(work: Mapping[str, int]) -> dict[str, int | None]:
    """Unknown where layers choose the tokens that they attend to."""
    widths = {"attention_step_width": "step", "attention_prompt_width": "prompt", "attention_window_width": "window"}
    return {column: None if work.get("selective") else work.get(name, 0) for column, name in widths.items()}


def _output_dim(one: Attention, keys: Keys) -> int:
    return (keys.number("v_head_dim") or one.value_dim) if one.is_latent else one.value_dim
