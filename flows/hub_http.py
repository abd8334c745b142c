"""One GET to the Hub: bounded in time, size and tries, obeying its rate limits, never leaking the token.

huggingface_hub gives endpoint, headers, offline mode and the meaning of error answers; the requests go through one
client of our own, because its helpers wait without end on `Retry-After` and close other threads' connections.
"""

from __future__ import annotations

import random
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import metadata
from urllib.parse import urljoin, urlsplit

import httpx2
from huggingface_hub import __version__ as hub_version
from huggingface_hub import constants, get_token
from huggingface_hub.errors import (
    BadRequestError,
    DisabledRepoError,
    GatedRepoError,
    HfHubHTTPError,
    RemoteEntryNotFoundError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.utils._http import hf_raise_for_status

from flows.failures import Failure
from flows.settings import Settings

TRIES = 4
LONGEST_WAIT_SECONDS = 300.0  # one window of the Hub's quota
MOST_REDIRECTS = 5
LARGEST_ERROR = 2**20
NO_ADDRESS = "the answer redirects to no usable address"
BAD_TOKEN = "Invalid credentials in Authorization header"


@dataclass(frozen=True)
class Answer:
    """A body that arrived whole. `next_path` is where a list goes on, below the endpoint."""

    body: bytes
    next_path: str | None = None


class HubHttp:
    """GETs shared by the threads of one crawl. `clock` and `sleep` are replaced in tests."""

    def __init__(
        self,
        settings: Settings,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._settings = settings
        self._clock, self._sleep = clock, sleep
        self._closed_until: dict[str, float] = {}
        self._lock = threading.Lock()
        self._is_stopped = False
        self.endpoint = constants.ENDPOINT
        self._headers = _headers()
        timeout = httpx2.Timeout(settings.read_seconds, connect=settings.connect_seconds)
        limits = httpx2.Limits(max_connections=settings.workers * 2)
        self._client = httpx2.Client(timeout=timeout, limits=limits, follow_redirects=False)

    def close(self) -> None:
        self._client.close()

    def stop(self) -> None:
        """Begin nothing any more: requests in flight end by their time-out and are not tried again."""
        self._is_stopped = True

    def get(
        self, path: str, *, bucket: str, params: Mapping[str, str | list[str]] | None, limit: int
    ) -> Answer | Failure:
        """GET `path` below the endpoint; `bucket` is the quota it counts against, `limit` the largest body in bytes.

        Transient failures are tried again with growing waits; the last one is returned as what it is.
        """
        return self._patiently(bucket, lambda: self._once(f"{self.endpoint}{path}", bucket, params, limit))

    def get_range(self, path: str, *, bucket: str, start: int, length: int) -> Answer | Failure:
        """At most `length` bytes of a file from `start` on, whatever the server sends; fewer at its end.

        A server that ignores ranges is read no further than asked, and is a failure beyond the start of a file.
        """
        url = f"{self.endpoint}{path}"
        return self._patiently(bucket, lambda: self._once(url, bucket, None, length, start=start))

    def consume(self, path: str, *, bucket: str, reader: Callable[[Iterator[bytes]], Answer]) -> Answer | Failure:
        """GET `path` and give its body to `reader` in pieces, so that nobody holds it whole.

        Failures before and inside the body are tried again from the start; what `reader` raises goes through.
        """
        return self._patiently(bucket, lambda: self._once(f"{self.endpoint}{path}", bucket, None, 0, reader=reader))

    def _patiently(self, bucket: str, ask: Callable[[], Answer | Failure]) -> Answer | Failure:
        failure: Failure | None = None
        for attempt in range(TRIES):
            if not self._wait_for_quota(bucket):
                return Failure("rate_limited", "the Hub asks to wait longer than a night can", 429)
            outcome = ask()
            if isinstance(outcome, Answer) or not outcome.is_transient:
                return outcome
            failure = outcome
            if self._is_stopped:
                break
            if attempt + 1 < TRIES:
                self._sleep(min(30.0, 0.5 * 2**attempt) * (0.5 + random.random()))
        assert failure is not None
        return failure

    def _once(
        self,
        url: str,
        bucket: str,
        params: Mapping[str, str | list[str]] | None,
        limit: int,
        start: int | None = None,
        reader: Callable[[Iterator[bytes]], Answer] | None = None,
    ) -> Answer | Failure:
        deadline = self._clock() + self._settings.total_seconds
        home = _origin(url)
        try:
            for _ in range(MOST_REDIRECTS + 1):
                # The token goes to the endpoint's own origin and nowhere else.
                headers = self._headers if _origin(url) == home else _without_token(self._headers)
                if start is not None:
                    # compressed, a piece would have other bytes
                    headers = headers | {"range": f"bytes={start}-{start + limit - 1}", "accept-encoding": "identity"}
                with self._client.stream("GET", url, params=params, headers=headers) as response:
                    self._heed_quota(bucket, response)
                    if response.status_code in (301, 302, 303, 307, 308) and "location" in response.headers:
                        found = _redirected(str(response.url), response.headers["location"])
                        if found is None:
                            return Failure("malformed_answer", NO_ADDRESS, response.status_code)
                        url, params = found, None
                        continue
                    if start is not None:
                        return self._read_range(response, start, limit, deadline)
                    if reader is not None and response.is_success:
                        return reader(self._in_time(response, deadline))
                    return self._read(response, limit or LARGEST_ERROR, deadline)
        except httpx2.TimeoutException:
            return Failure("timeout", f"no answer within {self._settings.read_seconds:g} s")
        except httpx2.DecodingError:
            return Failure("malformed_answer", "the answer's compression is broken")
        except httpx2.TransportError as error:
            return Failure("connection", f"{type(error).__name__}: the connection failed")
        except (httpx2.InvalidURL, UnicodeError):  # host names that no resolver takes
            return Failure("malformed_answer", NO_ADDRESS)
        return Failure("malformed_answer", f"more than {MOST_REDIRECTS} redirects")

    def _read(self, response: httpx2.Response, limit: int, deadline: float) -> Answer | Failure:
        body = bytearray()
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) > limit:
                return Failure("too_large", f"the answer is larger than {limit // 2**20} MiB", response.status_code)
            if self._clock() > deadline:
                return Failure("timeout", f"the answer took more than {self._settings.total_seconds:g} s")
        if response.is_success:
            return Answer(bytes(body), _next_path(response, self.endpoint))
        return _failure(response, bytes(body))

    def _in_time(self, response: httpx2.Response, deadline: float) -> Iterator[bytes]:
        """The body in pieces. Raises httpx2.ReadTimeout when it drips past the deadline."""
        for chunk in response.iter_bytes():
            yield chunk
            if self._clock() > deadline:
                raise httpx2.ReadTimeout("the answer drips", request=response.request)

    def _read_range(self, response: httpx2.Response, start: int, length: int, deadline: float) -> Answer | Failure:
        """The piece that was asked for, and not a byte more."""
        if response.status_code == 416:
            return Answer(b"")  # nothing there: the file ends before
        if not response.is_success:
            return self._read(response, LARGEST_ERROR, deadline)
        told = re.match(r"bytes (\d+)-", response.headers.get("content-range", ""))
        begins = int(told[1]) if response.status_code == 206 and told else 0
        if begins != start:
            return Failure("malformed_answer", "the server sent another part of the file", response.status_code)
        body = bytearray()
        for chunk in response.iter_bytes():
            body += chunk
            if len(body) >= length:
                break  # leaving the stream closes it: a whole file costs no more than the piece
            if self._clock() > deadline:
                return Failure("timeout", f"the answer took more than {self._settings.total_seconds:g} s")
        return Answer(bytes(body[:length]))

    def _heed_quota(self, bucket: str, response: httpx2.Response) -> None:
        """Remember until when a bucket is closed: `RateLimit: "api";r=0;t=55`, or Retry-After on a 429."""
        found = re.search(r"r=(\d{1,9});t=(\d{1,9})", response.headers.get("ratelimit", ""))
        wait = float(found[2]) + 1 if found and int(found[1]) == 0 else 0.0
        retry_after = response.headers.get("retry-after", "")
        if response.status_code == 429 and not wait and re.fullmatch(r"[0-9]{1,9}", retry_after):
            wait = float(retry_after)
        if wait:
            with self._lock:
                self._closed_until[bucket] = max(self._closed_until.get(bucket, 0.0), self._clock() + wait)

    def _wait_for_quota(self, bucket: str) -> bool:
        """Sleep until the bucket opens; False when that is further away than one window."""
        with self._lock:
            wait = self._closed_until.get(bucket, 0.0) - self._clock()
        if wait > LONGEST_WAIT_SECONDS + 1:
            return False
        if wait > 0:
            self._sleep(wait)
        return True


def _failure(response: httpx2.Response, body: bytes) -> Failure:
    """What an error answer means, most specific first: a gated repository *is* a repository not found."""
    status = response.status_code
    message = response.headers.get("x-error-message", "")
    if status == 401 and BAD_TOKEN in message + body[:500].decode(errors="replace"):
        return Failure("unauthorized", "the Hub does not accept the token; check HF_TOKEN", status)
    # huggingface_hub reads the status and the X-Error headers; a hostile body would crash its reader.
    told = {name: value for name, value in response.headers.items() if name.startswith("x-error")}
    try:
        hf_raise_for_status(httpx2.Response(status, headers=told, request=response.request))
    except GatedRepoError:
        return Failure("gated", "accept the model's terms on the Hub and set HF_TOKEN", status)
    except DisabledRepoError:
        return Failure("disabled", "the Hub has disabled access to this repository", status)
    except (RepositoryNotFoundError, RevisionNotFoundError, RemoteEntryNotFoundError):
        return Failure("not_found", "not found, or private", status)
    except (HfHubHTTPError, BadRequestError):
        pass  # named by its status below
    if status == 401:
        # over plain HTTP huggingface_hub does not read a bare 401 as "not found or private"
        return Failure("not_found", "not found, or private", status)
    if status == 403:
        return Failure("unauthorized", "the Hub refuses access", status)
    if status == 404:
        return Failure("not_found", "not found, or private", status)
    if status == 429:
        return Failure("rate_limited", "too many requests", status)
    if status >= 500 or status == 408:
        return Failure("server_error", f"the Hub answered {status}", status)
    return Failure("malformed_answer", f"the Hub answered {status}", status)


def _headers() -> dict[str, str]:
    """Who asks, and the token that huggingface_hub would use. Its own helper would first ask the Hub about agents."""
    headers = {"user-agent": f"hubfit/{metadata.version('hubfit')}; hf_hub/{hub_version}", "accept": "application/json"}
    token = None if constants.HF_HUB_DISABLE_IMPLICIT_TOKEN else get_token()
    return headers | ({"authorization": f"Bearer {token}"} if token else {})


def _next_path(response: httpx2.Response, endpoint: str) -> str | None:
    """The next page of a list, as `Link: <…>; rel="next"` names it; null when it is elsewhere than the endpoint."""
    found = re.search(r'<([^<>]+)>\s*;\s*rel="next"', response.headers.get("link", ""))
    url = _redirected(str(response.url), found[1]) if found else None
    return url.removeprefix(endpoint) if url is not None and url.startswith(f"{endpoint}/") else None


def _redirected(url: str, location: str) -> str | None:
    """Where an answer sends us, null when that is no address of the web."""
    try:
        found = urljoin(url, location)
        return found if urlsplit(found).scheme in ("http", "https") and urlsplit(found).hostname else None
    except ValueError:
        return None


def _origin(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc


def _without_token(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() != "authorization"}
