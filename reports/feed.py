"""The Atom feed (RFC 4287) of what changed from night to night."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from xml.etree import ElementTree

NAMESPACE = "http://www.w3.org/2005/Atom"


@dataclass(frozen=True)
class Entry:
    """A published night. `href` is relative to the feed; `summary` null where that night was compared with nothing."""

    run_id: str
    started_at: datetime
    href: str
    summary: str | None


def atom(entries: Sequence[Entry]) -> bytes:
    """The feed of at least one night, newest first.

    Strangers' text is inert in it: escaped, and without characters that XML forbids.
    """
    feed = ElementTree.Element("feed", {"xmlns": NAMESPACE})
    _add(feed, "title", "hubfit: which models run on which hardware, and what changed")
    _add(feed, "id", "urn:hubfit:changes")
    _add(feed, "updated", _stamp(max(entry.started_at for entry in entries)))
    _add(ElementTree.SubElement(feed, "author"), "name", "hubfit")
    ElementTree.SubElement(feed, "link", {"rel": "self", "href": "changes.atom"})
    for entry in sorted(entries, key=lambda entry: entry.run_id, reverse=True):
        told = ElementTree.SubElement(feed, "entry")
        _add(told, "title", f"Night {entry.run_id}")
        _add(told, "id", f"urn:hubfit:night:{entry.run_id}")
        _add(told, "updated", _stamp(entry.started_at))
        ElementTree.SubElement(told, "link", {"href": entry.href})
        _add(told, "summary", entry.summary or "Nothing was compared in this night.")
    ElementTree.indent(feed)
    written: bytes = ElementTree.tostring(feed, encoding="utf-8", xml_declaration=True)
    return written + b"\n"


def _add(parent: ElementTree.Element, tag: str, text: str) -> None:
    ElementTree.SubElement(parent, tag).text = "".join(c for c in text if c.isprintable() or c == "\n")


def _stamp(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"
