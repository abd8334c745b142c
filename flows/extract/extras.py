"""What a dialect adds to the common decoder: rows of matrices and small tensors with sizes as expressions.

    extra = [
        { part = "attn", rows = "heads * head_dim", columns = "hidden", on = "attention" },
        { part = "p_norm", size = "hidden", on = "full" },
    ]

on: every layer (the default), model (once), head (once, if tokens are predicted), attention, sparse, dense, owner (of
a cache), or a kind of layer.
when: an expression; absent and null keys count as 0 in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from flows.extract.expressions import evaluate
from flows.extract.keys import Keys
from flows.extract.linears import Linear

COMPONENTS = ("attn", "mlp", "expert", "shared", "ssm")


def extras(
    dialect: Mapping[str, Any], places: frozenset[str], keys: Keys, known: Mapping[str, int]
) -> Iterator[Linear | tuple[str, int]]:
    """The matrices, and (column, elements) of small tensors, that the dialect adds at these places.

    `known` are numbers that the reader has worked out; other names are keys. Raises ValueError for a missing one.
    """
    for row in dialect.get("extra", ()):
        if row.get("on", "layer") not in places:
            continue
        if "when" in row and not evaluate(row["when"], lambda name: _known_or_zero(keys, known, name)):
            continue

        def number(name: str) -> int:
            return known[name] if name in known else keys.count(name)

        if row["part"] in COMPONENTS:
            count = evaluate(row.get("count", 1), number)
            yield Linear(
                row["part"], evaluate(row["rows"], number), evaluate(row["columns"], number), count, row.get("role", "")
            )
        else:
            yield row["part"], evaluate(row["size"], number)


def _known_or_zero(keys: Keys, known: Mapping[str, int], name: str) -> int:
    if name in known:
        return known[name]
    return keys.truth(name)
