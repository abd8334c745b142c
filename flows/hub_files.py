"""The files of one repository, read by ranges: bounded in bytes and time however many headers it has."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from urllib.parse import quote

from flows.extract.info import File
from flows.failures import Failure
from flows.headers.byte_source import ReadAt
from flows.headers.problem import HeaderProblem
from flows.hub_http import Answer, HubHttp
from flows.repository import MOST_BYTES

MOST_SECONDS = 300.0


class RemoteFiles:
    """One revision of a repository. The bounds are of all files together."""

    def __init__(
        self, client: HubHttp, model_id: str, revision: str, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._path = quote(model_id, safe="/")
        self._revision = revision
        self._clock, self._deadline = clock, clock() + MOST_SECONDS
        self._left = MOST_BYTES

    def reader(self, file: File) -> ReadAt:
        """Reads of one file. Raises HeaderProblem for a name that leaves the repository, for what the Hub refuses, and
        when the bounds are met."""
        if not _is_inside(file.name):
            raise HeaderProblem(f"{file.name!r:.80} leaves the repository")

        def read_at(offset: int, length: int) -> bytes:
            if self._left <= 0 or self._clock() > self._deadline:
                raise HeaderProblem("the headers of this repository are more than a night can read")
            answer = self._client.get_range(self._url(file.name), bucket="resolvers", start=offset, length=length)
            if isinstance(answer, Failure):
                raise HeaderProblem(f"{answer.kind}: {answer.message}")
            self._left -= len(answer.body)
            return answer.body

        return read_at

    def content(self, name: str, limit: int) -> bytes | Failure:
        """One request for a whole file."""
        answer = self._client.get(self._url(name), bucket="resolvers", params=None, limit=limit)
        return answer if isinstance(answer, Failure) else answer.body

    def headers_together(self, index: str, read: Callable[[Iterator[bytes]], None]) -> bool:
        """One request, of the current revision, which may be another than this one."""

        def reader(pieces: Iterator[bytes]) -> Answer:
            read(pieces)
            return Answer(b"")

        path = f"/api/models/{self._path}/safetensors-metadata/{index}"
        return isinstance(self._client.consume(path, bucket="api", reader=reader), Answer)

    def _url(self, name: str) -> str:
        """Where a file is served, below the endpoint."""
        return f"/{self._path}/resolve/{self._revision}/{quote(name, safe='/')}"


def _is_inside(name: str) -> bool:
    return not name.startswith("/") and "://" not in name and ".." not in name.split("/") and "\\" not in name
