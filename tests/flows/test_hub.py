"""The live source on the wire: real huggingface_hub, real HTTP, a local server."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING

import pytest
from local_hub import SHA, hang, raw, reset, status
from wire import SETTINGS, Clock, ask

from flows import hub as live
from flows.failures import Failure, HubUnavailable
from flows.hub_bases import Bases
from flows.hub_http import HubHttp
from flows.raw import RawModel

if TYPE_CHECKING:
    from local_hub import HubServer


def failure(model_id: str, clock: Clock | None = None) -> Failure:
    answer = ask("ok/anchor", model_id, clock=clock)[model_id]
    assert isinstance(answer, Failure), answer
    return answer


@pytest.fixture(autouse=True)
def anchor(hub: HubServer) -> None:
    """A healthy model beside every sick one, so that the Hub is seen to be alive."""
    hub.add("ok/anchor")


def test_a_healthy_model_costs_two_requests(hub: HubServer) -> None:
    answer = ask("ok/anchor")["ok/anchor"]
    assert isinstance(answer, RawModel)
    assert answer.revision == SHA
    assert json.loads(answer.info)["id"] == "ok/anchor"
    assert json.loads(answer.config or "")["model_type"] == "llama"
    assert hub.requests() == {
        "/api/models/ok/anchor": 1,
        f"/api/resolve-cache/models/ok/anchor/{SHA}/config.json": 1,
    }
    _, headers, query = hub.seen[0]
    assert query["blobs"] == ["true"]
    assert {"siblings", "safetensors", "gguf", "config", "sha"} <= set(query["expand"])
    assert headers["authorization"] == "Bearer hf_secret_token"
    assert headers["user-agent"].startswith("hubfit/")


def test_no_listed_configuration_costs_one_request(hub: HubServer) -> None:
    hub.add("no/config", config=None)
    answer = ask("no/config")["no/config"]
    assert isinstance(answer, RawModel)
    assert answer.config is None
    assert sum(hub.requests().values()) == 1


@pytest.mark.parametrize("model_id", ["a/b/c", "bad--id", "x" * 200, "sp ace", "../etc"])
def test_an_invalid_id_costs_no_request(hub: HubServer, model_id: str) -> None:
    assert failure(model_id).kind == "invalid_id"
    assert set(hub.requests()) == {"/api/models/ok/anchor", f"/api/resolve-cache/models/ok/anchor/{SHA}/config.json"}


def test_the_old_path_serves_where_the_new_one_does_not(hub: HubServer) -> None:
    hub.add("old/server")
    hub.faults[f"/api/resolve-cache/models/old/server/{SHA}/config.json"] = status(400)
    hub.faults[f"/old/server/resolve/{SHA}/config.json"] = status(200, body={"model_type": "gpt2"})
    answer = ask("old/server")["old/server"]
    assert isinstance(answer, RawModel)
    assert json.loads(answer.config or "") == {"model_type": "gpt2"}


@pytest.mark.parametrize(
    ("respond", "kind", "http_status", "transient"),
    [
        (status(401, {"X-Error-Message": "Invalid username or password."}), "not_found", 401, False),
        (status(404, {"X-Error-Code": "RepoNotFound"}), "not_found", 404, False),
        (status(403, {"X-Error-Code": "GatedRepo"}), "gated", 403, False),
        (status(403, {"X-Error-Message": "Access to this resource is disabled."}), "disabled", 403, False),
        (status(500), "server_error", 500, True),
        (status(429), "rate_limited", 429, True),
        (reset, "connection", None, True),
        (hang(1.0), "timeout", None, True),
        (raw(b"<html>oops</html>", {"Content-Type": "text/html"}), "malformed_answer", None, True),
        (raw(b""), "malformed_answer", None, True),
        (raw(b"[]"), "malformed_answer", None, True),
        (raw(b"null"), "malformed_answer", None, True),
        (raw(b'{"id": "x", "sha"', length=4000), "connection", None, True),
        (raw(b"not gzip", {"Content-Encoding": "gzip"}), "malformed_answer", None, True),
        (status(302, {"Location": "http://[::1"}), "malformed_answer", 302, True),
        (status(302, {"Location": "//[bad"}), "malformed_answer", 302, True),
        (status(302, {"Location": "file:///etc/passwd"}), "malformed_answer", 302, True),
        (status(302, {"Location": f"http://{'x' * 300}/"}), "malformed_answer", None, True),
        (status(302, {"Location": "http://x" + "\u00e9" * 80 + "/"}), "malformed_answer", None, True),
        (status(429, {"Retry-After": "\u00b2"}), "rate_limited", 429, True),
        (status(429, {"Retry-After": "9" * 5000}), "rate_limited", 429, True),
        (status(200, {"RateLimit": f'"api";r=0;t={"9" * 5000}'}), "malformed_answer", None, True),
        (raw(b"[" * 200_000), "malformed_answer", None, True),
    ],
)
def test_every_sick_answer_is_one_failure_of_one_model(
    hub: HubServer, respond: object, kind: str, http_status: int | None, transient: bool
) -> None:
    hub.faults["/api/models/sick/model"] = respond  # type: ignore[assignment]
    found = failure("sick/model")
    assert (found.kind, found.http_status, found.is_transient) == (kind, http_status, transient)
    assert "hf_secret_token" not in found.message


def test_a_disabled_repository_is_said_to_be(hub: HubServer) -> None:
    hub.add("dis/abled", disabled=True)
    assert failure("dis/abled").kind == "disabled"


def test_a_gated_model_whose_files_are_denied_is_gated(hub: HubServer) -> None:
    hub.add("gated/model", gated="manual")
    hub.faults[f"/api/resolve-cache/models/gated/model/{SHA}/config.json"] = status(
        403, {"X-Error-Code": "GatedRepo", "X-Error-Message": "Access to model gated/model is restricted"}
    )
    found = failure("gated/model")
    assert found.kind == "gated"
    assert "HF_TOKEN" in found.message


def test_a_huge_answer_is_cut_off(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "LARGEST_INFO", 2**20)
    hub.add("huge/model", padding="x" * 2**21)
    assert failure("huge/model").kind == "too_large"


def test_transient_failures_are_tried_again(hub: HubServer) -> None:
    hub.add("shaky/model")
    hub.faults["/api/models/shaky/model"] = [status(503), reset, status(429)]
    clock = Clock()
    assert isinstance(ask("shaky/model", clock=clock)["shaky/model"], RawModel)
    assert hub.requests()["/api/models/shaky/model"] == 4
    assert len(clock.slept) == 3


def test_the_quota_is_obeyed_and_never_for_a_day(hub: HubServer) -> None:
    hub.add("busy/model")
    hub.faults["/api/models/busy/model"] = [status(429, {"RateLimit": '"api";r=0;t=55'})]
    clock = Clock()
    assert isinstance(ask("busy/model", clock=clock)["busy/model"], RawModel)
    assert 50 < sum(clock.slept) < 70

    hub.faults["/api/models/busy/model"] = status(429, {"Retry-After": "86400"})
    clock = Clock()
    found = failure("busy/model", clock=clock)
    assert found.kind == "rate_limited"
    assert sum(clock.slept) < 400


def test_an_exhausted_window_is_waited_for_before_the_next_request(hub: HubServer) -> None:
    hub.faults["/api/models/ok/anchor"] = [
        lambda handler: handler.json(200, hub.models["ok/anchor"]["info"], {"RateLimit": '"api";r=0;t=20'})
    ]
    clock = Clock()
    http = HubHttp(SETTINGS, clock=clock, sleep=clock.sleep)
    assert isinstance(live.fetch(http, "ok/anchor", Bases(http)), RawModel)
    assert clock.slept == []  # the other bucket is open
    assert isinstance(live.fetch(http, "ok/anchor", Bases(http)), RawModel)
    assert clock.slept == [21]
    http.close()


def test_a_rename_is_followed_and_both_ids_are_kept(hub: HubServer) -> None:
    hub.add("new/name")
    hub.faults["/api/models/old/name"] = status(307, {"Location": "/api/models/new/name"})
    answer = ask("old/name")["old/name"]
    assert isinstance(answer, RawModel)
    assert answer.model_id == "old/name"
    assert json.loads(answer.info)["id"] == "new/name"
    assert hub.requests()[f"/api/resolve-cache/models/new/name/{SHA}/config.json"] == 1


def test_the_token_never_follows_to_another_origin(hub: HubServer) -> None:
    other = f"http://localhost:{hub.server_port}/elsewhere"
    hub.add("sly/model")
    hub.faults["/api/models/sly/model"] = status(307, {"Location": other})
    hub.faults["/elsewhere"] = status(200, body={"id": "sly/model", "sha": SHA, "siblings": []})
    assert isinstance(ask("sly/model")["sly/model"], RawModel)
    [(_, headers, _)] = [request for request in hub.seen if request[0] == "/elsewhere"]
    assert "authorization" not in {name.lower() for name in headers}


def test_endless_redirects_end(hub: HubServer) -> None:
    hub.faults["/api/models/round/trip"] = status(307, {"Location": "/api/models/round/trip"})
    assert failure("round/trip").kind == "malformed_answer"


def test_a_bad_token_stops_the_night_with_the_remedy(hub: HubServer) -> None:
    hub.faults["/api/models/ok/anchor"] = status(
        401, {"X-Error-Message": "Invalid credentials in Authorization header"}
    )
    with pytest.raises(HubUnavailable, match="HF_TOKEN"):
        ask("ok/anchor")


def test_offline_mode_stops_the_night(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live.constants, "is_offline_mode", lambda: True)
    with pytest.raises(HubUnavailable, match="HF_HUB_OFFLINE"):
        ask("ok/anchor")


def test_a_hub_that_is_away_stops_the_night(hub: HubServer) -> None:
    for number in range(40):
        hub.faults[f"/api/models/away/m{number}"] = reset
    with pytest.raises(HubUnavailable, match="does not answer"):
        ask(*(f"away/m{number}" for number in range(40)))


def test_many_models_with_faults_are_each_answered_once(hub: HubServer) -> None:
    ids = [f"crowd/m{number}" for number in range(200)]
    for number, model_id in enumerate(ids):
        hub.add(model_id)
        if number % 10 == 3:
            hub.faults[f"/api/models/{model_id}"] = [reset, status(502)]
        if number % 50 == 7:
            hub.faults[f"/api/models/{model_id}"] = status(500)
    clock = Clock()
    http = HubHttp(SETTINGS, clock=clock, sleep=lambda seconds: None)
    answers = list(live.hub_source(SETTINGS, http)(ids))
    http.close()
    assert sorted(model_id for model_id, _ in answers) == sorted(ids)
    failed = {model_id for model_id, answer in answers if isinstance(answer, Failure)}
    assert failed == {ids[number] for number in range(200) if number % 50 == 7}


def test_stopping_early_leaves_no_threads(hub: HubServer) -> None:
    for number in range(100):
        hub.add(f"many/m{number}")
    http = HubHttp(SETTINGS)
    answers = live.hub_source(SETTINGS, http)(f"many/m{number}" for number in range(100))
    next(iter(answers))
    answers.close()  # type: ignore[attr-defined]
    deadline = time.monotonic() + 5
    while any(thread.name.startswith("hub_") for thread in threading.enumerate()) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not [thread.name for thread in threading.enumerate() if thread.name.startswith("hub_")]
    assert sum(hub.requests().values()) < 60
    http.close()


def test_copies_without_a_configuration_bring_their_bases_asked_for_once(hub: HubServer) -> None:
    hub.add("owner/base")
    named = {"baseModels": {"relation": "quantized", "models": [{"id": "owner/base"}]}}
    for number in range(5):
        hub.add(f"copies/m{number}-GGUF", config=None, **named)
    found = ask(*(f"copies/m{number}-GGUF" for number in range(5)))
    for answer in found.values():
        assert isinstance(answer, RawModel)
        assert answer.config is None
        assert answer.base_id == "owner/base"
        assert json.loads(answer.base_config or "")["model_type"] == "llama"
    assert hub.requests()["/owner/base/resolve/main/config.json"] == 1


@pytest.mark.parametrize("base", ["owner/gone", "../../etc/passwd", "a b", "x" * 300])
def test_a_base_that_is_not_there_is_nobodys_failure(hub: HubServer, base: str) -> None:
    hub.add("copies/orphan", config=None, cardData={"base_model": base})
    answer = ask("copies/orphan")["copies/orphan"]
    assert isinstance(answer, RawModel)
    assert answer.base_config is None


def test_a_model_with_a_configuration_asks_for_no_base(hub: HubServer) -> None:
    hub.add("owner/base")
    hub.add("owner/tuned", cardData={"base_model": "owner/base"})
    answer = ask("owner/tuned")["owner/tuned"]
    assert isinstance(answer, RawModel)
    assert answer.base_id is None
    assert hub.requests()["/owner/base/resolve/main/config.json"] == 0
