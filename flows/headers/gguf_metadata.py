"""The key-values of a GGUF file: the few that describe the architecture are kept, the rest is passed over.

Most of a header is the tokenizer, up to 10 MB of strings and numbers before the first tensor is described. None of it
is held. What llama.cpp refuses is a problem here too; nested arrays, which the format allows, are passed over.
Sources: github.com/ggml-org/ggml docs/gguf.md; github.com/ggml-org/llama.cpp ggml/src/gguf.cpp. The limits follow those
of huggingface.js: 100,000 keys, strings of 10 MB, arrays four deep.
"""

from __future__ import annotations

import math
import struct

from flows.headers.byte_source import Stream
from flows.headers.problem import HeaderProblem

Scalar = str | int | float | bool

MOST_KEYS = 100_000
LONGEST_NAME = 2**16 - 1  # the format's own limit of keys; tensor names have at most 63 in llama.cpp, more in forks
LONGEST_STRING = 10_000_000
MOST_ELEMENTS = 16 * 2**20  # of an array; the largest vocabularies have some hundred thousand tokens
DEEPEST_ARRAY = 4
MOST_METADATA, LONGEST_METADATA = 128, 200
MOST_CANDIDATES = 1024  # of keys that may turn out to belong to the architecture
MOST_LAYERS, LONGEST_LIST = 1024, 4_000  # of an array that has a value for each layer

ALIGNMENT, ARCHITECTURE, TOKENS = "general.alignment", "general.architecture", "tokenizer.ggml.tokens"
TOKEN_COUNT = f"{TOKENS}.count"  # ours: the vocabulary itself is not kept
KEPT = (
    ARCHITECTURE, "general.name", "general.type", "general.size_label", "general.file_type",
    "general.quantization_version", ALIGNMENT, "split.no", "split.count", "split.tensors.count",
)  # fmt: skip
_OTHER = ("general.", "tokenizer.", "split.", "quantize.")

U32, STRING, ARRAY = 4, 8, 9
_LITTLE = {
    kind: struct.Struct(f"<{form}") for kind, form in
    {0: "B", 1: "b", 2: "H", 3: "h", U32: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}.items()
}  # fmt: skip
_LISTED = frozenset(_LITTLE) - {6, 12}  # whole numbers and bools
_LENGTH = struct.Struct("<Q")
_TYPE_AND_COUNT = struct.Struct("<IQ")


def metadata(stream: Stream, count: int) -> dict[str, Scalar]:
    """What `count` key-values say of the architecture; the stream stands behind them. Raises HeaderProblem.

    A list with a whole number for each layer becomes text, `8,0,8`; of the vocabulary the length is kept.
    """
    seen: set[int] = set()
    kept: dict[str, Scalar] = {}
    candidates: dict[str, Scalar] = {}
    for _ in range(count):
        key = text(stream)
        if not key:
            raise HeaderProblem("a key is empty")
        if hash(key) in seen:
            raise HeaderProblem(f"two values have the key {key!r:.80}")
        seen.add(hash(key))
        kind = number(stream)
        value: Scalar | None
        if key == ALIGNMENT and kind != U32:
            raise HeaderProblem(f"{ALIGNMENT} is not a 32-bit number")
        if kind == ARRAY:
            length, value = _array(stream, key)
            if key == TOKENS:
                kept[TOKEN_COUNT] = length
        else:
            value = _value(stream, kind, key)
        if value is None:
            continue
        if key in KEPT:
            kept[key] = value
        elif len(key) <= LONGEST_METADATA and not key.startswith(_OTHER) and len(candidates) < MOST_CANDIDATES:
            candidates[key] = value
    return _of_architecture(kept, candidates)


def text(stream: Stream) -> str:
    """A key or the name of a tensor."""
    length = int.from_bytes(stream.need(8), "little")
    if length > LONGEST_NAME:
        raise HeaderProblem(f"a name of {length:,} bytes")
    try:
        return stream.need(length).decode()
    except UnicodeDecodeError as error:
        raise HeaderProblem("a name is not UTF-8") from error


def number(stream: Stream) -> int:
    """A whole number of 32 bits: the type of a value or of a tensor."""
    return int.from_bytes(stream.need(4), "little")


def _of_architecture(kept: dict[str, Scalar], candidates: dict[str, Scalar]) -> dict[str, Scalar]:
    """In the order of KEPT, then of the file. The architecture need not be the first key, so it is asked at the end."""
    found = {key: kept[key] for key in (*KEPT, TOKEN_COUNT) if key in kept}
    own = [key for key in candidates if key.startswith(f"{found.get(ARCHITECTURE, '')}.")]
    return found | {key: candidates[key] for key in own[: MOST_METADATA - len(found)]}


def _value(stream: Stream, kind: int, key: str) -> Scalar | None:
    """A short text or a number; null for anything that JSON or a column of 64 bits cannot hold."""
    if kind == STRING:
        length = _string_length(stream.need(8), 0)
        if length > LONGEST_METADATA:
            stream.skip(length)
            return None
        try:
            return stream.need(length).decode()
        except UnicodeDecodeError:
            return None
    if kind not in _LITTLE:
        raise HeaderProblem(f"{key!r:.80} has values of the type {kind}")
    (value,) = _LITTLE[kind].unpack(stream.need(_LITTLE[kind].size))
    return value if math.isfinite(value) and (isinstance(value, float) or value < 2**63) else None


def _array(stream: Stream, key: str) -> tuple[int, str | None]:
    """(length, text of a short list of whole numbers or null)."""
    kind, count = _TYPE_AND_COUNT.unpack(stream.need(_TYPE_AND_COUNT.size))
    if kind not in _LISTED or not 0 < count <= MOST_LAYERS:
        _skip_elements(stream, kind, count, key, 1)
        return count, None
    one = _LITTLE[kind]
    listed = ",".join(str(int(value)) for (value,) in one.iter_unpack(stream.need(count * one.size)))
    return count, listed if len(listed) <= LONGEST_LIST else None


def _skip_elements(stream: Stream, kind: int, count: int, key: str, depth: int) -> None:
    if count > MOST_ELEMENTS:
        raise HeaderProblem(f"{key!r:.80} has an array of {count:,} elements")
    if kind in _LITTLE:
        stream.skip(count * _LITTLE[kind].size)
    elif kind == STRING:
        _skip_strings(stream, count)
    elif kind == ARRAY:
        if depth == DEEPEST_ARRAY:
            raise HeaderProblem(f"{key!r:.80} has arrays more than {DEEPEST_ARRAY} deep")
        for _ in range(count):
            inner, length = _TYPE_AND_COUNT.unpack(stream.need(_TYPE_AND_COUNT.size))
            _skip_elements(stream, inner, length, key, depth + 1)
    else:
        raise HeaderProblem(f"{key!r:.80} has values of the type {kind}")


def _skip_strings(stream: Stream, count: int) -> None:
    """Hundreds of thousands in one array: the loop runs over the window, not over calls of the stream."""
    while count:
        data, at, last = stream.data, stream.at, len(stream.data) - 8
        while count and at <= last:
            at += 8 + _string_length(data, at)
            count -= 1
        beyond = at - len(data)
        stream.at = min(at, len(data))
        if beyond > 0:
            stream.skip(beyond)
        elif count and not stream.more():
            raise HeaderProblem("the file ends inside its header")


def _string_length(data: bytes, at: int) -> int:
    length: int = _LENGTH.unpack_from(data, at)[0]
    if length > LONGEST_STRING:
        raise HeaderProblem(f"a string of {length:,} bytes")
    return length
