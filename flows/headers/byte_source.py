"""Bytes of a file that is somewhere else: read forwards, each byte once, a bounded piece at a time."""

from __future__ import annotations

from collections.abc import Callable

from flows.headers.problem import HeaderProblem

# Bytes from an offset on, at most as many as asked for; fewer at the end of the file.
ReadAt = Callable[[int, int], bytes]
PIECE = 256 * 1024


class Stream:
    """A window that moves over a file. `first` bytes are asked for at once, then pieces; nothing beyond `end`."""

    def __init__(self, read_at: ReadAt, *, first: int = PIECE, end: int | None = None) -> None:
        self._read_at = read_at
        self._next = first
        self._read = 0  # offset of the first byte that was not asked for
        self.end = end
        self.data = b""
        self.at = 0  # of the next byte in `data`

    @property
    def waiting(self) -> int:
        """Bytes in the window that are not consumed."""
        return len(self.data) - self.at

    def more(self) -> bool:
        """Move the window on by another piece; False at the end."""
        size = self._next if self.end is None else min(self._next, self.end - self._read)
        found = self._read_at(self._read, size) if size > 0 else b""
        self._next = PIECE
        self._read += len(found)
        self.data, self.at = self.data[self.at :] + found, 0
        return bool(found)

    def need(self, count: int) -> bytes:
        """Consume exactly `count` bytes. Raises HeaderProblem when the file ends before."""
        while self.waiting < count:
            if not self.more():
                raise HeaderProblem("the file ends inside its header")
        self.at += count
        return self.data[self.at - count : self.at]
