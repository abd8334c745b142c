"""What the class behind transformers' AutoModel takes without weights: the number that accelerate starts from.

accelerate builds that class from the configuration alone and adds up parameters and buffers in 32 bit. It has no head
for tokens, unless the configuration names remote code for one; tied matrices count as often as they are built. Where
a repository has no configuration of its own, accelerate prints nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from catalogs import architectures
from flows.extract.architecture import Architecture
from flows.extract.heads import has_vocabulary_head

FP32, INT64 = 4, 8
ROTATED_KINDS = {"full", "sliding", "chunked"}
COLUMNS = ("automodel_parameters", "automodel_buffer_bytes", "automodel_layer_bytes")
HEADED = "AutoModelFor"  # what accelerate looks for in auto_map, first come first served
CAUSAL = "AutoModelForCausalLM"


def automodel(config: Mapping[str, Any], found: Architecture) -> dict[str, int | None]:
    """The three columns of SHAPES; each null where the class, its buffers or its largest module are not known."""
    unknown: dict[str, int | None] = dict.fromkeys(COLUMNS)
    row, base = architectures.automodels().get(found.model_type), found.dimensions.get("base_parameters")
    if row is None or base is None:
        return unknown
    head = _head(config, found)
    buffers = _buffer_bytes(row, config, found)
    if head is None:
        return unknown
    copies = (row["embeddings"] - 1) * int(found.columns["p_embed"] or 0)
    return {
        "automodel_parameters": int(base) + head + copies,
        "automodel_buffer_bytes": buffers,
        "automodel_layer_bytes": None if buffers is None else _layer_bytes(row, config, found),
    }


def _head(config: Mapping[str, Any], found: Architecture) -> int | None:
    """Parameters of the head that accelerate's class has; null for a head that is not known.

    The head's matrix is built anew even where it is tied to the embedding.
    """
    named = config.get("auto_map")
    asked = next((key for key in named if str(key).startswith(HEADED)), None) if isinstance(named, dict) else None
    if asked is None:
        return 0
    columns, head = found.columns, found.dimensions.get("head_parameters")
    if asked != CAUSAL or head is None or not has_vocabulary_head(found.name):
        return None
    matrix = 0 if columns["p_lm_head"] else int(columns["vocab_size"] or 0) * int(columns["hidden_size"] or 0)
    return int(head) + matrix


def _buffer_bytes(row: Mapping[str, Any], config: Mapping[str, Any], found: Architecture) -> int | None:
    """Bytes of the buffers that the class registers, in their own types."""
    frequencies, positions = _frequency_bytes(found), _position_bytes(row, config)
    if frequencies is None or positions is None:
        return None
    if bool(row["frequency_vectors"]) != bool(frequencies):
        # rotary in the class and not in our reading, or the other way round: its width is not known
        return None
    kinds = len({group.kind for group in found.groups} & ROTATED_KINDS) if row["is_by_kind"] else 1
    routers = int(found.dimensions.get("routers") or 0) * int(found.columns["experts"] or 0)
    return int(
        row["frequency_vectors"] * kinds * frequencies
        + positions
        + row["router_vectors"] * routers * FP32
        + row["scales"] * FP32
    )


def _frequency_bytes(found: Architecture) -> int | None:
    """Bytes of one vector of rotary frequencies: half the rotated width, in 32 bit."""
    elements = found.columns.get("rope_cache_elements")
    if elements is None:
        return None
    return int(found.dimensions.get("rotary_width") or 0) // 2 * FP32 if elements else 0


def _position_bytes(row: Mapping[str, Any], config: Mapping[str, Any]) -> int | None:
    """Bytes of the tables of positions and types, 64 bit for each position that the class knows."""
    if not row["position_vectors"]:
        return 0
    defaults = architectures.classes().get(row["model_type"], {}).get("defaults", {})
    positions = config.get("max_position_embeddings", defaults.get("max_position_embeddings"))
    is_usable = type(positions) is int and 0 < positions < 2**40
    return int(row["position_vectors"] * positions * INT64) if is_usable else None


def _layer_bytes(row: Mapping[str, Any], config: Mapping[str, Any], found: Architecture) -> int | None:
    """Bytes of the largest module that is not split; null where another one than these might be the largest."""
    columns, dimensions = found.columns, found.dimensions
    embedding = int(columns["p_embed"] or 0) * FP32 + row["scales"] * FP32
    if "embedding_parameters" in dimensions:
        return _of_a_stack(row, config, found)
    block = dimensions.get("largest_layer")
    if "blocks" not in row["unsplit"] or not block or "embeddings" in row["unsplit"]:
        return None
    is_routed = row["router_vectors"] and dimensions.get("is_largest_layer_sparse")
    layer = int(block) * FP32 + (int(columns["experts"] or 0) * FP32 if is_routed else 0)
    towers = [columns.get(name) for name in ("p_vision", "p_audio", "p_projector")]
    beside = sum(value or 0 for value in towers) * FP32
    largest = max(embedding, layer)
    return largest if beside <= largest else None


def _of_a_stack(row: Mapping[str, Any], config: Mapping[str, Any], found: Architecture) -> int | None:
    """Of an encoder only its embedding can be told, when it is larger than any block could be."""
    columns, together = found.columns, found.dimensions["embedding_parameters"]
    layers, positions = columns.get("layers"), _position_bytes(row, config)
    if together is None or not layers or positions is None:
        return None
    rest = sum(int(columns[name] or 0) for name in ("p_attn", "p_mlp", "p_norm", "p_bias", "p_small", "p_head_other"))
    if "embeddings" in row["unsplit"]:
        largest, other = int(together) * FP32 + positions, rest * FP32 // int(layers)
    elif row["unsplit"] == {"nothing"}:
        largest, other = int(columns["p_embed"] or 0) * FP32, rest * FP32 // int(layers)
    else:
        return None
    return largest if other <= largest else None
