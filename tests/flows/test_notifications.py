"""People are told of a published night through blocks of a real Prefect, over a real wire."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from prefect_night import PrefectNight, quiet

from flows import publication

NIGHT = """
    import sys
    from pathlib import Path
    from flows import prefect_server
    from flows.failures import Stop

    data, hook = Path(sys.argv[1]), sys.argv[2]
    with prefect_server.api(data, services=False, log_level="WARNING"):
        from prefect.blocks.notifications import CustomWebhookNotificationBlock
        from prefect.blocks.system import Secret
        from flows.nightly import nightly

        def asked(*notify):
            return nightly(
                source="snapshot", models=["openai-community/gpt2"], catalogs=sys.argv[3], data=str(data),
                notify=list(notify),
            )

        said = {"subject": "{{subject}}", "body": "{{body}}"}
        CustomWebhookNotificationBlock(name="away", url="http://127.0.0.1:9/", json_data=said).save("away")
        CustomWebhookNotificationBlock(name="team", url=hook, json_data=said).save("team")
        Secret(value="x").save("secret")
        for wrong in ("custom-webhook/none", "team", "secret/secret"):
            try:
                asked(wrong)
            except Stop as stop:
                print(stop)
        print(asked("custom-webhook/away", "custom-webhook/team"))
"""


@pytest.fixture
def hook() -> Iterator[tuple[str, list[dict[str, str]]]]:
    """The address of somebody who is notified, and what was sent there."""
    received: list[dict[str, str]] = []

    class Receiver(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Not on the terminal of the tests."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}/", received
    server.shutdown()
    server.server_close()
    thread.join()


def test_who_is_named_is_told_what_changed(
    tmp_path: Path, prefect_night: PrefectNight, hook: tuple[str, list[dict[str, str]]]
) -> None:
    """A block that is not there ends the night before it begins; one that cannot be reached costs a line."""
    address, received = hook
    data, few = tmp_path / "data", prefect_night.options[-1]
    prefect_night.lend_home(data)
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(NIGHT), str(data), address, few],
        capture_output=True, text=True, timeout=240, env=quiet(), check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    missing, nameless, silent, published = done.stdout.splitlines()
    assert missing.startswith("--notify custom-webhook/none: Prefect has no such block (")
    assert nameless.startswith("--notify team: Prefect has no such block (")
    assert silent == "--notify secret/secret: this block notifies nobody; take one like slack-webhook/NAME"
    assert [path.name for path in (data / "published").glob("2*")] == [Path(published).name]
    [told] = received
    folder = publication.latest(data)
    assert told["subject"] == f"hubfit: night {folder.name} is published"
    said, page = told["body"].splitlines()
    assert said == "There is nothing to compare with: no night was published before."
    assert page == (folder / "report" / "changes.html").as_uri()
    assert "nobody was notified through CustomWebhookNotificationBlock" in done.stderr
