"""A local server that speaks the Hub's HTTP API, and nights on small data."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from huggingface_hub import constants

SHA = "a" * 40
LLAMA = {
    "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": 64, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "intermediate_size": 128, "vocab_size": 256,
    "max_position_embeddings": 512, "torch_dtype": "bfloat16",
}  # fmt: skip

Respond = Callable[["Handler"], None]


class Handler(BaseHTTPRequestHandler):
    """Answers as the Hub does; `server.faults[path]` is a list of responders used up one by one, or one for ever."""

    protocol_version = "HTTP/1.1"
    server: HubServer

    def do_GET(self) -> None:
        path = urlsplit(self.path).path
        with self.server.lock:
            self.server.seen.append((path, dict(self.headers), parse_qs(urlsplit(self.path).query)))
            fault = self.server.faults.get(path)
            if isinstance(fault, list):
                fault = fault.pop(0) if fault else None
        (fault or type(self)._answer)(self)

    def _answer(self) -> None:
        path = urlsplit(self.path).path
        models = self.server.models
        if path.startswith("/api/models/") and path.removeprefix("/api/models/") in models:
            self.json(200, models[path.removeprefix("/api/models/")]["info"])
        elif path == "/api/models":
            self._list()
        elif path.endswith("/safetensors-metadata/model.safetensors.index.json"):
            self._headers_together(models.get(path.split("/safetensors-metadata/")[0].removeprefix("/api/models/")))
        elif f"/resolve/{SHA}/" in path and path[1:].partition(f"/resolve/{SHA}/")[0] in models:
            model_id, _, file = path[1:].partition(f"/resolve/{SHA}/")
            self._file(models[model_id], file)
        elif path.startswith("/api/resolve-cache/models/"):
            owner, name, sha, file = path.removeprefix("/api/resolve-cache/models/").split("/", 3)
            model = models.get(f"{owner}/{name}")
            if model is None or file not in model["files"] or sha != SHA:
                self.json(404, {"error": "Entry not found"}, {"X-Error-Code": "EntryNotFound"})
            else:
                self.json(200, model["files"][file])
        elif "/resolve/main/" in path and path[1:].partition("/resolve/main/")[0] in models:
            model_id, _, file = path[1:].partition("/resolve/main/")
            files = models[model_id]["files"]
            self.json(200, files[file]) if file in files else self.json(404, {}, {"X-Error-Code": "EntryNotFound"})
        else:
            # strangers cannot tell a missing repository from a private one
            self.json(401, {"error": "x"}, {"X-Error-Message": "Invalid username or password."})

    def _list(self) -> None:
        """A page of models, most downloaded first, and where the next one is."""
        query = parse_qs(urlsplit(self.path).query)
        author = query.get("author", [""])[0]
        rows = [model["info"] for name, model in self.server.models.items() if name.startswith(author)]
        rows.sort(key=lambda row: -row["downloads"])
        limit, skip = int(query.get("limit", ["1000"])[0]), int(query.get("cursor", ["0"])[0])
        more = urlencode({"limit": limit, "author": author, "cursor": skip + limit})
        link = {"Link": f'<{self.server.url}/api/models?{more}>; rel="next"'} if skip + limit < len(rows) else {}
        self.json(200, rows[skip : skip + limit], link)

    def _file(self, model: dict[str, Any], file: str) -> None:
        """A file, or the range of it that is asked for."""
        if file in model["files"]:
            self.json(200, model["files"][file])
            return
        blob = model["blobs"].get(file)
        if blob is None:
            self.json(404, {"error": "Entry not found"}, {"X-Error-Code": "EntryNotFound"})
            return
        first, last = self.headers["range"].removeprefix("bytes=").split("-")
        piece = blob[int(first) : int(last) + 1]
        if not piece:
            self.raw(416, b"")
            return
        told = f"bytes {first}-{int(first) + len(piece) - 1}/{len(blob)}"
        self.raw(206, piece, {"Content-Range": told})

    def _headers_together(self, model: dict[str, Any] | None) -> None:
        """What the Hub gives for a sharded checkpoint, where it does."""
        if model is None or not model["serves_headers"]:
            self.json(404, {"error": "Not found"})
            return
        headers = {}
        for name, blob in model["blobs"].items():
            length = int.from_bytes(blob[:8], "little")
            headers[name] = json.loads(blob[8 : 8 + length])
        self.json(200, {"index": {"metadata": {"total_size": 1}}, "headers": headers})

    def json(self, status: int, value: Any, headers: dict[str, str] | None = None) -> None:
        self.raw(status, json.dumps(value).encode(), {"Content-Type": "application/json", **(headers or {})})

    def raw(self, status: int, body: bytes, headers: dict[str, str] | None = None, length: int | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Keep the test output quiet."""


class HubServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.lock = threading.Lock()
        self.models: dict[str, dict[str, Any]] = {}
        self.faults: dict[str, Respond | list[Respond]] = {}
        self.seen: list[tuple[str, dict[str, str], dict[str, list[str]]]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def add(
        self,
        model_id: str,
        *,
        config: Any = LLAMA,
        files: dict[str, Any] | None = None,
        blobs: dict[str, bytes] | None = None,
        serves_headers: bool = True,
        **info: Any,
    ) -> None:
        """A repository: `files` are JSON files beside config.json, `blobs` files that are read by ranges."""
        files = {**({} if config is None else {"config.json": config}), **(files or {})}
        siblings = [{"rfilename": "README.md", "size": 3}]
        siblings += [{"rfilename": name, "size": 700} for name in files]
        siblings += [{"rfilename": name, "size": len(blob)} for name, blob in (blobs or {}).items()]
        body = {"_id": "1", "id": model_id, "sha": SHA, "siblings": siblings, "gated": False, "downloads": 5, **info}
        model = {"info": body, "files": files, "blobs": blobs or {}, "serves_headers": serves_headers}
        self.models[model_id] = model

    def requests(self) -> Counter[str]:
        return Counter(path for path, _, _ in self.seen)

    def handle_error(self, *args: object) -> None:
        """A client that hangs up is part of the tests."""


def reset(handler: Handler) -> None:
    """Close the connection without an answer."""
    handler.close_connection = True
    handler.connection.close()


def hang(seconds: float) -> Respond:
    def respond(handler: Handler) -> None:
        time.sleep(seconds)
        reset(handler)

    return respond


def status(code: int, headers: dict[str, str] | None = None, body: Any = "error") -> Respond:
    return lambda handler: handler.json(code, body, headers)


def raw(body: bytes, headers: dict[str, str] | None = None, length: int | None = None) -> Respond:
    def respond(handler: Handler) -> None:
        handler.raw(200, body, headers, length)
        if length is not None:
            reset(handler)

    return respond


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[HubServer]:
    """The server, and huggingface_hub told to use it."""
    server = HubServer()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    monkeypatch.setattr(constants, "ENDPOINT", server.url)
    monkeypatch.setenv("HF_TOKEN", "hf_secret_token")
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)
