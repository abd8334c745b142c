"""Where the entry `<name>/data.pkl` of a zip begins: nearly always at the front, else the central directory says it.

PyTorch writes it first and without its size, which follows it; a pickle ends by itself, so one request is enough.
Entries are read as they are stored: one that is compressed or encrypted is a HeaderProblem, so nothing is inflated.
Source: PKWARE APPNOTE.TXT 6.3.10, sections 4.3.7 to 4.3.16 and 4.5.3.
"""

from __future__ import annotations

import re
import struct
from array import array
from dataclasses import dataclass

from flows.headers.byte_source import ReadAt, Stream
from flows.headers.opcodes import MOST_BYTES, Source
from flows.headers.problem import HeaderProblem

LOCAL = b"PK\x03\x04"
TAIL_BYTES = 65_536  # the end record with the longest comment that is looked for
MOST_ENTRIES = 100_000
LARGEST_FILE = 2**62
_NAME = re.compile(rb"[^/]+/data\.pkl")
_LONGEST_NAME = 1000
_DATA_DESCRIPTOR, _ENCRYPTED = 8, 1
_ABSENT = 2**32 - 1  # of a field of 32 bits: the ZIP64 extra field has it


@dataclass(frozen=True)
class Entry:
    """What stands before an entry's bytes."""

    name: bytes
    size: int | None  # null when it stands behind them
    is_plain: bool  # neither compressed nor encrypted


def is_pickle(name: bytes) -> bool:
    """Whether an entry of this name describes the tensors."""
    return _NAME.fullmatch(name) is not None


def local_entry(source: Source) -> Entry:
    """The local header that is next, consumed up to the entry's bytes."""
    found = struct.unpack("<4s5H3I2H", source.take(30))
    signature, _, flags, method, _, _, _, _, size, name_length, extra_length = found
    if signature != LOCAL:
        raise HeaderProblem("the zip has no entry where one should be")
    name, extra = _name(source, name_length), source.take(extra_length)
    is_plain = method == 0 and not flags & _ENCRYPTED
    known = None if flags & _DATA_DESCRIPTOR else _wide(extra, [size])[0]
    return Entry(name, known, is_plain)


def check_end(source: Source, entry: Entry, length: int) -> None:
    """Raises HeaderProblem unless the entry, of which `length` bytes were consumed, has that many."""
    size = entry.size
    if size is None:
        signature, _, size = struct.unpack("<4s2I", source.take(12))  # with ZIP64 the lower half of the size
        if signature != b"PK\x07\x08":
            raise HeaderProblem("data.pkl goes on after its pickle")
    if size != length:
        raise HeaderProblem(f"data.pkl has {size:,} bytes, its pickle {length:,}")


def find_pickle(read_at: ReadAt, size: int | None) -> int:
    """Offset of the local header of the one `<name>/data.pkl`, from the directory at the end of the file."""
    if size is None:
        raise HeaderProblem("data.pkl is not the zip's first entry and the file's size is not known")
    if size > LARGEST_FILE:
        raise HeaderProblem(f"a file of {size:,} bytes")
    begin = max(0, size - TAIL_BYTES)
    tail = read_at(begin, size - begin)
    count, length, at = _end_record(read_at, begin, tail)
    if count > MOST_ENTRIES or length > MOST_BYTES:
        raise HeaderProblem(f"a zip of {count:,} entries with a directory of {length:,} bytes")

    def directory(offset: int, wanted: int) -> bytes:
        """Part of the tail where that is enough."""
        return tail[at + offset - begin :][:wanted] if at >= begin else read_at(at + offset, wanted)

    source = Source(Stream(directory, end=length))
    begins, ends, pickles = array("q"), array("q"), []
    for _ in range(count):
        name, begins_at, stored = _central_entry(source)
        ends_at = begins_at + 30 + len(name) + stored
        if ends_at > at:
            raise HeaderProblem(f"an entry of the zip reaches from byte {begins_at:,} into the directory")
        begins.append(begins_at)
        ends.append(ends_at)
        if is_pickle(name):
            pickles.append(begins_at)
    if source.taken != length:
        raise HeaderProblem("the zip's directory has another length than it says")
    _check_apart(begins, ends)
    if len(pickles) != 1:
        raise HeaderProblem(f"a zip with {len(pickles):,} entries */data.pkl, so no PyTorch checkpoint")
    return pickles[0]


def _end_record(read_at: ReadAt, begin: int, tail: bytes) -> tuple[int, int, int]:
    """Number of entries, bytes of the directory and its offset. `tail` are the bytes of the file from `begin` on."""
    at = len(tail)
    while (at := tail.rfind(b"PK\x05\x06", 0, at)) >= 0:
        record = tail[at : at + 22]
        if len(record) == 22 and at + 22 + int.from_bytes(record[20:], "little") == len(tail):
            break
    else:
        raise HeaderProblem("the zip has no end record")
    _, disk, first_disk, _, count, length, offset, _ = struct.unpack("<4s4H2IH", record)
    end = begin + at
    locator = tail[max(0, at - 20) : at]
    if len(locator) == 20 and locator.startswith(b"PK\x06\x07"):
        _, disk, end, _ = struct.unpack("<4sIQI", locator)
        wide = read_at(end, 56) if end < begin + at else b""
        if len(wide) != 56 or not wide.startswith(b"PK\x06\x06"):
            raise HeaderProblem("the zip's ZIP64 end record is not where it should be")
        _, _, _, _, disk, first_disk, _, count, length, offset = struct.unpack("<4sQ2H2I4Q", wide)
    if disk or first_disk or offset + length != end:
        raise HeaderProblem("the zip's directory is not where it should be")
    return count, length, offset


def _central_entry(source: Source) -> tuple[bytes, int, int]:
    """The name of the directory's next entry, the offset of its local header and the bytes that are stored."""
    found = struct.unpack("<4s6H3I5H2I", source.take(46))
    stored, size, name_length, extra_length, comment_length = found[8:13]
    if found[0] != b"PK\x01\x02":
        raise HeaderProblem("the zip's directory ends too early")
    name, extra = _name(source, name_length), source.take(extra_length)
    source.take(comment_length)
    _, stored, offset = _wide(extra, [size, stored, found[16]])
    return name, offset, stored


def _name(source: Source, length: int) -> bytes:
    if length > _LONGEST_NAME:
        raise HeaderProblem(f"an entry of the zip has a name of {length:,} bytes")
    return source.take(length)


def _wide(extra: bytes, values: list[int]) -> list[int]:
    """The fields with those that are absent taken from the ZIP64 extra field, where they stand in this order."""
    at, field = 0, b""
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, at)
        if kind == 1:
            field = extra[at + 4 : at + 4 + length]
            break
        at += 4 + length
    found = []
    for value in values:
        if value == _ABSENT:
            if len(field) < 8:
                raise HeaderProblem("the zip's ZIP64 fields are incomplete")
            value, field = int.from_bytes(field[:8], "little"), field[8:]
        if value > LARGEST_FILE:
            raise HeaderProblem(f"the zip tells of {value:,} bytes")
        found.append(value)
    return found


def _check_apart(begins: array[int], ends: array[int]) -> None:
    """Raises HeaderProblem when two entries share bytes."""
    at = 0
    for position in sorted(range(len(begins)), key=begins.__getitem__):
        if begins[position] < at:
            raise HeaderProblem(f"entries of the zip overlap at byte {begins[position]:,}")
        at = ends[position]
