"""What the names in expressions of towers.toml and multimodal.toml mean: keys as numbers, and numbers out of lists."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flows.extract.keys import Keys


def number(keys: Keys, name: str) -> int:
    """A key as a number: switches count 1, lists by length, sum, product or members, fractions by their parts.

    any_X is 0 when X is not there, has_X tells whether it is, is_X whether norm_type is X, and X_in_Y_types how often
    that list has the word X.
    Raises ValueError for what is missing or no usable number.
    """
    for prefix, of in _OF_LISTS.items():
        if name.startswith(prefix):
            key = name.removeprefix(prefix)
            if prefix in _ONE_FOR_ALL and keys.is_number(key):
                return keys.need(key)
            return of(_items(keys, key))
    for prefix, position in (("above_", 0), ("below_", 1)):
        if name.startswith(prefix):
            return _fraction(keys, name.removeprefix(prefix))[position]
    if name.startswith("is_") and keys.text("norm_type") is not None:
        return int(keys.text("norm_type") == name.removeprefix("is_"))
    if name.startswith("any_"):
        return keys.number(name.removeprefix("any_")) or 0
    if name.startswith("has_"):
        return int(not keys.is_silent(name.removeprefix("has_")))
    word, mark, key = name.partition("_in_")
    if mark and key.endswith("_types"):
        return (keys.items(key) or []).count(word)
    return keys.count(name)


def is_word(keys: Keys, name: str, position: int) -> int:
    """X_at_Y_types: whether the member of the list Y_types is the word X; 0 without the list."""
    word, _, key = name.partition("_at_")
    items = keys.items(key)
    return int(items is not None and position < len(items) and items[position] == word)


def member(keys: Keys, name: str, position: int) -> int:
    """One member of a list; 0 before its beginning. One number stands for all. Raises ValueError past its end."""
    if position < 0:
        return 0
    if keys.is_number(name):
        return keys.need(name)
    items = _items(keys, name)
    if position >= len(items):
        raise ValueError(f"{name} has no member {position}")
    return _whole(items[position])


def _items(keys: Keys, name: str) -> list[Any]:
    items = keys.items(name)
    if items is None:
        raise ValueError(f"{name} is missing")
    return items


def _fraction(keys: Keys, name: str) -> tuple[int, int]:
    """A fraction written as text: "4/8"."""
    above, _, below = (keys.text(name) or "").partition("/")
    if not (above.isdecimal() and below.isdecimal() and len(above) + len(below) < 18):
        raise ValueError(f"{name} is not a usable fraction")
    return int(above), int(below)


def _product(items: list[Any]) -> int:
    found = 1
    for item in items[:8]:
        found *= _whole(item)
    return found


def _whole(item: Any) -> int:
    if type(item) not in (int, bool) or not 0 <= item < 2**31:
        raise ValueError(f"not a usable number in a list: {item!r:.40}")
    return int(item)


def _positive(items: list[Any]) -> list[int]:
    return [_whole(item) for item in items if item not in (-1, 0)]


_OF_LISTS: dict[str, Callable[[list[Any]], int]] = {
    "number_of_": len,
    "positive_of_": lambda items: len(_positive(items)),
    "sum_of_": lambda items: sum(_positive(items)),
    "product_of_": _product,
    "first_of_": lambda items: _whole(items[0] if items else None),
    "second_of_": lambda items: _whole(items[1] if len(items) > 1 else None),
    "last_of_": lambda items: _whole(items[-1] if items else None),
}
# One number in the place of a list stands for each of its members.
_ONE_FOR_ALL = ("first_of_", "second_of_", "last_of_")
