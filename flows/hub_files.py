"""The files of one repository, read by ranges: bounded in bytes and time however many headers it has."""

from __future__ import annotations

import time
from collections.abc import Callable
from urllib.parse import quote

from flows.extract.info import File
from flows.failures import Failure
from flows.headers.byte_source import ReadAt
from flows.headers.problem import HeaderProblem
from flows.hub_http import HubHttp

MOST_BYTES = 256 * 2**20  # five headers of the largest kind; real repositories need a tenth
MOST_SECONDS = 300.0


class RemoteFiles:
    """One revision of a repository. The bounds are of all files together."""

    def __init__(
        self, client: HubHttp, model_id: str, revision: str, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.client = client
        self.path = quote(model_id, safe="/")
        self._revision = revision
        self._clock, self._deadline = clock, clock() + MOST_SECONDS
        self._left = MOST_BYTES

    def url(self, name: str) -> str:
        """Where a file is served, below the endpoint."""
        return f"/{self.path}/resolve/{self._revision}/{quote(name, safe='/')}"

    def reader(self, file: File) -> ReadAt:
        """Reads of one file. Raises HeaderProblem for a name that leaves the repository, for what the Hub refuses, and
        when the bounds are met."""
        if not _is_inside(file.name):
            raise HeaderProblem(f"{file.name!r:.80} leaves the repository")

        def read_at(offset: int, length: int) -> bytes:
            if self._left <= 0 or self._clock() > self._deadline:
                raise HeaderProblem("the headers of this repository are more than a night can read")
            answer = self.client.get_range(self.url(file.name), bucket="resolvers", start=offset, length=length)
            if isinstance(answer, Failure):
                raise HeaderProblem(f"{answer.kind}: {answer.message}")
            self._left -= len(answer.body)
            return answer.body

        return read_at


def _is_inside(name: str) -> bool:
    return not name.startswith("/") and "://" not in name and ".." not in name.split("/") and "\\" not in name
