"""Nothing of its own: encoders whose row writes down every part, like those of stages that grow in width.

The row says what `layers`, `hidden`, `heads` and `ffn` are, and adds all matrices and small tensors as `extra`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flows.extract.encoders.sheet import Sheet, dimensions, nothing_kept
from flows.extract.encoders.values import Values

LET: Mapping[str, Any] = {
    "vocabulary": 0,
    "heads": 0,  # convolutions have none
    "ffn": 0,
    "longest": 0,  # tokens
    # what heads are made of
    "classify": "labels * hidden + labels",
}


def read(values: Values, dialect: Mapping[str, Any]) -> Sheet:
    """The dimensions alone. Raises ValueError for an unusable configuration."""
    layers = values("layers")
    sheet = Sheet()
    sheet.columns = dimensions(
        layers, values("hidden"), values("heads"), values("ffn"), values("vocabulary"), values("longest")
    )
    sheet.groups = nothing_kept(layers)
    return sheet
