"""How far a term may lie from the truth (method, section 9, "Uncertainty")."""

from __future__ import annotations

from scalar.cache import PAGE, Sequence
from scalar.known import Facts, up
from scalar.split import Split

LOADING = int(0.02 * 2**30)
COUNTS = {"exact": 0.001, "derived": 0.005}
FORMATS = {"exact": 0.0, "high": 0.0, "medium": 0.02}
LAYOUTS = {"exact": 0.01, "derived": 0.05}


def of_weights(held: int, basis: str | None, counts: str | None, format_: str | None) -> int:
    if basis == "stored":
        return up(held * 0.001 + LOADING)
    return up(held * max(COUNTS.get(counts or "", 0.15), FORMATS.get(format_ or "", 0.15)) + LOADING)


def of_cache(kept: int, one: Sequence, sequences: int, counts: str | None) -> int:
    relative = LAYOUTS.get(counts or "", 0.3)
    return up(kept * relative + PAGE * sequences * (one.each_token() + one.each_window_token()))


def of_engine(activation: int, profile: Facts, split: Split) -> int:
    fixed = profile["margin_bytes_1"] if split.degree == 1 else profile["margin_bytes_2"]
    return up(activation * profile["activation_margin"]) + fixed
