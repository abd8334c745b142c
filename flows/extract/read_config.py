"""config.json -> Architecture: find the dialect, read it, and say what could not be told.

A model type without a row of its own is read as the common decoder only if it uses nothing but that decoder's keys;
any sign of another attention or mixer leaves its cache unknown. Never silently a plain transformer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from catalogs import architectures
from flows.extract.architecture import Architecture, is_sane
from flows.extract.encoders.pair import read_pair
from flows.extract.encoders.read import read_encoder
from flows.extract.info import printable
from flows.extract.keys import Keys
from flows.extract.multimodal import read_multimodal
from flows.extract.opaque import opaque
from flows.extract.read_decoder import DECODER_HINTS, read_decoder

UNREADABLE = "the configuration met a defect of the reader"
# Keys that announce a cache or a mixer which the common decoder does not have.
STRANGE = (
    "kv_lora_rank", "q_lora_rank", "ssm", "mamba", "linear_attn", "linear_num", "conv_kernel", "state_size",
    "lru_width", "compress", "index_head_dim", "index_n_heads", "attn_type_list", "hybrid", "rwkv", "recurrent",
    "retention", "delta", "attention_types", "kv_source", "per_layer_config", "kv_shared", "block_types",
)  # fmt: skip
# Keys that announce a tower beside the decoder.
BESIDE = ("vision", "visual", "image", "img_", "audio", "embd_layer", "mm_", "video")


def read_architecture(config: Mapping[str, Any]) -> Architecture:
    """Read a configuration. Raises ValueError, with one line, when it is not usable."""
    model_type = config.get("model_type")
    if not isinstance(model_type, str) or not model_type:
        raise ValueError("the configuration names no model_type")
    names = config.get("architectures")
    name = names[0] if isinstance(names, list) and names and isinstance(names[0], str) else None
    if model_type in architectures.multimodal():
        return read_multimodal(config, model_type, name)
    row = architectures.dialects().get(model_type)
    if row is None:
        return _unknown_type(config, model_type, name)
    if "unread" in row:
        return opaque(Keys(config, {}), model_type, name, row["unread"])
    if "pair" in row:
        return read_pair(config, row, model_type, name)
    if "family" in row:
        return read_encoder(config, row, model_type, name)
    read = {place.partition(".")[0] for place in row.get("places", {}).values()}  # sections that the row counts itself
    strangers = [key for key, value in config.items() if key.startswith(BESIDE) and isinstance(value, dict) and value]
    if beside := [key for key in strangers if key not in read]:
        row = {**row, "unknown_parameters": f"what {beside[0]!r:.40} stands for is not known here"}
    return read_decoder(config, row, model_type, name, is_verified=bool(row.get("verified")), notes=())


def configured(config: Mapping[str, Any]) -> tuple[Architecture | None, str | None]:
    """What the configuration says, or why it says nothing.

    The reader promises ValueError. What else a strange configuration may provoke is a defect of the reader, named as
    such in the model's row: one model must not take the others' night with it.
    """
    try:
        found = read_architecture(config)
    except ValueError as error:
        return None, printable(str(error))
    except (ArithmeticError, AttributeError, LookupError, TypeError) as error:
        return None, printable(f"{UNREADABLE} ({type(error).__name__}: {error})")
    return (found, None) if is_sane(found) else (None, "the configuration's dimensions are beyond any model")


def _unknown_type(config: Mapping[str, Any], model_type: str, name: str | None) -> Architecture:
    """A type without a row: read as the common decoder when nothing speaks against it, and never called verified."""
    text = config.get("text_config") if isinstance(config.get("text_config"), dict) else config
    assert isinstance(text, Mapping)
    common: dict[str, Any] = {**architectures.dialects()["llama"], "defaults": {}, "activations": None}
    keys = Keys(text, common)
    note = f"model type {model_type!r} is not known here"
    has_dimensions = all(keys.number(word) for word in ("hidden", "layers", "heads", "ffn", "vocabulary"))
    strange = [key for key in text if any(mark in key for mark in STRANGE) and text[key] not in (None, False, 0)]
    is_decoder = bool(name) and str(name).endswith(DECODER_HINTS[:2])
    if strange or not has_dimensions or not is_decoder or text is not config or keys.number("experts"):
        reason = f"{note}: {', '.join(strange[:3])} may change its cache" if strange else note
        return opaque(keys, model_type, name, reason)
    if any(key.startswith(BESIDE) and text[key] not in (None, False, 0) for key in text):
        common["unknown_parameters"] = "it has a tower that is not known here"
    return read_decoder(text, common, model_type, name, is_verified=False, notes=(f"{note}; read as a common decoder",))
