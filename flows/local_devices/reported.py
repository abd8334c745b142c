"""A device as its driver reports it."""

from __future__ import annotations

from dataclasses import dataclass

MOST_DEVICES = 1024  # of one machine; what reports more is not to be believed
MOST_LETTERS = 200


@dataclass(frozen=True)
class Reported:
    """`names` are tried one after another; null memory is unknown. `host_mib` is memory that the device may share."""

    names: tuple[str, ...]
    memory_mib: float | None = None
    host_mib: float | None = None
    source: str = ""

    def __post_init__(self) -> None:
        names = (" ".join(name.split())[:MOST_LETTERS] for name in self.names)
        object.__setattr__(self, "names", tuple(dict.fromkeys(name for name in names if name)))

    def __str__(self) -> str:
        size = "" if self.memory_mib is None else f" ({self.memory_mib:,.0f} MiB)"
        return f"{' / '.join(self.names)}{size}"


def number(text: object) -> float | None:
    """A positive number, of a number or of its text; null for `[N/A]`, nonsense and anything above what there is."""
    if isinstance(text, bool) or not isinstance(text, (str, int, float)):
        return None
    try:
        value = float(text)
    except (ValueError, OverflowError):
        return None
    return value if 0 < value < 1e18 else None
