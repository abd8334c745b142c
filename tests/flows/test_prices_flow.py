"""`hubfit prices` through a real Prefect, against a local server."""

from __future__ import annotations

import signal
import subprocess
import threading
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from local_hub import Handler, HubServer, hang, raw, status
from prefect_night import HUBFIT, PrefectNight, quiet
from price_lists import gpuhunt, skypilot
from price_rows import price_rows

from flows import cli, lake, prices_flow
from flows.locks import Refused
from flows.prices import snapshots
from flows.prices.refresh import Outcome

HEADER = "provider,layout,address,basis,confidence,source,as_of,notes\n"
CSV = skypilot("p5.48xlarge,H100,8,1,1,\"{'MemoryInfo': {'SizeInMiB': 81920}}\",40.0,,us-east-1,a")


def addresses(folder: Path, url: str) -> list[str]:
    """Options for a site whose price lists are all at `url`."""
    folder.mkdir(exist_ok=True)
    rows = (f"aws,skypilot,{url}/aws", f"nebius,gpuhunt,{url}/nebius", f"vast.ai,skypilot,{url}/vast")
    text = HEADER + "".join(f"{row},list,high,a test,2026-11-30,\n" for row in rows)
    (folder / "price_sources.csv").write_text(text, encoding="utf-8")
    return ["--catalogs", str(folder)]


def hubfit_prices(data: Path, options: list[str]) -> subprocess.CompletedProcess[str]:
    command = [*HUBFIT, "prices", *options, "--data", str(data)]
    return subprocess.run(command, capture_output=True, text=True, timeout=200, env=quiet(), check=False)


def test_a_refresh_and_then_no_network(tmp_path: Path, hub: HubServer, prefect_night: PrefectNight) -> None:
    """One list that comes at the second try, one that is damaged, one that stays away; then nobody answers."""
    data = tmp_path / "data"
    prefect_night.lend_home(data)
    hub.faults["/aws"] = [status(503), raw(CSV)]
    hub.faults["/nebius/version"] = raw(b"20261122-17")
    hub.faults["/nebius/20261122-17/catalog.zip"] = raw(gpuhunt()[:-30])
    hub.faults["/vast"] = status(503)
    done = hubfit_prices(data, addresses(tmp_path / "ours", hub.url))
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "aws: 1 prices",
        "nebius: the catalog is no whole zip; its last prices stay",
        "vast.ai: the price list answered 503; its last prices stay",
    ]
    assert hub.requests() == {"/aws": 2, "/nebius/version": 1, "/nebius/20261122-17/catalog.zip": 1, "/vast": 3}
    kept = snapshots.files(data, "prices", datetime.now(UTC).date())
    assert [provider for _, provider, _ in kept] == ["aws"]

    alone = hubfit_prices(data, addresses(tmp_path / "ours", "http://127.0.0.1:9"))
    assert alone.returncode == 3, alone.stderr
    assert alone.stdout == ""
    assert alone.stderr.splitlines()[-1] == (
        "error: no price list could be reached (aws: ConnectError: the connection failed); the last prices stay"
    )
    assert "Traceback" not in alone.stderr
    assert snapshots.files(data, "prices", date.max) == kept


def test_a_refresh_that_is_killed_leaves_the_last_good_prices(
    tmp_path: Path, hub: HubServer, prefect_night: PrefectNight
) -> None:
    """Killed when one list is kept, one is half here and one is not: what is read is whole, and the next goes on."""
    data, today = tmp_path / "data", datetime.now(UTC).date()
    prefect_night.lend_home(data)
    for provider in ("aws", "nebius", "vast.ai"):
        last = price_rows({"provider": provider, "usd_per_gpu_hour": 4.5, "as_of": today - timedelta(days=1)})
        snapshots.write(data, "prices", provider, today - timedelta(days=1), last)
    options = addresses(tmp_path / "ours", hub.url)
    zipped = gpuhunt("gpu-h100-sxm,eu,24,1,1,8,H100,80,False,,,")
    is_half_here = threading.Event()

    def half(handler: Handler) -> None:
        handler.raw(200, zipped[:100], length=len(zipped))
        is_half_here.set()
        time.sleep(15)

    hub.faults["/aws"] = raw(CSV)
    hub.faults["/nebius/version"] = raw(b"20261122-17")
    hub.faults["/nebius/20261122-17/catalog.zip"] = [half, raw(zipped)]
    hub.faults["/vast"] = hang(15)
    command = [*HUBFIT, "prices", *options, "--data", str(data)]
    with subprocess.Popen(command, env=quiet(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        aws = data / "lake" / "prices" / f"date={today}" / "provider=aws.parquet"
        try:
            assert is_half_here.wait(120)
            while not lake.is_sealed(aws):
                assert process.poll() is None
                time.sleep(0.05)
        finally:
            process.kill()
    assert process.returncode == -signal.SIGKILL
    prices = ("provider", "usd_per_gpu_hour")
    assert snapshots.latest(data, "prices", date.max).sort("provider").select(prices).rows() == [
        ("aws", 5.0), ("nebius", 4.5), ("vast.ai", 4.5),
    ]  # fmt: skip
    hub.faults["/vast"] = status(404)
    done = hubfit_prices(data, options)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [
        "aws: 1 prices",
        "nebius: 1 prices",
        "vast.ai: the price list answered 404; its last prices stay",
    ]
    assert snapshots.latest(data, "prices", date.max).sort("provider").select(prices).rows() == [
        ("aws", 5.0), ("nebius", 3.0), ("vast.ai", 4.5),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("outcomes", "is_reached"),
    [
        ([("aws", True), ("gcp", True)], False),
        ([("aws", True), ("gcp", False)], True),
        ([], True),
    ],
)
def test_when_nobody_could_be_reached(outcomes: list[tuple[str, bool]], is_reached: bool) -> None:
    told = [Outcome(provider, message="timeout", is_out_of_reach=away) for provider, away in outcomes]
    if is_reached:
        prices_flow.require_reached(told)
    else:
        with pytest.raises(prices_flow.NoPrices, match=r"\(aws: timeout\)"):
            prices_flow.require_reached(told)


def test_a_bad_address_costs_no_start_of_prefect(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = addresses(tmp_path / "ours", "ftp://127.0.0.1")
    assert cli._guarded(lambda: cli.app(["prices", *options, "--data", str(tmp_path / "data")])) == 2
    assert not (tmp_path / "data").exists()


def test_two_refreshes_exclude_each_other(tmp_path: Path) -> None:
    with (
        prices_flow.exclusive(tmp_path),
        pytest.raises(Refused, match="another refresh of prices"),
        prices_flow.exclusive(tmp_path),
    ):
        pytest.fail("entered twice")
