"""The opcodes of a pickle, one at a time, each with a bounded argument. Nothing is run here.

Known are the opcodes that picklers of protocol 2 to 5 write, Python 2's among them; text forms of protocol 0 are not.
What no reader of tensors needs is read and dropped: floating-point numbers and bytes become OTHER.
Source: CPython, Lib/pickletools.py; for Python 2, Lib/pickle.py of 2.7 (integers of more than 32 bits as text).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

from flows.headers.byte_source import Stream
from flows.headers.problem import HeaderProblem

MOST_BYTES = 8 * 2**20  # of one file, read in order; a model of 7 billion parameters needs 52 kB
MOST_OPCODES = 1_000_000  # a tensor takes about 35
LONGEST_TEXT = 64 * 1024
LONGEST_LINE = 1000
LONGEST_INTEGER = 16  # bytes; PyTorch's magic number has ten
_DECIMAL = re.compile(rb"-?[0-9]{1,20}L?")


class Other:
    """A value that is no tensor and of which nothing is kept."""


OTHER: Final = Other()


class Source:
    """A stream of which at most MOST_BYTES are taken, in order."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self.taken = 0  # bytes

    def take(self, count: int) -> bytes:
        """The next `count` bytes. Raises HeaderProblem at the end of the file or of what is allowed."""
        self.taken += count
        if self.taken > MOST_BYTES:
            raise HeaderProblem(f"a header of more than {MOST_BYTES // 2**20} MiB")
        return self.stream.need(count)

    def line(self) -> bytes:
        """Up to a newline, which is consumed and not returned."""
        stream = self.stream
        while (end := stream.data.find(b"\n", stream.at, stream.at + LONGEST_LINE)) < 0:
            if stream.waiting >= LONGEST_LINE:
                raise HeaderProblem(f"a line of more than {LONGEST_LINE:,} bytes")
            if not stream.more():
                raise HeaderProblem("the file ends inside its header")
        return self.take(end + 1 - stream.at)[:-1]


# What an opcode does, in fewer words than there are opcodes: most only push their argument.
Opcode = tuple[str, object]
_Form = Callable[[Source], object]


def opcodes(source: Source) -> Iterator[Opcode]:
    """What each opcode does and its argument, up to and with STOP. Raises HeaderProblem, and nothing else."""
    for _ in range(MOST_OPCODES):
        code = source.take(1)
        known = _KNOWN.get(code)
        if known is None:
            raise HeaderProblem(f"the opcode {code[0]:#04x} is none of pickle protocols 2 to 5")
        action, form = known
        yield action, form(source)
        if action == "stop":
            return
    raise HeaderProblem(f"more than {MOST_OPCODES:,} opcodes")


def _constant(value: object) -> _Form:
    return lambda source: value


def _number(size: int, *, signed: bool = False) -> _Form:
    return lambda source: int.from_bytes(source.take(size), "little", signed=signed)


def _counted(source: Source, size: int) -> bytes:
    """Bytes after their length, which itself has `size` bytes."""
    length = int.from_bytes(source.take(size), "little")
    if length > LONGEST_TEXT:
        raise HeaderProblem(f"a value of {length:,} bytes")
    return source.take(length)


def _text(size: int, encoding: str = "utf-8") -> _Form:
    def read(source: Source) -> object:
        try:
            return _counted(source, size).decode(encoding)
        except UnicodeDecodeError as error:
            raise HeaderProblem("a text is not UTF-8") from error

    return read


def _dropped(size: int) -> _Form:
    def read(source: Source) -> object:
        _counted(source, size)
        return OTHER

    return read


def _long(size: int) -> _Form:
    def read(source: Source) -> object:
        found = _counted(source, size)
        return int.from_bytes(found, "little", signed=True) if len(found) <= LONGEST_INTEGER else OTHER

    return read


def _float(source: Source) -> object:
    source.take(8)
    return OTHER


def _decimal(source: Source) -> object:
    line = source.line()
    if line in (b"00", b"01"):
        return line == b"01"
    if not _DECIMAL.fullmatch(line):
        raise HeaderProblem("a number is not decimal")
    return int(line.rstrip(b"L"))


def _global(source: Source) -> object:
    """`module.name`."""
    try:
        return f"{source.line().decode()}.{source.line().decode()}"
    except UnicodeDecodeError as error:
        raise HeaderProblem("a text is not UTF-8") from error


_nothing = _constant(None)
_KNOWN: dict[bytes, tuple[str, _Form]] = {
    b"\x80": ("protocol", _number(1)), b".": ("stop", _nothing), b"\x95": ("frame", _number(8)),
    # the stack
    b"(": ("mark", _nothing), b"0": ("pop", _nothing), b"1": ("pop_mark", _nothing), b"2": ("duplicate", _nothing),
    # constants
    b"N": ("push", _nothing), b"\x88": ("push", _constant(True)), b"\x89": ("push", _constant(False)),
    b")": ("push", _constant(())),
    b"K": ("push", _number(1)), b"M": ("push", _number(2)), b"J": ("push", _number(4, signed=True)),
    b"\x8a": ("push", _long(1)), b"\x8b": ("push", _long(4)), b"I": ("push", _decimal), b"L": ("push", _decimal),
    b"G": ("push", _float),
    b"X": ("push", _text(4)), b"\x8c": ("push", _text(1)), b"\x8d": ("push", _text(8)),
    b"T": ("push", _text(4, "latin-1")), b"U": ("push", _text(1, "latin-1")),  # str of Python 2
    b"B": ("push", _dropped(4)), b"C": ("push", _dropped(1)), b"\x8e": ("push", _dropped(8)),
    b"\x96": ("push", _dropped(8)),
    # containers
    b"\x85": ("tuple", _constant(1)), b"\x86": ("tuple", _constant(2)), b"\x87": ("tuple", _constant(3)),
    b"t": ("marked_tuple", _nothing),
    b"]": ("list", _nothing), b"a": ("append", _nothing), b"e": ("appends", _nothing),
    b"}": ("mapping", _nothing), b"s": ("set_item", _nothing), b"u": ("set_items", _nothing),
    b"\x8f": ("set", _nothing), b"\x90": ("add_items", _nothing), b"\x91": ("frozen_set", _nothing),
    # the memo
    b"q": ("put", _number(1)), b"r": ("put", _number(4)), b"\x94": ("put", _nothing),
    b"h": ("get", _number(1)), b"j": ("get", _number(4)),
    # names and what is done with them
    b"c": ("global", _global), b"\x93": ("stack_global", _nothing),
    b"Q": ("persistent", _nothing), b"R": ("call", _nothing), b"b": ("build", _nothing),
    b"\x81": ("new", _constant(1)), b"\x92": ("new", _constant(2)), b"o": ("new_marked", _nothing),
    b"i": ("new_named", _global),
    b"\x82": ("extension", _number(1)), b"\x83": ("extension", _number(2)), b"\x84": ("extension", _number(4)),
}  # fmt: skip
