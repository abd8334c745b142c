"""What is left of a configuration whose kind is not known: its dimensions, and a cache that nobody may guess."""

from __future__ import annotations

from flows.extract.architecture import Architecture, Group
from flows.extract.keys import Keys
from flows.extract.read_decoder import DECODER_HINTS


def opaque(keys: Keys, model_type: str, name: str | None, reason: str) -> Architecture:
    """Dimensions that can be read, and nothing that would have to be guessed."""
    layers = keys.number("layers")
    columns: dict[str, int | float | None] = {
        "layers": layers,
        "hidden_size": keys.number("hidden"),
        "vocab_size": keys.number("vocabulary"),
        "max_context_tokens": keys.number("context") or None,
    }
    is_decoder = bool(name) and str(name).endswith(DECODER_HINTS)
    return Architecture(
        model_type=model_type,
        name=name,
        kind="decoder" if is_decoder else "other",
        is_verified=False,
        parameters=None,
        active_parameters=None,
        mtp_parameters=None,
        columns=columns,
        dimensions={},
        groups=(Group(kind="unknown", layers=layers),) if layers else (),
        notes=(reason,),
    )
