"""What is wrong with a file's header."""

from __future__ import annotations


class HeaderProblem(Exception):
    """A header that cannot be used, with one line that says why. Nothing else leaves the readers of this package."""
