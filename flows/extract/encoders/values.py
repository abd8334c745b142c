"""Names in the expressions of encoder rows, and the numbers behind them.

    let = { embed = "embedding_size", decoder = ["num_decoder_layers", "num_layers"], ups = "1 + gated",
            gated = { key = "feed_forward_proj", starts = "gated" }, ffn = { key = "hidden", times = "mlp_ratio" } }

A name is, first, what the row lets it be: an expression, a list (its first name that is not null, or a number), or
a question to a key: whether its word `is` one of some, `starts` with one, or among other words `has` one; whether it
is `set`, or `positive`; whether a list is an `other` one; the number `times` a ratio, or what `else` to take when it
is not positive; an `item` of a list, how many of its numbers are `below` another, or the number `doubled` for each
place of a list but the first. Other names are the number or the switch of a key; `len_`, `sum_`, `first_` and `last_`
before the name of a list ask the list.

Where a part is counted once for `each` place of a list, `at_` and `before_` ask a list for its number there and one
place before, `place` is how many places come before, and `doubled` is 1, 2, 4 … from place to place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flows.extract.expressions import evaluate
from flows.extract.keys import LARGEST, Keys

_OF_LISTS: Mapping[str, Callable[[list[int]], int]] = {
    "sum": sum, "first": lambda numbers: numbers[0], "last": lambda numbers: numbers[-1],
}  # fmt: skip


class Values:
    """Looks names up; every reader raises ValueError, with one line, when there is no usable number."""

    def __init__(self, keys: Keys, let: Mapping[str, Any], known: Mapping[str, int] | None = None) -> None:
        self.keys = keys
        self._let = let
        self._known = dict(known or {})
        self._fixed = dict(self._known)  # what holds in every place
        self._place: tuple[int, int] | None = None  # where lists are asked, and what stands before their first number
        self._open: list[str] = []  # names being worked out, to notice circles

    def __call__(self, name: str) -> int:
        if name not in self._known:
            if name in self._open:
                raise ValueError(f"{name} is defined by itself")
            self._open.append(name)
            try:
                self._known[name] = self._find(name)
            finally:
                self._open.pop()
        return self._known[name]

    def of(self, expression: str | int) -> int:
        """The value of an expression over these names."""
        return evaluate(expression, self)

    def add(self, known: Mapping[str, int]) -> None:
        """Names that a form has worked out. What the row says about them stands above."""
        found = {name: number for name, number in known.items() if name not in self._let}
        self._known |= found
        self._fixed |= found

    def at(self, place: int, start: int) -> Values:
        """The same names in one place of lists; `start` stands before their first number."""
        there = Values(self.keys, self._let, {**self._fixed, "place": place, "doubled": 1 << min(place, 40)})
        there._place = (place, start)
        return there

    def numbers(self, name: str) -> list[int]:
        """A list of counts. Raises ValueError when it is missing, empty or holds anything else."""
        found = self.keys.items(name)
        if not found:
            raise ValueError(f"{name} is missing")
        for number in found:
            if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= LARGEST:
                raise ValueError(f"{name} is not a list of usable numbers")
        return found

    def _find(self, name: str) -> int:
        if name in self._let:
            return self._defined(name, self._let[name])
        asked, _, key = name.partition("_")
        if asked == "len" and key:
            return len(self.keys.items(key) or ())
        if asked in ("at", "before") and key and self._place is not None:
            return self._there(key, self._place[0] - (asked == "before"), self._place[1])
        if asked in _OF_LISTS and key:
            return _OF_LISTS[asked](self.numbers(key))
        value = self._number(name)
        if value is None:
            raise ValueError(f"{name} is missing")
        return value

    def _there(self, key: str, place: int, start: int) -> int:
        """A list's number; a key with one number has it in every place."""
        if place < 0:
            return start
        if self.keys.is_number(key):
            return self.keys.need(key)
        numbers = self.numbers(key)
        if place >= len(numbers):
            raise ValueError(f"{key} has no number for place {place}")
        return numbers[place]

    def _defined(self, name: str, meaning: Any) -> int:
        if isinstance(meaning, list):
            return self._first(name, meaning)
        if isinstance(meaning, Mapping):
            return self._asked(meaning)
        return evaluate(meaning, self)

    def _first(self, name: str, choices: list[str | int]) -> int:
        for choice in choices:
            value = choice if isinstance(choice, int) else self._number(choice)
            if value is not None:
                return value
        raise ValueError(f"{name} is missing")

    def _asked(self, question: Mapping[str, Any]) -> int:
        key = question["key"]
        if "times" in question:
            ratio = self.keys.real(question["times"])
            if ratio is None:
                raise ValueError(f"{question['times']} is missing")
            return int(self(key) * ratio)
        if "item" in question:
            return self._there(key, question["item"], 0)
        if "below" in question:
            return sum(number < self(question["below"]) for number in self.numbers(key))
        if "doubled" in question:  # once for every place of a list but the first
            return self(key) << min(len(self.numbers(question["doubled"])) - 1, 40)
        if "else" in question:
            number = self.keys.truth(key)
            return number if number > 0 else self(question["else"])
        if "positive" in question:
            return int((self.keys.real(key) or 0) > 0)
        if "other" in question:
            written = self.keys.items(key)
            return int(written is not None and written != question["other"])
        if "set" in question:
            return int(not self.keys.is_silent(key))
        text = self.keys.text(key) or ""
        if "has" in question:
            words = text.lower().split("|") if text else self.keys.items(key) or []
            return int(question["has"] in words)
        return int(text.startswith(question["starts"]) if "starts" in question else text in question["is"])

    def _number(self, name: str) -> int | None:
        """A count or, as 0 or 1, a switch."""
        try:
            return self.keys.number(name)
        except ValueError:
            switch = int(self.keys.flag(name))
            if switch != self.keys.truth(name):  # a number, and not a usable one
                raise
            return switch
