"""What a dialect adds to the common decoder: rows of matrices and small tensors with sizes as expressions.

    extra = [
        { part = "attn", rows = "heads * head_dim", columns = "hidden", on = "attention" },
        { part = "p_norm", size = "hidden", on = "full" },
    ]

on: every layer (the default), model (once), head (once, if tokens are predicted), attention, sparse, dense, owner (of
a cache), indexer (layers with one), or a kind of layer.
tower: the section of a tower, whose parameters stand in the place of a size.
when: an expression; absent and null keys count as 0 in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from flows.extract import towers
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
    for row in (*dialect.get("extra", ()), *dialect.get("more", ())):
        if row.get("on", "layer") not in places:
            continue
        if "when" in row and not evaluate(row["when"], lambda name: _known_or_zero(keys, known, name)):
            continue

        def number(name: str) -> int:
            return known[name] if name in known else keys.count(name)

        if "tower" in row:
            yield row["part"], _tower(keys, row["tower"])
        elif row["part"] in COMPONENTS:
            count = evaluate(row.get("count", 1), number)
            yield Linear(
                row["part"], evaluate(row["rows"], number), evaluate(row["columns"], number), count, row.get("role", "")
            )
        else:
            yield row["part"], evaluate(row["size"], number)


def _tower(keys: Keys, name: str) -> int:
    """Parameters of a tower in a section of the text's own. Raises ValueError when its kind is not known."""
    section, usual = keys.part(name)
    kind = section.get("model_type", usual)
    found = towers.size(kind, section) if isinstance(kind, str) else None
    if found is None:
        raise ValueError(f"its tower {kind!r:.60} is not counted in closed form")
    return found


def _known_or_zero(keys: Keys, known: Mapping[str, int], name: str) -> int:
    if name in known:
        return known[name]
    return keys.truth(name)
