"""The night and the workload of a made-up report, and a name that tries to break out of a page."""

from __future__ import annotations

from datetime import UTC, date, datetime

from reports import model as m

HOSTILE = "</script><script>alert(1)</script>\"'&\u2028"
# What a stranger may call a model, a device or a provider: markup, a formula, escapes of a terminal, an address.
HOSTILE_NAMES = (
    HOSTILE, "<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "=cmd|' /C calc'!A0",
    "\x1b]0;owned\x07\x1b[31mred\x9b2J", "javascript:alert(1)", "{{ 7 * 7 }}",
)  # fmt: skip
NIGHT = m.Night(
    "2026-01-02T030000Z", datetime(2026, 1, 2, 3, tzinfo=UTC), "snapshot", "1.0+abc", "d" * 64, 3, 2, 1, 24,
    2, 2, date(2026, 1, 1), None,
)  # fmt: skip
CHAT = m.Workload("chat-8k", "One chat")
