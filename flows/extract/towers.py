"""Vision and audio towers and what joins them to a text: counts by the expressions of catalogs/architectures.

A tower has no layers that differ and nothing that is kept between tokens, so one sum over its section's keys says all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from catalogs import architectures
from flows.extract.expressions import evaluate
from flows.extract.keys import Keys

MOST_NAMES = 40  # of parts of parts: a row that names itself must not run for ever


def keys_of(section: Mapping[str, Any], kind: str | None, defaults: Mapping[str, Any]) -> Keys:
    """A section under the defaults of its class and those of its row."""
    own = architectures.classes().get(kind or "", {}).get("defaults", {})
    return Keys(section, {"defaults": {**defaults, **own}})


def size(kind: str, section: Mapping[str, Any]) -> int | None:
    """Parameters of a tower; null when its kind is not known, or when its row holds for one make only and this is
    another. Raises ValueError when a key is missing or unusable."""
    row = architectures.towers().get(kind)
    if row is None:
        return None
    own = architectures.classes().get(kind, {}).get("defaults", {})
    keys = Keys(section, {"defaults": {**row.get("defaults", {}), **own}, "derived": row.get("derived", {})})
    fixed = row.get("fixed")
    if fixed and keys.text(fixed["key"]) != fixed["value"]:
        return None
    if row.get("as_built") and not _is_as_built(section, kind, row):
        return None
    return named(row["size"], {"": keys}, row["let"])


def _is_as_built(section: Mapping[str, Any], kind: str, row: Mapping[str, Any]) -> bool:
    """Whether a section says nothing else than its class does: the count of the row holds for no other."""
    own = {**architectures.classes().get(kind, {}).get("defaults", {}), **row.get("defaults", {})}
    return all(section.get(key, value) == value for key, value in own.items() if key not in row.get("free", ()))


def named(text: str, sections: Mapping[str, Keys], let: Mapping[str, str], depth: int = 0) -> int:
    """The value of an expression whose names are parts in `let` or keys of sections; "" is the unnamed one.

    Raises ValueError for a missing key or a result that is no count.
    """

    def value_of(name: str) -> int:
        if name in let:
            if depth > MOST_NAMES:
                raise ValueError(f"{name} is defined by itself")
            return named(let[name], sections, let, depth + 1)
        section, _, key = name.rpartition(".")
        if section not in sections:
            raise ValueError(f"{name} is missing")
        return _number(sections[section], key)

    value = evaluate(text, value_of)
    if value < 0:
        raise ValueError(f"{text}: negative")
    return value


def _number(keys: Keys, name: str) -> int:
    """A key as a number: switches count 1, lists by length, product or members; any_X is 0 when X is not there."""
    for prefix, of in (("number_of_", len), ("product_of_", _product), ("first_of_", _first), ("second_of_", _second)):
        if name.startswith(prefix):
            key = name.removeprefix(prefix)
            if of in (_first, _second) and keys.is_number(key):
                return keys.need(key)  # one number for both
            items = keys.items(key)
            if items is None:
                raise ValueError(f"{name.removeprefix(prefix)} is missing")
            return of(items)
    if name.startswith("is_") and keys.text("norm_type") is not None:
        return int(keys.text("norm_type") == name.removeprefix("is_"))
    if name.startswith("any_"):
        return keys.number(name.removeprefix("any_")) or 0
    return keys.count(name)


def _product(items: list[Any]) -> int:
    found = 1
    for item in items[:8]:
        found *= _whole(item)
    return found


def _first(items: list[Any]) -> int:
    return _whole(items[0] if items else None)


def _second(items: list[Any]) -> int:
    return _whole(items[1] if len(items) > 1 else None)


def _whole(item: Any) -> int:
    if type(item) is not int or not 0 <= item < 2**31:
        raise ValueError(f"not a usable number in a list: {item!r:.40}")
    return item
