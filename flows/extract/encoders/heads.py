"""What stands on top of an encoder, by the class that `architectures` names.

    heads = { Model = "hidden * hidden + hidden", ForMaskedLM = "hidden * hidden + 3 * hidden + vocabulary" }

A class belongs to the longest key that its name ends with; a class without a key has a head that is not known.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flows.extract.encoders.values import Values


def ending(dialect: Mapping[str, Any], name: str | None) -> str | None:
    """The key of `heads` for a class. An unnamed one is the type's `unnamed`, or the plain model."""
    heads = dialect.get("heads", {})
    if name is None:
        wanted = dialect.get("unnamed", "Model")
        return wanted if wanted in heads else None
    fitting = [key for key in heads if name.endswith(key)]
    return max(fitting, key=len, default=None)


def elements(dialect: Mapping[str, Any], key: str, values: Values) -> int:
    """Parameters of the head. Raises ValueError when a dimension is missing."""
    return values.of(dialect["heads"][key])
