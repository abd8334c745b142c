"""The one way in which a catalog, a model list or the snapshot can be wrong."""

from __future__ import annotations


class CatalogError(Exception):
    """A file that we own, or that a user gave us, breaks a rule. The message names file, line and rule.

    `line` counts from 1 as editors do (in Parquet it is the row); None when the whole file is to blame.
    """

    def __init__(self, file: str, rule: str, line: int | None = None) -> None:
        super().__init__(f"{file}: {rule}" if line is None else f"{file} line {line}: {rule}")
        self.file = file
        self.line = line
        self.rule = rule


def visible(text: str, limit: int = 120) -> str:
    """`text` for a message: control and invisible characters escaped, cut after `limit` characters."""
    shown = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text[:limit])
    return shown + "…" if len(text) > limit else shown
