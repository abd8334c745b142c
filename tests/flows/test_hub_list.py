"""Lists that the Hub makes, on the wire."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from local_hub import raw, reset, status
from wire import SETTINGS, Clock

from catalogs.errors import CatalogError
from flows import hub_list, inputs, pipeline
from flows.failures import HubUnavailable
from flows.hub_http import HubHttp

if TYPE_CHECKING:
    from local_hub import HubServer


def ids(text: str) -> list[str]:
    clock = Clock()
    http = HubHttp(SETTINGS, clock=clock, sleep=clock.sleep)
    try:
        return hub_list.ids(hub_list.parse(text), SETTINGS, http)
    finally:
        http.close()


def test_the_models_of_an_owner(hub: HubServer) -> None:
    for name, downloads in (("ours/small", 5), ("ours/large", 50), ("theirs/other", 500)):
        hub.add(name, downloads=downloads)
    assert ids("hub:author=ours") == ["ours/large", "ours/small"]
    assert len(hub.seen) == 1


def test_the_most_downloaded_page_by_page(hub: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_list, "PAGE", 3)
    for number in range(10):
        hub.add(f"a/{number}", downloads=number)
    assert ids("hub:top=7") == [f"a/{number}" for number in range(9, 2, -1)]
    assert len(hub.seen) == 3
    assert all(headers["authorization"] == "Bearer hf_secret_token" for _, headers, _ in hub.seen)
    assert ids("hub:top=100") == [f"a/{number}" for number in range(9, -1, -1)]


def test_a_bad_record_never_loses_a_page_and_a_page_elsewhere_is_not_followed(hub: HubServer) -> None:
    rows = [{"id": "a/b"}, 5, None, {"id": 7}, {"name": "x"}, {"id": "a/b"}, {"id": "c/d"}]
    elsewhere = {"Link": '<http://127.0.0.1:1/api/models?cursor=x>; rel="next"'}
    hub.faults["/api/models"] = status(200, elsewhere, rows)
    assert ids("hub:top=100") == ["a/b", "c/d"]
    assert len(hub.seen) == 1


@pytest.mark.parametrize("respond", [status(500), reset, raw(b"{}"), raw(b"["), status(401, {}, {})])
def test_without_a_list_there_is_no_night(hub: HubServer, respond: Any) -> None:
    hub.faults["/api/models"] = respond
    with pytest.raises(HubUnavailable, match="list of models"):
        ids("hub:top=5")


@pytest.mark.parametrize(
    "text", ["hub:", "hub:top=0", "hub:top=x", "hub:top=999999999", "hub:author=../x", "hub:all=1"]
)
def test_other_lists_say_what_to_write(text: str) -> None:
    with pytest.raises(CatalogError, match="hub:author=NAME"):
        inputs.listed([text], [])


def test_a_night_of_an_owners_models(hub: HubServer, tmp_path: Path) -> None:
    hub.add("ours/model")
    settings = replace(SETTINGS, data=tmp_path)
    night = pipeline.begin(settings, "hub", ["hub:author=ours"], ["a/b"], None, fresh=True)
    assert [model_id for model_id, _ in night.entries] == ["a/b", "ours/model"]
    with pytest.raises(CatalogError, match="names no model"):
        pipeline.begin(settings, "hub", ["hub:author=nobody"], [], None, fresh=True)
