"""Vision and audio towers and what joins them to a text: counts by the expressions of catalogs/architectures.

A tower keeps nothing between tokens, so sums over its section's keys say all.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from catalogs import architectures
from flows.extract.expressions import evaluate
from flows.extract.keys import Keys
from flows.extract.numbers import is_word, member, number

MOST_NAMES = 40  # of parts of parts: a row that names itself must not run for ever
MOST_STAGES = 1000

# A part of a row: an expression, or {times, sum}: an expression of every stage, added up.
Let = Mapping[str, Any]


def keys_of(section: Mapping[str, Any], kind: str | None, defaults: Mapping[str, Any]) -> Keys:
    """A section under the defaults of its class and those of its row."""
    own = architectures.classes().get(kind or "", {}).get("defaults", {})
    return Keys(section, {"defaults": {**defaults, **own}})


def keys_of_tower(section: Mapping[str, Any], kind: str) -> Keys:
    """A tower's section as its row reads it."""
    row = architectures.towers()[kind]
    own = architectures.classes().get(kind, {}).get("defaults", {})
    read = {name: row[name] for name in ("derived", "nested") if name in row}
    return Keys(section, {"defaults": {**row.get("defaults", {}), **own}, **read})


def size(kind: str, section: Mapping[str, Any]) -> int | None:
    """Parameters of a tower; null when its kind is not known, or when its row holds for one make only and this is
    another. Raises ValueError when a key is missing or unusable."""
    row = architectures.towers().get(kind)
    if row is None:
        return None
    if "makes" in row:
        return _made(section, row["makes"])
    if "reads" in row and not section.keys() <= set(row["reads"]):
        return None  # what another key does is not known
    keys = keys_of_tower(section, kind)
    fixed = row.get("fixed")
    if fixed and keys.text(fixed["key"]) != fixed["value"]:
        return None
    if row.get("as_built") and not _is_as_built(section, kind, row):
        return None
    return named(row["size"], {"": keys, **inside(section, kind)}, row["let"])


def _made(section: Mapping[str, Any], makes: Mapping[str, Mapping[str, Any]]) -> int | None:
    """A tower of another library: its section names an architecture, and what differs from that in `model_args`."""
    architecture, changes = section.get("architecture"), section.get("model_args")
    make = makes.get(architecture) if isinstance(architecture, str) else None
    if make is None:
        return None
    return size(make["kind"], {**make["args"], **(changes if isinstance(changes, dict) else {})})


def inside(section: Mapping[str, Any], kind: str) -> dict[str, Keys]:
    """Sections of a tower's own section, by the names that its row gives them."""
    row, found = architectures.towers()[kind], {}
    for name, (key, kind) in row.get("inside", {}).items():
        written = section.get(key)
        found[name] = keys_of(written if isinstance(written, dict) else {}, kind, row.get("defaults", {}))
    return found


def _is_as_built(section: Mapping[str, Any], kind: str, row: Mapping[str, Any]) -> bool:
    """Whether a section says nothing else than its class does: the count of the row holds for no other."""
    own = {**architectures.classes().get(kind, {}).get("defaults", {}), **row.get("defaults", {})}
    return all(section.get(key, value) == value for key, value in own.items() if key not in row.get("free", ()))


def named(text: str, sections: Mapping[str, Keys], let: Let, depth: int = 0, stage: int | None = None) -> int:
    """The value of an expression whose names are parts in `let` or keys of sections; "" is the unnamed one.

    Inside a stage, `stage` is its position, this_X its member of the list X, before_X that of the stage before, and
    X_at_Y_types whether its member of that list is X; the unnamed section is what `per_layer_config` makes of it.
    Raises ValueError for a missing key or a result that is no count.
    """

    def value_of(name: str) -> int:
        if name in let:
            if depth > MOST_NAMES:
                raise ValueError(f"{name} is defined by itself")
            part = let[name]
            if isinstance(part, str):
                return named(part, sections, let, depth + 1, stage)
            return _over_stages(name, part, sections, let, depth + 1)
        section, _, key = name.rpartition(".")
        if stage is not None and name == "stage":
            return stage
        if section not in sections:
            raise ValueError(f"{name} is missing")
        if stage is not None:
            for prefix, position in (("this_", stage), ("before_", stage - 1)):
                if key.startswith(prefix):
                    return member(sections[section], key.removeprefix(prefix), position)
            if "_at_" in key and key.endswith("_types"):
                return is_word(sections[section], key, stage)
        return number(sections[section], key)

    value = evaluate(text, value_of)
    if value < 0:
        raise ValueError(f"{text}: negative")
    return value


def _over_stages(name: str, part: Mapping[str, str], sections: Mapping[str, Keys], let: Let, depth: int) -> int:
    times = named(part["times"], sections, let, depth)
    if times > MOST_STAGES:
        raise ValueError(f"{name} has more stages than any model")
    found = 0
    for stage in range(times):
        own = {**sections, "": sections[""].layer(stage)} if sections[""].section("per_layer_config") else sections
        found += named(part["sum"], own, let, depth, stage)
    return found
