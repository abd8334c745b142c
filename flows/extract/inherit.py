"""Architectures of repositories without a configuration: GGUF copies and adapters take their base model's.

The card names the base; the crawl hands over its configuration. What comes of it is marked: `inherited_from` names the
base, and a count of the repository's own that differs from the base's says that they are not the same model.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from flows.extract.architecture import Architecture
from flows.extract.info import Info, clean, load_object
from flows.extract.read_config import configured
from flows.raw import RawModel

# A copy may store a tied head or rotary frequencies besides; a merge, a pruned or an extended model differs by more.
MOST_DIFFERENCE = 0.02


def missing_base(info: Info, config: Mapping[str, Any] | None, *, has_config: bool) -> str | None:
    """Id of the base model whose configuration a repository needs: it has none of its own, or is an adapter.

    The card names it, else the adapter's configuration does.
    """
    if has_config and not info.is_adapter:
        return None
    return info.base_model or clean((config or {}).get("base_model_name_or_path"))


def inherited(raw: RawModel, info: Info) -> tuple[Architecture | None, str | None]:
    """(the base's architecture, a note) for a repository without a configuration; nothing when there is no base.

    Never raises: a base that cannot be read leaves the model as unknown as it was.
    """
    if raw.base_config is None or info.is_diffusers or (raw.config is not None and not info.is_adapter):
        return None, None
    name = clean(raw.base_id) or "its base model"
    config = load_object(raw.base_config)
    if config is None or "model_type" not in config:
        return None, f"the configuration of {name} cannot be read"
    # what the base is stored in says nothing about its copy
    found, problem = configured({key: value for key, value in config.items() if key != "quantization_config"})
    if found is None:
        return None, f"the configuration of {name} cannot be read ({problem})"
    own, base = info.gguf_total, found.parameters
    if own and base and abs(own - base) > MOST_DIFFERENCE * base and not info.is_adapter:
        text = base - (found.mtp_parameters or 0)
        if abs(own - text) > MOST_DIFFERENCE * base:
            return None, f"{own:,} parameters are not those of {name}, which has {base:,}"
    return replace(found, is_verified=False), f"architecture inherited from {name}"
