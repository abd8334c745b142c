"""Reading one configuration safely: spellings, class defaults, absent against null, and nothing but sane numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from catalogs import architectures
from flows.extract import blocks
from flows.extract.derived import derived

# No dimension of a real model comes near; larger numbers are damage or malice.
LARGEST = 2**40


class Keys:
    """A configuration under a dialect's class defaults.

    An absent key takes the default of the class; an explicit null stays null (a null window switches windows off).
    Every reader raises ValueError with one line when a value is not what it must be.
    """

    def __init__(self, config: Mapping[str, Any], dialect: Mapping[str, Any]) -> None:
        self._config = dict(config)
        for nested in dialect.get("nested", ()):
            if isinstance(section := config.get(nested), dict):
                inner = {key: value for key, value in section.items() if key not in dialect.get("outer", ())}
                self._config = {**inner, **self._config}
        self._defaults: Mapping[str, Any] = dialect.get("defaults", {})
        self._dialect = dialect
        self._own: frozenset[str] = frozenset()  # keys that this one layer has a value of its own for
        self._layers: dict[str, Keys] = {}  # views of single layers
        self._varying = self._per_layer()
        self._overrides = config.get("per_layer_config")
        if dialect.get("layers") == "block_configs":
            self._overrides = blocks.overrides(config, self.need("hidden"), self.need("heads"))
        if dialect.get("ffn_rule") == "multipliers":
            self._varying["intermediate_size"] = blocks.scaled_widths(config, self.need("hidden"))

    def __contains__(self, name: str) -> bool:
        return self._find(name)[0]

    def layer(self, position: int) -> Keys:
        """The configuration as one layer sees it; itself when no layer differs from another.

        Layers differ by a list with one number for each (`intermediate_size`, `num_attention_heads_per_layer`) or by
        `per_layer_config`, the overrides of single layers. Raises ValueError for a list that is too short.
        """
        overrides = self._overrides
        if not self._varying and not isinstance(overrides, dict):
            return self
        changes = {}
        for key, values in self._varying.items():
            if position >= len(values):
                raise ValueError(f"{key} has no value for layer {position}")
            changes[key] = values[position]
        if isinstance(overrides, dict):
            own = overrides.get(str(position)) or {}
            if not isinstance(own, dict):
                raise ValueError(f"per_layer_config has no usable entry for layer {position}")
            changes |= own
        if not changes:
            return self
        known = repr(changes)  # equal layers share one view, by which they are known to be alike
        if known not in self._layers:
            one = Keys({**self._config, **changes}, self._dialect)
            one._own, one._varying, one._overrides = frozenset(changes), {}, None
            self._layers[known] = one
        return self._layers[known]

    def renamed(self, names: Mapping[str, str]) -> Keys:
        """The configuration with other keys in the place of some: name -> the key whose value it takes."""
        changes = {_spellings(name)[0]: self.number(key) for name, key in names.items()}
        return Keys({**self._config, **changes}, self._dialect)

    def has_own(self, name: str) -> bool:
        """Whether this layer's value differs from the model's by the configuration's word."""
        return not self._own.isdisjoint(_spellings(name))

    def _per_layer(self) -> dict[str, list[Any]]:
        found = {}
        for key, value in self._config.items():
            if isinstance(value, list) and len(value) > 1 and all(type(item) is int for item in value):
                if key.endswith("_per_layer"):
                    found[key.removesuffix("_per_layer")] = value
                elif key in _DIMENSIONS and any(item != value[0] for item in value):
                    found[key] = value
        return found

    def number(self, name: str) -> int | None:
        """A count; null when absent without a default, or explicitly null."""
        key, value = self._value(name)
        if value is None:
            return None
        if isinstance(value, list) and value and all(item == value[0] for item in value):
            value = value[0]  # one number for each layer, all the same
        if isinstance(value, float) and value.is_integer() and abs(value) <= LARGEST:
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= LARGEST:
            raise ValueError(f"{key} is not a usable number: {_shown(value)}")
        return value

    def need(self, name: str) -> int:
        """A count that the dialect cannot do without. Raises ValueError when there is none."""
        value = self.number(name)
        if value is None:
            raise ValueError(f"{name} is missing")
        return value

    def count(self, name: str) -> int:
        """A number or a switch as a number, for expressions of rows. Raises ValueError when there is none."""
        return self.truth(name) if self.is_switch(name) else self.need(name)

    def real(self, name: str) -> float | None:
        key, value = self._value(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= LARGEST:
            raise ValueError(f"{key} is not a usable number: {_shown(value)}")
        return float(value)

    def flag(self, name: str | bool) -> bool:
        """A switch: a constant of the dialect, or the value of the key that it names. Null is off."""
        if isinstance(name, bool):
            return name
        key, value = self._value(name)
        if value is not None and not isinstance(value, bool | int):
            raise ValueError(f"{key} is not true or false: {_shown(value)}")
        return bool(value)

    def is_silent(self, name: str) -> bool:
        """Whether neither the configuration nor its class says anything."""
        return self._value(name)[1] is None

    def is_switch(self, name: str) -> bool:
        """Whether the value is true or false."""
        return isinstance(self._value(name)[1], bool)

    def is_number(self, name: str) -> bool:
        return type(self._value(name)[1]) is int

    def announces(self, *parts: str) -> bool:
        """Whether the configuration has a number other than 0, or a true switch, whose key has one of `parts` in it."""
        said = (value for key, value in self._config.items() if any(part in key for part in parts))
        return any(isinstance(value, bool | int) and value for value in said)

    def truth(self, name: str) -> int:
        """A number or a switch as a number, 0 for anything else: for conditions of rows."""
        value = self._value(name)[1]
        return int(value) if isinstance(value, bool | int) and abs(value) <= LARGEST else 0

    def text(self, name: str) -> str | None:
        value = self._value(name)[1]
        return value if isinstance(value, str) else None

    def items(self, name: str) -> list[Any] | None:
        """A list, null when absent or null."""
        key, value = self._value(name)
        if value is None:
            return None
        if not isinstance(value, list) or len(value) > 100_000:
            raise ValueError(f"{key} is not a usable list")
        return value

    def section(self, name: str) -> Mapping[str, Any] | None:
        value = self._config.get(name)
        return value if isinstance(value, dict) else None

    def _inside(self, name: str) -> Keys:
        """A section that the dialect names in `parts`, with the class whose defaults it has."""
        section, kind = self.part(name)
        return Keys(section, {"defaults": architectures.classes().get(kind, {}).get("defaults", {})})

    def part(self, name: str) -> tuple[Mapping[str, Any], str]:
        """A section that the dialect names, empty when it is not written, and the class that it is of.

        `places` says where one lies that is a section of a section. Raises ValueError for another name.
        """
        kind = self._dialect.get("parts", {}).get(name)
        if kind is None:
            raise ValueError(f"{name} is no section of the dialect")
        section: Any = self._config
        for step in self._dialect.get("places", {}).get(name, name).split("."):
            section = section.get(step) if isinstance(section, dict) else None
        return (section if isinstance(section, dict) else {}), kind

    def _value(self, name: str) -> tuple[str, Any]:
        section, _, key = name.rpartition(".")
        if section:
            return self._inside(section)._value(key)
        if name in self._dialect.get("derived", ()):
            return name, derived(self._dialect["derived"][name], self)
        found, key, value = self._find(name)
        if found and (value is not None or name not in self._dialect.get("fallback", ())):
            return key, value
        for spelling in _spellings(name):
            if not found and spelling in self._defaults:
                return spelling, self._defaults[spelling]
        if name in self._dialect.get("fallback", ()):
            return name, derived(self._dialect["fallback"][name], self)
        return name, None

    def _find(self, name: str) -> tuple[bool, str, Any]:
        """The first spelling that is present; one that is not null is preferred."""
        present = [key for key in _spellings(name) if key in self._config]
        for key in present:
            if self._config[key] is not None:
                return True, key, self._config[key]
        return (True, present[0], None) if present else (False, name, None)


# Dimensions that may be a list with one number for each layer.
_DIMENSIONS = frozenset(
    key for name in ("heads", "kv_heads", "head_dim", "ffn") for key in architectures.spellings()[name]
)


def _spellings(name: str) -> tuple[str, ...]:
    return architectures.spellings().get(name, (name,))


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"
