"""How far a term may lie from the truth (method, section 9, "Uncertainty")."""

from __future__ import annotations

from scalar.cache import PAGE, Sequence
from scalar.known import Facts, up
from scalar.split import Split

LOADING = int(0.02 * 2**30)
COUNTS = {"exact": 0.001, "derived": 0.005}
FORMATS = {"exact": 0.0, "high": 0.0, "medium": 0.02, "averaged": 0.07, "older": 0.025}
LAYOUTS = {"exact": 0.01, "derived": 0.05}


def of_weights(
    held: int, basis: str | None, counts: str | None, format_: str | None, *, is_widened: bool = False
) -> int:
    """`is_widened`: the engine unpacks quantised matrices while it multiplies."""
    least = 0.15 if is_widened else 0.0
    if basis == "stored":
        return up(held * max(0.001, least) + LOADING)
    return up(held * max(least, COUNTS.get(counts or "", 0.15), FORMATS.get(format_ or "", 0.15)) + LOADING)


def mixture(shape: Facts, format_: Facts, has_rule: bool) -> str | None:
    """How well the bits of a GGUF file type are known in a model."""
    average, bits = format_.get("whole_model_bits"), format_.get("bits_per_weight")
    if average is None or bits is None or average <= 1.01 * bits:
        return format_.get("confidence")
    if not has_rule:
        return "averaged"
    return "older" if (shape.get("layers") or 0) >= 80 else format_.get("confidence")


def of_cache(kept: int, one: Sequence, sequences: int, counts: str | None) -> int:
    relative = LAYOUTS.get(counts or "", 0.3)
    return up(kept * relative + PAGE * sequences * (one.each_token() + one.each_window_token()))


def of_engine(activation: int, profile: Facts, split: Split, sees: bool) -> int:
    """`sees`: the model takes pictures, for which the engine keeps room that nobody counts."""
    fixed = profile["margin_bytes_1"] if split.degree == 1 else profile["margin_bytes_2"]
    fixed += profile["vision_margin_bytes"] if sees else 0
    return up(activation * profile["activation_margin"]) + fixed
