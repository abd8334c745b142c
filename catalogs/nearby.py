"""What somebody may have meant by a name that no catalog has."""

from __future__ import annotations

import re
from collections.abc import Iterable
from difflib import get_close_matches

MOST = 5

_ASIDE = re.compile(r"[^a-z0-9]+")


def did_you_mean(name: str, among: Iterable[str]) -> str:
    """`; did you mean a, b?` to end a message with, the nearest first; nothing where nothing is near.

    Near is what contains the name whatever its case, spaces and hyphens (`RTX 4090`), else what is spelt like it.
    """
    near = nearby(name, among)
    return f"; did you mean {', '.join(near)}?" if near else ""


def nearby(name: str, among: Iterable[str]) -> list[str]:
    """At most five of `among`: the shortest that contain `name`, else the most alike."""
    candidates = list(among)
    letters = _letters(name)
    holds = [candidate for candidate in candidates if letters and letters in _letters(candidate)]
    return sorted(holds, key=len)[:MOST] or get_close_matches(name.lower(), candidates, n=MOST)


def _letters(name: str) -> str:
    return _ASIDE.sub("", name.lower())
