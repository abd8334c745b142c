"""Price lists on the wire, against a local server that misbehaves."""

from __future__ import annotations

import time
from contextlib import suppress
from datetime import date
from pathlib import Path

import pytest
from local_hub import Handler, HubServer, Respond, hang, raw, reset, status
from price_lists import azure, gpuhunt, meter, skypilot
from price_rows import price_rows

from flows.prices import snapshots, sources
from flows.prices.refresh import Outcome, away, refresh
from flows.prices.sources import Source
from flows.prices.web import ListAway, Patience, Web, origin

DAY = date(2026, 11, 30)
PATIENCE = Patience(connect=1, read=0.5, whole=3)
CSV = skypilot("p5.48xlarge,H100,8,1,1,\"{'MemoryInfo': {'SizeInMiB': 81920}}\",40.0,,us-east-1,a")


def source(server: HubServer, layout: str = "skypilot", path: str = "/list", provider: str = "aws") -> Source:
    return Source(provider, layout, f"{server.url}{path}", "list", "high", "a test")


def asked(data: Path, of: Source) -> Outcome:
    return refresh(data, of, None, DAY, PATIENCE)


def test_a_list_becomes_a_part(hub: HubServer, tmp_path: Path) -> None:
    hub.faults["/list"] = [raw(CSV)]
    assert asked(tmp_path, source(hub)) == Outcome("aws", 1, 0)
    [row] = snapshots.latest(tmp_path, "prices", DAY).iter_rows(named=True)
    assert (row["gpu"], row["usd_per_gpu_hour"], row["as_of"]) == ("nvidia-h100-sxm-80gb", 5.0, DAY)
    [(_, headers, _)] = hub.seen
    assert "authorization" not in {name.lower() for name in headers}


def test_a_zip_with_its_version(hub: HubServer, tmp_path: Path) -> None:
    hub.faults["/gcp/version"] = [raw(b"20261122-17\n")]
    hub.faults["/gcp/20261122-17/catalog.zip"] = [
        raw(gpuhunt("a3,us,24,1,1,8,H100,80,False,,,", "z,us,9,1,1,1,Z1,9,False,,,"))
    ]
    assert asked(tmp_path, source(hub, "gpuhunt", "/gcp/", "gcp")) == Outcome("gcp", 1, 1)
    [row] = snapshots.latest(tmp_path, "prices", DAY).iter_rows(named=True)
    assert (row["as_of"], row["source"]) == (date(2026, 11, 22), "a test, version 20261122-17")
    assert snapshots.latest(tmp_path, "price_unmapped", DAY)["gpu_name"].to_list() == ["Z1"]


def test_pages_are_followed(hub: HubServer, tmp_path: Path) -> None:
    following = f"{hub.url}/list?$skip=1"
    hub.faults["/list"] = [raw(azure(meter(), following=following)), raw(azure(meter(armRegionName="x")))]
    assert asked(tmp_path, source(hub, "azure_retail", provider="azure")) == Outcome("azure", 2, 0)
    assert snapshots.latest(tmp_path, "prices", DAY)["usd_per_gpu_hour"].to_list() == [10.0, 10.0]


def endless(handler: Handler) -> None:
    count = len(handler.server.seen)
    handler.raw(200, azure(meter(), following=f"{handler.server.url}/list?$skip={count}"))


def in_circles(handler: Handler) -> None:
    handler.raw(200, azure(meter(), following=f"{handler.server.url}/list?$skip=0"))


@pytest.mark.parametrize("respond", [endless, in_circles])
def test_pages_without_end(hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, respond: Respond) -> None:
    monkeypatch.setattr(sources, "MOST_PAGES", 5)
    hub.faults["/list"] = respond
    found = asked(tmp_path, source(hub, "azure_retail", provider="azure"))
    assert found.message is not None
    assert found.message.startswith("the pages do not end")
    assert len(hub.seen) <= 5


BAD = [
    ("skypilot", raw(b"<html>sign in</html>"), "the price list has no column InstanceType"),
    ("azure_retail", raw(b"<html>sign in</html>"), "the answer is not JSON"),
    ("azure_retail", raw(azure(meter(currencyCode="EUR"))), "prices are in EUR, not in USD"),
    ("azure_retail", raw(azure(meter(), following="http://127.0.0.2:1/x")), "the answer leads to another host"),
    ("skypilot", status(302, {"Location": "http://127.0.0.2:1/list"}), "the answer leads to another host"),
    ("azure_retail", raw(azure(meter(), following="http://[::1/x")), "the answer leads to no usable address"),
    ("azure_retail", raw(azure(meter(), following="x")), "the answer leads to another host"),
    ("skypilot", status(302, {"Location": "http://[::1/x"}), "the address is none"),
    ("skypilot", status(302, {"Location": "/list"}), "more than 5 redirects"),
    ("skypilot", status(404), "the price list answered 404"),
    ("skypilot", status(403), "the price list answered 403"),
    ("gpuhunt", status(404), "the price list answered 404"),
]


@pytest.mark.parametrize(("layout", "respond", "message"), BAD)
def test_a_bad_answer_keeps_the_last_prices(
    hub: HubServer, tmp_path: Path, layout: str, respond: Respond, message: str
) -> None:
    last = price_rows({"provider": "aws"})
    snapshots.write(tmp_path, "prices", "aws", date(2026, 11, 29), last)
    hub.faults["/list"] = hub.faults["/list/version"] = respond
    found = asked(tmp_path, source(hub, layout))
    assert found == Outcome("aws", message=message)
    assert str(found) == f"aws: {message}; its last prices stay"
    assert snapshots.latest(tmp_path, "prices", DAY).equals(last)


def test_a_truncated_zip(hub: HubServer, tmp_path: Path) -> None:
    whole = gpuhunt("a3,us,24,1,1,8,H100,80,False,,,")
    hub.faults["/gcp/version"] = [raw(b"20261122-17")]
    hub.faults["/gcp/20261122-17/catalog.zip"] = [raw(whole[:-30])]
    assert asked(tmp_path, source(hub, "gpuhunt", "/gcp", "gcp")).message == "the catalog is no whole zip"
    assert snapshots.latest(tmp_path, "prices", DAY).is_empty()


def test_a_huge_answer_is_left_unread(hub: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "LARGEST_FILE_BYTES", 2**20)
    hub.faults["/list"] = raw(b"x" * (3 * 2**20))
    assert asked(tmp_path, source(hub)).message == "the answer is larger than 1 MiB"


AWAY = [
    (status(500), "server_error", False),
    (status(429), "rate_limited", False),
    (reset, "connection", True),
    (hang(2), "timeout", True),
    (raw(b"half", length=100), "connection", True),
    (raw(b"no gzip", {"Content-Encoding": "gzip"}), "malformed_answer", False),
]


@pytest.mark.parametrize(("respond", "kind", "is_out_of_reach"), AWAY, ids=lambda value: str(value)[:20])
def test_what_another_try_may_mend(
    hub: HubServer, tmp_path: Path, respond: Respond, kind: str, is_out_of_reach: bool
) -> None:
    hub.faults["/list"] = respond
    with pytest.raises(ListAway) as caught:
        asked(tmp_path, source(hub))
    assert caught.value.failure.kind == kind
    assert away(source(hub), caught.value).is_out_of_reach == is_out_of_reach


def test_all_requests_of_a_list_share_its_time(hub: HubServer) -> None:
    hub.faults["/list"] = raw(b"x" * 100)
    times = iter([0.0, 2.9, 2.9, 2.9, 3.1])
    with Web(PATIENCE, clock=lambda: next(times)) as web:
        assert len(web.get(f"{hub.url}/list", limit=1000)) == 100
        with pytest.raises(ListAway, match="took more than 3 s"):
            web.get(f"{hub.url}/list", limit=1000)


class Trickle:
    """`before`, and then a byte at a time, each well within the patience between two, until nobody listens."""

    def __init__(self, before: bytes) -> None:
        self.before, self.is_heard_out = before, False

    def __call__(self, handler: Handler) -> None:
        handler.close_connection = True
        with suppress(OSError):
            handler.wfile.write(self.before)
            for _ in range(100):
                time.sleep(0.05)
                handler.wfile.write(b"x")
            self.is_heard_out = True


def slow_circle(handler: Handler) -> None:
    time.sleep(0.3)
    handler.raw(302, b"", {"Location": "/list"})


@pytest.mark.parametrize(
    "respond",
    [
        Trickle(b""),
        Trickle(b"HTTP/1.1 200 OK\r\nx-endless: "),
        Trickle(b"HTTP/1.1 302 Found\r\nLocation: /list"),
        Trickle(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"),
        Trickle(b"HTTP/1.1 200 OK\r\n\r\n"),
        slow_circle,
    ],
    ids=["status", "header", "redirect", "body", "body without a length", "redirects"],
)
def test_no_answer_takes_longer_than_the_list_may(hub: HubServer, respond: Respond) -> None:
    hub.faults["/list"] = respond
    with Web(Patience(connect=1, read=0.5, whole=0.8)) as web, pytest.raises(ListAway) as caught:
        web.get(f"{hub.url}/list", limit=1000)
    assert caught.value.failure.kind == "timeout"
    assert str(caught.value) == "the price list took more than 0.8 s"
    assert len(hub.seen) <= 3
    assert not (isinstance(respond, Trickle) and respond.is_heard_out)


def test_what_is_opened_after_the_end_is_shut_at_once(hub: HubServer) -> None:
    """A connection that took until then to open has no time of its own."""
    hub.faults["/list"] = respond = Trickle(b"HTTP/1.1 200 OK\r\nx-endless: ")
    times = iter([0.0, 0.0])
    with Web(Patience(connect=1, read=0.5, whole=0.0), clock=lambda: next(times, 1.0)) as web:
        time.sleep(0.2)
        with pytest.raises(ListAway, match="took more than 0 s"):
            web.get(f"{hub.url}/list", limit=1000)
    assert not respond.is_heard_out


def test_the_gate_is_asked(hub: HubServer, tmp_path: Path) -> None:
    key = {"region": "us-east-1", "instance_type": "p5.48xlarge"}
    last = price_rows(key | {"usd_per_gpu_hour": 0.5})
    snapshots.write(tmp_path, "prices", "aws", date(2026, 11, 29), last)
    hub.faults["/list"] = [raw(CSV)]
    assert asked(tmp_path, source(hub)).message == "1 of 1 known prices changed more than fivefold"
    assert snapshots.latest(tmp_path, "prices", DAY).equals(last)


def test_the_usual_port_is_the_same_host() -> None:
    assert origin("https://example.org:443/a") == origin("https://example.org/b")
    assert origin("http://example.org/") != origin("https://example.org/")
