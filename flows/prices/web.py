"""One GET of a price list: bounded in time and size, to the host that was named and to no other.

No token goes with it. Tries are the flow's: what may go away by itself is raised as ListAway.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from urllib.parse import urljoin, urlsplit

import httpx2

from flows.failures import Failure
from flows.prices.cutting import Cut

MOST_REDIRECTS = 5
PORTS = {"http": 80, "https": 443}


class ListFailed(Exception):
    """A price list that could not be read; another try would say the same."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


class ListAway(ListFailed):
    """It may be there later."""


@dataclass(frozen=True)
class Patience:
    """Seconds: to connect, between two pieces, and for all requests of one list."""

    connect: float = 10.0
    read: float = 20.0
    whole: float = 300.0


class Web:
    """GETs of one list, which share its time."""

    def __init__(self, patience: Patience, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._patience, self._clock = patience, clock
        self._deadline, self._cut = clock() + patience.whole, Cut(patience.whole)
        timeout = httpx2.Timeout(patience.read, connect=patience.connect)
        self._client = httpx2.Client(timeout=timeout, follow_redirects=False, headers=_headers())

    def __enter__(self) -> Web:
        self._cut.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._cut.stop()
        self._client.close()

    def get(self, url: str, *, limit: int) -> bytes:
        """The body of `url`, at most `limit` bytes. Raises ListFailed or ListAway."""
        home = origin(url)
        try:
            for _ in range(MOST_REDIRECTS + 1):
                self._require_time()
                with self._client.stream("GET", url, extensions={"trace": self._cut.trace}) as response:
                    if response.status_code in (301, 302, 303, 307, 308) and "location" in response.headers:
                        url = self.same_host(home, urljoin(url, response.headers["location"]))
                        continue
                    if not response.is_success:
                        raise _refused(response.status_code)
                    return self._body(response, limit)
        except httpx2.TimeoutException as error:
            raise ListAway(Failure("timeout", f"no answer within {self._patience.read:g} s")) from error
        except httpx2.DecodingError as error:
            raise ListAway(Failure("malformed_answer", "the answer's compression is broken")) from error
        except httpx2.TransportError as error:
            self._require_time()
            raise ListAway(Failure("connection", f"{type(error).__name__}: the connection failed")) from error
        except (httpx2.InvalidURL, UnicodeError, ValueError) as error:
            raise ListFailed(Failure("malformed_answer", "the address is none")) from error
        raise ListFailed(Failure("malformed_answer", f"more than {MOST_REDIRECTS} redirects"))

    def same_host(self, home: tuple[str, str, int], url: str) -> str:
        """`url`, if it is on the host that was asked. Raises ListFailed: an answer does not choose whom we ask."""
        try:
            is_home = origin(url) == home
        except ValueError as error:
            raise ListFailed(Failure("malformed_answer", "the answer leads to no usable address")) from error
        if not is_home:
            raise ListFailed(Failure("malformed_answer", "the answer leads to another host"))
        return url

    def _body(self, response: httpx2.Response, limit: int) -> bytes:
        body = bytearray()
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > limit:
                raise ListFailed(Failure("too_large", f"the answer is larger than {limit // 2**20} MiB"))
        # what ends with its connection may have been cut off
        self._require_time()
        return bytes(body)

    def _require_time(self) -> None:
        if self._clock() > self._deadline:
            raise ListAway(Failure("timeout", f"the price list took more than {self._patience.whole:g} s"))


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port, the usual port named or not. Raises ValueError for what is no address."""
    parts = urlsplit(url)
    return parts.scheme, parts.hostname or "", parts.port or PORTS.get(parts.scheme, 0)


def _refused(status: int) -> ListFailed:
    if status == 429:
        return ListAway(Failure("rate_limited", "too many requests", status))
    if status >= 500 or status == 408:
        return ListAway(Failure("server_error", f"the price list answered {status}", status))
    if status in (404, 410):
        return ListFailed(Failure("not_found", f"the price list answered {status}", status))
    return ListFailed(Failure("malformed_answer", f"the price list answered {status}", status))


def _headers() -> dict[str, str]:
    return {"user-agent": f"hubfit/{metadata.version('hubfit')}", "accept": "*/*"}
