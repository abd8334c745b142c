"""Checkpoints opcode by opcode, in the layouts that PyTorch writes, so that tests need neither PyTorch nor pickle."""

from __future__ import annotations

import io
import zipfile

EMPTY_ORDERED_DICT = b"ccollections\nOrderedDict\n)R"
MAGIC = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."


def text(value: str) -> bytes:
    encoded = value.encode()
    return b"X" + len(encoded).to_bytes(4, "little") + encoded


def number(value: int) -> bytes:
    if 0 <= value < 256:
        return bytes((0x4B, value))
    encoded = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
    return bytes((0x8A, len(encoded))) + encoded


def numbers(*values: int) -> bytes:
    return b"(" + b"".join(map(number, values)) + b"t"


def name(dotted: str) -> bytes:
    module, _, attribute = dotted.rpartition(".")
    return f"c{module}\n{attribute}\n".encode()


def called(dotted: str, *arguments: bytes) -> bytes:
    return name(dotted) + b"(" + b"".join(arguments) + b"tR"


def storage(elements: int, key: str = "0", kind: str = "torch.FloatStorage", last: bytes = b"") -> bytes:
    told = text("storage") + name(kind) + text(key) + text("cpu") + number(elements)
    return b"(" + told + last + b"tQ"


def tensor(*shape: int, stored: bytes | None = None, offset: int = 0, stride: tuple[int, ...] | None = None) -> bytes:
    """Of a storage of its own size where no other is given."""
    elements, steps = 1, []
    for size in reversed(shape):
        steps.insert(0, elements)
        elements *= size
    return called(
        "torch._utils._rebuild_tensor_v2",
        storage(elements) if stored is None else stored,
        number(offset),
        numbers(*shape),
        numbers(*(steps if stride is None else stride)),
        b"\x89",
        EMPTY_ORDERED_DICT,
    )


def mapping(entries: dict[str, bytes]) -> bytes:
    """In batches of a thousand, as picklers write them."""
    pairs = [text(key) + value for key, value in entries.items()]
    batches = [pairs[at : at + 1000] for at in range(0, len(pairs), 1000)]
    return b"}" + b"".join(b"(" + b"".join(batch) + b"u" for batch in batches)


def pickled(body: bytes, protocol: int = 2) -> bytes:
    return bytes((0x80, protocol)) + body + b"."


def zipped(entries: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    """A zip of these entries, in this order and with sizes before them."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as written:
        for entry, content in entries.items():
            written.writestr(entry, content)
    return file.getvalue()


def checkpoint(body: bytes, data: int = 4096, protocol: int = 2) -> bytes:
    """The zip layout, with `data` bytes of storages."""
    return zipped({"model/data.pkl": pickled(body, protocol), "model/data/0": bytes(data), "model/version": b"3\n"})


def legacy(body: bytes, storages: tuple[int, ...], keys: bytes = b"]") -> bytes:
    """The layout before the zip; `storages` are bytes of each."""
    head = MAGIC + pickled(b"M\xe9\x03") + pickled(b"}") + pickled(body) + pickled(keys)
    return head + b"".join(bytes(8 + size) for size in storages)


def widened(content: bytes) -> bytes:
    """The same zip with the last entry's fields and the end record in 64 bits, as files beyond 4 GiB need it."""
    at, end = content.rindex(b"PK\x01\x02"), content.rindex(b"PK\x05\x06")
    count, directory = content[end + 10 : end + 12], content[end + 16 : end + 20]
    last = bytearray(content[at:end])
    fields = b"".join(bytes(last[field : field + 4]) + bytes(4) for field in (24, 20, 42))  # sizes, offset
    last[20:28], last[42:46], last[30:32] = b"\xff" * 8, b"\xff" * 4, (28).to_bytes(2, "little")
    front = content[:at] + last + b"\x01\x00\x18\x00" + fields
    length = len(front) - int.from_bytes(directory, "little")
    wide_end = b"PK\x06\x06" + (44).to_bytes(8, "little") + b"\x2d\x00" * 2 + bytes(8) + (count + bytes(6)) * 2
    wide_end += length.to_bytes(8, "little") + directory + bytes(4)
    locator = b"PK\x06\x07" + bytes(4) + len(front).to_bytes(8, "little") + b"\x01\x00\x00\x00"
    return front + wide_end + locator + b"PK\x05\x06" + bytes(4) + b"\xff" * 12 + bytes(2)
