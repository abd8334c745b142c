"""The sentence above other calculators' numbers: what they say to the first question, and what we do."""

from __future__ import annotations

from collections.abc import Sequence

from reports.format import gib, lowered
from reports.model import Comparison


def sentence(comparisons: Sequence[Comparison]) -> str:
    """For none, one and several tools, and with our own answer unknown."""
    if not comparisons:
        return "No calculator has a number for it."
    first = comparisons[0]
    sizes = [answer.bytes for answer in first.answers]
    low, high = gib(min(sizes)), gib(max(sizes))
    said = low if low == high else f"{low} to {high}"
    tools = "one tool says" if len(sizes) == 1 else f"{len(sizes)} tools say"
    start = f"For {lowered(first.question)} at {first.precision}, {tools} {said}"
    return f"{start}; ours is {gib(first.ours)}."
