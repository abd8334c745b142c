"""Numbers that a class computes from others: the tables `derived` and `fallback` of a dialect.

    derived  = { head_dim = "2 * hidden // heads" }
    fallback = { ffn = { of = "hidden", times = "ffn_proj_factor", up_to = 64 } }

`derived` holds whatever the configuration says, `fallback` where neither it nor the class says anything. A rule is an
expression, a number `times` a ratio (or so many `thirds` of that), rounded up to a multiple, an item of a list, a
number inside a section, the `number` of a key or what stands in its place, the `length` of a list, whether the word of
a key is a certain one, or whether a list has it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flows.extract.expressions import evaluate

if TYPE_CHECKING:
    from flows.extract.keys import Keys


def derived(rule: Any, keys: Keys) -> int:
    """The number. Raises ValueError when one that it is made of is missing."""
    if not isinstance(rule, Mapping):
        return evaluate(rule, keys.count)
    if "inside" in rule:
        section = keys.section(rule["inside"]) or {}
        written = section.get(rule["key"])
        return int(written) if isinstance(written, int) and 0 <= written < 2**40 else keys.count(rule["else"])
    if "item" in rule:
        items = keys.items(rule["of"]) or []
        if len(items) <= rule["item"] or type(items[rule["item"]]) is not int or not 0 <= items[rule["item"]] < 2**40:
            raise ValueError(f"{rule['of']} has no usable number {rule['item']}")
        return int(items[rule["item"]])
    if "number" in rule:
        return keys.number(rule["number"]) or evaluate(rule["or"], keys.count)
    if "length" in rule:
        return len(keys.items(rule["length"]) or ()) or int(rule["else"])
    if "has" in rule:
        return int(rule["has"] in (keys.items(rule["key"]) or ()))
    if "is" in rule:
        return int(keys.text(rule["key"]) == rule["is"])
    ratio = keys.real(rule["times"])
    if ratio is None:
        raise ValueError(f"{rule['times']} is missing")
    step, wanted = rule.get("up_to", 1), keys.need(rule["of"]) * ratio
    if "thirds" in rule:  # of a gated feed-forward: the fraction is dropped before the width is rounded up
        wanted = int(wanted * rule["thirds"] / 3)
    return int((wanted + step - 1) // step * step)
