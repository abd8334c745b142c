"""The files of one repository, wherever they are: what reading its headers needs, and where its configuration is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Protocol

from flows.extract.info import File, Info
from flows.failures import Failure
from flows.headers.byte_source import ReadAt

LARGEST_CONFIG = 8 * 2**20
MOST_BYTES = 256 * 2**20  # of all headers: five of the largest kind; real repositories need a tenth


class Repository(Protocol):
    """Ways to the bytes of one revision. The Hub gives them over HTTP, a folder from its disk."""

    def reader(self, file: File) -> ReadAt:
        """Reads of one file. Reading, or asking for the reader, raises HeaderProblem where the bytes cannot be had."""

    def content(self, name: str, limit: int) -> bytes | Failure:
        """A whole small file; a failure where it has more than `limit` bytes or cannot be read."""

    def headers_together(self, index: str, read: Callable[[Iterator[bytes]], None]) -> bool:
        """Give `read` the headers of all shards of an index in pieces, from their start if it is tried again.

        False where they are not served that way. What `read` raises goes through.
        """


def config_name(info: Info) -> str | None:
    """config.json; an adapter, a pipeline and an old sentence-transformers model have theirs under other names.

    Null when the repository lists none; config.json, to be tried, when it lists no files at all.
    """
    if info.files is None:
        return "config.json"
    usual = ["config.json", "model_index.json", "0_Transformer/config.json"]
    names = {file.name for file in info.files}
    wanted = ["adapter_config.json", *usual] if info.is_adapter else usual
    return next((name for name in wanted if name in names), None)
