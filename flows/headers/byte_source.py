"""Bytes of a file that is somewhere else: read forwards, each byte once, a bounded piece at a time."""

from __future__ import annotations

from collections.abc import Callable

from flows.headers.problem import HeaderProblem

# Bytes from an offset on, at most as many as asked for; fewer at the end of the file.
ReadAt = Callable[[int, int], bytes]
PIECE = 256 * 1024


class Stream:
    """A window that moves over a file. `first` bytes are asked for at once, then pieces of `piece` bytes.

    Nothing is asked for beyond `end`, and a reader that wants bytes beyond `largest` meets a HeaderProblem.
    """

    def __init__(
        self,
        read_at: ReadAt,
        *,
        first: int = PIECE,
        piece: int = PIECE,
        end: int | None = None,
        largest: int | None = None,
    ) -> None:
        self._read_at = read_at
        self._next, self._piece = first, piece
        self._read = 0  # offset of the first byte that was not asked for
        self._largest = largest
        self.end = end
        self.data = b""
        self.at = 0  # of the next byte in `data`

    @property
    def waiting(self) -> int:
        """Bytes in the window that are not consumed."""
        return len(self.data) - self.at

    @property
    def position(self) -> int:
        """Offset in the file of the next byte that is not consumed."""
        return self._read - self.waiting

    def more(self) -> bool:
        """Move the window on by another piece; False at the end."""
        size = self._next if self.end is None else min(self._next, self.end - self._read)
        if size <= 0:
            return False
        if self._largest is not None and self._read >= self._largest:
            raise HeaderProblem(f"a header of more than {self._largest:,} bytes")
        self.data, self.at = self.data[self.at :], 0  # what was consumed goes before the next piece comes
        found = self._read_at(self._read, size)
        self._next = self._piece
        self._read += len(found)
        self.data += found
        return bool(found)

    def need(self, count: int) -> bytes:
        """Consume exactly `count` bytes. Raises HeaderProblem when the file ends before."""
        while self.waiting < count:
            if not self.more():
                raise HeaderProblem("the file ends inside its header")
        self.at += count
        return self.data[self.at - count : self.at]

    def skip(self, count: int) -> None:
        """Pass over `count` bytes. Raises HeaderProblem when the file ends before.

        Those beyond the window are neither held nor asked for, but for the last: it proves that they exist.
        """
        beyond = count - self.waiting
        if beyond <= 0:
            self.at += count
            return
        self.data, self.at = b"", 0
        self._read += beyond - 1
        self.need(1)
