"""What changed, in words and as a feed."""

from __future__ import annotations

from datetime import UTC, datetime
from xml.etree import ElementTree

from reports.changes import Tally, sentences
from reports.feed import Entry, atom

THEN = datetime(2026, 11, 29, 3, 0, tzinfo=UTC)
ATOM = {"a": "http://www.w3.org/2005/Atom"}


def test_the_first_night_has_nothing_to_compare_with() -> None:
    assert sentences(Tally(None, "no night was published before")) == (
        "There is nothing to compare with: no night was published before.",
    )


def test_a_quiet_night_says_so() -> None:
    assert sentences(Tally(THEN)) == (
        "No model came, went or changed since the night of 2026-11-29 03:00 UTC.",
        "Every device runs what it ran, in the same way.",
        "No price moved.",
    )


def test_one_of_everything() -> None:
    told = Tally(
        THEN,
        method_changed=True,
        models={"removed": 1, "added": 1, "metadata": 1},
        devices={"runs now": 1, "runs no longer": 1},
        prices=1,
        catalogs=1,
    )
    assert sentences(told) == (
        "Models since the night of 2026-11-29 03:00 UTC: 1 was added, 1 is gone, 1 has other metadata.",
        "Models on devices: 1 runs no longer, 1 runs now.",
        "The cheapest price of 1 device moved.",
        "1 row of the other catalogs changed.",
        "hubfit itself is another version: what it computes otherwise has the cause method.",
    )


def test_many_of_everything() -> None:
    told = Tally(THEN, models={"revision": 2_000, "failed": 3}, devices={"runs better": 12}, prices=2, catalogs=2)
    assert sentences(told) == (
        "Models since the night of 2026-11-29 03:00 UTC: 3 cannot be read any more, 2,000 have a new revision.",
        "Models on devices: 12 run better.",
        "The cheapest price of 2 devices moved.",
        "2 rows of the other catalogs changed.",
    )


def test_the_feed_has_the_newest_night_first() -> None:
    later = datetime(2026, 11, 30, 3, 0, tzinfo=UTC)
    feed = ElementTree.fromstring(
        atom(
            [
                Entry("2026-11-29T030000Z", THEN, "../../2026-11-29T030000Z/report/changes.html", None),
                Entry("2026-11-30T030000Z", later, "changes.html", "No price moved."),
            ]
        )
    )
    assert feed.findtext("a:updated", namespaces=ATOM) == "2026-11-30T03:00:00Z"
    first, second = feed.findall("a:entry", ATOM)
    assert first.findtext("a:id", namespaces=ATOM) == "urn:hubfit:night:2026-11-30T030000Z"
    assert first.findtext("a:summary", namespaces=ATOM) == "No price moved."
    link = second.find("a:link", ATOM)
    assert link is not None
    assert link.get("href") == "../../2026-11-29T030000Z/report/changes.html"
    assert second.findtext("a:summary", namespaces=ATOM) == "Nothing was compared in this night."


def test_a_stranger_s_text_is_inert_in_the_feed() -> None:
    hostile = "<script>alert(1)</script> ]]> & \x00\x1b[31m\ud800 \u2028"
    raw = atom([Entry("r", THEN, 'x" onclick="y', hostile)])
    summary = ElementTree.fromstring(raw).findtext("a:entry/a:summary", namespaces=ATOM)
    assert summary == "<script>alert(1)</script> ]]> & [31m "
    assert b"<script" not in raw
